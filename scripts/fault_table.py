"""Writes the tables of docs/reliability.md from the rows that tests have noted down.

    python scripts/fault_table.py rows.jsonl docs/reliability.md

Only what lies between the two marks of the page is replaced.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- rows of the tests: begin -->", "<!-- rows of the tests: end -->"
HEAD = (
    "| device | what happened | what it says | good again after | lost | reported lost |\n"
    "|---|---|---|---|---|---|\n"
)
NOSE_HEAD = (
    "| what happened | formats | what it says | good again | lost | reported lost | equal in |\n"
    "|---|---|---|---|---|---|---|\n"
)

_LONGEST = 240
Row = dict[str, Any]


def cell(value: Any) -> str:
    """One cell; what may differ from run to run (a number of a port, a folder) is left out."""
    text = "" if value is None else str(value)
    text = re.sub(r"/tmp/\S*?(/[\w.]+)?(?=['\s:;,)]|$)", r"…\1", text)  # noqa: S108
    text = text.replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= _LONGEST else text[: _LONGEST - 2] + " …"


def table(rows: list[Row]) -> str:
    """One line a row, in the order in which they came."""
    out = HEAD
    for row in rows:
        cells = [row[key] for key in ("device", "what", "told", "good_again_s", "lost", "reported")]
        if cells[3] is not None:
            cells[3] = f"{cells[3]:.2f} s"
        out += "| " + " | ".join(cell(c) for c in cells) + " |\n"
    return out


def noses(rows: list[Row]) -> str:
    """One line a fault, over all formats of noses."""
    by: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by[row["what"]].append(row)
    out = NOSE_HEAD
    for what, group in by.items():
        told = sorted({str(r["told"]) for r in group}, key=len)
        counted = [r for r in group if r["lost"] is not None and r["reported"] is not None]
        again = [r["good_again_s"] for r in group if r.get("good_again_s") is not None]
        names = sorted({str(r["device"]) for r in group})
        equal = sum(r["lost"] == r["reported"] for r in counted)
        cells = [
            what,
            names[0] if len(names) == 1 else len(names),
            told[0] if len(told) == 1 else f"{told[0]}; or: {told[-1]}",
            f"{max(again):.1f} s" if again else None,
            sum(r["lost"] for r in counted) if counted else None,
            sum(r["reported"] for r in counted) if counted else None,
            f"{equal} of {len(counted)}" if counted else None,
        ]
        out += "| " + " | ".join(cell(c) for c in cells) + " |\n"
    return out


def main(source: Path, page: Path) -> None:
    """Replace the tables of the page."""
    rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    by: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by[row.get("family", "Electronic noses")].append(row)
    text = ""
    for family, group in by.items():
        text += f"\n## {family}\n\n" + (noses if family == "Electronic noses" else table)(group)
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    page.write_text(before + BEGIN + "\n" + text + "\n" + END + after, encoding="utf-8")
    print(f"{page}: {len(rows)} rows")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
