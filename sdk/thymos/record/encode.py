"""From samples to ROS 2 messages in CDR."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.config import RecordConfig
from thymos.errors import MissingExtraError, RecordingError
from thymos.record import flac
from thymos.record.definitions import typestore
from thymos.record.film import Film
from thymos.record.h264 import H264Encoder
from thymos.record.naming import Coding, type_of
from thymos.samples import NS_PER_S, Kind, Sample, StreamSpec
from thymos.smell.frame import Nose, SmellFrame
from thymos.smell.message import INFO, Announcer, frame_message, info_message
from thymos.smell.stream import frame_of, nose_of

JPEG_QUALITY = 90
JPEG_FORMAT = "rgb8; jpeg compressed bgr8"
"""As image_transport writes it: an rgb8 picture, in a JPEG that OpenCV decodes to bgr8."""


class Rosbags:
    """Makes messages of the rosbags library."""

    def __init__(self, types: dict[str, Any]) -> None:
        self._types = types

    def message(self, msgtype: str, **fields: Any) -> Any:
        """See `thymos.smell.message.Make`."""
        return self._types[msgtype](**fields)

    def row(self, values: NDArray[Any]) -> NDArray[Any]:
        """Arrays are taken as they are."""
        return np.ascontiguousarray(values)


class Encoder:
    """Serialises samples and JSON texts; one for each writing thread.

    Args:
        config: Which codecs are wanted.

    Raises:
        MissingExtraError: rosbags, pillow or PyAV is not installed and needed.
    """

    def __init__(self, config: RecordConfig | None = None) -> None:
        self._config = config or RecordConfig()
        self._store = typestore()
        self._types: dict[str, Any] = self._store.types
        self._films: dict[str, Film] = {}
        self._make = Rosbags(self._types)
        self._noses: dict[str, tuple[StreamSpec, Nose, Announcer]] = {}
        self._fresh: SmellFrame | None = None
        if self._config.video == "h264":
            H264Encoder(64, 64)  # a codec that is not there is said before anything is recorded
        if self._config.audio == "flac":
            flac.encode_flac(np.zeros((16, 1), np.int16), 16_000)
        _pillow()

    def coding(self, spec: StreamSpec) -> tuple[Coding, str]:
        """How a stream is written, and why if not as the settings say."""
        if spec.kind is Kind.GAS:
            return "plain", ""
        if spec.kind is Kind.DEPTH:
            return "raw", ""  # JPEG and H.264 would bend what was measured
        if spec.kind is Kind.AUDIO:
            channels = spec.shape[-1] if spec.shape[-1] > 0 else max(1, len(spec.channels))
            if self._config.audio == "flac" and not flac.fits(spec.rate_hz, channels):
                return "pcm", f"FLAC cannot hold {channels} channels at {spec.rate_hz:g}/s"
            return self._config.audio, ""
        height, width = spec.shape[:2]
        if self._config.video == "h264" and (height % 2 or width % 2):
            return "mjpeg", f"H.264 needs even sizes, not {width}x{height}"
        return self._config.video, ""

    @property
    def recoded(self) -> dict[str, int]:
        """Pictures by stream whose camera sent H.264 that could not be kept."""
        return {name: film.recoded for name, film in self._films.items() if film.kept}

    def definition(self, msgtype: str) -> tuple[str, str]:
        """Text of a message type with all it is made of, and its RIHS01 hash."""
        text, _ = self._store.generate_msgdef(msgtype, ros_version=2)
        return text, self._store.hash_rihs01(msgtype)

    def sample(self, sample: Sample, spec: StreamSpec, coding: Coding) -> bytes:
        """One sample as a message.

        Raises:
            RecordingError: An encoder fails.
        """
        make = {
            "raw": self._image,
            "mjpeg": self._jpeg,
            "h264": self._film,
            "pcm": self._pcm,
            "flac": self._flac,
            "plain": self._gas,
        }[coding]
        return bytes(self._store.serialize_cdr(make(sample, spec), type_of(coding)))

    def text(self, text: str) -> bytes:
        """A std_msgs/String."""
        msgtype = "std_msgs/msg/String"
        return bytes(self._store.serialize_cdr(self._types[msgtype](data=text), msgtype))

    def _header(self, sample: Sample, spec: StreamSpec) -> Any:
        return self._types["std_msgs/msg/Header"](stamp=self._time(sample), frame_id=spec.frame_id)

    def _time(self, sample: Sample) -> Any:
        sec, nanosec = divmod(sample.t_ns, NS_PER_S)
        return self._types["builtin_interfaces/msg/Time"](sec=sec, nanosec=nanosec)

    def _image(self, sample: Sample, spec: StreamSpec) -> Any:
        deep = spec.kind is Kind.DEPTH
        pixels = _depth(sample) if deep else _rgb(sample)
        return self._types[type_of("raw")](
            header=self._header(sample, spec),
            height=pixels.shape[0],
            width=pixels.shape[1],
            encoding="16UC1" if deep else "rgb8",
            is_bigendian=0,
            step=pixels.strides[0],
            data=pixels.reshape(-1).view(np.uint8),
        )

    def _jpeg(self, sample: Sample, spec: StreamSpec) -> Any:
        return self._types[type_of("mjpeg")](
            header=self._header(sample, spec),
            format=JPEG_FORMAT,
            data=np.frombuffer(_as_jpeg(sample), dtype=np.uint8),
        )

    def _film(self, sample: Sample, spec: StreamSpec) -> Any:
        data = self._films.setdefault(spec.name, Film()).piece(sample, _rgb(sample))
        return self._types[type_of("h264")](
            timestamp=self._time(sample),
            frame_id=spec.frame_id,
            data=np.frombuffer(data, dtype=np.uint8),
            format="h264",
        )

    def _pcm(self, sample: Sample, spec: StreamSpec) -> Any:
        pcm = np.ascontiguousarray(sample.payload, dtype="<i2")
        return self._sound(sample, spec, "s16le", pcm.reshape(-1).view(np.uint8))

    def _flac(self, sample: Sample, spec: StreamSpec) -> Any:
        data = flac.encode_flac(sample.payload, round(spec.rate_hz))
        return self._sound(sample, spec, "flac", np.frombuffer(data, dtype=np.uint8))

    def _sound(self, sample: Sample, spec: StreamSpec, encoding: str, data: Any) -> Any:
        return self._types[type_of("pcm")](
            header=self._header(sample, spec),
            encoding=encoding,
            channels=sample.payload.shape[1],
            sample_rate=round(spec.rate_hz),
            frame_count=sample.payload.shape[0],
            sequence=sample.seq,
            flags=int(sample.flags),
            note=sample.note,
            data=data,
        )

    def info(self) -> bytes | None:
        """What must be written of a nose before its sample encoded last; None if it is known."""
        frame, self._fresh = self._fresh, None
        if frame is None:
            return None
        told = info_message(self._make, frame.nose, frame.t_ns)
        return bytes(self._store.serialize_cdr(told, INFO))

    def _gas(self, sample: Sample, spec: StreamSpec) -> Any:
        known, nose, announcer = self._noses.get(spec.name, (None, None, None))
        if known is not spec or announcer is None:
            nose, announcer = nose_of(spec), announcer or Announcer()
            self._noses[spec.name] = (spec, nose, announcer)
        frame, number, new = announcer.take(frame_of(sample, spec, nose), spec.frame_id)
        self._fresh = frame if new else self._fresh
        return frame_message(self._make, frame, number)


def sample_note(sample: Sample) -> str:
    """What a picture message has no field for, as JSON; empty if there is nothing to say."""
    if not sample.flags and not sample.note:
        return ""
    return json.dumps(
        {
            "stream": sample.stream,
            "seq": sample.seq,
            "t_ns": sample.t_ns,
            "flags": int(sample.flags),
            "note": sample.note,
        },
        sort_keys=True,
        ensure_ascii=False,
    )


def _rgb(sample: Sample) -> np.ndarray[Any, Any]:
    """The pixels of a picture, checked: uint8 [height, width, 3]."""
    pixels = sample.payload
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise RecordingError(f"a picture of shape {pixels.shape} and type {pixels.dtype}")
    return np.ascontiguousarray(pixels)


def _depth(sample: Sample) -> np.ndarray[Any, Any]:
    """Millimetres, checked: uint16 [height, width], as REP 118 wants them."""
    depth = sample.payload
    if depth.dtype != np.uint16 or depth.ndim != 2:
        raise RecordingError(f"depth of shape {depth.shape} and type {depth.dtype}")
    return np.ascontiguousarray(depth, dtype="<u2")


def _as_jpeg(sample: Sample) -> bytes:
    """The camera's own JPEG if it was kept, else a new one."""
    if sample.encoded is not None and sample.encoded.format == "jpeg":
        return sample.encoded.data
    return to_jpeg(sample.payload)


def to_jpeg(rgb: np.ndarray[Any, Any]) -> bytes:
    """Compress an RGB picture, uint8 [height, width, 3]; the same bytes for the same pixels."""
    out = io.BytesIO()
    _pillow().fromarray(np.ascontiguousarray(rgb)).save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as err:
        raise MissingExtraError("pillow", "record") from err
    return Image
