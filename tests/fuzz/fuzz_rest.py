"""Feeds what is read from files, networks and people, noses apart, with damaged and random input.

    python tests/fuzz/fuzz_rest.py                        all targets, 1.7 million inputs
    python tests/fuzz/fuzz_rest.py --only payload --inputs 10000 --seed 7

An input that breaks something is written to tests/fuzz/cases/rest as TARGET-HASH.bin, and from then
on the test suite tries it. Breaking is: any exception but those that the parser promises, more than
three seconds for one input, more than 300 MB of growth, or a result that contradicts itself. The
targets of ROS messages need the messages to be built.
"""

# ruff: noqa: E402
from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CASES = HERE / "cases" / "rest"
sys.path[:0] = [str(HERE), str(HERE.parent / "drivers")]

import numpy as np
import yaml
from fuzz_noses import HANG_SECONDS, MAX_SECONDS, TooLongError, mutate
from pydantic import ValidationError

import thymos.contract as c
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
from thymos.samples import NS_PER_S, EndOfStream, Flag, Kind, Origin, Sample, StreamSpec

MAX_GROWTH_KB = 300 * 1024
TOKENS = (
    b"null", b"true", b"[]", b"{}", b'""', b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1",
    b"0", b"[" * 60, b'{"a":' * 60, b'"\\ud800"', b"\x00", b"\xff\xfe", b"\n", b"9" * 400, b"1e400",
    b"&a [*a]", b"*a", b"!!python/object:os.system x", b"2026-99-99", b"0b", b"0x", b"1_000",
    b"!!int x", b"!!float y", b"!!timestamp z", b"<<: 1", b"- ", b": ", b"{a: {a: ", b"? ",
    b"?a=1&a=2", b"%00", b"file:", b"sim:", b"~", b"..", b"\xe2\x80\xa8", b"2026-11-23T00:00:00",
)  # fmt: skip


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


# -- what goes in


GAS = StreamSpec(
    name="enose", kind=Kind.GAS, rate_hz=10.0, shape=(3,), unit="ohm",
    channels=("NO2", "CO", "temperature"), frame_id="enose_link", origin=Origin.LIVE, device="n",
)  # fmt: skip
VIDEO = StreamSpec(
    name="camera", kind=Kind.VIDEO, rate_hz=10.0, shape=(16, 24, 3), unit="rgb8",
    channels=("r", "g", "b"), frame_id="camera_color_optical_frame", origin=Origin.LIVE, device="c",
)  # fmt: skip
SOUND = StreamSpec(
    name="microphone", kind=Kind.AUDIO, rate_hz=16000.0, shape=(-1, 2), unit="s16",
    channels=("l", "r"), frame_id="mic_link", origin=Origin.LIVE, device="m",
)  # fmt: skip
SPECS = (VIDEO, SOUND, GAS)
CODINGS = {Kind.VIDEO: ("raw", "mjpeg", "h264"), Kind.AUDIO: ("pcm", "flac"), Kind.GAS: ("plain",)}


def payload_of(spec: StreamSpec, n: int) -> Any:
    """A small payload."""
    rng = np.random.default_rng(n)
    if spec.kind is Kind.VIDEO:
        return rng.integers(0, 255, (16, 24, 3), np.uint8)
    if spec.kind is Kind.AUDIO:
        return rng.integers(-999, 999, (40, 2)).astype(np.int16)
    return rng.normal(1e4, 10, 3)


def samples_of(spec: StreamSpec, count: int) -> list[Sample]:
    """Samples, ten a second."""
    return [
        Sample(spec.name, n, 10**9 + n * 10**8, 10**9 + n * 10**8, payload_of(spec, n), Flag.OK)
        for n in range(count)
    ]


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


@cache
def report() -> WindowReport:
    """A window with something in every place."""
    span: dict[str, Any] = {"t0_ns": 0, "t1_ns": 4 * NS_PER_S}
    cues = (
        c.Cue(id="c1", modality="face", name="expression", value={"joy": 0.9, "anger": 0.1},
              confidence=0.9, text="a smile", valence=0.4, emotion={"joy": 1.0}, **span),
        c.Cue(id="c2", modality="words", name="transcript", value="hello", confidence=1,
              text='said "hello"', untrusted=True, **span),
        c.Cue(id="c3", modality="smell", name="change", value=0.3, unit="log ratio",
              confidence=0.4, text="a change of the air", **span),
    )  # fmt: skip
    leaf = c.TreeNode(level="attribute", label="hello", cue_ids=("c2",))
    state = c.StreamState(state="present", age_ms=3.0, samples=5, gaps=0, dropped=0, origin="live")
    return WindowReport(
        window=c.WindowInfo(id="w000000", streams={"camera": state}, **span),
        sources=(c.SourceInfo(stream="camera", device="cam", origin="live", rate_hz=30.0),),
        cues=cues,
        explanation=c.Explanation(
            emotions=(c.EmotionGuess(label="joy", confidence=0.7, level1="joy"),),
            valence=0.2,
            arousal=0.1,
            steps=(c.Step(n=1, text="smiles", modality="face", cue_ids=("c1",), **span),),
            tree=(c.TreeNode(level="emotion", label="joy", children=(leaf,)),),
            conflict=c.Conflict(degree=0.1, modalities=("face",), text="they disagree"),
            modality_weights={"face": 0.5, "words": 0.5},
            unimodal={"face": {"joy": 1.0}},
            rationale="They smile.",
            abstained=False,
            backend="rules",
            model="",
            parse_ok=True,
        ),
        response=c.Response(
            intent="neutral",
            candidates=(c.IntentScore(intent="wishing", score=0.1, why="so"),),
            text="Hello?",
            text_source="model",
            gesture="nod",
            guard=c.Guard(action="replaced", reason="repeats", danger="harm"),
        ),
        latency_ms={"total": 12.5},
    )


def reports() -> list[bytes]:
    """Two lines of a golden file."""
    return [report().line().encode() * 2]


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


def check(kind: Kind, payload: Any) -> None:
    """A payload is what `Kind` says."""
    if kind is Kind.AUDIO:
        assert (payload.dtype, payload.ndim) == (np.int16, 2)
    elif kind is Kind.GAS:
        assert (payload.dtype, payload.ndim) == (np.float64, 1)
    elif payload.ndim == 2:
        assert payload.dtype == np.uint16  # depth
    else:
        assert (payload.dtype, payload.ndim, payload.shape[-1]) == (np.uint8, 3, 3)


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
    coded |= {"h264": "foxglove_msgs/msg/CompressedVideo", "plain": "thymos_msgs/msg/GasArray"}
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


# -- ROS


def of_ros(names: tuple[str, ...], use: Callable[[str, Any], object]) -> Callable[[bytes], None]:
    """Deserialises the input as ROS does; the first byte chooses the message."""

    def parse(data: bytes) -> None:
        if not data:
            return
        name = names[data[0] % len(names)]
        from rclpy.serialization import deserialize_message

        try:
            message = deserialize_message(data[1:], ros_types()[name])
        except Exception:  # the middleware refuses it, before it is ours
            return
        with contextlib.suppress(ValueError):
            use(name, message)

    return parse


@cache
def ros_types() -> dict[str, Any]:
    import sensor_msgs.msg as sensor
    import thymos_msgs.msg as own

    return {"Image": sensor.Image} | {n: getattr(own, n) for n in (*ANSWERS, *GAS_SOUND)}


GAS_SOUND = ("AudioFrame", "GasArray")
SENSORS = ("Image", *GAS_SOUND)
ANSWERS = ("PerceptionWindow", "Explanation", "Response", "SourceInfo")


def take_sample(name: str, message: Any) -> None:
    """As perception takes it."""
    from thymos_nodes.convert_sensors import TopicStream

    kind = dict(zip(SENSORS, (Kind.VIDEO, Kind.AUDIO, Kind.GAS), strict=True))[name]
    check(kind, TopicStream("s", kind, Origin.LIVE).take(message, 1).payload)


def take_answer(name: str, message: Any) -> None:
    """As perception, reasoner, responder and speaker take them."""
    from thymos_nodes import convert, convert_answers

    {
        "PerceptionWindow": convert.window_from_msg,
        "Explanation": convert_answers.explanation_from_msg,
        "Response": convert_answers.response_from_msg,
        "SourceInfo": convert.source_from_msg,
    }[name](message)


def ros_sensors() -> list[bytes]:
    """A picture, a block and a reading."""
    from rclpy.serialization import serialize_message

    from thymos_nodes import convert_sensors as to

    one = {spec.kind: samples_of(spec, 1)[0] for spec in SPECS}
    made = (
        to.image_to_msg(one[Kind.VIDEO], "c", 1),
        to.audio_to_msg(one[Kind.AUDIO], SOUND, "m", 1),
        to.gas_to_msg(one[Kind.GAS], GAS, "n", 1),
    )
    return [bytes([at]) + serialize_message(m) for at, m in enumerate(made)]


def ros_answers() -> list[bytes]:
    """What the nodes say of one window."""
    from rclpy.serialization import serialize_message

    from thymos.reason.base import Affect, Evidence
    from thymos_nodes import convert, convert_answers

    whole = report()
    affect = Affect({"joy": 0.7}, {"face": {"joy": 1.0}}, {"face": 1.0}, 0.1, None, 0.2, ("face",))
    evidence = Evidence(window=whole.window, cues=whole.cues, affect=affect)
    made = (
        convert.window_to_msg(evidence, complete=True, sources=whole.sources),
        convert_answers.explanation_to_msg(whole.explanation, whole.window),
        convert_answers.response_to_msg(whole.response, 1),
        convert.source_to_msg(whole.sources[0]),
    )
    return [bytes([at]) + serialize_message(m) for at, m in enumerate(made)]


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


def change(data: bytes, pool: list[bytes], rng: random.Random) -> bytes:
    """Damage as cables make it, or as somebody would who knows the format."""
    if rng.random() < 0.4:
        return bytes([*data[:1]]) + mutate(data[1:], pool, rng)
    out = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(out) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            out[at:at] = rng.choice(TOKENS)
        elif kind == 1:  # a value of a text, or four bytes of a binary format
            end = next((i for i in range(at, len(out)) if out[i] in b",}]\n&"), at + 4)
            out[at:end] = rng.choice(TOKENS)
        elif kind == 2 and at + 4 <= len(out):
            number = rng.choice((0, 1, 255, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1))
            out[at : at + 4] = number.to_bytes(4, "little")
        else:
            end = at + rng.randint(1, 12)
            out[at:end] = b""
    return bytes(out)


def _ring(*_: object) -> None:
    raise TooLongError


def run(name: str, inputs: int, seed: int, *, keep: bool = True) -> dict[str, float]:
    """Try so many inputs; the first that breaks something is kept and raised."""
    target, rng = TARGETS[name], random.Random(seed)
    pool = target.corpus()
    for good in pool:
        target.parse(good)
    before = signal.signal(signal.SIGALRM, _ring)
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, slowest = time.monotonic(), 0.0
    try:
        for n in range(inputs):
            random_bytes = rng.random() < 0.05
            data = rng.randbytes(rng.randint(0, 300)) if random_bytes else rng.choice(pool)
            data = data if random_bytes else change(data, pool, rng)
            if n % 16 == 0:
                signal.setitimer(signal.ITIMER_REAL, HANG_SECONDS)
            start = time.monotonic()
            try:
                target.parse(data)
            except BaseException as err:
                if keep and not isinstance(err, KeyboardInterrupt):
                    CASES.mkdir(parents=True, exist_ok=True)
                    case = CASES / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}.bin"
                    case.write_bytes(data)
                    print(f"{name}: broken by {case.name}: {err!r}", file=sys.stderr)
                raise
            slowest = max(slowest, time.monotonic() - start)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    if slowest > MAX_SECONDS or grown > MAX_GROWTH_KB:
        raise AssertionError(f"{name}: slowest {slowest:.2f} s, grown by {grown} kB")
    seconds = time.monotonic() - began
    return {"inputs": inputs, "seconds": seconds, "slowest_ms": 1e3 * slowest, "grown_kb": grown}


def main() -> None:
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, help="for each target, instead of what it is worth")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=sorted(TARGETS), action="append")
    told = parser.parse_args()
    os.nice(5)
    total = 0
    for name in told.only or TARGETS:
        found = run(name, told.inputs or TARGETS[name].inputs, told.seed)
        total += int(found["inputs"])
        print(
            f"{name}: {found['inputs']:,} inputs in {found['seconds']:.0f} s, slowest "
            f"{found['slowest_ms']:.1f} ms, grown by {found['grown_kb'] / 1024:.0f} MB, no fault",
            flush=True,
        )
    print(f"{total:,} inputs in all")


if __name__ == "__main__":
    main()
