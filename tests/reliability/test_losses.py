"""Readings lost on the line of a nose without a clock, told on a machine that is busy and late."""

from __future__ import annotations

import numpy as np
import pytest

from thymos_drivers.enose.losses import Losses

STEP = 100_000_000


def told(*arrivals: tuple[float, int]) -> list[int]:
    """Readings said to be lost before each arrival, given with the damaged pieces before it."""
    losses = Losses()
    return [
        losses.before(
            None, round(at * STEP), None, bad=bad, whole=True, timed=False, restarted=False
        )
        for at, bad in arrivals
    ]


EVEN = [(float(n), 0) for n in range(40)]


def test_readings_that_come_in_one_piece_do_not_move_the_grid() -> None:
    """The machine stood still: three are there at once; then two are lost on the line."""
    assert told(*EVEN, (42.7, 0), (42.7, 0), (42.7, 0), (45.0, 1))[-1] == 2


def test_a_grid_that_shifted_is_found_again() -> None:
    """Five and a half steps went by without a word: that is not told later as a loss."""
    later = [(n + 5.5, 0) for n in range(40, 60)]
    assert sum(told(*EVEN, *later, (66.5, 1))) == 1


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("late", [0.0, 0.3, 0.6])
def test_what_is_late_is_not_lost(late: float, seed: int) -> None:
    """A damaged piece every twenty readings; it was none, one or two of them."""
    rng = np.random.default_rng(seed)
    losses, lost, told, bad = Losses(), 0, 0, 0
    missing: set[int] = set()
    for n in range(400):
        if n > 30 and n % 20 == 0:
            gone = int(rng.integers(0, 3))
            missing |= set(range(n, n + gone))
            lost, bad = lost + gone, 1
        if n in missing:
            continue
        # Most are on time; the machine is busy just when the line is damaged.
        delay = rng.random() * late if n % 20 < 3 else 0.02 * rng.random()
        told += losses.before(
            None,
            round((1.01 * n + delay) * STEP),
            None,
            bad=bad,
            whole=True,
            timed=False,
            restarted=False,
        )
        bad = 0
    assert told == lost
