"""Wrappers of sources: reopen what was lost or hangs, play recordings in real time (live runs)."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping, Sequence
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
PATIENCE_S = 10.0
LAST_PATIENCE_S = 300.0
OPEN_S = 150.0  # a slow nose is listened to for a minute before its format is known
CLOSE_S = 5.0
_PERIODS = 20
OFFSET_KEY = "offset_ms"
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


class Shifted(Wrapper):
    """Moves the capture stamps of a stream by a constant: the one place where that is done.

    Says so in the specification: `extra["offset_ms"]`, and `extra["note"]` for people. A recording
    keeps both, so a stream that says it was moved is never moved again.

    Args:
        source: Not yet open.
        offset_ms: Added to each stamp; negative if the device is late.
        origin: Where the offset comes from, for people.
    """

    def __init__(self, source: Source, offset_ms: float, origin: str = "sources.offset_ms") -> None:
        super().__init__(source)
        self.move(offset_ms, origin)

    def move(self, offset_ms: float, origin: str) -> None:
        """Set the offset: once, before the first sample is read."""
        self._offset_ms, self._offset_origin = offset_ms, origin
        self._seen: tuple[StreamSpec, StreamSpec] | None = None  # of the source, and ours

    @property
    def spec(self) -> StreamSpec:
        """Of the source, with what was done to its stamps."""
        plain = self._source.spec
        if self._seen is None or self._seen[0] is not plain:
            self._seen = (plain, self._told(plain))
        return self._seen[1]

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Read and move the stamp."""
        sample = self._source.read(timeout_s)
        if sample is None or OFFSET_KEY in self._source.spec.extra:
            return sample
        t_ns = sample.t_ns + round(self._offset_ms * NS_PER_S / 1000)
        return dataclasses.replace(sample, t_ns=t_ns)

    def _told(self, plain: StreamSpec) -> StreamSpec:
        if OFFSET_KEY in plain.extra or not self._offset_ms:
            return plain
        moved = f"stamps moved by {self._offset_ms:+g} ms ({self._offset_origin})"
        note = "; ".join(filter(None, (plain.extra.get("note", ""), moved)))
        extra = {**plain.extra, OFFSET_KEY: f"{self._offset_ms:g}", "note": note}
        return dataclasses.replace(plain, extra=extra)


def shifted(sources: Sequence[Source], offsets_ms: Mapping[str, float]) -> list[Source]:
    """Wrap those sources whose stream has an offset, by the name of the stream."""
    return [
        Shifted(s, offsets_ms[s.spec.name]) if offsets_ms.get(s.spec.name) else s for s in sources
    ]


class Errand(threading.Thread):
    """One call to a device on a thread of its own: a hung device holds up this thread, not us."""

    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__(name="device-errand", daemon=True)
        self._call = call
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        """Do it, and keep what went wrong for whoever asks."""
        try:
            self._call()
        except Exception as err:  # noqa: BLE001  told by the thread that waits for it
            self.error = err

    def done(self, timeout_s: float) -> bool:
        """Wait at most `timeout_s`; whether it is over."""
        self.join(timeout_s)
        return not self.is_alive()


class Supervisor(Wrapper):
    """Opens a device again that was lost or stays silent; a hung one never holds up the reader.

    Lost: tried again after 0.5 s, then less and less often (5 s). Silent, because the driver says
    `STALLED` or because nothing came for `patience_s` and 20 periods: closed and opened again, and
    if that does not help after twice the time, and so on up to 5 minutes. The first sample
    afterwards carries `Flag.GAP_BEFORE`. What happened is kept as events until somebody asks.

    Args:
        source: A live source, not yet open.
        clock: Robot clock.
        patience_s: How long a silent device is left alone.
    """

    def __init__(
        self, source: Source, clock: RobotClock, *, patience_s: float = PATIENCE_S
    ) -> None:
        super().__init__(source)
        self._clock = clock
        self._first_patience_s = self._patience_s = patience_s
        self._retry_s = FIRST_RETRY_S
        self._next_try = 0
        self._last_ns: int | None = None  # when a sample came, or reading began
        self._away: tuple[int, str] | None = None  # since when and why
        self._errand: Errand | None = None
        self._opening = False  # what the errand does: open, else close
        self._closed = threading.Event()
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
        """Of the source; stalled if it is silent without knowing; recovering while it is away."""
        now = self._clock.now_ns()
        if self._away is not None:
            since, why = self._away
            away = (now - since) / NS_PER_S
            return HealthReport(
                Health.RECOVERING, f"{why} {away:.0f} s ago", "check cable and power"
            )
        said = self._source.health
        silent_s = self._silent_s(now)
        if said.health in (Health.OK, Health.STARTING) and self._too_long(silent_s):
            reason = f"nothing for {silent_s:.0f} s"
            return HealthReport(Health.STALLED, reason, "check cable and power")
        return said

    def events(self) -> list[str]:
        """What happened since the last call, for people."""
        told, self._events = self._events, []
        return told

    def open(self) -> None:
        """Open the device.

        Raises:
            DeviceError: It cannot be opened, or gave no answer for minutes.
        """
        self._closed.clear()
        errand = Errand(self._open_source)
        if not errand.done(OPEN_S):
            self._closed.set()  # should it ever open, it is closed at once
            name = self.spec.device or self.spec.name
            raise DeviceError(
                f"'{name}' gives no answer", hint="unplug it and plug it in again, or restart it"
            )
        if errand.error is not None:
            raise errand.error
        self._away = self._errand = None
        self._patience_s, self._flag = self._first_patience_s, Flag.OK
        self._last_ns = None

    def close(self) -> None:
        """Close it; a device that hangs is left to its thread."""
        self._closed.set()
        Errand(self._source.close).done(CLOSE_S)

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Read, or try to open it again; a device that is away gives None until it is back."""
        if self._away is not None and not self._recover(timeout_s):
            return None
        try:
            sample = self._source.read(timeout_s)
        except DeviceError as err:
            self._leave("lost", str(err))
            return None
        if sample is None:
            self._watch()
            return None
        self._last_ns = self._clock.now_ns()
        self._patience_s = self._first_patience_s
        if self._flag:
            sample = dataclasses.replace(sample, flags=sample.flags | self._flag)
            self._flag = Flag.OK
        return sample

    def _watch(self) -> None:
        """Give a silent device up when it has had its time."""
        now = self._clock.now_ns()
        if self._last_ns is None:
            self._last_ns = now
        silent_s, said = self._silent_s(now), self._source.health
        stalled = said.health is Health.STALLED or self._too_long(silent_s)
        if stalled and silent_s > self._patience_s:
            self._patience_s = min(LAST_PATIENCE_S, 2 * self._patience_s)
            self._leave("silent", said.reason or f"nothing for {silent_s:.0f} s")

    def _silent_s(self, now_ns: int) -> float:
        return 0.0 if self._last_ns is None else (now_ns - self._last_ns) / NS_PER_S

    def _too_long(self, silent_s: float) -> bool:
        """Whether this is too long a silence for the rate of the stream (audio comes in blocks)."""
        rate_hz = self.spec.rate_hz
        return rate_hz > 0 and silent_s > max(self._first_patience_s, _PERIODS / rate_hz)

    def _leave(self, what: str, why: str) -> None:
        """Give it up for now: closed at once, so that its number is free when it is back."""
        now = self._clock.now_ns()
        self._away = (now, what)
        self._retry_s = FIRST_RETRY_S
        self._next_try = now + int(FIRST_RETRY_S * NS_PER_S)
        self._events.append(f"{what}: {why}; trying to open it again")
        self._errand, self._opening = Errand(self._source.close), False

    def _recover(self, timeout_s: float) -> bool:
        """One step towards having it back; at most `timeout_s`."""
        if self._closed.is_set():
            raise EndOfStream
        if self._errand is None:
            wait_s = (self._next_try - self._clock.now_ns()) / NS_PER_S
            if wait_s > 0:
                self._closed.wait(min(timeout_s, wait_s))
                return False
            self._errand, self._opening = Errand(self._open_source), True
        if not self._errand.done(timeout_s):
            return False
        ended, self._errand = self._errand, None
        if not self._opening:
            return False
        if ended.error is None:
            return self._back()
        if not isinstance(ended.error, DeviceError):
            raise ended.error
        self._retry_s = min(LAST_RETRY_S, self._retry_s * 2)
        self._next_try = self._clock.now_ns() + int(self._retry_s * NS_PER_S)
        return False

    def _open_source(self) -> None:
        self._source.open()
        if self._closed.is_set():  # nobody waits for it any more
            self._source.close()

    def _back(self) -> bool:
        assert self._away is not None  # noqa: S101
        now = self._clock.now_ns()
        self._events.append(f"back after {(now - self._away[0]) / NS_PER_S:.1f} s")
        self._away = None
        self._last_ns = now
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
