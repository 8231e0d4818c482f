"""The line under all delay points: where it may lie, and how surely, over a bounded window."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Point = tuple[int, int]
Floats = NDArray[np.float64]


class Envelope:
    """The line y = offset + slope · x below all points, estimated with its own error.

    x is device time and y arrival minus device time, both ns. Points are kept as the lowest of
    each bucket of device time, at most `BUCKETS` of them; buckets begin narrow and are joined in
    pairs as the window fills, so that a new line already uses every reading.

    Heights of the points over the true line are taken as exponential with mean m (whatever the law
    of the delay, its minima are nearly so). Of k points with mean abscissa c, an offset a at c and
    a slope b then have the likelihood exp(k a / m) if the line is below all points and 0 if not.
    Its greatest value is the hull edge over c of Moon, Skelly and Towsley (1999, section IV). We
    take the mean over all lines instead, which uses what is known of crystals, and whose spread is
    the uncertainty. As few points may be late together (one queue), k counts only k / `BUCKETS`.

    Args:
        window_s: How much of the past is kept, device time (more if readings are rarer than
            `BUCKETS` in it).
        max_slope: No slope is steeper.
    """

    BUCKETS = 120
    FINEST = 8
    """Buckets are up to this much narrower at the beginning; a power of two."""
    PRIOR_DELAY_NS = 20e6
    """Mean delay assumed before delays were seen."""
    WANDER = 0.5e-6
    """How far a crystal's slope may be from what it was a window ago (temperature)."""
    CRYSTALS = 1e-4
    """Skew of crystals nobody has measured: standard deviation."""
    ODDS_WRONG = 0.03
    """Odds that the expected slope is wrong, and that of any crystal has to be expected."""
    ODDS_ODD = 1e-9
    """Odds that this is no crystal (ceramic resonators are fifty times worse)."""

    def __init__(self, window_s: float, max_slope: float) -> None:
        self.work = 0  # points looked at while fitting, so far
        self._max_slope = max_slope
        self._widest_ns = max(self.FINEST, round(window_s * 1e9 / self.BUCKETS))
        self.expect(0.0, self.CRYSTALS)
        self._begin(0)

    def expect(self, slope: float, scale: float) -> None:
        """Tell the slope beforehand, with its standard deviation; readings may overrule it."""
        self.slope, self._expected = slope, (slope, max(scale, 2 * self.WANDER))

    def _begin(self, y: int) -> None:
        self._bucket_ns = self._widest_ns // self.FINEST
        self._closed: deque[Point] = deque(maxlen=self.BUCKETS)
        self._open: Point | None = None
        self._seeded = False
        self._n = 0
        self._pivot: Point = (0, y)
        self._centre = 0
        self._var = (0.0, 0.0, self._expected[1] ** 2)  # offset, both, slope

    def restart(self, y: int) -> None:
        """Forget all points and begin with (0, y); what was learnt of the slope is kept."""
        if len(self._closed) >= self.BUCKETS // 4:
            self.expect(self.slope, 4 * self.slope_uncertainty)
        self._begin(y)
        self.add(0, y)

    def seed(self, y: int) -> None:
        """Begin with (0, y) as a point of the line itself, until readings contradict it."""
        self._begin(y)
        self.slope = self._expected[0]
        self._closed.append((0, y))
        self._seeded = True

    @property
    def settled(self) -> bool:
        """Enough was seen to call a point far below the line impossible."""
        return len(self._closed) >= 4 and self._n >= 16

    @property
    def slope_uncertainty(self) -> float:
        """Standard deviation of the slope."""
        return math.sqrt(self._var[2])

    def at(self, x: int) -> int:
        """Height of the line, ns."""
        x0, y0 = self._pivot
        return y0 + round(self.slope * (x - x0))

    def uncertainty_at(self, x: int) -> int:
        """The line is within ± this of the truth in about 95 of 100 cases, ns."""
        offset, both, slope = self._var
        d = x - self._centre
        spread = offset + 2 * both * d + (slope + self.WANDER**2) * d * d
        unseen = 3 * self.PRIOR_DELAY_NS * (3 / (3 + len(self._closed))) ** 2
        return round(2.2 * math.sqrt(max(0.0, spread)) + unseen)

    def add(self, x: int, y: int) -> None:
        """Take one point in; x must not fall."""
        if self._open is not None and x // self._bucket_ns != self._open[0] // self._bucket_ns:
            self._close(self._open)
            self._open = None
        if self._open is None or y - self.at(x) < self._open[1] - self.at(self._open[0]):
            self._open = (x, y)
        self._n += 1
        if y < self.at(x):  # lower than thought possible: the line moves down at once
            self._pivot = (x, y)

    def _close(self, point: Point) -> None:
        if len(self._closed) == self.BUCKETS and self._bucket_ns < self._widest_ns:
            self._join()
        self._closed.append(point)
        self._fit()

    def _join(self) -> None:
        """Make buckets twice as wide."""
        self._bucket_ns *= 2
        points = list(self._closed)
        self._closed.clear()
        for p in points:
            last = self._closed[-1] if self._closed else None
            if last is None or last[0] // self._bucket_ns != p[0] // self._bucket_ns:
                self._closed.append(p)
            elif p[1] - last[1] < self.slope * (p[0] - last[0]):
                self._closed[-1] = p

    def _fit(self) -> None:
        """Mean and spread of all lines below the points (class docstring)."""
        if self._seeded and len(self._closed) == self.BUCKETS // 4:
            self._check_seed()
        k = len(self._closed)
        self.work += k
        c = sum(p[0] for p in self._closed) // k
        y0 = self._closed[-1][1]
        dx, y = _arrays(self._closed, c, y0)
        hull = _lower_hull(self._closed)
        best = self._edge(hull, c)
        top = float(np.min(y - best * dx))
        heights = y - best * dx - top
        # Two points are always on their line, so few of them tell little of the mean.
        seen = _mean_height(heights)
        mean = seen + self.PRIOR_DELAY_NS * (2 / (k + 1)) ** 2
        rate = k / mean * k / self.BUCKETS
        slopes = self._slopes(dx, y, top - 40 / rate, best)
        hx, hy = _arrays(hull, c, y0)
        offsets = np.min(hy[:, None] - hx[:, None] * slopes, axis=0)
        weight = np.exp(rate * (offsets - top)) * self._prior(slopes)
        weight *= np.gradient(slopes) if len(slopes) > 1 else 1.0
        weight /= weight.sum()
        a, b = float(weight @ offsets), float(weight @ slopes)
        da, db = offsets - a, slopes - b
        spread = float(weight @ da**2) + min(mean, 1 / rate) ** 2
        self._var = (spread, float(weight @ (da * db)), float(weight @ db**2))
        # The least of k delays is still late by mean / k; doubly careful while k is small.
        a -= seen / k * (k / self.BUCKETS) ** 2
        self.slope, self._pivot, self._centre = b, (c, y0 + round(a)), c

    def _check_seed(self) -> None:
        """Drop a first point that lies far below all others."""
        self._seeded = False
        (x0, y0), *others = self._closed
        heights = np.array([y - y0 - self._expected[0] * (x - x0) for x, y in others])
        lowest = float(heights.min())
        if lowest > 12 * _mean_height(heights - lowest) / len(heights):
            self._closed.popleft()

    def _edge(self, hull: list[Point], c: int) -> float:
        """Slope of the hull over c, within what is possible."""
        if len(hull) < 2:
            return self._expected[0]
        left, right = next((a, b) for a, b in pairwise(hull) if b[0] >= c)
        slope = (right[1] - left[1]) / (right[0] - left[0])
        return min(self._max_slope, max(-self._max_slope, slope))

    def _prior(self, slopes: Floats) -> Floats:
        """How likely slopes are before any reading (a density, up to a factor)."""
        expected, scale = self._expected
        known = np.exp(-(((slopes - expected) / scale) ** 2) / 2)
        crystals: Floats = np.exp(-((slopes / self.CRYSTALS) ** 2) / 2)
        return known + scale / self.CRYSTALS * (self.ODDS_WRONG * crystals + self.ODDS_ODD)

    def _slopes(self, dx: Floats, y: Floats, floor: float, best: float) -> Floats:
        """Slopes worth looking at: of lines below all points that are above `floor` at c."""
        right, left = dx > 0, dx < 0
        high = float(np.min((y[right] - floor) / dx[right], initial=self._max_slope))
        low = float(np.max((y[left] - floor) / dx[left], initial=-self._max_slope))
        expected, scale = self._expected
        wide = np.linspace(-5, 5, 65)
        fine = np.concatenate((expected + scale * wide, self.CRYSTALS * wide))
        inside = fine[(fine > low) & (fine < high)]
        return np.unique(np.concatenate((np.linspace(low, high, 65), inside, [best])))


def _mean_height(heights: Floats) -> float:
    """Mean of exponential heights by a low quantile: even many spikes do not matter."""
    return float(np.quantile(heights, 0.25)) / math.log(4 / 3)


def _arrays(points: Iterable[Point], x0: int, y0: int) -> tuple[Floats, Floats]:
    """Coordinates relative to a near point: exact, however large the numbers are."""
    table = np.array([(x - x0, y - y0) for x, y in points], dtype=np.float64)
    return table[:, 0], table[:, 1]


def _lower_hull(points: Iterable[Point]) -> list[Point]:
    """Lower convex hull of points in order of x (monotone chain)."""
    hull: list[Point] = []
    for p in points:
        while len(hull) >= 2 and _turn(hull[-2], hull[-1], p) <= 0:
            hull.pop()
        hull.append(p)
    return hull


def _turn(a: Point, b: Point, c: Point) -> int:
    """Positive if a → b → c turns left (upwards)."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
