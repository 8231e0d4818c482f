"""Lets the time of a recording pass at a rate of the wall clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from thymos.samples import NS_PER_S

TICK_S = 0.01


class Pace:
    """Waits until the time of the recording has come; what is waited for decides nothing else.

    Args:
        rate: Seconds of the recording in a second.
        stop: Ends the waiting.
        tell: Gets the time of the recording, every 10 ms while waiting and at its end.

    Attributes:
        now_ns: Time of the recording; it never goes back.
        late_ms_max: How late the latest call was, in ms of the wall clock.
    """

    def __init__(
        self, rate: float, stop: threading.Event, tell: Callable[[int], None] | None = None
    ) -> None:
        self._rate = rate
        self._stop = stop
        self._tell = tell
        self._wall: float | None = None
        self._start = 0
        self.now_ns = 0
        self.late_ms_max = 0.0

    def begin(self, t_ns: int) -> None:
        """The recording begins now, with this time."""
        self._wall, self._start, self.now_ns = time.monotonic(), t_ns, t_ns
        self._told()

    def until(self, t_ns: int) -> bool:
        """Wait until it is `t_ns`; the first call begins there. False if it was interrupted."""
        if self._wall is None:
            self.begin(t_ns)
        while True:
            elapsed = (time.monotonic() - (self._wall or 0.0)) * self._rate
            now = self._start + int(elapsed * NS_PER_S)
            if now >= t_ns or self._stop.is_set():
                break
            self.now_ns = max(self.now_ns, now)
            left = (t_ns - now) / NS_PER_S / self._rate
            self._told()
            self._stop.wait(left if self._tell is None else min(TICK_S, left))
        self.late_ms_max = max(self.late_ms_max, (now - t_ns) / 1e6 / self._rate)
        self.now_ns = max(self.now_ns, t_ns)
        self._told()
        return not self._stop.is_set()

    def _told(self) -> None:
        if self._tell is not None:
            self._tell(self.now_ns)
