"""What holds for any sequence of readings."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thymos.clock import ClockModel, Stamp

S, MS = 1_000_000_000, 1_000_000
ANY = settings(max_examples=60, deadline=None)

Steps = list[tuple[int, int]]

wild: st.SearchStrategy[Steps] = st.lists(
    st.tuples(st.integers(-5 * MS, 300 * MS), st.integers(-S, 5 * S)), min_size=1, max_size=60
)
"""Steps of the device and of the host, ns: nothing fits."""

sane: st.SearchStrategy[Steps] = st.lists(
    st.tuples(st.integers(0, 300 * MS), st.integers(0, 120 * MS)), min_size=1, max_size=80
)
"""Steps of the device, and delay of each reading, ns."""


def pairs_of(steps: Steps) -> list[tuple[int, int]]:
    """(device ns, arrival ns) from time steps and delays, in one queue."""
    device, arrived, out = 0, 0, []
    for step, delay in steps:
        device += step
        arrived = max(arrived, device + device // 10_000 + delay)
        out.append((device, 1000 * S + arrived))
    return out


def run(clock: ClockModel, pairs: list[tuple[int, int]]) -> list[Stamp]:
    return [clock.observe(ticks, host) for ticks, host in pairs]


@ANY
@given(wild, st.sampled_from([None, 8, 16, 32, 64]))
def test_time_never_goes_back_nor_past_arrival_whatever_comes(
    steps: Steps, wrap: int | None
) -> None:
    clock = ClockModel(tick_ns=1000, wrap_bits=wrap)
    ticks, host, last, newest = 10**9, 10**12, 0, 0
    for tick_step, host_step in steps:
        ticks, host = ticks + tick_step, host + host_step
        newest = max(newest, host)
        stamp = clock.observe(ticks if wrap is None else ticks % 2**wrap, host)
        assert last <= stamp.t_ns <= newest
        assert stamp.uncertainty_ns > 0
        last = stamp.t_ns


@ANY
@given(sane, st.integers(-(2**62), 2**62), st.integers(-(2**60), 2**60))
def test_epochs_of_device_and_robot_do_not_matter(steps: Steps, device: int, robot: int) -> None:
    pairs = pairs_of(steps)
    here = run(ClockModel(), pairs)
    there = run(ClockModel(), [(ticks + device, host + robot) for ticks, host in pairs])
    assert [(s.t_ns + robot, s.uncertainty_ns, s.jumped) for s in here] == [
        (s.t_ns, s.uncertainty_ns, s.jumped) for s in there
    ]


@ANY
@given(sane, st.sampled_from([Fraction(1), Fraction(1, 3), Fraction(10**9, 44100), Fraction(7)]))
def test_the_unit_does_not_matter(steps: Steps, unit: Fraction) -> None:
    """The same counter told as ticks of `unit` ns, or three times finer."""
    pairs = pairs_of(steps)
    coarse = [(round(ns / unit), host) for ns, host in pairs]
    fine = [(3 * ticks, host) for ticks, host in coarse]
    one = run(ClockModel(unit), coarse)
    other = run(ClockModel(unit / 3), fine)
    assert [s.t_ns for s in one] == [s.t_ns for s in other]


@ANY
@given(
    sane,
    st.sampled_from([(16, Fraction(MS)), (24, Fraction(1000)), (32, Fraction(1000)), (64, 1)]),
    st.integers(0, 2**64),
)
def test_a_counter_that_wraps_tells_the_same_as_one_that_does_not(
    steps: Steps, counter: tuple[int, Fraction], start: int
) -> None:
    bits, tick = counter
    pairs = [(start + round(ns / Fraction(tick)), host) for ns, host in pairs_of(steps)]
    wide = run(ClockModel(tick), pairs)
    narrow_clock = ClockModel(tick, wrap_bits=bits)
    narrow = run(narrow_clock, [(ticks % 2**bits, host) for ticks, host in pairs])
    assert narrow == wide
    assert narrow_clock.wraps == (pairs[-1][0] >> bits) - (pairs[0][0] >> bits)


@ANY
@given(st.integers(0, 30 * MS), st.integers(1, 50))
def test_a_constant_delay_changes_nothing_but_itself(delay: int, period_ms: int) -> None:
    pairs = [(i * period_ms * MS, 5 * S + i * period_ms * MS + delay) for i in range(40)]
    stamps = run(ClockModel(latency_ns=delay), pairs)
    errors = [s.t_ns - (host - delay) for s, (_, host) in zip(stamps, pairs, strict=True)]
    assert max(map(abs, errors)) < 100_000  # the skew is not known yet


@pytest.mark.parametrize("rate", [1, 30, 1000])
def test_memory_and_work_a_reading_are_bounded(rate: int) -> None:
    """Amortised O(1): twice the readings cost twice the work, counted, and each at most a fit."""
    clock = ClockModel()
    work, n = [], 6000
    for i in range(2 * n):
        before = clock._envelope.work
        clock.observe(i * S // rate, 10 * S + i * S // rate + (i * 7919) % (20 * MS))
        assert clock._envelope.work - before <= clock._envelope.BUCKETS
        work.append(clock._envelope.work)
    assert len(clock._envelope._closed) <= clock._envelope.BUCKETS
    assert work[-1] - work[n] <= 1.5 * work[n] + clock._envelope.BUCKETS
    assert work[-1] <= clock._envelope.BUCKETS * 2 * n
