"""How many readings a nose made that never came through, and how well it is understood."""

from __future__ import annotations

import math
import statistics
from collections import deque

STEADY = 8
"""So many steps of a clock tell its period."""
_SPREAD = 0.3
_EARLY = 0.35
_CREEP = 1.03
_RECENT = 20
_SHARE = 0.1


class Losses:
    """Counts lost readings, by the best evidence a protocol gives.

    1. Its sequence numbers: exact.
    2. Its clock, once that has been seen to step evenly: a step of five periods is four readings.
       As firmware that is busy steps unevenly too, this needs something unreadable as a witness,
       unless a timer drives the readings.
    3. Unreadable lines, one reading each, where a line is a reading. Where readings arrive evenly,
       the time that passed tells whether it was none (garbage between two readings) or two (the
       end of a line was lost).

    Where none of these tells (a nose away for a while, or one that was switched off), nothing is
    made up: the next sample says `GAP_BEFORE`.
    """

    def __init__(self) -> None:
        self._ticks = _Period()
        self._arrivals = _Arrivals()

    def before(
        self,
        ticks: int | None,
        arrived_ns: int,
        exact: int | None,
        *,
        bad: int,
        whole: bool,
        timed: bool,
        restarted: bool,
    ) -> int:
        """Readings lost before this one; to be called for each reading.

        Args:
            ticks: Of the device, None if it has none.
            arrived_ns: When it arrived.
            exact: What sequence numbers say, None if there are none.
            bad: Unreadable pieces since the reading before.
            whole: A line is a reading.
            timed: A timer of the device drives its readings.
            restarted: The device began anew.
        """
        by_arrival = self._arrivals.left_out(arrived_ns, learn=not bad, anew=restarted)
        by_ticks = self._ticks.missing(ticks, learn=not restarted)
        if exact is not None:
            return exact
        if restarted:
            return 0
        if by_ticks is not None:
            return max(0, round(by_ticks)) if bad or timed else 0
        if not whole:
            return 0
        if bad and by_arrival is not None:
            return min(by_arrival, 2 * bad)
        return bad


class _Period:
    """The step of something that rises evenly."""

    def __init__(self) -> None:
        self._steps: deque[int] = deque(maxlen=32)
        self._last: int | None = None

    def missing(self, value: int | None, *, learn: bool) -> float | None:
        """Steps left out before this value; None if that cannot be told."""
        step = value - self._last if value is not None and self._last is not None else None
        self._last = value
        if step is None or step <= 0:
            return None
        period = self._period()
        missing = step / period - 1 if period is not None else None
        if learn and (missing is None or missing < 0.5):
            self._steps.append(step)
        return missing

    def _period(self) -> float | None:
        """Median step, if nearly all are like it."""
        if len(self._steps) < STEADY:
            return None
        middle = statistics.median(self._steps)
        even = sum(abs(step - middle) <= _SPREAD * middle for step in self._steps)
        return middle if middle > 0 and even >= 0.8 * len(self._steps) else None


class _Arrivals(_Period):
    """Arrivals of what is sent evenly: none is early, but on a busy machine many are late.

    So each is held against the grid of those that were on time, not against the one before.
    """

    def __init__(self) -> None:
        super().__init__()
        self._due = 0.0  # on the grid, of the last arrival
        self._behind = 0  # arrivals in a row that were late

    def left_out(self, value: int, *, learn: bool, anew: bool) -> int | None:
        """Whole steps left out before this arrival; None if that cannot be told.

        Args:
            value: Arrival.
            learn: Nothing was lost before it, as far as is known.
            anew: The device began anew: so does the grid.
        """
        self.missing(value, learn=learn and not anew)
        period = self._period()
        if anew or period is None:
            self._due = value
            return None
        count = max(0, math.floor((value - self._due) / period - 1 + _EARLY))
        # Without a damaged piece nothing was left out: it is late, and others come with it.
        # The grid creeps later, as its period is known roughly, until an arrival holds it back.
        self._due = min(value, self._due + (_CREEP + (0 if learn else count)) * period)
        self._behind = self._behind + 1 if value - self._due > period / 2 else 0
        if self._behind >= STEADY:  # not late: whole readings vanished, or it sends at other times
            self._due, self._behind = value, 0
        return count


class Clarity:
    """How many of the last lines or frames could be read."""

    def __init__(self) -> None:
        self._last: deque[bool] = deque(maxlen=_RECENT)

    def add(self, *, good: int, bad: int) -> None:
        """So many more of each."""
        self._last.extend([False] * min(bad, _RECENT))
        self._last.extend([True] * min(good, _RECENT))

    @property
    def complaint(self) -> str:
        """What is wrong, in words; empty if at most one in ten is unreadable."""
        bad = self._last.count(False)
        if bad <= _SHARE * _RECENT:
            return ""
        return f"{bad} of the last {len(self._last)} lines were unreadable"
