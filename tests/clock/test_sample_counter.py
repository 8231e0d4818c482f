"""Sound blocks: an exact grid, corrected by arrival."""

from __future__ import annotations

import itertools
import random

from thymos.clock import ClockCalibration, SampleCounter
from thymos.clock.calibration import boot_id

S = 1_000_000_000
MS = 1_000_000


def test_blocks_lie_on_an_exact_grid_though_arrival_jitters() -> None:
    rng = random.Random(3)
    counter = SampleCounter(16_000)
    stamps = [counter.stamp(320, S + i * 20 * MS + rng.randrange(10 * MS)).t_ns for i in range(500)]
    settled = stamps[100:]
    assert {b - a for a, b in itertools.pairwise(settled)} == {20 * MS}
    assert abs(stamps[-1] - (S + 499 * 20 * MS)) < 2 * MS


def test_a_drifting_crystal_is_followed_in_small_steps() -> None:
    counter = SampleCounter(16_000)
    for i in range(15_000):  # five minutes, 100 ppm slow
        true = S + round(i * 20 * MS * 1.0001)
        stamp = counter.stamp(320, true)
        if i > 500:
            assert abs(stamp.t_ns - true) < 3 * MS
    assert 1 <= counter.reanchors < 40
    assert abs(counter.skew_ppm - 100) < 5


def test_lost_frames_of_known_number_leave_a_hole_of_their_length() -> None:
    counter = SampleCounter(16_000)
    first = counter.stamp(320, S)
    counter.lost(1600)
    second = counter.stamp(320, S + 120 * MS)
    assert second.t_ns - first.t_ns == 120 * MS
    assert not second.jumped


def test_reopening_the_device_starts_a_new_grid() -> None:
    counter = SampleCounter(16_000)
    for i in range(500):
        counter.stamp(320, S + i * 20 * MS)
    counter.restart()
    stamp = counter.stamp(320, 60 * S)
    assert stamp.jumped
    assert stamp.t_ns == 60 * S


def test_a_known_skew_is_begun_with_and_its_anchor_is_not() -> None:
    """A card 200 ppm slow, each block late by 2 ms on average: the same grid, known better."""
    rng = random.Random(3)
    late = [round(rng.expovariate(1 / (2 * MS))) for _ in range(500)]
    # An anchor of this very boot, of frames that were counted from another opening.
    known = ClockCalibration(
        "card", 200.0, 2.0, anchor_ticks=0, anchor_ns=S - 90 * MS, boot=boot_id()
    )
    begun, plain = SampleCounter(16_000, calibration=known), SampleCounter(16_000)
    assert round(begun.skew_ppm, 6) == 200.0
    unsure = [0, 0]
    for i in range(500):
        true = S + round(i * 20 * MS * 1.0002)
        for k, counter in enumerate((begun, plain)):
            stamp = counter.stamp(320, true + late[i])
            assert not stamp.jumped
            assert abs(stamp.t_ns - true) < 4 * MS
            unsure[k] += stamp.uncertainty_ns
    assert unsure[0] < unsure[1]
