"""Danger when the clock of a nose goes back, in holes of its readings, and with slow noses."""

from __future__ import annotations

import pytest

from thymos.config import PerceiveConfig
from thymos.perceive.smell import SmellPerceiver
from thymos.respond.guard import Alarm
from thymos.respond.warn import OVER_NS, Warner
from thymos.samples import NS_PER_S, Kind, Origin, Sample, StreamSpec
from thymos.smell.meaning import DangerWatch, Sniff
from thymos_drivers.sim_nose import CHANNELS, MoxArray, parse_events

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


def test_a_nose_that_reads_every_ten_seconds_warns_too() -> None:
    """Boards that scan their heaters do."""
    array, nose = MoxArray(parse_events("smoke@200-400"), 1), SmellPerceiver(PerceiveConfig())
    spec = StreamSpec("enose", Kind.GAS, 0.1, (6,), "ohm", CHANNELS, origin=Origin.SIMULATED)
    nose.start(spec)
    told = []
    for n in range(400):
        row = array.step(1.0)
        if n % 10 == 0:
            nose.observe(Sample("enose", n // 10, n * NS_PER_S, n * NS_PER_S, row))
            told += [cue for cue in nose.dangers() if cue.name == "danger"]
    assert told
    assert told[0].value == "smoke"
    assert told[0].t1_ns <= 260 * NS_PER_S


def test_a_hole_in_the_readings_of_a_fast_nose_begins_anew() -> None:
    watch = DangerWatch()
    for k in range(40):  # two readings, then six seconds of nothing
        for n in range(2):
            t_ns = 6 * k * NS_PER_S + n * STEP_NS
            watch.take(Sniff(t_ns, 0, "smoke", 0.9, 10.0, "CO", period_ns=STEP_NS))
    assert watch.drain() == []
