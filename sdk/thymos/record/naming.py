"""Names: topics of streams, and how a `StreamSpec` survives in a file."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

from thymos.samples import Kind, Origin, StreamSpec
from thymos.smell.message import FRAME

SPEC_TOPIC = "/thymos/stream_spec"
NOTE_TOPIC = "/thymos/sample_note"
REPORT_TOPIC = "/thymos/window_report"
SPEC_KEY = "thymos_stream_spec"
"""Key of the channel metadata that holds the spec; the spec topic says the same to tools that
drop channel metadata."""

Coding = Literal["raw", "mjpeg", "h264", "pcm", "flac", "plain"]
"""How the payload of a stream is written; `plain` is gas."""

_WRITTEN: dict[Coding, tuple[str, str]] = {  # end of the topic, type
    "raw": ("image_raw", "sensor_msgs/msg/Image"),
    "mjpeg": ("image_raw/compressed", "sensor_msgs/msg/CompressedImage"),
    "h264": ("image_raw/h264", "foxglove_msgs/msg/CompressedVideo"),
    "pcm": ("audio", "thymos_msgs/msg/AudioFrame"),
    "flac": ("audio", "thymos_msgs/msg/AudioFrame"),
    "plain": ("data", FRAME),
}
_CODINGS: dict[Kind, tuple[Coding, ...]] = {
    Kind.VIDEO: ("raw", "mjpeg", "h264"),
    Kind.DEPTH: ("raw",),
    Kind.AUDIO: ("pcm", "flac"),
    Kind.GAS: ("plain",),
}
ROLE_OF = {
    Kind.VIDEO: "camera",
    Kind.DEPTH: "depth",
    Kind.AUDIO: "microphone",
    Kind.GAS: "enose",
}


def topic_of(spec: StreamSpec, coding: Coding) -> str:
    """ROS topic of a stream: `camera.left` as MJPEG → `/camera/left/image_raw/compressed`."""
    base = re.sub(r"[^A-Za-z0-9_/]", "_", spec.name.replace(".", "/")).strip("/")
    if not base or base[0].isdigit():
        base = f"stream_{base}"
    return f"/{base}/{_WRITTEN[coding][0]}"


def info_topic_of(spec: StreamSpec) -> str:
    """ROS topic of what does not change of a nose: `enose` → `/enose/info`."""
    return topic_of(spec, "plain").rpartition("/")[0] + "/info"


def type_of(coding: Coding) -> str:
    """ROS type that a stream is written as."""
    return _WRITTEN[coding][1]


def topics_of(spec: StreamSpec) -> set[str]:
    """All topics a stream may have been written to."""
    return {topic_of(spec, coding) for coding in _CODINGS[spec.kind]}


def stream_of(topic: str, kind: Kind, taken: set[str]) -> str:
    """Stream name of a foreign topic: the role, or `role.topic` if the role is taken."""
    role = ROLE_OF[kind]
    if role not in taken:
        return role
    tail = re.sub(r"[^A-Za-z0-9]+", "_", topic).strip("_") or "2"
    return f"{role}.{tail}"


def spec_to_json(spec: StreamSpec) -> str:
    """A spec as JSON, the same bytes for the same spec."""
    return json.dumps(
        {
            "name": spec.name,
            "kind": spec.kind.value,
            "rate_hz": spec.rate_hz,
            "shape": list(spec.shape),
            "unit": spec.unit,
            "channels": list(spec.channels),
            "frame_id": spec.frame_id,
            "origin": spec.origin.value,
            "device": spec.device,
            "extra": dict(sorted(spec.extra.items())),
        },
        sort_keys=True,
        ensure_ascii=False,
    )


def spec_from_json(text: str) -> StreamSpec | None:
    """The spec of a JSON text; None if it is none (files are untrusted)."""
    try:
        data: dict[str, Any] = json.loads(text)
        return StreamSpec(
            name=str(data["name"]),
            kind=Kind(data["kind"]),
            rate_hz=float(data["rate_hz"]),
            shape=tuple(int(n) for n in data["shape"]),
            unit=str(data["unit"]),
            channels=tuple(str(c) for c in data["channels"]),
            frame_id=str(data["frame_id"]),
            origin=_recorded(Origin(data["origin"])),
            device=str(data["device"]),
            extra={str(k): str(v) for k, v in data["extra"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


def _recorded(origin: Origin) -> Origin:
    """What was live is recorded now; what was made up stays what it was."""
    return Origin.RECORDED if origin is Origin.LIVE else origin
