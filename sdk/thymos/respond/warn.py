"""How often a danger that the nose reports is told: at once, a few times, then no more.

A warning that comes again and again is switched off by people, and then the true one is not heard.
All times are capture times, so a replay warns at the same moments.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from thymos.respond.guard import Alarm, Danger
from thymos.samples import NS_PER_S

AGAIN_NS = (60 * NS_PER_S, 240 * NS_PER_S)
"""While an urgent danger lasts it is told again after these pauses, then no more."""
OVER_NS = 300 * NS_PER_S
"""A danger unnoticed for so long is over; the next one is new. (Before that, a MOX sensor that
recovers may still tell of the old one.) The same holds for a clock that went back so far."""
HINT_PAUSE_NS = 600 * NS_PER_S
"""Between two hints, of whatever danger."""
QUIET_NS = 20 * NS_PER_S
"""So long after a warning there is no small talk."""


@dataclass(slots=True)
class _Told:
    """What was told of one danger."""

    seen_ns: int
    last_ns: int
    alarms: int


class Warner:
    """Remembers what was told. May be asked from several threads."""

    def __init__(self) -> None:
        self._told: dict[Danger, _Told] = {}
        self._hint_ns: int | None = None
        self._lock = threading.Lock()

    def due(self, found: Alarm, t_ns: int) -> bool:
        """Whether to tell it now; if so it counts as told.

        Args:
            found: A danger that was smelt.
            t_ns: Capture time at which it was noticed.
        """
        with self._lock:
            told = self._told.get(found.danger)
            if told is not None and abs(t_ns - told.seen_ns) > OVER_NS:
                told = None
            if told is not None:
                told.seen_ns = max(told.seen_ns, t_ns)
            if found.stage == "hint":
                return self._hint(found, told, t_ns)
            if told is None or told.alarms == 0:
                self._told[found.danger] = _Told(t_ns, t_ns, 1)
                return True
            pauses = AGAIN_NS if found.urgent else ()
            if told.alarms > len(pauses) or t_ns - told.last_ns < pauses[told.alarms - 1]:
                return False
            told.last_ns, told.alarms = t_ns, told.alarms + 1
            return True

    def _hint(self, found: Alarm, told: _Told | None, t_ns: int) -> bool:
        recent = self._hint_ns is not None and abs(t_ns - self._hint_ns) < HINT_PAUSE_NS
        if told is not None or recent:
            return False
        self._hint_ns = t_ns
        self._told[found.danger] = _Told(t_ns, t_ns, 0)
        return True

    def quiet(self, t_ns: int) -> bool:
        """Whether a warning was told so shortly before that small talk would be out of place."""
        with self._lock:
            told = [t.last_ns for t in self._told.values() if t.alarms]
            return any(0 <= t_ns - last < QUIET_NS for last in told)
