"""docs/reliability.md has every row of the fault table, and none in which a loss went untold.

The rows are written by `make hil`; here is only looked at whether the page is whole.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/reliability.md"

ROWS = {
    "unplugged and plugged in again: camera": "V4L2.*unplugged, plugged in again",
    "unplugged and plugged in again: nose": "USB serial.*unplugged, plugged in again",
    "never there: camera": "V4L2.*never there",
    "never there: microphone": "PulseAudio.*never there",
    "never there: nose": r"never there \| any",
    "never there: nose on I2C": "i2c-stub.*never there",
    "permission denied: camera": "V4L2.*not in the group",
    "permission denied: nose": "USB serial.*not in the group",
    "permission denied: nose on I2C": "i2c-stub.*not in the group",
    "two processes on one camera": "two programs on one camera",
    "two processes on one microphone": "two programs on one microphone",
    "two processes on one nose": "USB serial.*two programs",
    "daemon killed and back": "sound server killed, started again",
    "daemon hung and back": r"hangs for 1 s \(SIGSTOP\)",
    "daemon hung for long": "hangs for 10 s",
    "slow consumer": "slow consumer",
    "USB renumbering: nose": "USB renumbering.*another number",
    "USB renumbering: nose by its name in by-id": "USB renumbering.*by-id",
    "renumbering: camera": "V4L2.*as /dev/video3",
    "wrong baud": "wrong speed",
    "half lines": "half a line",
    "binary garbage": "binary garbage",
    "mixed boot text": "boot text between readings",
    "all damage on a real line": "all damage, on a pty",
    "sentinel values": "sentinel",
    "stuck values": "stuck sensor",
    "rail values": r"\| rail \|",
    "clock reset of a micro-controller": "clock reset",
    "a camera that delivers nothing": "delivers nothing",
    "a camera that delivers duplicates": "delivers two of four frames twice",
    "a camera that repeats itself for ever": "one picture for ever",
    "a camera that changes its resolution": "changes its size",
    "a muted microphone": "digital silence",
    "disk full while recording": "disk full",
    "time jump of the host: camera": "V4L2.*clock jumps",
    "time jump of the host: microphone": "snd-aloop.*clock jumps",
}


def tables() -> list[dict[str, str]]:
    """The rows of all tables, by column; `line` is the row as it stands there."""
    rows: list[dict[str, str]] = []
    head: list[str] = []
    for text in PAGE.read_text(encoding="utf-8").splitlines():
        if not text.startswith("|"):
            head = []
            continue
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", text)[1:-1]]
        if not head:
            head = cells
        elif not set(text) <= set("|-"):
            rows.append({**dict(zip(head, cells, strict=True)), "line": text})
    return rows


@pytest.mark.parametrize("name", ROWS)
def test_every_row_is_there_with_what_people_read(name: str) -> None:
    found = [row for row in tables() if re.search(ROWS[name], row["line"])]
    assert found, "run: make hil"
    for row in found:
        assert row["`/diagnostics`"] not in ("", "–")
        assert row["`thymos run`"] not in ("", "–")


def test_what_was_lost_was_reported() -> None:
    rows = tables()
    assert len(rows) > 40
    for row in rows:
        assert row["lost"] == row["reported lost"], row["line"]
        if row.get("equal in", "–") != "–":
            equal, _, of = row["equal in"].split()
            assert equal == of, row["line"]
