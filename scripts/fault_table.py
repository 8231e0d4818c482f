"""Writes the tables of docs/reliability.md from the rows that tests have noted down.

    python scripts/fault_table.py rows.jsonl docs/reliability.md

Only what lies between the two marks of the page is replaced.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- rows of the tests: begin -->", "<!-- rows of the tests: end -->"
SAID = "`/diagnostics` | `thymos run` | the samples say"
COUNTED = "good again after | lost | reported lost"
HEAD = f"| device | what happened | {SAID} | {COUNTED} |\n" + "|---" * 8 + "|\n"
NOSE_HEAD = f"| what happened | formats | {SAID} | {COUNTED} | equal in |\n" + "|---" * 9 + "|\n"
NOSES = "Electronic noses"

_LONGEST = 480
Row = dict[str, Any]


def cell(value: Any) -> str:
    """One cell; what may differ from run to run (a folder) is left out."""
    text = "–" if value is None else str(value)
    text = re.sub(r"/tmp/\S*?(/[\w.-]+)?(?=['\s:;,)]|$)", r"…\1", text)  # noqa: S108
    text = text.replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= _LONGEST else text[: _LONGEST - 2] + " …"


def line(values: list[Any]) -> str:
    """One line of a table."""
    return "| " + " | ".join(cell(value) for value in values) + " |\n"


def seconds(value: float | None) -> str | None:
    """A length of time."""
    return None if value is None else f"{value:.2f} s"


def table(rows: list[Row]) -> str:
    """One line a row, in the order in which they came."""
    told = ("device", "what", "diagnostics", "terminal", "samples")
    return HEAD + "".join(
        line([*(r[k] for k in told), seconds(r["good_again_s"]), r["lost"], r["reported"]])
        for r in rows
    )


def noses(rows: list[Row]) -> str:
    """One line a fault, over all formats of noses."""
    by: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by[row["what"]].append(row)
    out = NOSE_HEAD
    for what, group in by.items():
        counted = [r for r in group if r["lost"] is not None and r["reported"] is not None]
        again = [r["good_again_s"] for r in group if r["good_again_s"] is not None]
        names = sorted({str(r["device"]) for r in group})
        equal = sum(r["lost"] == r["reported"] for r in counted)
        out += line(
            [
                what,
                names[0] if len(names) == 1 else len(names),
                *(most(group, key) for key in ("diagnostics", "terminal", "samples")),
                seconds(max(again, default=None)),
                sum(r["lost"] for r in counted) if counted else None,
                sum(r["reported"] for r in counted) if counted else None,
                f"{equal} of {len(counted)}" if counted else None,
            ]
        )
    return out


def most(group: list[Row], key: str) -> str:
    """What most of them say, and the next."""
    often = [text for text, _ in Counter(str(row[key]) for row in group).most_common(2)]
    return "; or: ".join(filter(None, often))


def main(source: Path, page: Path) -> None:
    """Replace the tables of the page."""
    rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    # A test that was asked twice: the second answer counts.
    once = {(row["family"], row["device"], row["what"]): row for row in rows}
    by: dict[str, list[Row]] = defaultdict(list)
    for row in once.values():
        by[row["family"]].append(row)
    text = ""
    for family, group in by.items():
        text += f"\n## {family}\n\n" + (noses if family == NOSES else table)(group)
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    page.write_text(before + BEGIN + "\n" + text + "\n" + END + after, encoding="utf-8")
    print(f"{page}: {len(once)} rows")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
