"""The reading end of a stream in shared memory."""

from __future__ import annotations

import threading
import time
import weakref
from collections import deque
from dataclasses import replace

from thymos.buffer import iox
from thymos.buffer.link import ATTACH_S, Link, Tally
from thymos.buffer.place import Place, checked
from thymos.buffer.ring import Ring
from thymos.errors import SharedMemoryError
from thymos.samples import Flag, Sample, StreamSpec

LOOK_S = 0.1  # after such a silence: is the writer still there?
A_DAY_S = 86_400.0


class SharedReader:
    """The recent past of a stream that another process writes, without copying it.

    It finds the writer by name, waits for one that is not there yet, and finds the next one when
    the first dies. Samples are views of the shared memory for as long as anybody holds them. Who
    holds more than `layout.depth` of them gets copies of the further ones.

    Any number of threads may use it.

    Args:
        name: Of the stream.
        domain: See `Place`.

    Attributes:
        count: Samples lost (this reader was too slow; the next one is flagged `GAP_BEFORE`) and
            copied.
        restarts: How often another writer was found after the first.

    Raises:
        ConfigError: A name that cannot be.
        MissingExtraError: iceoryx2 is not installed.
        SharedMemoryError: Shared memory cannot be used by this user.
    """

    def __init__(self, name: str, *, domain: str | None = None) -> None:
        self.name = checked(name)
        self.count = Tally()
        self.restarts = 0
        self._place = Place.of(domain)
        iox.library()
        self._place.make()
        self._lock = threading.RLock()
        self._link = Link(self._place, name)
        self._close = weakref.finalize(self, self._link.detach)
        self._spec: StreamSpec | None = None
        self._ring: Ring | None = None
        self._fresh: deque[Sample] = deque(maxlen=1)  # not handed out by `poll` yet
        self._unread = 0  # that fell out of it
        self._next_look = 0.0
        self._closed = False
        self._attach()

    def __enter__(self) -> SharedReader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Detach; samples that are held stay valid. Twice is fine."""
        with self._lock:
            self._closed = True
            self._close()
            self._ring = None
            self._fresh.clear()

    @property
    def attached(self) -> bool:
        """Whether there is a writer, as far as is known."""
        return self._link.found is not None

    @property
    def spec(self) -> StreamSpec:
        """The stream, as its newest writer states it.

        Raises:
            SharedMemoryError: No writer was found so far.
        """
        if self._spec is None:
            raise SharedMemoryError(
                f"nobody writes '{self.name}' to shared memory (domain {self._place.domain})",
                hint="start its driver first, or `wait` for it",
            )
        return self._spec

    # -- what comes

    def poll(self) -> tuple[Sample, ...]:
        """All samples that have come since the last `poll` or `wait`, in order of writing."""
        with self._lock:
            self._drain()
            found, unread = list(self._fresh), self._unread
            self._fresh.clear()
            self._unread = 0
            if unread:  # they were taken into the past by `window` and the like, and fell out
                self.count.lost += unread
                found[0] = replace(found[0], flags=found[0].flags | Flag.GAP_BEFORE)
        return tuple(found)

    def wait(self, timeout_s: float) -> tuple[Sample, ...]:
        """As `poll`, but wait for at least one; none after `timeout_s` seconds.

        The writer wakes the reader, which does not poll meanwhile.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            found = self.poll()
            left = deadline - time.monotonic()
            if found or left <= 0 or self._closed:
                return found
            self._link.sleep(min(left, LOOK_S))

    # -- the past

    def latest(self) -> Sample | None:
        """Newest sample by capture time."""
        ring = self._now()
        return ring.latest() if ring else None

    def before(self, t_ns: int) -> Sample | None:
        """Newest sample with a capture time before `t_ns`."""
        ring = self._now()
        return ring.before(t_ns) if ring else None

    def window(self, t0_ns: int, t1_ns: int) -> tuple[Sample, ...]:
        """Samples that touch [t0_ns, t1_ns), in order of capture time."""
        ring = self._now()
        return ring.window(t0_ns, t1_ns) if ring else ()

    def _now(self) -> Ring | None:
        with self._lock:
            self._drain()
            return self._ring

    # -- taking in

    def _drain(self) -> None:
        if self._closed:
            return
        came = False
        for _ in range(self._fresh.maxlen or 1):  # a quick writer does not hold us here
            sample = self._link.receive(self.count)
            if sample is None:
                break
            came = True
            assert self._ring is not None  # noqa: S101  made when it attached
            self._ring.write(sample)
            self._unread += len(self._fresh) == self._fresh.maxlen
            self._fresh.append(sample)
        if came:
            self._next_look = time.monotonic() + LOOK_S
        elif time.monotonic() >= self._next_look:
            self._look()

    def _look(self) -> None:
        """Nothing came for a while: find out whether the writer is another one, or none."""
        if self.attached and not self._link.is_current():
            self._link.detach()
        if not self.attached:
            self._attach()
        self._next_look = time.monotonic() + (LOOK_S if self.attached else ATTACH_S)

    def _attach(self) -> None:
        found = self._link.attach()
        if found is None:
            return
        if self._spec is not None:
            self.restarts += 1
        layout = found.layout
        if self._ring is None or self._spec != found.spec:
            bytes_held = layout.depth * layout.payload_bytes
            self._ring = Ring(found.spec, A_DAY_S, bytes_held, layout.depth)
        self._fresh = deque(self._fresh, maxlen=layout.depth)
        self._spec = found.spec
