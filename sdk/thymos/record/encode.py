"""From samples to ROS 2 messages in CDR."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np

from thymos.errors import MissingExtraError
from thymos.record.definitions import typestore
from thymos.record.naming import TYPE_OF
from thymos.samples import NS_PER_S, Flag, Kind, Sample, StreamSpec

JPEG_QUALITY = 90


class Encoder:
    """Serialises samples and JSON texts; one for each writing thread.

    Raises:
        MissingExtraError: rosbags or pillow is not installed.
    """

    def __init__(self) -> None:
        self._store = typestore()
        self._types: dict[str, Any] = self._store.types
        _pillow()

    def definition(self, msgtype: str) -> tuple[str, str]:
        """Text of a message type with all it is made of, and its RIHS01 hash."""
        text, _ = self._store.generate_msgdef(msgtype, ros_version=2)
        return text, self._store.hash_rihs01(msgtype)

    def sample(self, sample: Sample, spec: StreamSpec) -> bytes:
        """One sample as a message of the type of its kind."""
        msgtype = TYPE_OF[spec.kind]
        make = {Kind.VIDEO: self._picture, Kind.AUDIO: self._sound, Kind.GAS: self._gas}[spec.kind]
        return bytes(self._store.serialize_cdr(make(sample, spec), msgtype))

    def text(self, text: str) -> bytes:
        """A std_msgs/String."""
        msgtype = "std_msgs/msg/String"
        return bytes(self._store.serialize_cdr(self._types[msgtype](data=text), msgtype))

    def _header(self, sample: Sample, spec: StreamSpec) -> Any:
        sec, nanosec = divmod(sample.t_ns, NS_PER_S)
        stamp = self._types["builtin_interfaces/msg/Time"](sec=sec, nanosec=nanosec)
        return self._types["std_msgs/msg/Header"](stamp=stamp, frame_id=spec.frame_id)

    def _picture(self, sample: Sample, spec: StreamSpec) -> Any:
        return self._types[TYPE_OF[Kind.VIDEO]](
            header=self._header(sample, spec),
            format="jpeg",
            data=np.frombuffer(to_jpeg(sample.payload), dtype=np.uint8),
        )

    def _sound(self, sample: Sample, spec: StreamSpec) -> Any:
        pcm = np.ascontiguousarray(sample.payload, dtype="<i2")
        return self._types[TYPE_OF[Kind.AUDIO]](
            header=self._header(sample, spec),
            encoding="s16le",
            channels=pcm.shape[1],
            sample_rate=round(spec.rate_hz),
            frame_count=pcm.shape[0],
            sequence=sample.seq,
            flags=int(sample.flags),
            note=sample.note,
            data=pcm.reshape(-1).view(np.uint8),
        )

    def _gas(self, sample: Sample, spec: StreamSpec) -> Any:
        values = np.ascontiguousarray(sample.payload, dtype=np.float64)
        return self._types[TYPE_OF[Kind.GAS]](
            header=self._header(sample, spec),
            sensor_model=spec.device,
            channel_names=list(spec.channels),
            unit=spec.unit,
            values=values,
            valid=np.isfinite(values),
            reasons=[""] * len(values),
            temperature=float("nan"),
            humidity=float("nan"),
            pressure=float("nan"),
            warmup=Flag.WARMUP in sample.flags,
            sequence=sample.seq,
            flags=int(sample.flags),
            note=sample.note,
        )


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
