"""The robot clock: one time for all sensors of one robot."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class RobotClock(Protocol):
    """Tells the time in nanoseconds; never goes backwards."""

    def now_ns(self) -> int:
        """Nanoseconds now."""


class MonotonicClock:
    """CLOCK_MONOTONIC: what the kernel stamps V4L2 frames and ALSA periods with.

    It starts at boot, does not follow corrections of the wall clock and is the same in all
    processes of one machine.
    """

    def now_ns(self) -> int:
        """Nanoseconds since boot."""
        return time.monotonic_ns()


class ManualClock:
    """A clock that stands still until it is told the time: tests and replay."""

    def __init__(self, start_ns: int = 0) -> None:
        self._now = start_ns
        self._lock = threading.Lock()

    def now_ns(self) -> int:
        """The time it was told last."""
        with self._lock:
            return self._now

    def set_ns(self, now_ns: int) -> None:
        """Set the time; an earlier one is ignored, as time does not run backwards."""
        with self._lock:
            self._now = max(self._now, now_ns)

    def advance_ns(self, delta_ns: int) -> int:
        """Let time pass and return the new time.

        Raises:
            ValueError: `delta_ns` is negative.
        """
        if delta_ns < 0:
            raise ValueError("time does not run backwards")
        with self._lock:
            self._now += delta_ns
            return self._now
