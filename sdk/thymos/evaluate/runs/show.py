"""A result as tables for people."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from thymos.evaluate.runs.score import NO_ANSWER, Result
from thymos.report.html import clean

NAMES = {
    "uar": "UAR",
    "war": "WAR (accuracy)",
    "macro_f1": "macro-F1",
    "weighted_f1": "weighted F1",
}
LISTED = 5
WIDEST = 10


def render(result: Result, worst: int = LISTED) -> RenderableType:
    """Render scores, classes, tags and the worst cases."""
    parts: list[RenderableType] = [Text(_head(result), style="bold")]
    if "each_class" in result:
        parts += _each_class(result["each_class"])
    if "scores" in result:
        parts += [_scores(result), _classes(result)]
        if len(result["classes"]) <= WIDEST:  # else only in the picture
            parts.append(_confusion(result))
    if result.get("calibration"):
        found = result["calibration"]
        parts.append(
            Text(
                f"calibration error (15 bins) {found['ece']:.3f}; "
                f"mean confidence {found['mean_confidence']:.3f}"
            )
        )
    parts += [_tag(tag, values) for tag, values in result.get("by", {}).items()]
    if "told" in result:
        parts += _told(result["told"])
    if "conflict" in result:
        parts += _conflict(result["conflict"])
    parts += _worst(result.get("worst", [])[:worst])
    parts += [
        Text(clean(f"unreadable: {row['file']}: {row['error']}"), style="yellow")
        for row in result["unreadable"][:LISTED]
    ]
    return Group(*parts)


def _head(result: Result) -> str:
    lost = f", {n} unreadable (listed)" if (n := len(result["unreadable"])) else ""
    none = f", {n} without answer (wrong)" if (n := result["no_answer"]) else ""
    return f"{result['task']}: {result['scored']} items scored{none}{lost}"


def _scores(result: Result) -> Table:
    table = Table(box=None, caption=result["interval"], caption_justify="left", pad_edge=False)
    table.add_column("score")
    for name in ("value", "95 %", "always the commonest", "answers shuffled"):
        table.add_column(name, justify="right")
    for name, row in result["scores"].items():
        low_high = f"{row['low']:.3f}-{row['high']:.3f}"
        cells = (low_high, f"{row['majority']:.3f}", f"{row['shuffled']:.3f}")
        table.add_row(NAMES[name], f"{row['value']:.3f}", *cells)
    return table


def _classes(result: Result) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("class", "n", "recall", "precision", "F1"):
        table.add_column(name, justify="left" if name == "class" else "right")
    for row in result["per_class"]:
        figures = (f"{row[key]:.3f}" for key in ("recall", "precision", "f1"))
        table.add_row(row["class"], str(row["n"]), *figures)
    return table


def _confusion(result: Result) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("true \\ said")
    columns, rows = result["confusion"]["columns"], result["confusion"]["rows"]
    used = [j for j, name in enumerate(columns) if name != NO_ANSWER or any(r[j] for r in rows)]
    for j in used:
        table.add_column("none" if columns[j] == NO_ANSWER else columns[j][:4], justify="right")
    for name, row in zip(result["classes"], rows, strict=True):
        table.add_row(name, *(str(row[j]) for j in used))
    return table


def _each_class(found: Result) -> list[RenderableType]:
    row = found["macro_f1"]
    span = f"[{row['low']:.3f}, {row['high']:.3f}]"
    line = (
        f"macro-F1, each class a yes or no: {row['value']:.3f} {span}"
        f"; always yes {row['always_yes']:.3f}; answers shuffled {row['shuffled']:.3f}"
    )
    each = ", ".join(f"{name} {f:.3f}" for name, f in found["f1"].items())
    return [Text(line), Text(f"F1: {each}", style="dim"), Text(found["note"], style="dim")]


def _tag(tag: str, values: Result) -> Text:
    each = ", ".join(
        f"{v or '(none)'} {row['uar']:.3f} [{row['low']:.3f}, {row['high']:.3f}] (n {row['n']})"
        for v, row in values.items()
    )
    return Text(clean(f"UAR by {tag}: {each}"))


def _told(found: Result) -> list[RenderableType]:
    lines = [
        f"{found['windows']} windows ({found['steps_a_window']} steps each), "
        f"{found['windows_abstained']} abstained; {found['clips_in_conflict']} clips in conflict; "
        f"{found['model_answers_replaced']} model answers replaced by rules"
    ]
    s, d = found["steps"], found["doubly_right"]
    lines += [
        f"explanations: Rec {s['rec']:.3f}, Rea {s['rea']:.3f}, CoT {s['cot']:.3f} "
        f"({s['one_step']} without reasons)",
        f"doubly right: RR {d['rr']:.3f}, RW {d['rw']:.3f}, WR {d['wr']:.3f}, WW {d['ww']:.3f}; "
        f"{d['told']:.0%} of the reasons tell a class without its name; reasons shuffled "
        f"{d['shuffled']:.3f} right",
    ]
    for modality, row in found["alone"].items():
        value, low, high = row["uar"]
        lines.append(
            f"{modality} alone: UAR {value:.3f} [{low:.3f}, {high:.3f}] on {row['clips']} clips; "
            f"fused there {row['fused_uar_there']:.3f}"
        )
    return [Text(line) for line in lines]


def _conflict(found: Result) -> list[RenderableType]:
    table = Table(box=None, pad_edge=False)
    for name in ("", "video-aligned", "audio-aligned", "consistent", "conflict", "95 %", "overall"):
        table.add_column(name, justify="right" if name else "left")
    for way, row in found["ways"].items():
        value, low, high = row["conflict"]
        parts = [f"{row[name]:.3f}" for name in found["clips"]]
        table.add_row(way, *parts, f"{value:.3f}", f"{low:.3f}-{high:.3f}", f"{row['overall']:.3f}")
    clips = ", ".join(f"{name} {n}" for name, n in found["clips"].items())
    return [Text(f"clips: {clips}; in no subset: {found['in_no_subset']}"), table]


def _worst(rows: list[Result]) -> list[RenderableType]:
    lines: list[RenderableType] = [Text("wrong and surest:", style="bold")] if rows else []
    for row in rows:
        said = f"said {row['said']} {row['confidence']:.2f}"
        lines.append(
            Text(clean(f"  {row['file']}: {said}, is {row['truth']} ({row['of_truth']:.2f})"))
        )
        facts = ", ".join(f"{k} {v}" for k, v in row["facts"].items())
        lines += [
            Text(clean(f"    {more}"), style="dim")
            for more in (row.get("text", ""), row["why"], facts)
            if more
        ]
    return lines
