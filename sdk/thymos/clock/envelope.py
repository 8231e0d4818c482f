"""Lower envelope of delay points over a bounded window: the line under all of them."""

from __future__ import annotations

from collections import deque
from itertools import pairwise

Point = tuple[int, int]


class Envelope:
    """The line y = offset + slope · x that lies below all points and closest to them.

    x is device time and y arrival minus device time, both ns. Points are kept as the lowest of
    each bucket of device time, at most `BUCKETS` of them.
    """

    BUCKETS = 120
    SLOPE_SPAN_S = 4.0
    """A slope is only drawn through points that lie at least this far apart."""
    PRIOR_DELAY_NS = 20e6
    """Mean delay assumed before delays were seen."""

    def __init__(self, window_s: float, slope: float, max_slope: float) -> None:
        self.slope = slope
        self._max_slope = max_slope
        self._bucket_ns = max(1, round(window_s * 1e9 / self.BUCKETS))
        self._closed: deque[Point] = deque(maxlen=self.BUCKETS)
        self._begin(0)

    def _begin(self, y: int) -> None:
        self._closed.clear()
        self._open: Point | None = None
        self._pivot: Point = (0, y)
        self._excess = 0.0
        self._n = 0
        self._rest = 0.0  # mean height of the closed buckets over the line

    def restart(self, y: int) -> None:
        """Forget all points and begin with (0, y); the slope is kept."""
        self._begin(y)
        self.add(0, y)

    @property
    def settled(self) -> bool:
        """Enough was seen to call a point far below the line impossible."""
        return len(self._closed) >= 4 and self._n >= 16

    def at(self, x: int) -> int:
        """Height of the line, ns."""
        x0, y0 = self._pivot
        return y0 + round(self.slope * (x - x0))

    @property
    def uncertainty_ns(self) -> int:
        """About 95 % bound of the line's error at its newest end.

        The least of n exponential delays of mean m exceeds 3 m / n in 5 % of cases. The line
        hangs on two such points and is read at its end, hence the factor 4. Once there are
        buckets, n counts these, as readings of one queue are late together.
        """
        first = 12 * (self.PRIOR_DELAY_NS + self._excess * self._n) / (1 + self._n)
        if len(self._closed) < 4:
            return round(first / max(1, self._n)) + 1000
        return round(12 * self._rest / len(self._closed)) + 1000

    def add(self, x: int, y: int) -> None:
        """Take one point in; x must not fall."""
        if self._open is not None and x // self._bucket_ns != self._open[0] // self._bucket_ns:
            self._close()
        if self._open is None or y - self.at(x) < self._open[1] - self.at(self._open[0]):
            self._open = (x, y)
        self._n += 1
        excess = y - self.at(x)
        if excess < 0:  # lower than thought possible: the line moves down at once
            self._pivot = (x, y)
            excess = 0
        self._excess += (excess - self._excess) / min(self._n, 500)

    def _close(self) -> None:
        if self._open is None:
            return
        self._closed.append(self._open)
        self._open = None
        self._fit()
        self._rest = max(0.0, sum(y - self.at(x) for x, y in self._closed) / len(self._closed))

    def _fit(self) -> None:
        """Draw the line through the hull edge over the middle of the points."""
        span = self._closed[-1][0] - self._closed[0][0]
        if span < self.SLOPE_SPAN_S * 1e9:
            self._pivot = min(self._closed, key=lambda p: p[1] - self.slope * p[0])
            return
        hull = _lower_hull(self._closed)
        middle = sum(p[0] for p in self._closed) / len(self._closed)
        left, right = next((a, b) for a, b in pairwise(hull) if b[0] >= middle)
        slope = (right[1] - left[1]) / (right[0] - left[0])
        self.slope = min(self._max_slope, max(-self._max_slope, slope))
        self._pivot = min(self._closed, key=lambda p: p[1] - self.slope * p[0])


def _lower_hull(points: deque[Point]) -> list[Point]:
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
