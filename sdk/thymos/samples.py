"""What a sensor gives: samples, the streams they form, and the contract of a source.

Time is `int` nanoseconds everywhere. `t_ns` is when the world did it (capture, "originating"
time), never when a callback ran; `t_recv_ns` is when this process got hold of it. Both are on
the robot clock (see `thymos.clock`).
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from thymos.smell.frame import SmellFrame

Payload = NDArray[Any]

NS_PER_S = 1_000_000_000


class Kind(str, enum.Enum):
    """What a stream carries, and the shape and unit of one sample's payload.

    VIDEO: uint8 [height, width, 3], RGB.
    DEPTH: uint16 [height, width], millimetres along the optical axis; 0 where nothing was measured.
    AUDIO: int16 [frames, channels], full scale ±32768; `t_ns` is the time of the first frame.
    GAS: float64 [channels] in `StreamSpec.unit`, channels of `CLIMATE` in their own; NaN marks an
        invalid channel.
    """

    VIDEO = "video"
    DEPTH = "depth"
    AUDIO = "audio"
    GAS = "gas"


CLIMATE = {"temperature": "degC", "humidity": "percent", "pressure": "hPa"}
"""Channels of a GAS stream that measure the air and not a gas, with their units.

They are there to compensate gas sensors. No class may be learnt from them: they recognise the room
and the day, not the smell. `gas_channels` leaves them out.
"""


class Origin(str, enum.Enum):
    """Where a stream comes from. Shown to people wherever the stream is shown."""

    LIVE = "live"
    RECORDED = "recorded"
    SYNTHESISED = "synthesised"
    SIMULATED = "simulated"


class Flag(enum.IntFlag):
    """Validity of one sample."""

    OK = 0
    GAP_BEFORE = 1
    """Something between the previous sample and this one was lost."""
    INVALID = 2
    """Nothing in the payload may be used."""
    CLIPPED = 4
    """At least one value sits at the end of its range."""
    WARMUP = 8
    """The sensor has not settled."""
    TIME_ESTIMATED = 16
    """The source had no stamp; `t_ns` was derived (rate, arrival)."""
    TIME_JUMP = 32
    """The device clock jumped here."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A payload as the device itself encoded it, so that a recording need not encode it again.

    Attributes:
        format: `jpeg`: one whole picture. `h264`: one picture in Annex B, which may need those
            before it but none after it (no B-frames); a key frame (IDR) holds its SPS and PPS.
        data: The bytes.
    """

    format: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Sample:
    """One reading of one stream.

    Attributes:
        stream: Stream name, for example `camera`.
        seq: Counts samples as the device made them; a jump means lost samples.
        t_ns: Capture time, nanoseconds of the robot clock.
        t_recv_ns: When this process received it, same clock.
        payload: Read-only array, see `Kind`.
        flags: Validity.
        note: Why a sample is invalid or odd, for people; empty if there is nothing to say.
        encoded: The same payload as the device sent it, where it was asked to keep it.
        smell: All that a nose said, of which the payload is what may be used. Where both tell
            (times, number, flags, note) the sample is right.
    """

    stream: str
    seq: int
    t_ns: int
    t_recv_ns: int
    payload: Payload
    flags: Flag = Flag.OK
    note: str = ""
    encoded: Encoded | None = None
    smell: SmellFrame | None = None

    @property
    def latency_ns(self) -> int:
        """Delay between the event and its arrival."""
        return self.t_recv_ns - self.t_ns


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """What a source delivers: actual values, not requested ones.

    Attributes:
        name: Stream name: `camera`, `microphone`, `enose`, or `camera.left`.
        kind: What one sample holds.
        rate_hz: Nominal rate: frames/s for video, samples/s of each channel for audio, readings/s
            for gas. 0 when it is unknown or varies.
        shape: Shape of one payload; -1 where it varies (audio blocks).
        unit: `rgb8`, `s16`, `ohm`, `adc`, `volt`, `ppm` …
        channels: Names of the last axis, for example ("NO2", "CO"); empty when they have none.
        frame_id: tf frame of the sensor, without a leading slash.
        origin: Live, recorded, synthesised or simulated.
        device: What people call the device or file.
        extra: Further facts worth recording (codec, serial number, firmware …).
    """

    name: str
    kind: Kind
    rate_hz: float
    shape: tuple[int, ...]
    unit: str
    channels: tuple[str, ...] = ()
    frame_id: str = ""
    origin: Origin = Origin.LIVE
    device: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


class Health(str, enum.Enum):
    """State of a source, as a supervisor or a person sees it."""

    STARTING = "starting"
    OK = "ok"
    DEGRADED = "degraded"
    STALLED = "stalled"
    LOST = "lost"
    RECOVERING = "recovering"


@dataclass(slots=True)
class Counters:
    """What happened to the samples of one source since it was opened.

    `duplicates` are samples that came twice; the second one is not handed on.
    """

    received: int = 0
    dropped: int = 0
    corrupt: int = 0
    reconnects: int = 0
    duplicates: int = 0


@dataclass(frozen=True, slots=True)
class HealthReport:
    """Health with its reason and what to do about it, each one line or empty."""

    health: Health
    reason: str = ""
    remedy: str = ""


class EndOfStream(Exception):  # noqa: N818  (like StopIteration: not a fault)
    """A source that ends (a file) has no further sample."""


@runtime_checkable
class Source(Protocol):
    """A thing that yields the samples of one stream: a device, a file, a simulation.

    A source is opened, read by one thread, and closed; it may be opened again. `open` raises
    `DeviceNotFoundError`, `DevicePermissionError`, `DeviceError` or `MediaError` and leaves
    nothing half open. `read` blocks for at most `timeout_s` and returns None if nothing came; it
    raises `EndOfStream` after the last sample of a source that ends and `DeviceLostError` when a
    device went away. `close` may be called from another thread, twice, and wakes a blocked `read`.
    """

    @property
    def spec(self) -> StreamSpec:
        """What it delivers; valid once open."""

    @property
    def counters(self) -> Counters:
        """What happened so far."""

    @property
    def health(self) -> HealthReport:
        """How it is now."""

    @property
    def live(self) -> bool:
        """True if samples come in real time, stamped on the robot clock.

        False for a recording or an unpaced simulation: its time begins anywhere and it can be
        read as fast as one likes; a live run then paces it.
        """

    def open(self) -> None:
        """Open the device."""

    def close(self) -> None:
        """Close the device."""

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Return the next sample, or None after `timeout_s` seconds."""

    def __enter__(self) -> Source: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Control:
    """One thing of a device that may be changed while it runs: exposure, gain, white balance.

    Attributes:
        name: As the device's own tools call it: `exposure_time_absolute`.
        value: Now.
        low: Smallest value.
        high: Largest value.
        step: Values are `low` plus multiples of it.
        default: Of the device.
        choices: What each value means, where only some are allowed; empty for a plain number.
        switch: It is on (1) or off (0).
        state: Why it cannot be set now, or has no effect now; empty if it can.
    """

    name: str
    value: int
    low: int
    high: int
    step: int = 1
    default: int = 0
    choices: Mapping[int, str] = field(default_factory=dict)
    switch: bool = False
    state: str = ""

    def wrong(self, value: int) -> str:
        """Why this value is not allowed, for people; empty if it is."""
        if self.choices and value not in self.choices:
            return f"it takes {self.allowed}"
        if not self.low <= value <= self.high:
            return f"it goes from {self.low} to {self.high}"
        if not self.choices and (value - self.low) % max(1, self.step):
            return f"it goes in steps of {self.step} from {self.low}"
        return ""

    @property
    def allowed(self) -> str:
        """The values that are allowed, for people."""
        if self.choices:
            return ", ".join(f"{value} ({text})" for value, text in self.choices.items())
        return "0 or 1" if self.switch else f"{self.low} to {self.high}"

    def __str__(self) -> str:
        also = f", {self.state}" if self.state else ""
        return f"{self.name} {self.value} ({self.allowed}{also})"


@runtime_checkable
class Controlled(Protocol):
    """A source with controls; which ones there are is up to the device."""

    def controls(self) -> Sequence[Control]:
        """What the open device has.

        Raises:
            DeviceError: It cannot be asked.
        """

    def set_control(self, name: str, value: int) -> None:
        """Change one while it runs; it is set again when the device is opened again.

        Raises:
            DeviceError: There is no such control, or the device refuses the value.
        """


def each(source: Source, timeout_s: float = 1.0) -> Iterator[Sample]:
    """The samples of an open source, one after the other, until it ends or is closed.

    A silence is waited for; `source.health` tells of it.

    Args:
        source: Open.
        timeout_s: How long one wait lasts.

    Raises:
        DeviceLostError: The device went away; wrap it in a `Supervisor` to have it opened again.
    """
    while True:
        try:
            sample = source.read(timeout_s)
        except EndOfStream:
            return
        if sample is not None:
            yield sample


def frozen(payload: NDArray[Any]) -> NDArray[Any]:
    """Return `payload` with writing switched off (samples are shared, never edited)."""
    view = payload.view()
    view.flags.writeable = False
    return view


def serial_number(spec: StreamSpec) -> str:
    """Serial number of the device of a stream; empty if it tells none."""
    return spec.extra.get("serial") or spec.extra.get("serial_number", "")


def gas_channels(spec: StreamSpec) -> tuple[int, ...]:
    """Positions of the gas sensors among the channels of a nose: all but those of `CLIMATE`."""
    return tuple(i for i, name in enumerate(spec.channels) if name.strip().lower() not in CLIMATE)


def duration_ns(sample: Sample, spec: StreamSpec) -> int:
    """Length of time one sample covers: its frames for audio, 0 for an instant."""
    if spec.kind is not Kind.AUDIO or spec.rate_hz <= 0:
        return 0
    return int(np.int64(sample.payload.shape[0]) * NS_PER_S // int(spec.rate_hz))
