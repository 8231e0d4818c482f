"""Offset between sound and picture from claps or flashes with a click.

Onsets of sound are timed to 2 ms by the rise of loudness; onsets in the picture lie between two
frames: a flash where brightness jumps up, a clap where the motion of the hands stops. One event is
only known to a frame, but events fall anywhere between frames, so that the mean of n is known to
about a frame / √(12 n). Which sound belongs to which sight is decided by the shift that pairs the
most of them; a steady beat pairs at several shifts and is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thymos.samples import NS_PER_S

F64 = NDArray[np.float64]

MIN_PAIRS = 5
PAIR_S = 0.04
"""A sound and a sight this close to the common shift are one event: a frame, and a bit."""
MAX_RIVAL = 0.6
"""Share of the pairs that another shift may reach, by chance or by an even beat."""
MIN_GAP_S = 0.25
LOUD = 20.0
"""A click is this many times as powerful as what was before (13 dB)."""
BEFORE_S = 0.05


@dataclass(frozen=True, slots=True)
class Paired:
    """What the events say.

    Attributes:
        offset_s: Sound after picture, seconds; positive if the sound is late.
        uncertainty_s: Standard error of the mean of the pairs.
        pairs: Events seen and heard.
        sounds: Clicks heard.
        sights: Events seen.
        rival: Pairs at the best other shift.
        kind: `flash` or `clap`.
    """

    offset_s: float
    uncertainty_s: float
    pairs: int
    sounds: int
    sights: int
    rival: int
    kind: str

    @property
    def confidence(self) -> float:
        """Share of the clicks that were seen, less if another shift pairs nearly as many."""
        if not self.pairs:
            return 0.0
        return self.pairs / self.sounds * max(0.0, 1.0 - (self.rival / self.pairs) ** 2)


def click_times(runs: list[tuple[int, float, F64]]) -> F64:
    """When loudness leaps up, seconds.

    Args:
        runs: Time of the beginning (ns), length of a step (s), power of each step [n].
    """
    found: list[float] = []
    for t_ns, step_s, power in runs:
        back = round(BEFORE_S / step_s)
        if len(power) <= back:
            continue
        sums = np.concatenate([[0.0], np.cumsum(power)])
        before = (sums[back:-1] - sums[: -back - 1]) / back
        now = power[back:]
        floor = max(1e-12, float(np.median(power)) * 2, float(power.max()) * 1e-3)
        loud = now > LOUD * np.maximum(before, floor / LOUD)
        for i in np.flatnonzero(loud & (now > floor)):
            t = t_ns / NS_PER_S + (back + i) * step_s
            if not found or t - found[-1] >= MIN_GAP_S:
                found.append(t)
    return np.array(found)


def flash_times(times_ns: NDArray[np.int64], brightness: F64) -> F64:
    """When the picture becomes brighter at once: halfway between the two frames."""
    times = times_ns / NS_PER_S
    between = times - np.diff(times, prepend=times[:1]) / 2
    return _leaps(between, np.diff(brightness, prepend=brightness[:1]), least=0.02)


def clap_times(times_ns: NDArray[np.int64], motion: F64) -> F64:
    """When motion stops at once: the last picture that moved.

    The hands meet somewhere between two pictures. Met late, most of the way shows in the second of
    them; met early, in the first. So the last that moved much is early as often as late.
    """
    stop = np.zeros_like(motion)
    stop[:-1] = motion[:-1] - motion[1:]
    return _leaps(times_ns / NS_PER_S, stop, least=0.002)


def _leaps(times: F64, change: F64, least: float) -> F64:
    """Times of the outstanding maxima of `change`."""
    spread = 1.4826 * float(np.median(np.abs(change - np.median(change))))
    high = max(least, 8 * spread, 0.5 * float(change.max(initial=0.0)))
    found: list[tuple[float, float]] = []
    for i in np.flatnonzero(change >= high).tolist():
        t = float(times[i])
        if found and t - found[-1][0] < MIN_GAP_S:
            if change[i] > found[-1][1]:
                found[-1] = (t, float(change[i]))
        else:
            found.append((t, float(change[i])))
    return np.array([t for t, _ in found])


def pair(sounds: F64, sights: F64, kind: str, max_offset_s: float) -> Paired | None:
    """Find the shift that pairs most sounds with sights; None if hardly any pair at all."""
    if not len(sounds) or not len(sights):
        return None
    every: F64 = (sounds[:, None] - sights[None, :]).ravel()
    gaps: F64 = np.sort(every[np.abs(every) <= 1.5 * max_offset_s])
    if not len(gaps):
        return None
    counts: NDArray[np.int64] = (np.abs(gaps[:, None] - gaps) <= PAIR_S).sum(axis=1)
    best = gaps[counts == int(counts.max())]
    centre = float(np.median(best[np.abs(best - best[0]) <= PAIR_S]))
    mine = gaps[np.abs(gaps - centre) <= PAIR_S]
    other = counts[np.abs(gaps - centre) > 2 * PAIR_S]
    spread = float(mine.std(ddof=1)) if len(mine) > 1 else PAIR_S
    return Paired(
        offset_s=float(mine.mean()),
        uncertainty_s=max(spread, 0.002) / float(np.sqrt(len(mine))),
        pairs=len(mine),
        sounds=len(sounds),
        sights=len(sights),
        rival=int(other.max()) if len(other) else 0,
        kind=kind,
    )
