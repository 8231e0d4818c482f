"""How many readings a nose made that never came through, and how well it is understood."""

from __future__ import annotations

import statistics
from collections import deque

STEADY = 8
"""So many steps of the device's clock tell its period."""
_SPREAD = 0.3
_RECENT = 20
_SHARE = 0.1


class Losses:
    """Counts lost readings, by the best evidence a protocol gives.

    1. Its sequence numbers: exact.
    2. Its clock, once that has been seen to step evenly: a step of five periods is four readings.
    3. Unreadable lines, one reading each, where a line is a reading.

    Where none of these tells (a nose away for a while, or one that was switched off), nothing is
    made up: the next sample says `GAP_BEFORE`.
    """

    def __init__(self) -> None:
        self._steps: deque[int] = deque(maxlen=32)
        self._last: int | None = None
        self._bad = 0

    def unreadable(self, pieces: int) -> None:
        """So many pieces could not be read since the last reading."""
        self._bad += pieces

    def before(self, ticks: int | None, exact: int | None, *, whole: bool, restarted: bool) -> int:
        """Readings lost before this one; to be called for each reading."""
        bad, self._bad = self._bad, 0
        step = ticks - self._last if ticks is not None and self._last is not None else None
        self._last = ticks
        by_lines = bad if whole else 0
        if exact is not None:
            return exact
        if step is None or step <= 0 or restarted:
            return by_lines
        period = self._period()
        if period is None:
            self._steps.append(step)
            return by_lines
        missing = round(step / period) - 1
        if missing <= 0:
            self._steps.append(step)
            return 0
        return missing

    def _period(self) -> float | None:
        """Median step, if nearly all are like it."""
        if len(self._steps) < STEADY:
            return None
        middle = statistics.median(self._steps)
        even = sum(abs(step - middle) <= _SPREAD * middle for step in self._steps)
        return middle if middle > 0 and even >= 0.8 * len(self._steps) else None


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
