"""Results as pictures and as Markdown, both from `bench.json` alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from benchmarks.plot import Series, panels
from thymos.bench.figures import Figure, cells

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
PICTURE = "bench-growth.svg"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
_POINT = re.compile(r"growth: (\d+) (.+)")


def load(out: Path) -> list[Figure]:
    """The figures of the last run."""
    fields = ("name", "value", "unit", "spread", "target", "peer", "peer_value", "ratio")
    body: list[dict[str, Any]] = json.loads((out / "bench.json").read_text(encoding="utf-8"))
    return [
        Figure(**{k: v for k, v in item.items() if k in fields})
        for item in body
        if item["value"] is not None
    ]


def draw(out: Path) -> bool:
    """Draw the growth of cost, if it was measured; whether it was."""
    series: dict[str, Series] = {}
    for figure in load(out):
        found = _POINT.fullmatch(figure.name)
        if found:
            low, high = figure.spread["min"], figure.spread["max"]
            line = series.setdefault(found[2], Series(found[2], []))
            line.points.append((float(found[1]), figure.value, low, high))
    if not series:
        return False
    unit = "ms of processor time for a second of data"
    (out / PICTURE).write_text(panels(list(series.values()), unit), encoding="utf-8")
    return True


def write_markdown(out: Path, page: Path = PAGE) -> None:
    """Put the last results into the page, between its two marks, and the picture beside it."""
    about = json.loads((out / "machine.json").read_text(encoding="utf-8"))
    lines = [
        BEGIN,
        f"{about['processor']}, {about['cores']} cores, {about['system']}, Python "
        f"{about['python']}, load before {about['load before']}, {about['date']}.",
        "",
        "| figure | value | spread | peer | ratio | target | |",
        "|---|---|---|---|---|---|---|",
    ]
    for figure in load(out):
        if _POINT.fullmatch(figure.name):
            continue  # it is in the picture
        verdict = {None: "", True: "ok", False: "**missed**"}[figure.reached]
        lines.append(
            "| " + " | ".join([*(c.replace("|", "/") for c in cells(figure)), verdict]) + " |"
        )
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, mark, after = rest.partition(END)
    if not mark:
        raise SystemExit(f"'{page}' lacks the marks {BEGIN} and {END}")
    page.write_text(before + "\n".join([*lines, END]) + after, encoding="utf-8")
    if draw(out):
        picture = page.parent / "images" / PICTURE
        picture.write_text((out / PICTURE).read_text(encoding="utf-8"), encoding="utf-8")
