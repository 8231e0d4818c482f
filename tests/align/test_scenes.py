"""Joins as pictures. Read this file first if you want to know how they behave.

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
import pytest

from thymos.align import (
    Attach,
    Interpolator,
    Join,
    Joined,
    Match,
    Outcome,
    all_in_span,
    exact,
    last_before,
    linear,
    nearest,
)
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


# -- the rules


def test_exact_takes_only_the_very_same_instant() -> None:
    scene = play(
        """
        left   |--1---2---3---4--|
        right  |--a----b--c------|
        """,
        exact,
    )
    assert scene.joined == "1a  2.  3c  4."


def test_nearest_takes_the_nearest_on_either_side() -> None:
    scene = play(
        """
        camera |---1-----2-----3------4---|
        sound  |--a-------b--c---------d--|
        """,
        nearest(2 * COLUMN),
    )
    assert scene.joined == "1a  2b  3c  4d"


def test_of_two_that_are_as_near_the_earlier_wins() -> None:
    scene = play(
        """
        camera |----1------|
        sound  |--a---b----|
        """,
        nearest(3 * COLUMN),
    )
    assert scene.joined == "1a"


def test_nothing_within_the_tolerance_is_said_to_be_nothing() -> None:
    scene = play(
        """
        camera |----1-------2-|
        sound  |-a------b-----|
        """,
        nearest(2 * COLUMN),
    )
    assert scene.joined == "1.  2."


def test_one_sample_may_serve_many() -> None:
    scene = play(
        """
        camera |--1--2--3--4--|
        nose   |-a------------|
        """,
        last_before(8 * COLUMN),
    )
    assert scene.joined == "1a  2a  3a  4."  # the fourth lies 10 columns after a


def test_last_before_never_looks_ahead() -> None:
    scene = play(
        """
        camera |--1---2---3--|
        nose   |---a--b------|
        """,
        last_before(),
    )
    assert scene.joined == "1.  2b  3b"  # the same instant counts as known


def test_linear_draws_a_line_between_the_neighbours() -> None:
    scene = play(
        """
        camera |--A---B--C---|
        nose   |2---4-----8--|
        """,
        linear(10 * COLUMN),
    )
    assert scene.joined == f"A3  B{4 + 4 * 2 / 6:g}  C{4 + 4 * 5 / 6:g}"


def test_linear_does_not_guess_beyond_the_ends() -> None:
    scene = play(
        """
        camera |A--B-----C|
        nose   |-1---2----|
        """,
        linear(10 * COLUMN),
    )
    assert scene.joined == "A.  B1.5  C."


def test_all_in_span_gathers() -> None:
    scene = play(
        """
        camera |----1----2---3--|
        sound  |-abc-de-f----g--|
        """,
        all_in_span(3 * COLUMN, 1 * COLUMN),
    )
    assert scene.joined == "1abc  2ef  3g"  # from three columns before up to its own


# -- waiting


def test_a_result_comes_out_when_nothing_can_change_it_any_more() -> None:
    scene = play(
        """
        camera |--1---2----3------|
        sound  |-a-----b--c---d---|
        """,
        nearest(3 * COLUMN),
    )
    assert scene.joined == "1a  2b  3c"
    # 1: a is one column off; until a column after 1 a nearer one could come: b shows there is none.
    # 2: b itself is the nearest that can be. 3: c is one off, d proves it.
    assert scene.given == "       2      3"  # 1 came out with b too, in the same column


def test_when_it_arrives_makes_no_difference() -> None:
    on_time = """
        camera    |--1---2---3---4---|
        sound     |-a--b--c---d----e-|
        """
    late = """
        camera+3  |--1---2---3---4---|
        sound+9   |-a--b--c---d----e-|
        """
    assert play(on_time, nearest(30_000_000)).joined == play(late, nearest(30_000_000)).joined


def test_a_missing_number_is_waited_for_a_moment() -> None:
    scene = play(
        """
        camera |--1---2---3-------|
        sound  |-a--!--b--c---d---|
        """,
        nearest(3 * COLUMN),
        reorder_ns=3 * COLUMN,
    )
    assert scene.joined == "1a  2b  3c"
    # At b the missing one may still come, but from no more than three columns before b: too far
    # from 1. It could be nearer to 2 than b is; at c, three columns later, it is given up.
    assert scene.given == "       1  3"  # 2 came out with 3


def test_a_closed_stream_holds_nothing_up() -> None:
    scene = play(
        """
        camera |--1---2---3--|
        sound  |-a-X         |
        """,
        nearest(2 * COLUMN),
    )
    assert scene.joined == "1a  2.  3."
    assert scene.given == "   1  2   3"


def test_live_a_silent_stream_is_waited_for_so_long_and_no_longer() -> None:
    scene = play(
        """
        camera |--1---2---3---------|
        sound  |-a------------------|
        """,
        Attach(nearest(2 * COLUMN), max_wait_ns=3 * COLUMN),
        live=True,
    )
    assert scene.joined == "1a  2?  3?"  # not "there is none": nobody knows
    assert scene.given == "      1   2   3"


def test_a_slow_nose_annotates_and_never_gates() -> None:
    scene = play(
        """
        camera |--1---2---3---4---5--|
        nose+3 |-a-------b-----------|
        """,
        Attach(last_before(), gate=False),
    )
    # a was made at 1 but came at 4: picture 1 could not know, and did not wait.
    assert scene.joined == "1?  2a  3a  4b  5b"
    assert scene.given == "  1   2   3   4   5"


def test_two_streams_with_a_rule_each() -> None:
    scene = play(
        """
        camera |--1----2----3----4--|
        sound  |-a-b-c-d-e-f-g-h-i-j|
        nose   |x---------y---------|
        """,
        nearest(1 * COLUMN),
        Attach(last_before(), gate=False),
    )
    assert scene.joined == "1ax  2dx  3fy  4iy"


# -- what finds no place is told


def test_a_picture_without_what_it_needs_gives_no_result_and_is_told() -> None:
    scene = play(
        """
        camera |--1---2---3--|
        sound  |-a-------c--d|
        """,
        Attach(nearest(1 * COLUMN), required=True),
    )
    assert scene.joined == "1a  3c"
    assert scene.lost == ["2: 'sound' is required: none lies near enough in time"]


def test_what_comes_after_its_result_is_told() -> None:
    scene = play(
        """
        camera  |--1---2---3----------|
        sound+9 |--a------------------|
        """,
        Attach(nearest(1 * COLUMN), max_wait_ns=2 * COLUMN),
        live=True,
    )
    assert scene.joined == "1?  2?  3?"
    assert scene.lost == ["a: late: 50.0 ms older than results already given out"]


@pytest.mark.parametrize("late", range(12))
def test_a_late_primary_changes_nothing_but_the_moment(late: int) -> None:
    scene = play(
        f"""
        camera+{late} |--1---2---3---4---|
        sound         |-a--b--c---d----e-|
        """,
        nearest(3 * COLUMN),
    )
    assert scene.joined == "1a  2c  3d  4e"
