"""The time axis all lanes of the report share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from thymos.contract import WindowReport
from thymos.samples import NS_PER_S

_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
_MAX_TICKS = 8


@dataclass(frozen=True, slots=True)
class Axis:
    """From capture time to a place on the page.

    Attributes:
        t0_ns: Left edge.
        t1_ns: Right edge, later than `t0_ns`.
    """

    t0_ns: int
    t1_ns: int

    def x(self, t_ns: int) -> float:
        """Place in percent of the width, clipped to the page."""
        share = (t_ns - self.t0_ns) / (self.t1_ns - self.t0_ns)
        return round(100.0 * min(1.0, max(0.0, share)), 3)

    @property
    def length_ns(self) -> int:
        """From edge to edge."""
        return self.t1_ns - self.t0_ns

    def seconds(self, t_ns: int) -> float:
        """Seconds since the left edge."""
        return round((t_ns - self.t0_ns) / NS_PER_S, 3)

    def told(self, t_ns: int) -> str:
        """A moment in words: `12.4 s`, from a hundred seconds on `1:42`."""
        seconds = self.seconds(t_ns)
        return clock(seconds) if seconds >= 100 else f"{seconds:.1f} s"

    def place(self, t0_ns: int, t1_ns: int) -> str:
        """CSS of a box over [t0, t1]."""
        left = self.x(t0_ns)
        return f"left:{left:g}%;width:{max(0.15, self.x(t1_ns) - left):.3g}%"

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Yield (percent, label) at round seconds, at most eight."""
        length = (self.t1_ns - self.t0_ns) / NS_PER_S
        step = next((s for s in _STEPS_S if length / s <= _MAX_TICKS), 14400)
        for second in range(0, int(length) + 1, step):
            yield self.x(self.t0_ns + second * NS_PER_S), clock(second)


def clock(seconds: float) -> str:
    """Seconds as people write them: `12 s`, `3:05`, `1:02:00`."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def free_rows(spans: Sequence[tuple[int, int]], least_ns: int = 0, limit: int = 1000) -> list[int]:
    """First free row for each span, so that bars do not cover each other.

    Args:
        spans: Begin and end, in order of drawing.
        least_ns: A shorter span takes so much room.
        limit: Rows; what finds none free shares one.
    """
    ends: list[int] = []
    rows: list[int] = []
    for t0, t1 in spans:
        free = next((i for i, end in enumerate(ends) if end <= t0), len(ends))
        row = free if free < limit else len(rows) % limit
        ends[row : row + 1] = [max(t1, t0 + least_ns)]
        rows.append(row)
    return rows


def axis_of(reports: Sequence[WindowReport], spans: Sequence[tuple[int, int]] = ()) -> Axis:
    """Axis over all windows and the further spans; one second if there is nothing at all."""
    starts = [r.window.t0_ns for r in reports] + [s[0] for s in spans]
    ends = [r.window.t1_ns for r in reports] + [s[1] for s in spans]
    if not starts:
        return Axis(0, NS_PER_S)
    return Axis(min(starts), max(*ends, min(starts) + 1))
