"""Device clocks: drift, queues, wraps, resets."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thymos.clock import ClockCalibration, ClockModel, ManualClock, MonotonicClock

S = 1_000_000_000
MS = 1_000_000


def device(
    seconds: float,
    rate: float = 30.0,
    *,
    ppm: float = 200.0,
    seed: int = 1,
    start_us: int = 0,
    spikes: float = 0.01,
) -> Iterator[tuple[int, int, int]]:
    """Yield (microseconds of the device, arrival, truth); one FIFO queue, as in a real link."""
    rng = random.Random(seed)
    arrived = 0
    for i in range(int(seconds * rate)):
        truth = 1000 * S + round(i * S / rate)
        ticks = start_us + round((truth - 1000 * S) / (1 + ppm * 1e-6) / 1000)
        delay = rng.expovariate(1 / 20e6) + (500e6 if rng.random() < spikes else 0)
        arrived = max(arrived, truth + round(delay))
        yield ticks, arrived, truth


@pytest.mark.parametrize("rate", [10.0, 30.0, 100.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_drift_and_queues_leave_errors_far_below_those_of_arrival(rate: float, seed: int) -> None:
    clock = ClockModel(tick_ns=1000)
    errors, naive, held = [], [], []
    for ticks, host, truth in device(300, rate, seed=seed):
        stamp = clock.observe(ticks, host)
        if truth - 1000 * S >= 10 * S:
            errors.append(abs(stamp.t_ns - truth))
            naive.append(host - truth)
            held.append(abs(stamp.t_ns - truth) <= stamp.uncertainty_ns)
    assert np.percentile(errors, 95) < 1 * MS
    assert max(errors) < 5 * MS
    assert np.percentile(naive, 95) > 50 * MS
    assert np.mean(held) > 0.9  # the stated uncertainty is honest
    assert abs(clock.skew_ppm - 200) < 20
    assert clock.jumps == clock.wraps == 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-5 * MS, 200 * MS), st.integers(0, 2 * S)), min_size=1, max_size=80
    )
)
def test_output_never_goes_back_nor_past_arrival_whatever_comes(
    steps: list[tuple[int, int]],
) -> None:
    clock = ClockModel()
    ticks, host, last = 10**9, 10**12, 0
    for tick_step, host_step in steps:
        ticks, host = ticks + tick_step, host + host_step
        stamp = clock.observe(ticks, host)
        assert last <= stamp.t_ns <= host
        assert stamp.uncertainty_ns > 0
        last = stamp.t_ns


def test_a_32_bit_counter_wraps_without_a_seam() -> None:
    clock = ClockModel(tick_ns=1000, wrap_bits=32)
    start = 2**32 - 5_000_000  # wraps after five seconds
    previous = None
    for ticks, host, truth in device(10, start_us=start, ppm=0):
        stamp = clock.observe(ticks % 2**32, host)
        assert not stamp.jumped
        if previous and truth > 1003 * S:
            assert abs(stamp.t_ns - truth) < 5 * MS
        previous = stamp
    assert clock.wraps == 1
    assert clock.jumps == 0


def test_two_wraps_during_a_silence_are_counted_by_the_host_clock() -> None:
    clock = ClockModel(tick_ns=1000, wrap_bits=32)
    period = 2**32 * 1000
    for i in range(100):
        clock.observe(i * 10_000, i * 10 * MS)
    silence = 2 * period + 500 * MS
    stamp = clock.observe((990_000 + 500_000) % 2**32, 990 * MS + silence)
    assert not stamp.jumped
    assert clock.wraps == 2
    assert abs(stamp.t_ns - (990 * MS + silence)) < MS


def test_a_reboot_is_a_jump_not_a_wrap() -> None:
    clock = ClockModel(tick_ns=1000, wrap_bits=32)
    for i in range(200):
        clock.observe(50_000_000 + i * 10_000, i * 10 * MS)
    stamp = clock.observe(3_000, 2 * S + 300 * MS)  # counts from zero again
    assert stamp.jumped
    assert clock.jumps == 1
    assert clock.wraps == 0
    later = clock.observe(13_000, 2 * S + 310 * MS)
    assert not later.jumped
    assert later.t_ns == 2 * S + 310 * MS


def test_a_leap_forward_is_seen_at_once() -> None:
    clock = ClockModel(tick_ns=1000)
    for i in range(600):
        clock.observe(i * 10_000, i * 10 * MS)
    assert clock.observe(6_000_000 + 3_600_000_000, 6 * S).jumped


def test_time_the_device_lost_is_seen_after_two_seconds_of_late_readings() -> None:
    clock = ClockModel(tick_ns=1000)
    for i in range(600):
        clock.observe(i * 10_000, i * 10 * MS)
    jumps = [clock.observe(i * 10_000, i * 10 * MS + S).jumped for i in range(600, 900)]
    assert sum(jumps) == 1
    assert jumps.index(True) <= 201
    assert abs(clock.observe(9_000_000, 10 * S).t_ns - 10 * S) < MS // 10


def test_a_stalled_host_that_catches_up_is_no_jump() -> None:
    clock = ClockModel(tick_ns=1000)
    for i in range(600):
        clock.observe(i * 10_000, i * 10 * MS)
    for i in range(600, 1100):  # five seconds of readings arrive together
        stamp = clock.observe(i * 10_000, 11 * S)
        assert not stamp.jumped
        assert abs(stamp.t_ns - i * 10 * MS) < MS


def test_calibrated_latency_and_skew_are_used_from_the_first_reading() -> None:
    clock = ClockModel(calibration=ClockCalibration("x", 100, 5, latency_ns=3 * MS))
    assert clock.observe(0, S).t_ns == S - 3 * MS
    stamp = clock.observe(100 * S, 101 * S + 10 * MS)
    assert abs(stamp.t_ns - (101 * S + 10 * MS - 3 * MS)) < MS


def test_ticks_near_the_last_reading_can_be_mapped_across_a_wrap() -> None:
    clock = ClockModel(tick_ns=1000, wrap_bits=32)
    clock.observe(2**32 - 1000, S)
    assert clock.to_robot_ns(1000) == S + 2 * MS


def test_mapping_before_any_reading_is_refused() -> None:
    with pytest.raises(ValueError, match="observe"):
        ClockModel().to_robot_ns(1)


def test_memory_is_bounded() -> None:
    clock = ClockModel()
    for i in range(20_000):
        clock.observe(i * S, i * S)
    assert len(clock._envelope._closed) <= clock._envelope.BUCKETS


def test_clocks_do_not_run_backwards() -> None:
    clock = ManualClock(5)
    clock.set_ns(3)
    assert clock.now_ns() == 5
    assert clock.advance_ns(2) == 7
    with pytest.raises(ValueError, match="backwards"):
        clock.advance_ns(-1)
    real = MonotonicClock()
    assert real.now_ns() <= real.now_ns()


def test_readings_that_come_in_one_burst_keep_their_distances() -> None:
    clock = ClockModel(tick_ns=1000)
    for i in range(600):
        clock.observe(i * 10_000, i * 10 * MS)
    burst = [clock.observe(i * 10_000, 6 * S + 90 * MS).t_ns for i in range(600, 610)]
    assert all(abs(b - a - 10 * MS) < 50_000 for a, b in itertools.pairwise(burst))


def test_identical_ticks_are_one_moment() -> None:
    clock = ClockModel(tick_ns=1000)
    clock.observe(0, S)
    stamps = [clock.observe(10_000, S + 10 * MS + i).t_ns for i in range(100)]
    assert max(stamps) - min(stamps) < MS
    assert clock.jumps == 0


def test_after_a_long_silence_the_uncertainty_has_grown_and_shrinks_again() -> None:
    clock = ClockModel(tick_ns=1000)
    for i in range(6000):
        before = clock.observe(i * 10_000, S + i * 10 * MS + i * 7919 % (2 * MS))
    hour = 3600 * S
    after = clock.observe(6000 * 10_000 + hour // 1000, S + 60 * S + hour + MS)
    assert not after.jumped
    assert after.uncertainty_ns > 20 * before.uncertainty_ns
    assert abs(after.t_ns - (S + 60 * S + hour)) <= after.uncertainty_ns
    for i in range(6000, 12_000):
        arrived = S + i * 10 * MS + hour + i * 7919 % (2 * MS)
        last = clock.observe(i * 10_000 + hour // 1000, arrived)
    assert last.uncertainty_ns < 5 * before.uncertainty_ns


def test_64_bit_counters_lose_nothing() -> None:
    """Floats would round such ticks to 256 ns or more."""
    start = 2**61 + 1
    clock = ClockModel(tick_ns=1, wrap_bits=64)
    for i in range(100):
        clock.observe(start + i * 10 * MS, 10**18 + i * 10 * MS)
    a, b = clock.to_robot_ns(start + S), clock.to_robot_ns(start + S + 1)
    assert b - a == 1


def test_a_first_reading_that_was_stuck_does_not_matter() -> None:
    clock = ClockModel(tick_ns=1000)
    clock.observe(0, 10 * S)  # three seconds late
    for i in range(1, 600):
        stamp = clock.observe(i * 10_000, max(10 * S, 7 * S + i * 10 * MS))
    assert abs(stamp.t_ns - (7 * S + 5990 * MS)) < MS
    assert clock.jumps == 0


def test_a_16_bit_counter_of_microseconds_survives_queues_and_silence() -> None:
    clock = ClockModel(tick_ns=1000, wrap_bits=16)  # turns over every 65.5 ms
    rng = random.Random(3)
    arrived = 0
    for i in range(3000):
        t = i * 20 * MS + (10 * S if i > 1500 else 0)
        arrived = max(arrived, t + round(rng.expovariate(1 / 2e6)) + (500 * MS if i == 700 else 0))
        stamp = clock.observe((t // 1000) % 2**16, S + arrived)
        if i > 100:
            assert abs(stamp.t_ns - S - t) < MS
    assert clock.jumps == 0


def test_a_device_that_was_opened_again_is_said_and_keeps_its_skew() -> None:
    clock = ClockModel(tick_ns=1000)
    for ticks, host, _ in device(60, 30.0, ppm=150):
        clock.observe(ticks, host)
    skew = clock.skew_ppm
    clock.restart()
    assert clock.observe(5_000, 2000 * S).jumped
    assert abs(clock.skew_ppm - skew) < 1e-9
    assert not clock.observe(15_000, 2000 * S + 10 * MS).jumped
