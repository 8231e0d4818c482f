"""What all sources share: counters, health, opening and closing, and a bounded hand-over.

A source either runs `live` or not:

* `live` is True: a device (or a simulation that plays one). Stamps are on the robot clock
  (`time.monotonic_ns`), and `read` waits until the world has produced a sample.
* `live` is False: a file, or a simulation with `pace=0`. Stamps count from the start of the
  recording, `read` returns as fast as it can, and `t_recv_ns` equals `t_ns` so that the same input
  gives the same samples. Whoever wants such a source in real time paces it (the runner does).

A device that was lost is closed and opened again: its sequence numbers and counters go on, so that
what was missed shows. A recording begins anew.
"""

from __future__ import annotations

import importlib
import threading
import time
from collections import deque
from dataclasses import replace
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING

from thymos.errors import ConfigError, DeviceError, MissingExtraError
from thymos.samples import (
    Counters,
    EndOfStream,
    Flag,
    Health,
    HealthReport,
    Kind,
    Origin,
    Sample,
    StreamSpec,
)

if TYPE_CHECKING:
    from typing_extensions import Self


def need(module: str, extra: str) -> ModuleType:
    """Import a library of an optional extra.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as err:
        raise MissingExtraError(module, extra) from err


def number(
    name: str, text: str, *, low: float = float("-inf"), high: float = float("inf")
) -> float:
    """Read a numeric option of a URI.

    Raises:
        ConfigError: It is not a number, or outside [low, high].
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise ConfigError(
            f"option {name}={text!r} must be a number from {low:g} to {high:g}",
            hint=f"write for example ?{name}={max(low, min(high, 10.0)):g}",
        )
    return value


def picture_spec(
    stream: str,
    device: str,
    *,
    size: tuple[int, int] = (-1, -1),
    rate_hz: float = 0.0,
    origin: Origin = Origin.LIVE,
) -> StreamSpec:
    """The stream of a colour camera, RGB; width and height -1 until it is open."""
    return StreamSpec(
        name=stream,
        kind=Kind.VIDEO,
        rate_hz=rate_hz,
        shape=(size[1], size[0], 3),
        unit="rgb8",
        channels=("r", "g", "b"),
        frame_id=f"{stream}_optical_frame",
        origin=origin,
        device=device,
    )


class BaseSource:
    """Counters, health and context manager; a driver adds `_open`, `_close` and `read`.

    `_open` fills `self._spec` with what the device really does. `read` after `close` raises
    `EndOfStream`, so a reading thread ends by itself.
    """

    live = False

    def __init__(self, spec: StreamSpec) -> None:
        self._spec = spec
        self._counters = Counters()
        self._health = HealthReport(Health.STARTING, "not open yet")
        self._opened = False
        self._closed = threading.Event()

    @property
    def spec(self) -> StreamSpec:
        """What it delivers; actual values once open."""
        return self._spec

    @property
    def counters(self) -> Counters:
        """What happened so far: to a device since it was made, to a recording since `open`."""
        return self._counters

    @property
    def health(self) -> HealthReport:
        """How it is now."""
        return self._health

    def open(self) -> None:
        """Open the device or file; a second call on an open source does nothing."""
        if self._opened:
            return
        if not self.live:
            self._counters = Counters()
        self._closed = threading.Event()
        self._health = HealthReport(Health.STARTING)
        try:
            self._open()
        except BaseException:
            self._close()
            raise
        self._opened = True

    def close(self) -> None:
        """Close it; may be called twice and from another thread."""
        self._closed.set()
        if self._opened:
            self._opened = False
            self._close()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Return the next sample, or None after `timeout_s` seconds."""
        raise NotImplementedError

    def _open(self) -> None:
        raise NotImplementedError

    def _close(self) -> None:
        """Release everything; must be safe after a half failed `_open`."""

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise EndOfStream
        if not self._opened:
            raise DeviceError(
                f"'{self._spec.device or self._spec.name}' is not open",
                hint="use it in a `with` statement, or call open() first",
            )

    def _say(self, health: Health, reason: str = "", remedy: str = "") -> None:
        self._health = HealthReport(health, reason, remedy)


class Inbox:
    """Bounded hand-over from the thread of a device to the reader.

    When it is full the oldest sample is dropped and counted, and the sample after the hole says
    `GAP_BEFORE` and how many are missing. With `lossless` the device's thread waits instead
    (playback of a file).
    """

    def __init__(self, capacity: int, counters: Counters, *, lossless: bool = False) -> None:
        self._items: deque[Sample] = deque()
        self._capacity = capacity
        self._counters = counters
        self._lossless = lossless
        self._left_out = 0  # since the last `get`
        self._changed = threading.Condition()
        self._end: Exception | None = None

    def put(self, sample: Sample) -> None:
        """Hand over one sample; after `end` it is thrown away."""
        with self._changed:
            while self._lossless and len(self._items) >= self._capacity and self._end is None:
                self._changed.wait()
            if self._end is not None:
                return
            if len(self._items) >= self._capacity:
                self._items.popleft()
                self._counters.dropped += 1
                first = self._items[0] if self._items else sample
                self._left_out += 1
                note = f"{self._left_out} left out: they were not read in time"
                holed = replace(first, flags=first.flags | Flag.GAP_BEFORE, note=note)
                if self._items:
                    self._items[0] = holed
                else:
                    sample = holed
            self._items.append(sample)
            self._changed.notify_all()

    @property
    def over(self) -> bool:
        """Whether it was ended or closed."""
        return self._end is not None

    def end(self, why: Exception) -> None:
        """After the samples that are still here, `get` raises `why` (the first one counts)."""
        with self._changed:
            if self._end is None:
                self._end = why
            self._changed.notify_all()

    def close(self) -> None:
        """Throw everything away and wake the reader with `EndOfStream`."""
        with self._changed:
            self._items.clear()
            self._end = EndOfStream()
            self._changed.notify_all()

    def get(self, timeout_s: float) -> Sample | None:
        """Return the oldest sample, None after `timeout_s`.

        Raises:
            Exception: What `end` was told, once everything before it was read.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not self._items:
                if self._end is not None:
                    raise self._end
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._changed.wait(left)
            self._counters.received += 1
            self._left_out = 0
            sample = self._items.popleft()
            self._changed.notify_all()
            return sample
