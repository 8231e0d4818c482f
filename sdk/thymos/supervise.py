"""Wrappers of sources: reopen what was lost, play recordings in real time (live runs)."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from types import TracebackType

from thymos.clock import RobotClock
from thymos.errors import DeviceError
from thymos.samples import (
    NS_PER_S,
    Counters,
    EndOfStream,
    Flag,
    Health,
    HealthReport,
    Sample,
    Source,
    StreamSpec,
    duration_ns,
)

FIRST_RETRY_S = 0.5
LAST_RETRY_S = 5.0
LEAD_NS = 200_000_000  # recordings start this long after "now", so that no first sample is late


class Wrapper:
    """A source around a source: passes everything on."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def spec(self) -> StreamSpec:
        """See `Source`."""
        return self._source.spec

    @property
    def counters(self) -> Counters:
        """See `Source`."""
        return self._source.counters

    @property
    def health(self) -> HealthReport:
        """See `Source`."""
        return self._source.health

    @property
    def live(self) -> bool:
        """See `Source`."""
        return self._source.live

    def open(self) -> None:
        """See `Source`."""
        self._source.open()

    def close(self) -> None:
        """See `Source`."""
        self._source.close()

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """See `Source`."""
        return self._source.read(timeout_s)

    def __enter__(self) -> Source:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Supervisor(Wrapper):
    """Reopens a device that was lost, waiting longer after each failure (0.5 s … 5 s).

    The first sample after a loss carries `Flag.GAP_BEFORE`. What happened is kept as events until
    somebody asks.
    """

    def __init__(self, source: Source, clock: RobotClock) -> None:
        super().__init__(source)
        self._clock = clock
        self._lost_at: int | None = None
        self._retry_s = FIRST_RETRY_S
        self._next_try = 0
        self._events: list[str] = []
        self._reconnects = 0
        self._flag = Flag.OK

    @property
    def counters(self) -> Counters:
        """Of the source; `reconnects` counts what this supervisor did."""
        counters = dataclasses.replace(self._source.counters)
        counters.reconnects += self._reconnects
        return counters

    @property
    def health(self) -> HealthReport:
        """Of the source, or recovering while it is away."""
        if self._lost_at is None:
            return self._source.health
        away = (self._clock.now_ns() - self._lost_at) / NS_PER_S
        return HealthReport(Health.RECOVERING, f"lost {away:.0f} s ago", "check cable and power")

    def events(self) -> list[str]:
        """What happened since the last call, for people."""
        told, self._events = self._events, []
        return told

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Read, or try to reopen; a lost device gives None until it is back."""
        if self._lost_at is not None and not self._reopen(timeout_s):
            return None
        try:
            sample = self._source.read(timeout_s)
        except DeviceError as err:
            self._lose(err)
            return None
        if sample is not None and self._flag:
            sample = dataclasses.replace(sample, flags=sample.flags | self._flag)
            self._flag = Flag.OK
        return sample

    def _lose(self, err: DeviceError) -> None:
        self._source.close()
        self._lost_at = self._clock.now_ns()
        self._retry_s = FIRST_RETRY_S
        self._next_try = self._lost_at + int(FIRST_RETRY_S * NS_PER_S)
        self._events.append(f"lost: {err}; trying to open it again")

    def _reopen(self, timeout_s: float) -> bool:
        now = self._clock.now_ns()
        if now < self._next_try:
            time.sleep(min(timeout_s, (self._next_try - now) / NS_PER_S))
            return False
        try:
            self._source.open()
        except DeviceError:
            self._retry_s = min(LAST_RETRY_S, self._retry_s * 2)
            self._next_try = now + int(self._retry_s * NS_PER_S)
            return False
        assert self._lost_at is not None  # noqa: S101
        self._events.append(f"back after {(now - self._lost_at) / NS_PER_S:.1f} s")
        self._lost_at = None
        self._reconnects += 1
        self._flag = Flag.GAP_BEFORE
        return True


class Paced(Wrapper):
    """Plays an open recording in real time: capture times move onto the robot clock.

    A sample is handed out when its last instant has passed, as a device would.
    """

    def __init__(self, source: Source, clock: RobotClock, first: Sample | None) -> None:
        super().__init__(source)
        self._clock = clock
        self._held = first
        self.shift_ns = 0

    @property
    def live(self) -> bool:
        """It behaves like a device."""
        return True

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Return the next sample when its time has come."""
        if self._held is None:
            self._held = self._source.read(timeout_s)
            if self._held is None:
                return None
        t_ns = self._held.t_ns + self.shift_ns
        wait = (t_ns + duration_ns(self._held, self.spec) - self._clock.now_ns()) / NS_PER_S
        if wait > timeout_s:
            time.sleep(timeout_s)
            return None
        if wait > 0:
            time.sleep(wait)
        sample, self._held = self._held, None
        return dataclasses.replace(sample, t_ns=t_ns, t_recv_ns=self._clock.now_ns())


def pace_together(sources: Sequence[Source], clock: RobotClock) -> list[Source]:
    """Wrap the (open) sources that are not live so that they play together from now on.

    All get the same shift: their first sample plays now and what lies between them stays.
    """
    paced = {i: Paced(s, clock, _first(s)) for i, s in enumerate(sources) if not s.live}
    begins = [p._held.t_ns for p in paced.values() if p._held is not None]
    shift = clock.now_ns() + LEAD_NS - min(begins, default=0)
    for source in paced.values():
        source.shift_ns = shift
    return [paced.get(i, s) for i, s in enumerate(sources)]


def _first(source: Source) -> Sample | None:
    try:
        return source.read(5.0)
    except EndOfStream:
        return None  # the next read says so again
