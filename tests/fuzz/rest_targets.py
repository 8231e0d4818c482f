"""What `fuzz_rest` tries: each target takes bytes and raises where something is broken."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import ValidationError
from rest_good import CODINGS, GAS, SPECS, VIDEO, check, payload_of, reports, samples_of
from rest_media import frames, keep_film, media, pieces, read_media, take_frame
from rest_ros import ANSWERS, SENSORS, of_ros, ros_answers, ros_sensors, take_answer, take_sample

from thymos.config import Config, RecordConfig, load_config
from thymos.contract import WindowReport
from thymos.devices import open_uri, parse_uri
from thymos.errors import ThymosError
from thymos.golden import compare, read_golden
from thymos.perceive.clean_air import load_clean_air
from thymos.record import decode, definitions, messages
from thymos.record.encode import Encoder, to_jpeg
from thymos.record.naming import spec_from_json, spec_to_json
from thymos.record.recorder import Recorder
from thymos.record.recording import open_recording
from thymos.record.recover import recover
from thymos.samples import EndOfStream, Kind


@dataclass(frozen=True, slots=True)
class Target:
    """What is tried.

    Attributes:
        parse: Takes one input; raises where something is broken.
        corpus: Good inputs.
        inputs: How many a whole run tries: fewer where one input is dear.
    """

    parse: Callable[[bytes], None]
    corpus: Callable[[], list[bytes]]
    inputs: int


# -- targets that are a file


@cache
def _place() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)


def of_file(suffix: str, use: Callable[[Path], object]) -> Callable[[bytes], None]:
    """Writes the input to a file; `use` may refuse it in words."""

    def parse(data: bytes) -> None:
        path = Path(_place().name) / f"case{suffix}"
        path.write_bytes(data)
        with contextlib.suppress(ThymosError):
            use(path)

    return parse


def read_calibration(path: Path) -> None:
    """Read it, use it for what it could be, and write it again."""
    from thymos_calibration import store
    from thymos_calibration.enose import baseline

    with contextlib.suppress(ThymosError):
        load_clean_air(path, GAS)
    found = store.read(path)
    _ = (found.old, found.age_days())
    with contextlib.suppress(ThymosError):
        assert all(isinstance(v, float) for v in baseline(found, GAS).values())
    with contextlib.suppress(ThymosError):
        found.to_json()


def calibrations() -> list[bytes]:
    """A baseline and an offset."""
    from thymos_calibration.store import Calibration

    rows = {name: {"baseline": 1e4, "noise": 3.0} for name in ("NO2", "CO")}
    kinds = (
        ("enose-clean-air", {"channels": rows, "unit": "ohm", "air": {"temperature": 21.0}}),
        ("av-sync", {"offset_ms": -17.0}),
    )
    return [Calibration(k, "A1", v, "by hand", {"cv": 0.01}).to_json().encode() for k, v in kinds]


def read_goldens(path: Path) -> None:
    """Read it and compare it with a good one."""
    found = read_golden(path)
    good = [json.loads(line) for line in reports()[0].splitlines()]
    for text in (compare(good, found).text(), compare(found, good).text()):
        assert len(text) < 200_000


def replay(path: Path) -> None:
    """Open a recording and read every stream to its end."""
    for source in open_recording(path).sources.values():
        with source, contextlib.suppress(EndOfStream):
            for _ in range(1000):
                sample = source.read(0.1)
                if sample is not None:
                    check(source.spec.kind, sample.payload)


def salvage(path: Path) -> None:
    """Recover it, and the result must be readable."""
    out = path.with_name("saved.mcap")
    out.unlink(missing_ok=True)
    found = recover(path, out)
    assert found.lost_bytes <= path.stat().st_size
    assert found.path is None or found.path.stat().st_size > 0


@cache
def recordings() -> list[bytes]:
    """Small recordings of three streams."""
    made = []
    for video, audio in (("mjpeg", "pcm"), ("raw", "flac")):
        path = Path(_place().name) / "good.mcap"
        path.unlink(missing_ok=True)
        with Recorder(path, RecordConfig(video=video, audio=audio, min_free_bytes=0)) as out:
            for spec in SPECS:
                out.on_stream(spec)
            for spec in SPECS:
                for sample in samples_of(spec, 3):
                    out.on_sample(sample)
        made.append(path.read_bytes())
    return made


# -- messages of recordings


TYPES = sorted(decode.READS)


def read_payload(data: bytes) -> None:
    """The first byte chooses the type."""
    if not data:
        return
    msgtype = TYPES[data[0] % len(TYPES)]
    reader = decode.MessageReader(msgtype, decode.AudioFormat())
    try:
        message = messages.deserialise(store_of(msgtype), data[1:], msgtype)
        found = reader.finish(reader.read(message))
    except ThymosError:
        return
    check(decode.READS[msgtype][0], found.payload)
    assert found.t_ns is None or abs(found.t_ns) < 2**63


@cache
def store_of(msgtype: str) -> Any:
    return definitions.typestore(mgonzs13=msgtype == "audio_common_msgs/msg/AudioStamped")


@cache
def payloads() -> list[bytes]:
    """One message of every type that is read."""
    encoder = Encoder(RecordConfig())
    coded = {"raw": "sensor_msgs/msg/Image", "mjpeg": "sensor_msgs/msg/CompressedImage"}
    coded |= {"h264": "foxglove_msgs/msg/CompressedVideo", "plain": "thymos_msgs/msg/SmellFrame"}
    made = []
    for spec in SPECS:
        for coding in CODINGS[spec.kind]:
            data = encoder.sample(samples_of(spec, 1)[0], spec, coding)
            at = TYPES.index(coded.get(coding, "thymos_msgs/msg/AudioFrame"))
            made.append(bytes([at]) + data)
    for at, msgtype in enumerate(TYPES):
        if bytes([at]) not in {m[:1] for m in made}:
            data = store_of(msgtype).serialize_cdr(filled(store_of(msgtype), msgtype), msgtype)
            made.append(bytes([at]) + bytes(data))
    return made


def filled(store: Any, msgtype: str) -> Any:
    """A message with something in every field, by its definition."""
    kinds = {"string": "pcm-s16", "bool": True, "float32": 0.5, "float64": 0.5, "wstring": "a"}

    def value(desc: Any) -> Any:
        node, arg = int(desc[0]), desc[1]
        if node == 1:
            base = arg[0]
            return kinds.get(base, 2)
        if node == 2:
            return filled(store, arg)
        (inner, size) = arg
        count = size if node == 3 and size else 4
        if int(inner[0]) == 1 and inner[1][0] not in ("string", "wstring"):
            name = {"octet": "uint8", "byte": "uint8", "char": "uint8"}.get(
                inner[1][0], inner[1][0]
            )
            return np.ones(count, dtype=name)
        return [value(inner) for _ in range(count)]

    fields = {name: value(desc) for name, desc in store.get_msgdef(msgtype).fields}
    return store.types[msgtype](**fields)


def read_picture(data: bytes) -> None:
    """JPEG and PNG inside a message."""
    from types import SimpleNamespace

    stamp = SimpleNamespace(sec=1, nanosec=0)
    header = SimpleNamespace(stamp=stamp, frame_id="")
    message = SimpleNamespace(header=header, format="jpeg", data=data)
    reader = decode.MessageReader("sensor_msgs/msg/CompressedImage", decode.AudioFormat())
    with contextlib.suppress(ThymosError):
        check(Kind.VIDEO, reader.read(message).payload)


def pictures() -> list[bytes]:
    """A JPEG, a PNG and a WebP."""
    from PIL import Image

    pixels = payload_of(VIDEO, 1)
    made = [to_jpeg(pixels)]
    for kind in ("PNG", "WEBP"):
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, kind)
        made.append(out.getvalue())
    return made


def read_json_message(data: bytes) -> None:
    """Foxglove's schemas in JSON."""
    reader = decode.MessageReader("foxglove_msgs/msg/RawAudio", decode.AudioFormat())
    with contextlib.suppress(ThymosError):
        check(Kind.AUDIO, reader.read(messages.from_json(data)).payload)


JSON_MESSAGE = (
    b'{"timestamp":{"sec":1,"nsec":5},"data":"AAECAw==","format":"pcm-s16",'
    b'"sample_rate":16000,"number_of_channels":1}'
)


# -- texts


def read_spec(data: bytes) -> None:
    """A stream's specification as recordings keep it."""
    spec = spec_from_json(data.decode("utf-8", "surrogateescape"))
    if spec is not None:
        again = spec_from_json(spec_to_json(spec))
        assert again is not None
        assert repr(again) == repr(spec)  # a NaN is not equal to itself


def read_report(data: bytes) -> None:
    """A window of the contract: refused, or the same again when written."""
    try:
        found = WindowReport.model_validate_json(data)
    except ValidationError:
        return
    if not {"nan", "inf", "-inf"} & {str(v) for v in numbers(found.model_dump())}:  # JSON has none
        assert WindowReport.model_validate_json(found.line()).line() == found.line()


def numbers(value: Any) -> Iterator[float]:
    """All floats inside."""
    if isinstance(value, float):
        yield value
    for part in (
        value.values()
        if isinstance(value, dict)
        else value
        if isinstance(value, (list, tuple))
        else ()
    ):
        yield from numbers(part)


def settings() -> list[bytes]:
    """Every setting."""
    text = yaml.safe_dump(Config().model_dump(mode="json"))
    return [text.encode(), b"sources: {camera: 'sim:', topics: {/a: camera}}\nwindow: {hop_s: 2}\n"]


URIS = (
    "v4l2:/dev/video0?size=640x480&fps=30", "file:talk.mp4", "sim:?seed=3&rate=5", "portaudio:USB",
    "serial:/dev/ttyUSB0?baud=115200", "off", "rtsp://u:p@host:554/a?timeout=3", "i2c:1?a=0x77",
    "http://host/video.mjpg", "realsense:1234?fps=30", "sim:faults=lost@3", "serial:SERIALNO",
)  # fmt: skip


def read_uri(data: bytes) -> None:
    """A URI: what it opens is made, and not opened."""
    text = data.decode("utf-8", "replace")
    for role in ("camera", "microphone", "enose"):
        with contextlib.suppress(ThymosError):
            parse_uri(text)
            open_uri(role, text)


def read_camera_info(path: Path) -> None:
    """ROS's own camera calibration."""
    from thymos_nodes.convert_sensors import camera_info

    camera_info(path)


def camera_infos() -> list[bytes]:
    """As camera_calibration writes it."""
    matrix = {n: {"rows": 3, "cols": 3, "data": [1.0] * 9} for n in (
        "camera_matrix", "rectification_matrix")}  # fmt: skip
    return [yaml.safe_dump({
        "image_width": 640, "image_height": 480, "distortion_model": "plumb_bob", **matrix,
        "distortion_coefficients": {"rows": 1, "cols": 5, "data": [0.1] * 5},
        "projection_matrix": {"rows": 3, "cols": 4, "data": [1.0] * 12}}).encode()]  # fmt: skip


TARGETS: dict[str, Target] = {
    "payload": Target(read_payload, payloads, 300_000),
    "json": Target(read_json_message, lambda: [JSON_MESSAGE], 200_000),
    "spec": Target(read_spec, lambda: [spec_to_json(s).encode() for s in SPECS], 200_000),
    "report": Target(read_report, lambda: reports()[0].splitlines()[:1], 200_000),
    "uri": Target(read_uri, lambda: [u.encode() for u in URIS], 20_000),
    "calibration": Target(of_file(".json", read_calibration), calibrations, 50_000),
    "golden": Target(of_file(".jsonl", read_goldens), reports, 20_000),
    "settings": Target(of_file(".yaml", load_config), settings, 20_000),
    "picture": Target(read_picture, pictures, 50_000),
    "mcap": Target(of_file(".mcap", replay), recordings, 10_000),
    "media": Target(read_media, media, 20_000),
    "realsense": Target(take_frame, frames, 50_000),
    "film": Target(keep_film, pieces, 20_000),
    "recover": Target(of_file(".mcap", salvage), recordings, 10_000),
}
with contextlib.suppress(ImportError):
    import rclpy.serialization  # noqa: F401
    import thymos_msgs.msg  # noqa: F401

    TARGETS |= {
        "ros-sensors": Target(of_ros(SENSORS, take_sample), ros_sensors, 200_000),
        "ros-answers": Target(of_ros(ANSWERS, take_answer), ros_answers, 200_000),
        "camera-info": Target(of_file(".yaml", read_camera_info), camera_infos, 20_000),
    }
