"""Tells several observers the same thing; one that fails is reported and harms nobody else."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence

from thymos.align.window import Window
from thymos.contract import Cue, WindowReport
from thymos.events import Observer
from thymos.reason.base import Affect
from thymos.samples import Sample, StreamSpec

MAX_COMPLAINTS = 20  # per run; an observer that fails at 30 Hz must not fill a terminal


class Fanout(Observer):
    """An observer made of observers."""

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self._observers = tuple(observers)
        self._lock = threading.RLock()
        self._complaints = 0

    def add(self, observer: Observer) -> None:
        """Tell one more, from now on."""
        with self._lock:
            self._observers = (*self._observers, observer)

    def _each(self, call: Callable[[Observer], None]) -> None:
        with self._lock:
            for observer in self._observers:
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

    def on_skip(self, window: Window) -> None:
        """A window was skipped."""
        self._each(lambda o: o.on_skip(window))

    def on_note(self, text: str) -> None:
        """Something degraded or recovered."""
        self._each(lambda o: o.on_note(text))

    def on_end(self) -> None:
        """The run is over."""
        self._each(lambda o: o.on_end())
