"""What is to be said about a run beside its windows: lasting notes, and events that pass."""

from __future__ import annotations

import threading
from collections.abc import Callable

MAX = 32  # a report states what is lacking; it is not a log


class Remarks:
    """Notes and events of one run, bounded (any thread).

    Args:
        tell: Told each of them at once.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._notes: list[str] = []
        self._events: list[str] = []

    @property
    def notes(self) -> tuple[str, ...]:
        """What is degraded, each once."""
        return tuple(self._notes)

    def note(self, text: str) -> None:
        """Say that something is degraded: once, for the rest of the run."""
        with self._lock:
            if text in self._notes or len(self._notes) >= MAX:
                return
            self._notes.append(text)
        self._tell(text)

    def event(self, text: str) -> None:
        """Say that something happened, however often it happens."""
        with self._lock:
            if len(self._events) < MAX:
                self._events.append(text)
        self._tell(text)

    def take_events(self) -> list[str]:
        """What happened since the last time."""
        with self._lock:
            told, self._events = self._events, []
        return told
