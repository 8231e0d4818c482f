"""Samples ↔ messages, and what the messages say of their stream. Capture times are ROS time."""

from __future__ import annotations

import array
import json
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image
from thymos_msgs.msg import AudioFrame

from thymos.contract import SourceInfo
from thymos.errors import ConfigError, FrameError, RecordingError
from thymos.record.flac import decode_flac
from thymos.samples import Flag, Kind, Origin, Sample, StreamSpec, frozen
from thymos.smell.frame import Nose
from thymos_nodes import convert_smell
from thymos_nodes.convert import header
from thymos_nodes.ros_time import to_ns

MAX_PIXELS = 64_000_000  # nothing larger is believed: a message comes from anybody on the network
MAX_FRAMES = 10_000_000
MAX_CHANNELS = 1024
MAX_EARLY = 30
MAX_NOSES = 100
TOLD = ("serial", "note")
"""What `StreamSpec.extra` keeps of a SourceInfo."""
ALL_FLAGS = 63  # bits of `Flag`; others are of a later version and mean nothing here

_CHANNELS = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4, "mono8": 1, "8UC3": 3, "8UC1": 1}
_SWAPPED = ("bgr8", "bgra8", "8UC3")


def raw(data: NDArray[Any]) -> array.array[int]:
    """Bytes of an array, in the one type that rclpy takes without copying value by value."""
    made = array.array("B")
    made.frombytes(np.ascontiguousarray(data).reshape(-1).view(np.uint8).data)
    return made


# -- video


def image_to_msg(sample: Sample, frame_id: str, t_ns: int) -> Image:
    """Colours, uint8 [height, width, 3], as `rgb8`; mm, uint16 [height, width], as `16UC1`."""
    height, width = sample.payload.shape[:2]
    encoding = "rgb8" if sample.payload.ndim == 3 else "16UC1"
    made = Image(header=header(t_ns, frame_id), height=height, width=width, encoding=encoding)
    made.step = sample.payload.strides[0]
    made.is_bigendian = int(encoding == "16UC1" and sys.byteorder == "big")
    made.data = raw(sample.payload)
    return made


def image_from_msg(m: Image) -> NDArray[np.uint8]:
    """The picture, uint8 [height, width, 3] RGB, read-only.

    Raises:
        ValueError: An encoding that is not known, or sizes that do not fit the data.
    """
    channels = _CHANNELS.get(m.encoding)
    if channels is None:
        raise ValueError(f"image encoding '{m.encoding}'; known: {', '.join(_CHANNELS)}")
    if not 0 < m.height * m.width <= MAX_PIXELS or m.step < m.width * channels:
        raise ValueError(f"image of {m.width}x{m.height} with rows of {m.step} bytes")
    data = np.frombuffer(m.data, np.uint8)
    if data.size < m.step * m.height:
        raise ValueError(f"image of {m.width}x{m.height} with {data.size} bytes only")
    rows = data[: m.step * m.height].reshape(m.height, m.step)[:, : m.width * channels]
    picture = rows.reshape(m.height, m.width, channels)
    if channels == 1:
        picture = np.repeat(picture, 3, axis=2)
    elif m.encoding in _SWAPPED:
        picture = picture[:, :, 2::-1]
    return frozen(np.ascontiguousarray(picture[:, :, :3]))


# -- sound


def audio_to_msg(sample: Sample, spec: StreamSpec, frame_id: str, t_ns: int) -> AudioFrame:
    """A block of sound, int16 [frames, channels]."""
    frames, channels = sample.payload.shape
    pcm = sample.payload if sys.byteorder == "little" else sample.payload.byteswap()
    made = AudioFrame(
        header=header(t_ns, frame_id),
        encoding=AudioFrame.S16LE,
        channels=channels,
        sample_rate=round(spec.rate_hz),
        frame_count=frames,
        sequence=max(0, sample.seq),
        flags=int(sample.flags),
        note=sample.note,
    )
    made.data = raw(pcm)
    return made


def audio_from_msg(m: AudioFrame) -> NDArray[np.int16]:
    """The sound, int16 [frames, channels], read-only.

    Raises:
        ValueError: An encoding that is not known, sizes that do not fit the data, or damaged FLAC.
    """
    if m.encoding not in (AudioFrame.S16LE, AudioFrame.FLAC):
        raise ValueError(
            f"sound encoding '{m.encoding}'; known: {AudioFrame.S16LE}, {AudioFrame.FLAC}"
        )
    if not (0 < m.channels <= MAX_CHANNELS and 0 < m.sample_rate <= 768_000):
        raise ValueError(f"sound with {m.channels} channels at {m.sample_rate} Hz")
    if m.encoding == AudioFrame.FLAC and m.frame_count <= MAX_FRAMES:
        try:
            return frozen(decode_flac(bytes(m.data), m.channels, m.frame_count))
        except RecordingError as err:
            raise ValueError(str(err)) from err
    if m.frame_count > MAX_FRAMES or len(m.data) != m.frame_count * m.channels * 2:
        raise ValueError(f"sound of {m.frame_count} frames in {len(m.data)} bytes")
    pcm = np.frombuffer(m.data, "<i2").reshape(m.frame_count, m.channels)
    return frozen(pcm.astype(np.int16))


# -- from topics to samples


@dataclass(slots=True)
class TopicStream:
    """Makes samples of the messages of one topic, and knows its specification.

    The specification is that of the first message (rate of sound, size of picture, gas channels),
    completed by what the latched topics `source` (origin, device, nominal rate) and, of a nose,
    `info` say.

    Attributes:
        name: Stream name.
        kind: What it carries.
        origin: Used until the source has said otherwise.
        spec: None until the first message.
        noses: What is known of the noses heard of, by `SmellFrame.info_id`.
    """

    name: str
    kind: Kind
    origin: Origin = Origin.LIVE
    spec: StreamSpec | None = None
    info: SourceInfo | None = None
    seq: int = 0
    early: list[Any] = field(default_factory=list)
    noses: dict[int, Nose] = field(default_factory=dict)

    def hold(self, m: Any) -> bool:
        """Keep a message back until the source has described itself; False: take it."""
        described = self.info is not None and self._nose_known(m)
        if self.spec is not None or described or len(self.early) >= MAX_EARLY:
            return False
        self.early.append(m)
        return True

    def _nose_known(self, m: Any) -> bool:
        return self.kind is not Kind.GAS or getattr(m, "info_id", None) in (None, *self.noses)

    def describe(self, m: Any) -> None:
        """Take a SmellInfo.

        Raises:
            ValueError: The message contradicts itself.
        """
        try:
            nose = convert_smell.nose_from(m)
        except FrameError as err:
            raise ValueError(str(err)) from err
        if len(self.noses) < MAX_NOSES:
            self.noses[int(m.id)] = nose

    def release(self) -> list[Any]:
        """The messages kept back, in order; there are none any more afterwards."""
        held, self.early = self.early, []
        return held

    def take(self, m: Any, recv_ns: int) -> Sample:
        """Convert one message.

        Raises:
            ValueError: The message contradicts itself, or its stream changed its format.
        """
        if self.kind is Kind.GAS:
            return self._smell(m, recv_ns)
        flags = Flag(getattr(m, "flags", 0) & ALL_FLAGS)
        if self.kind is Kind.VIDEO:
            payload: NDArray[Any] = image_from_msg(m)
            spec = self._spec(payload.shape, "rgb8", ("r", "g", "b"), 0.0, m)
        else:
            payload = audio_from_msg(m)
            names = tuple(f"ch{i}" for i in range(m.channels))
            spec = self._spec((-1, m.channels), "s16", names, float(m.sample_rate), m)
        self._settle(spec)
        # An Image carries no counter, so its messages are counted here.
        self.seq = int(m.sequence) if hasattr(m, "sequence") else self.seq + 1
        note = getattr(m, "note", "")
        return Sample(self.name, self.seq, to_ns(m.header.stamp), recv_ns, payload, flags, note)

    def _smell(self, m: Any, recv_ns: int) -> Sample:
        try:
            sample, told = convert_smell.sample_from(m, self.name, self.noses)
        except FrameError as err:
            raise ValueError(str(err)) from err
        spec = self._spec(told.shape, told.unit, told.channels, 0.0, m)
        self._settle(spec if spec.device else replace(spec, device=told.device))
        self.seq = sample.seq if hasattr(m, "sequence") else self.seq + 1
        return replace(sample, seq=self.seq, t_recv_ns=recv_ns)

    def _settle(self, spec: StreamSpec) -> None:
        """Keep to the first format.

        Raises:
            ValueError: This is another one.
        """
        before = self.spec
        if before is None:
            self.spec = spec
        elif (spec.shape, spec.unit, spec.channels) != (
            before.shape,
            before.unit,
            before.channels,
        ) or (self.kind is Kind.AUDIO and spec.rate_hz != before.rate_hz):
            raise ValueError(f"the format of '{self.name}' changed while it ran")

    def _spec(
        self,
        shape: tuple[int, ...],
        unit: str,
        names: tuple[str, ...],
        rate_hz: float,
        m: Any,
    ) -> StreamSpec:
        made = StreamSpec(
            name=self.name,
            kind=self.kind,
            rate_hz=rate_hz,
            shape=shape,
            unit=unit,
            channels=names,
            frame_id=m.header.frame_id,
            origin=self.origin,
        )
        if self.info is None:
            return made
        return replace(
            made,
            rate_hz=rate_hz or self.info.rate_hz,
            origin=Origin(self.info.origin),
            device=self.info.device,
            extra={k: v for k in TOLD if (v := getattr(self.info, k))},
        )


# -- calibration of a camera


def camera_info(path: str | Path) -> CameraInfo:
    """Read the YAML file that ROS's camera_calibration writes.

    Raises:
        ConfigError: The file is missing or is not such a file.
    """
    path = Path(str(path).removeprefix("file://"))
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        made = CameraInfo(
            width=int(data["image_width"]),
            height=int(data["image_height"]),
            distortion_model=str(data["distortion_model"]),
            d=[float(v) for v in data["distortion_coefficients"]["data"]],
            k=[float(v) for v in data["camera_matrix"]["data"]],
        )
        made.r = [float(v) for v in data["rectification_matrix"]["data"]]
        made.p = [float(v) for v in data["projection_matrix"]["data"]]
    except OSError as err:
        raise ConfigError(f"cannot read the calibration '{path}': {err.strerror}") from err
    except Exception as err:  # PyYAML and the message's checks let out many kinds
        raise ConfigError(
            f"'{path}' is not a camera calibration: {err}",
            hint="make one with `ros2 run camera_calibration cameracalibrator`",
        ) from err
    return made


def factory_info(spec: StreamSpec) -> CameraInfo:
    """The intrinsics that a camera tells of itself (`StreamSpec.extra["lens"]`).

    Raises:
        ConfigError: It tells none.
    """
    try:
        told = json.loads(spec.extra["lens"])
        k = [float(v) for v in told["matrix"]]
        made = CameraInfo(
            width=int(told["width"]),
            height=int(told["height"]),
            distortion_model=str(told["distortion_model"]),
            d=[float(v) for v in told["distortion"]],
            k=k,
        )
        made.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
        made.p = [*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0]
    except (LookupError, TypeError, ValueError, AssertionError) as err:
        raise ConfigError(
            f"'{spec.device}' does not tell its intrinsics",
            hint="thymos calibrate camera, then calibration:=stored",
        ) from err
    return made
