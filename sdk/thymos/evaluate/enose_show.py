"""The drift table as text and as a picture."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from thymos.evaluate.enose import EnoseResult, Experiment
from thymos.evaluate.enose_methods import BEST, KINDS, LABELLED, ONLINE
from thymos.report.plot import steps_picture

_DRAWN = {
    "SVM, z of the source": "SVM as trained",
    "logistic regression, z of each batch": "z of each batch",
    ONLINE: "aligned online",
    BEST: "aligned offline",
    LABELLED: "with labels",
}


def lines(result: EnoseResult) -> Iterator[str]:
    """The result as Markdown."""
    for experiment in result.experiments:
        yield from _table(result, experiment)
    for extra in result.extras:
        yield f"## {extra.title}"
        yield ""
        yield f"| | {' | '.join(extra.columns)} |"
        yield "| --- |" + " --- |" * len(extra.columns)
        for name, values in extra.rows:
            yield f"| {name} | {' | '.join(f'{value:.3f}' for value in values)} |"
        yield ""
    for note in result.notes:
        yield f"* {note}"


def _table(result: EnoseResult, experiment: Experiment) -> Iterator[str]:
    names = list(experiment.parts)
    yield f"## Trained on {experiment.source}; accuracy on each other part"
    yield ""
    yield f"| method | {' | '.join(names)} | mean | 95 % | spread | worst run |"
    yield "| --- |" + " --- |" * (len(names) + 4)
    yield f"| rows | {' | '.join(str(experiment.parts[n]) for n in names)} | | | | |"
    kind = ""
    for line in experiment.lines:
        if line.kind != kind:
            kind = line.kind
            yield f"| **{_told(result, kind)}** |" + " |" * (len(names) + 4)
        cells = " | ".join(f"{line.cells[n].accuracy.value:.3f}" for n in names)
        mean, random = line.mean, line.kind in ("online", "labelled")
        spread = f"{line.spread:.3f} | {line.worst:.3f}" if random else "|"
        yield (
            f"| {line.name} | {cells} | {mean.value:.3f} | "
            f"{mean.low:.3f} … {mean.high:.3f} | {spread} |"
        )
    yield ""


def _told(result: EnoseResult, kind: str) -> str:
    if kind == "online":
        return f"{KINDS[kind]}; {result.orders} random orders"
    if kind == "labelled":
        return f"{KINDS[kind]}: {result.labels} random ones, {result.orders} draws"
    return KINDS[kind]


def picture(experiment: Experiment, what: str = "batch") -> str:
    """Accuracy over the parts before and after, as SVG; empty for a single part."""
    names = list(experiment.parts)
    drawn, spread = {}, {}
    for line in experiment.lines:
        if line.name in _DRAWN:
            cells = [line.cells[n] for n in names]
            drawn[_DRAWN[line.name]] = [c.accuracy.value for c in cells]
            if len(cells[0].runs) > 1:
                spread[_DRAWN[line.name]] = [(min(c.runs), max(c.runs)) for c in cells]
    if len(names) < 2 or not drawn:
        return ""
    return steps_picture(
        f"Accuracy under drift, trained on {what} {experiment.source}",
        [f"{what} {n}" for n in names],
        drawn,
        note="upright strokes: all seeded orders and draws; thymos eval enose DATA",
        spread=spread,
    )


def write(result: EnoseResult, out: Path) -> list[Path]:
    """Write result.json, table.md and a picture for each experiment; give their paths."""
    out.mkdir(parents=True, exist_ok=True)
    made = [out / "result.json", out / "table.md"]
    made[0].write_text(json.dumps(result.data(), indent=1) + "\n", "utf-8")
    made[1].write_text("\n".join(lines(result)) + "\n", "utf-8")
    for number, experiment in enumerate(result.experiments, start=1):
        drawn = picture(experiment, result.part_kind)
        if drawn:
            made.append(out / f"accuracy-{number}.svg")
            made[-1].write_text(drawn, "utf-8")
    return made
