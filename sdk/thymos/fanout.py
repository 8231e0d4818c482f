"""Tells several observers the same thing; one that fails is reported and harms nobody else."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence

from thymos.align.window import Window
from thymos.contract import Alert, Cue, WindowReport
from thymos.events import Observer
from thymos.reason.base import Affect
from thymos.samples import Sample, StreamSpec

MAX_COMPLAINTS = 20  # per run; an observer that fails at 30 Hz must not fill a terminal
MAX_NESTED = 100

Call = Callable[[Observer], None]


class Fanout(Observer):
    """An observer made of observers.

    Each is called by one thread at a time and holds up those threads only that have something to
    tell it, never the pipeline. What an observer causes to be told (it pushes a sample, makes a
    note) is told when all have heard what it was called for: so nobody ever waits for two at once.
    """

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self._members = tuple((observer, threading.Lock()) for observer in observers)
        self._thread = threading.local()
        self._complaints = 0

    def add(self, observer: Observer) -> None:
        """Tell one more, from now on."""
        self._members = (*self._members, (observer, threading.Lock()))

    def _each(self, call: Call) -> None:
        waiting: deque[Call] | None = getattr(self._thread, "waiting", None)
        if waiting is not None:
            waiting.append(call)
            return
        self._thread.waiting = waiting = deque([call])
        try:
            for _ in range(1 + MAX_NESTED):  # one may answer each call with another, for ever
                if not waiting:
                    break
                self._tell(waiting.popleft())
        finally:
            self._thread.waiting = None

    def _tell(self, call: Call) -> None:
        for observer, lock in self._members:
            with lock:
                try:
                    call(observer)
                except Exception as err:  # noqa: BLE001  a broken watcher must not stop the robot
                    self._complain(observer, err)

    def _complain(self, observer: Observer, err: Exception) -> None:
        self._complaints += 1
        if self._complaints <= MAX_COMPLAINTS:
            name = type(observer).__name__
            print(f"observer {name} failed: {type(err).__name__}: {err}", file=sys.stderr)

    def on_stream(self, spec: StreamSpec) -> None:
        """A stream begins."""
        self._each(lambda o: o.on_stream(spec))

    def on_sample(self, sample: Sample) -> None:
        """A sample was taken in."""
        self._each(lambda o: o.on_sample(sample))

    def on_unmatched(self, sample: Sample, reason: str) -> None:
        """A sample came too late for its window."""
        self._each(lambda o: o.on_unmatched(sample, reason))

    def on_estimate(self, window: Window, cues: tuple[Cue, ...], affect: Affect) -> None:
        """A first estimate was made."""
        self._each(lambda o: o.on_estimate(window, cues, affect))

    def on_text(self, window_id: str, text: str) -> None:
        """The rationale grows."""
        self._each(lambda o: o.on_text(window_id, text))

    def on_report(self, report: WindowReport) -> None:
        """A window is done."""
        self._each(lambda o: o.on_report(report))

    def on_alert(self, alert: Alert) -> None:
        """A danger was answered at once."""
        self._each(lambda o: o.on_alert(alert))

    def on_skip(self, window: Window) -> None:
        """A window was skipped."""
        self._each(lambda o: o.on_skip(window))

    def on_note(self, text: str) -> None:
        """Something degraded or recovered."""
        self._each(lambda o: o.on_note(text))

    def on_end(self) -> None:
        """The run is over."""
        self._each(lambda o: o.on_end())
