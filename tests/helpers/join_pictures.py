"""Joins drawn as pictures.

A row is a stream, a column 10 ms of capture time:

    camera   |--1---2---3--|     pictures 1, 2, 3 at 20, 60 and 100 ms
    nose     |-----a--!----|     one reading; the next was lost on the way (its number is missing)
    nose+5   |-----a-------|     the same reading, but everything arrives 50 ms late
    sound    |-a-b-X       |     the stream is closed at X

The first row is the primary. The outcome is written in one line, one word for each picture: its
label, then what was attached: labels, `.` for "there is none and there never will be", `?` for
"none yet; one may still come".

    1.  2a  3a

`given` draws in the same columns when each result came out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from thymos.align import Attach, Interpolator, Join, Joined, Match, Outcome
from thymos.samples import Sample

COLUMN = 10_000_000  # ns


class Scene(NamedTuple):
    """What came out."""

    joined: str
    given: str
    lost: list[str]


class Event(NamedTuple):
    arrive: int  # column
    row: int
    sample: Sample | None
    stream: str


def read_picture(picture: str) -> tuple[list[str], list[Event], int]:
    """Names of the rows, what happens in order of arrival, and the width."""
    names: list[str] = []
    events: list[Event] = []
    width = 0
    for row, line in enumerate(picture.strip().splitlines()):
        head, drawing, *_ = line.split("|")
        name, _, delay = head.strip().partition("+")
        names.append(name)
        seq = 0
        width = max(width, len(drawing))
        for column, char in enumerate(drawing):
            arrive = column + int(delay or 0)
            if char == "X":
                events.append(Event(arrive, row, None, name))
            elif char not in "-! ":
                value = float(char) if char.isdigit() else float(ord(char))
                t = column * COLUMN
                payload = np.array([value])
                events.append(Event(arrive, row, Sample(name, seq, t, t, payload, note=char), name))
            seq += char not in "-X "
    return names, sorted(events, key=lambda e: e.arrive), width


def label(primary: Sample, match: Match) -> str:
    """One attached stream in one word."""
    if match.outcome is Outcome.DOES_NOT_EXIST:
        return "."
    if match.outcome is Outcome.NOT_YET:
        return "?"
    if len(match.samples) > 1 and match.sample is not None and match.sample.t_ns == primary.t_ns:
        return f"{match.sample.payload[0]:g}"  # calculated
    return "".join(s.note for s in match.samples)


def word(row: Joined) -> str:
    return row.primary.note + "".join(label(row.primary, m) for m in row.streams.values())


def play(picture: str, *rules: Interpolator | Attach, live: bool = False, **more: int) -> Scene:
    """Join the rows of a picture; one rule for each row below the first."""
    names, events, width = read_picture(picture)
    attach = [r if isinstance(r, Attach) else Attach(r) for r in rules]
    lost: list[str] = []
    join = Join(
        names[0],
        dict(zip(names[1:], attach, strict=True)),
        on_unmatched=lambda s, why: lost.append(f"{s.note}: {why}"),
        reorder_ns=more.get("reorder_ns", 2 * COLUMN),
    )
    rows: list[Joined] = []
    given = [" "] * width
    for column in range(max(width, max(e.arrive for e in events) + 1)):
        for event in events:
            if event.arrive == column and event.sample is not None:
                join.push(event.sample)
            elif event.arrive == column:
                join.close_stream(event.stream, "closed")
        new = join.ready(column * COLUMN if live else None)
        rows += new
        if new and column < width:
            given[column] = new[-1].primary.note
    rows += join.flush()
    return Scene("  ".join(word(r) for r in rows), "".join(given).rstrip(), lost)
