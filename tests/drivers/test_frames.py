"""Lost, repeated and backward frames, told from their stamps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thymos.samples import Flag
from thymos_drivers.frames import FrameGate

PERIOD = 33_333_333
NOW = 10**13


def judge(stamps: Sequence[int | None], rate_hz: float = 0.0) -> list[tuple[int | None, int, Flag]]:
    gate = FrameGate(rate_hz)
    out = []
    for i, stamp in enumerate(stamps):
        verdict = gate.judge(stamp, NOW + i * PERIOD)
        out.append((verdict.t_ns, verdict.lost, verdict.flags))
    return out


def test_an_even_row_is_left_alone() -> None:
    jitter = np.random.default_rng(1).integers(-7_000_000, 7_000_000, 200)
    stamps = [NOW + i * PERIOD + int(jitter[i]) for i in range(200)]
    assert judge(stamps, 30) == [(t, 0, Flag.OK) for t in stamps]


@pytest.mark.parametrize("begin", [1, 2, 30])
def test_missing_frames_are_counted_exactly(begin: int) -> None:
    rng = np.random.default_rng(begin)
    numbers = [*range(begin), *np.flatnonzero(rng.random(500) > 0.2)]
    numbers = sorted({int(n) for n in numbers})
    out = judge([NOW + n * PERIOD for n in numbers])
    # The period is known from the first two frames that follow each other.
    settled = next(i for i in range(1, len(numbers)) if numbers[i] == numbers[i - 1] + 1) + 1
    # Three holes in a row are taken for a new rate, for one step
    true = np.diff(numbers) - 1
    told = np.array([lost for _, lost, _ in out[1:]])
    wrong = np.flatnonzero(true[settled:] != told[settled:])
    assert len(wrong) <= 0.03 * len(numbers)
    flagged = [bool(flags & Flag.GAP_BEFORE) for _, _, flags in out[1:]]
    assert flagged == [bool(n) for n in told]


def test_single_holes_are_counted_without_error() -> None:
    numbers = [n for n in range(300) if n % 7 != 5]
    out = judge([NOW + n * PERIOD for n in numbers])
    assert sum(lost for _, lost, _ in out) == numbers[-1] + 1 - len(numbers)
    assert all(lost in (0, 1) for _, lost, _ in out)


def test_a_new_rate_is_not_a_row_of_losses() -> None:
    fast = [NOW + i * PERIOD for i in range(50)]
    slow = [fast[-1] + i * 2 * PERIOD for i in range(1, 51)]
    back = [slow[-1] + i * PERIOD for i in range(1, 51)]
    out = judge(fast + slow + back)
    assert sum(lost for _, lost, _ in out) == 2


def test_a_repeated_frame_is_no_frame() -> None:
    out = judge([NOW, NOW + PERIOD, NOW + PERIOD, NOW + 2 * PERIOD])
    assert [t for t, _, _ in out] == [NOW, NOW + PERIOD, None, NOW + 2 * PERIOD]
    assert all(lost == 0 for _, lost, _ in out)


def test_time_that_goes_back_is_flagged_and_never_given_on() -> None:
    ahead = NOW + 300_000_000
    out = judge([ahead, ahead + PERIOD, NOW + 2 * PERIOD, NOW + 3 * PERIOD])
    times = [t for t, _, _ in out if t is not None]
    assert all(b > a for a, b in pairwise(times))
    assert out[2][2] == Flag.TIME_JUMP | Flag.TIME_ESTIMATED
    assert out[3][2] == Flag.TIME_ESTIMATED


@given(st.lists(st.none() | st.integers(0, 2**62), max_size=50))
def test_whatever_the_stamps_time_only_rises(stamps: list[int | None]) -> None:
    times = [t for t, lost, _ in judge(stamps) if t is not None]
    assert all(b > a for a, b in pairwise(times))
