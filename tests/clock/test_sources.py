"""Time bases: clocks of the machine, PortAudio, serial lines, questions and answers."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thymos.clock import ClockModel, host_stamp_ns, midpoint, portaudio_ns, serial_ns
from thymos.clock.sources import OLDEST_NS, realtime_to_monotonic

S, MS = 1_000_000_000, 1_000_000


def test_a_wall_clock_stamp_lands_on_the_robot_clock() -> None:
    before = time.monotonic_ns()
    stamp = realtime_to_monotonic(time.time_ns())
    assert before - MS <= stamp <= time.monotonic_ns() + MS


@pytest.mark.parametrize("name", ["CLOCK_MONOTONIC", "CLOCK_REALTIME", "CLOCK_BOOTTIME"])
def test_each_clock_of_the_machine_is_recognised(name: str) -> None:
    now = time.monotonic_ns()
    stamp = time.clock_gettime_ns(getattr(time, name)) - 40 * MS
    mapped = host_stamp_ns(stamp, now)
    assert mapped is not None
    assert -41 * MS <= mapped - now <= 500 * MS  # the thread may sleep between the two lines


@pytest.mark.parametrize("stamp", [0, -1, 2**63, 10**18 // 2])
def test_a_stamp_of_no_clock_is_refused(stamp: int) -> None:
    assert host_stamp_ns(stamp, time.monotonic_ns() + 100 * S) is None


def test_a_stamp_slightly_ahead_is_kept() -> None:
    now = time.monotonic_ns()
    assert host_stamp_ns(now + 55 * MS, now) == now + 55 * MS


@given(st.floats(), st.integers(1, 100_000), st.sampled_from([8000, 16_000, 44_100, 48_000]))
def test_sound_is_never_younger_than_its_own_length(age: float, frames: int, rate: int) -> None:
    captured = portaudio_ns(100 * S, age, frames, rate)
    length = frames * S / rate
    assert captured <= 100 * S - length + 1
    assert 100 * S - captured <= max(OLDEST_NS, length + 1)
    if math.isfinite(age) and length + 1 < age * S < OLDEST_NS:
        assert abs(100 * S - captured - age * S) < 2


def test_the_time_on_the_wire_is_subtracted() -> None:
    assert serial_ns(S, 48, 9600) == S - 50 * MS
    assert serial_ns(S, 48, 9600, bits=11) == S - 55 * MS
    assert serial_ns(S, 0, 115_200) == S


def test_a_reading_lies_between_question_and_answer() -> None:
    stamp = midpoint(S, S + 356 * MS)
    assert stamp.t_ns == S + 178 * MS
    assert stamp.uncertainty_ns == 178 * MS
    odd = midpoint(0, 3)
    assert odd.t_ns - odd.uncertainty_ns <= 0
    assert odd.t_ns + odd.uncertainty_ns >= 3
    with pytest.raises(ValueError, match="before the question"):
        midpoint(2, 1)


def test_midpoints_feed_a_clock_model() -> None:
    clock = ClockModel(tick_ns=100 * MS)  # a polled nose counts tenths of a second
    for i in range(200):
        asked = 10 * S + i * S
        stamp = clock.observe(i * 10, midpoint(asked, asked + (i % 7) * 10 * MS).t_ns)
    assert abs(stamp.t_ns - (10 * S + 199 * S)) < 10 * MS
