"""Finding events in any measured quantity: causal, online, thresholds in seconds of capture time.

The idea of StimuVAR's frame selection (arXiv 2409.00304, frames around peaks of motion) with what a
robot needs changed: seconds instead of frames, so that 5 and 60 frames/s see the same events;
smoothing that looks only back; no pass over a whole video. The same `Trace` serves movement in the
picture, the level of sound and the rate of change of a nose; `movement`, `levels` and `nose_rate`
make those three out of samples.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thymos.samples import NS_PER_S, Flag, Sample, StreamSpec, gas_channels

SIGMA_NS = NS_PER_S // 5
"""Width of the one-sided Gaussian that smooths a trace."""
_REACH_NS = 3 * SIGMA_NS
_FALL = 0.3
"""A peak is over once the trace has fallen by this share of its rise."""

BLOCK_NS = NS_PER_S // 20
FLOOR_DBFS = -70.0
_GRID = 64  # a picture is compared on about so many points across

Point = tuple[int, float]


@dataclass(frozen=True, slots=True)
class Event:
    """A peak of a trace.

    Attributes:
        t_ns: Capture time of the sample that stands out most in it.
        rise: How far the smoothed trace rose to it, in the unit of the trace.
        level: The largest value in it, unsmoothed.
        base: What the smoothed trace rose from.
    """

    t_ns: int
    rise: float
    level: float
    base: float


class Trace:
    """One quantity over time; tells its peaks as soon as they are over.

    What is told up to a time depends on no later value. Values that are not finite are passed over;
    a value that is not newer than the one before it, too.
    """

    def __init__(self) -> None:
        self._recent: deque[Point] = deque()
        self._low = math.inf  # lowest smoothed value since the last peak
        self._high = -math.inf  # highest since `_low`
        self._best: Point | None = None  # the sample that stands out most on the way up
        self.bottom = math.inf
        self.top = -math.inf

    def push(self, t_ns: int, value: float) -> Event | None:
        """Take a value; return the peak that it ends, if it does."""
        if not math.isfinite(value) or (self._recent and t_ns <= self._recent[-1][0]):
            return None
        self._recent.append((t_ns, value))
        while self._recent[0][0] < t_ns - _REACH_NS:
            self._recent.popleft()
        smooth = self._smooth(t_ns)
        self.bottom, self.top = min(self.bottom, smooth), max(self.top, smooth)
        self._high = max(self._high, smooth)
        ended = None
        if self._high - smooth > _FALL * (self._high - self._low):
            ended = self._peak()
            self._low, self._high, self._best = smooth, smooth, None
        elif smooth < self._low:
            self._low, self._high, self._best = smooth, smooth, None
        if self._best is None or value > self._best[1]:
            self._best = (t_ns, value)
        return ended

    def pending(self) -> Event | None:
        """The peak that is not over yet: what happens last must not be forgotten."""
        return self._peak()

    def _peak(self) -> Event | None:
        rise = self._high - self._low
        if self._best is None or not rise > 0:
            return None
        return Event(self._best[0], rise, self._best[1], self._low)

    def _smooth(self, t_ns: int) -> float:
        """Mean of the recent values, weighted by a Gaussian of their age."""
        total = weight = 0.0
        for at, value in self._recent:
            share = math.exp(-0.5 * ((t_ns - at) / SIGMA_NS) ** 2)
            total += share * value
            weight += share
        return total / weight


def events(points: Iterable[Point], least: float, share: float = 0.3) -> list[Event]:
    """All peaks of a stretch that matter, in order of time.

    Args:
        points: Time and value, oldest first.
        least: A smaller rise is noise, in the unit of the trace.
        share: A rise under this share of the trace's whole range is passed over (the prominence of
            StimuVAR).
    """
    trace = Trace()
    found: list[Event] = []
    for t_ns, value in points:
        ended = trace.push(t_ns, value)
        if ended is not None:
            found.append(ended)
    last = trace.pending()
    if last is not None:
        found.append(last)
    bar = max(least, share * (trace.top - trace.bottom))
    return [e for e in found if e.rise >= bar]


def difference(before: NDArray[np.uint8], now: NDArray[np.uint8]) -> float:
    """How much a picture changed: mean absolute difference on a coarse grid, grey levels 0 … 255.

    Args:
        before: uint8 [height, width, 3].
        now: Of the same shape; pictures of different shapes cannot be compared: NaN.
    """
    if before.shape != now.shape:
        return math.nan
    step = max(1, now.shape[1] // _GRID)
    a = before[::step, ::step].astype(np.int16)
    b = now[::step, ::step].astype(np.int16)
    return float(np.abs(a - b).mean()) if a.size else math.nan


def movement(samples: Iterable[Sample]) -> Iterator[Point]:
    """Movement in pictures, grey levels; a picture after a gap is compared all the same."""
    before: Sample | None = None
    for sample in samples:
        if sample.flags & Flag.INVALID:
            continue
        if before is not None:
            yield sample.t_ns, difference(before.payload, sample.payload)
        before = sample


def level_dbfs(pcm: NDArray[np.int16]) -> float:
    """Level of sound, dB of full scale, not under `FLOOR_DBFS`; NaN of nothing."""
    if pcm.size == 0:
        return math.nan
    power = float(np.mean(np.square(pcm.astype(np.float64) / 32768.0)))
    return max(FLOOR_DBFS, 10.0 * math.log10(power)) if power > 0 else FLOOR_DBFS


def levels(
    frames: NDArray[np.int16], have: NDArray[np.bool_], rate_hz: int, t0_ns: int
) -> Iterator[Point]:
    """Level of sound in blocks of a twentieth of a second; where nothing was received, none.

    Args:
        frames: int16 [n] or [n, channels].
        have: bool [n], False where nothing was received.
        rate_hz: Samples/s.
        t0_ns: Capture time of the first frame.
    """
    size = max(1, rate_hz * BLOCK_NS // NS_PER_S)
    for start in range(0, len(frames), size):
        there = have[start : start + size]
        if there.all():
            t_ns = t0_ns + (start + len(there) // 2) * NS_PER_S // rate_hz
            yield t_ns, level_dbfs(frames[start : start + size])


def nose_rate(samples: Iterable[Sample], spec: StreamSpec) -> Iterator[Point]:
    """How fast a nose changes: the largest relative change of a gas channel, 1/s."""
    gases = list(gas_channels(spec))
    before: Sample | None = None
    for sample in samples:
        if sample.flags & Flag.INVALID:
            continue
        if before is not None and sample.t_ns > before.t_ns and gases:
            old, new = before.payload[gases], sample.payload[gases]
            with np.errstate(divide="ignore", invalid="ignore"):
                change = np.abs(new - old) / np.maximum(np.abs(old), 1e-9)
            change = change[np.isfinite(change)]
            if change.size:
                yield sample.t_ns, float(change.max()) * NS_PER_S / (sample.t_ns - before.t_ns)
        before = sample
