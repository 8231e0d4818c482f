"""What a smell frame costs as a message, as JSON and as Parquet: 16 channels, 100 Hz.

The peer of the message is one that says everything each time: the frame and its SmellInfo. rclpy is
timed where it is installed (build the message, serialise it, deserialise it, make the frame).
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from thymos.bench.figures import Figure, repeated
from thymos.record import Recorder
from thymos.record.definitions import typestore
from thymos.record.encode import Rosbags
from thymos.smell.frame import BaselineAir, Channel, Fault, Nose, Phase, SmellFrame, TimeSource
from thymos.smell.message import FRAME, INFO, frame_from, frame_message, info_id, info_message
from thymos.smell.parquet import read_frames, write_frames
from thymos.smell.schema import dumps, from_dict, loads, nose_to_dict, to_dict
from thymos.smell.stream import sample_of, spec_of

CHANNELS, HZ = 16, 100
NAMES = (
    *("NO2", "C2H5OH", "VOC", "CO", "alcohol", "LPG", "benzene", "H2"),
    *("CH4", "NH3", "H2S", "SO2", "O3", "HCHO", "C3H8", "C4H10"),
)
NOSE = Nose(
    "SmellNet 16",
    "A50285BI",
    tuple(
        Channel(name, "ohm", f"TGS26{i:02}", str(i), name, supply_volt=5.0, load_ohm=1e4)
        for i, name in enumerate(NAMES)
    ),
    ("temperature", "humidity", "pressure"),
    rate_hz=float(HZ),
    tick_hz=1000.0,
    frame_id="enose_link",
)
US = "µs a frame"


def made(count: int) -> list[SmellFrame]:
    """Frames with everything a live nose and the signal stage tell."""
    rng = np.random.default_rng(1)
    start = 1_700_000_000_000_000_000
    clean = BaselineAir(np.full(16, 1e4), np.full(16, 50.0), start, "first_seconds", 60)
    return [
        SmellFrame(
            NOSE,
            i,
            start + i * 10**7,
            rng.normal(1e4, 50.0, CHANNELS),
            (Fault.NONE,) * CHANNELS,
            t_recv_ns=start + i * 10**7 + 10**6,
            time_source=TimeSource.DEVICE,
            tick=10 * i,
            rate_hz=float(HZ),
            temperature_celsius=21.53,
            humidity_percent=38.72,
            pressure_hpa=1013.25,
            baseline=clean,
            on_for_ns=i * 10**7,
            phase=Phase.BASELINE,
        )
        for i in range(count)
    ]


def each(call: Callable[[Any], object], items: list[Any]) -> float:
    """Processor time of one call [µs], mean."""
    begin = time.process_time()
    for item in items:
        call(item)
    return (time.process_time() - begin) / len(items) * 1e6


def run(repeats: int, quick: bool) -> list[Figure]:
    frames = made(200 if quick else 2000)
    return [*_messages(frames, repeats), *_rclpy(frames, repeats), *_files(frames, repeats)]


def _messages(frames: list[SmellFrame], repeats: int) -> list[Figure]:
    store = typestore()
    make, number = Rosbags(store.types), info_id(NOSE)

    def write(frame: SmellFrame) -> bytes:
        return bytes(store.serialize_cdr(frame_message(make, frame, number), FRAME))

    def info(_: object) -> bytes:
        return bytes(store.serialize_cdr(info_message(make, NOSE, 0), INFO))

    raw = [write(frame) for frame in frames]
    some = frames[:100]
    costs = [each(write, frames) for _ in range(repeats)]
    whole = [each(write, some) + each(info, some) for _ in range(repeats)]
    reads = [
        each(lambda data: frame_from(store.deserialize_cdr(data, FRAME), NOSE), raw)
        for _ in range(repeats)
    ]
    size, more = float(len(raw[0])), float(len(raw[0]) + len(info(None)))
    peer = "frame and description in one message"
    return [
        repeated("SmellFrame in CDR", [size], "bytes", peer=peer, peer_values=[more]),
        repeated("SmellFrame to CDR (rosbags)", costs, US, peer=peer, peer_values=whole),
        repeated("CDR to SmellFrame (rosbags)", reads, US),
    ]


def _rclpy(frames: list[SmellFrame], repeats: int) -> list[Figure]:
    if not all(importlib.util.find_spec(name) for name in ("rclpy", "thymos_msgs")):
        return []
    from rclpy.serialization import deserialize_message, serialize_message
    from thymos_msgs.msg import SmellFrame as Message

    from thymos_nodes.convert_smell import MAKE

    number = info_id(NOSE)

    def write(frame: SmellFrame) -> bytes:
        return bytes(serialize_message(frame_message(MAKE, frame, number)))

    def info(_: object) -> bytes:
        return bytes(serialize_message(info_message(MAKE, NOSE, 0)))

    raw, some = [write(frame) for frame in frames], frames[:100]
    costs = [each(write, frames) for _ in range(repeats)]
    whole = [each(write, some) + each(info, some) for _ in range(repeats)]
    reads = [
        each(lambda data: frame_from(deserialize_message(data, Message), NOSE), raw)
        for _ in range(repeats)
    ]
    peer = "frame and description in one message"
    return [
        repeated("SmellFrame to CDR (rclpy)", costs, US, peer=peer, peer_values=whole),
        repeated("CDR to SmellFrame (rclpy)", reads, US),
    ]


def _files(frames: list[SmellFrame], repeats: int) -> list[Figure]:
    lines = [dumps(to_dict(frame, nose=False)) for frame in frames]
    texts = [each(lambda f: dumps(to_dict(f, nose=False)), frames) for _ in range(repeats)]
    back = [each(lambda line: from_dict(loads(line), NOSE), lines) for _ in range(repeats)]
    count = float(len(frames))
    with tempfile.TemporaryDirectory() as folder:
        parquet, bag = Path(folder) / "a.parquet", Path(folder) / "a.mcap"
        writes = [each(lambda fs: write_frames(parquet, fs), [frames]) / count]
        reads = [each(lambda p: sum(1 for _ in read_frames(p)), [parquet]) / count]
        with Recorder(bag) as recorder:
            recorder.on_stream(spec_of(NOSE))
            for frame in frames:
                recorder.on_sample(sample_of(frame))
        sizes = parquet.stat().st_size / count, bag.stat().st_size / count
    return [
        repeated("SmellFrame to JSON", texts, US),
        repeated("JSON to SmellFrame", back, US),
        repeated("SmellFrame to Parquet", writes, US),
        repeated("Parquet to SmellFrame", reads, US),
        repeated("SmellFrame as a line of JSON", [float(len(lines[0]))], "bytes"),
        repeated("its nose, once", [float(len(dumps(nose_to_dict(NOSE))))], "bytes"),
        repeated("SmellFrame in Parquet", [sizes[0]], "bytes"),
        repeated("SmellFrame in an MCAP recording", [sizes[1]], "bytes"),
    ]
