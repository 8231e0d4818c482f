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

import pytest

from join_pictures import COLUMN, play
from thymos.align import Attach, all_in_span, exact, last_before, linear, nearest

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
