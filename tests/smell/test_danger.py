"""Danger when the clock of a nose goes back: a restart, or recordings that were put together."""

from __future__ import annotations

import pytest

from thymos.respond.guard import Alarm
from thymos.respond.warn import OVER_NS, Warner
from thymos.samples import NS_PER_S
from thymos.smell.meaning import DangerWatch, Sniff

HOUR_NS = 3600 * NS_PER_S
STEP_NS = NS_PER_S // 10


def smelt(watch: DangerWatch, onset_ns: int, first_ns: int, readings: int) -> list[int]:
    """Times at which smoke is told, of readings ten times a second."""
    told = []
    for n in range(readings):
        t_ns = first_ns + n * STEP_NS
        watch.take(Sniff(t_ns, onset_ns, "smoke", 0.9, 10.0, "CO"))
        told += [cue.t1_ns for cue in watch.drain() if cue.name == "danger"]
    return told


@pytest.mark.parametrize("before", [5, 50])  # not yet believed, told already
def test_a_clock_that_goes_back_hides_no_danger(before: int) -> None:
    watch = DangerWatch()
    smelt(watch, HOUR_NS, HOUR_NS, before)
    told = smelt(watch, HOUR_NS, 0, 400)
    assert told[:1] == [NS_PER_S]  # it held for a second on the new clock
    assert len(told) == 2  # and is reported again after half a minute, as ever


def test_readings_in_the_wrong_order_begin_nothing_anew() -> None:
    watch = DangerWatch()
    told = []
    for n in range(30):
        t_ns = (n ^ 1) * STEP_NS  # in pairs, the later first
        watch.take(Sniff(t_ns, 0, "smoke", 0.9, 10.0, "CO"))
        told += watch.drain()
    assert len(told) == 1
    assert told[0].t1_ns <= NS_PER_S + STEP_NS


@pytest.mark.parametrize("stage", ["alarm", "hint"])
def test_what_was_told_on_an_older_clock_is_not_held_against_a_danger(stage: str) -> None:
    warner = Warner()
    found = Alarm("smoke", "the nose", "text", smelt=True, stage=stage)
    assert warner.due(found, HOUR_NS)
    assert not warner.due(found, HOUR_NS - NS_PER_S)  # only out of order
    assert warner.due(found, HOUR_NS - 2 * OVER_NS - NS_PER_S)
    assert not warner.due(found, HOUR_NS - 2 * OVER_NS)
