"""Noses in recordings: all a frame says comes back, foreign tools read it, old recordings stay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reading import read_all
from smell_frames import frames, noses
from thymos.errors import FrameError
from thymos.record import Recorder, open_recording
from thymos.record.definitions import typestore
from thymos.record.encode import Rosbags
from thymos.samples import Flag, Kind, Origin, Sample, StreamSpec
from thymos.smell.formats.bags import read_frames, write_frames
from thymos.smell.frame import BaselineAir, Channel, Fault, Nose, Phase, SmellFrame, TimeSource
from thymos.smell.message import (
    FRAME,
    INFO,
    bare_nose,
    frame_from,
    frame_message,
    info_id,
    info_message,
    nose_from,
)
from thymos.smell.stream import frame_of, sample_of, spec_of

OLD = Path(__file__).with_name("cases") / "gas_array.mcap"
"""Written by Thymos before there was SmellFrame (commit 50e3d16): 4 readings of NO2 and CO."""
S = 10**9
NOSE = Nose(
    "BME688",
    "A5",
    (
        Channel("s0_h0", "ohm", "BME688", "0", heater_step=0, heater_celsius=320.0),
        Channel("CO", "adc"),
    ),
    ("temperature", "humidity", "pressure"),
    2.0,
    1000.0,
    frame_id="enose_link",
    extra={"firmware": "1.5"},
)


def frame(i: int, nose: Nose = NOSE) -> SmellFrame:
    return SmellFrame(
        nose,
        i,
        1000 * S + i * S // 2,
        np.array([4294967295.0 if i == 2 else 1e4 + i / 3, -0.0]),
        (Fault.SENTINEL if i == 2 else Fault.NONE, Fault.NONE),
        (0, 140_000_000),
        1000 * S + i * S // 2 + 1234,
        TimeSource.DEVICE,
        500 * i,
        1.97,
        21.53,
        100.0 if i == 1 else 38.72,
        1013.25,
        {"humidity": Fault.STUCK} if i == 1 else {},
        BaselineAir(np.array([1e4, np.nan]), np.array([10.0, np.nan]), 999 * S, "calibrated", 60),
        i * S,
        Phase.EXPOSURE,
        session="a",
        flags=Flag.GAP_BEFORE if i == 3 else Flag.OK,
        note="odd °" if i == 3 else "",
    )


def recorded(path: Path, wanted: list[SmellFrame], origin: Origin = Origin.LIVE) -> Path:
    spec = replace(spec_of(NOSE), origin=origin)
    with Recorder(path) as recorder:
        recorder.on_stream(spec)
        for one in wanted:
            recorder.on_sample(sample_of(one))
    return path


def test_all_that_a_frame_says_comes_back(tmp_path: Path) -> None:
    wanted = [frame(i) for i in range(5)]
    source = open_recording(recorded(tmp_path / "a.mcap", wanted)).sources["enose"]
    found = read_all(source)
    assert [s.smell for s in found] == wanted
    assert [frame_of(s, source.spec) for s in found] == wanted
    assert np.isnan(found[2].payload[0])  # what may not be used is not in the payload
    assert np.isnan(found[1].payload[3])


def test_a_nose_that_changes_is_told_again(tmp_path: Path) -> None:
    other = replace(NOSE, extra={"firmware": "1.6"})
    wanted = [frame(0), frame(1), frame(2, other), frame(3, replace(NOSE))]
    path = recorded(tmp_path / "a.mcap", wanted)
    assert [s.smell for s in read_all(open_recording(path).sources["enose"])] == wanted


def test_several_noses_on_a_topic_are_not_one(tmp_path: Path) -> None:
    """What `convert` makes of a board log: a nose each sensor, all on one topic."""
    others = [
        replace(
            NOSE, serial=f"A5/{k}", channels=tuple(Channel(f"s{k}_h{h}", "ohm") for h in (0, 1))
        )
        for k in (1, 2)
    ]
    twin = replace(NOSE, serial="B6")
    turns = [NOSE, *others, twin]
    made = [replace(frame(i, turns[i % 4]), t_ns=i * S // 4) for i in range(24)]
    write_frames(tmp_path / "a.mcap", made)
    assert list(read_frames(tmp_path / "a.mcap")) == made
    found = open_recording(tmp_path / "a.mcap")
    source = found.sources["enose"]
    assert found.notes == ["/enose/data holds 4 noses; only 'BME688' A5 is read"]
    assert source.spec.rate_hz == 1.0
    assert [s.smell for s in read_all(source)] == made[::4]
    assert "18 readings of other noses" in source.health.reason


def test_channels_of_one_name_are_still_one_nose(tmp_path: Path) -> None:
    channels = ("NO2", "NO2", "temperature", "temperature")
    spec = StreamSpec("enose", Kind.GAS, 2.0, (4,), "ohm", channels, origin=Origin.LIVE)
    with Recorder(tmp_path / "a.mcap") as recorder:
        recorder.on_stream(spec)
        for i in range(4):
            row = np.array([1e4 + i, 2e4, 21.0, 22.0])
            recorder.on_sample(Sample("enose", i, i * S // 2, i * S // 2, row))
    assert len(read_all(open_recording(tmp_path / "a.mcap").sources["enose"])) == 4


def test_foreign_tools_read_frames_and_their_description(tmp_path: Path) -> None:
    from rosbags.highlevel import AnyReader

    with AnyReader([recorded(tmp_path / "a.mcap", [frame(0)])]) as reader:
        found: dict[str, Any] = {
            c.topic: reader.deserialize(raw, c.msgtype) for c, _, raw in reader.messages()
        }
    read, info = found["/enose/data"], found["/enose/info"]
    assert read.info_id == info.id == info_id(NOSE)
    assert (read.channels, read.units) == (["s0_h0", "CO"], ["ohm", "adc"])
    assert read.values.tolist() == [1e4, -0.0]
    assert info.channels[0].heater_celsius == 320.0
    assert (info.version, info.header.stamp.sec) == ("1.0", 1000)


def test_without_its_description_a_frame_still_tells_names_and_units(tmp_path: Path) -> None:
    from rosbags.highlevel import AnyReader
    from rosbags.rosbag2 import StoragePlugin, Writer

    store, whole = typestore(), recorded(tmp_path / "a.mcap", [frame(0), frame(1)])
    cut = tmp_path / "cut"
    with (
        AnyReader([whole]) as reader,
        Writer(cut, version=9, storage_plugin=StoragePlugin.MCAP) as w,
    ):
        to = w.add_connection("/nose", FRAME, typestore=store)
        for c, log_ns, raw in reader.messages():
            if c.topic == "/enose/data":
                w.write(to, log_ns, bytes(raw))
    source = open_recording(cut).sources["enose"]
    assert source.spec.channels == ("s0_h0", "CO", "temperature", "humidity", "pressure")
    first = read_all(source)[0]
    assert first.smell is not None
    assert [(c.name, c.unit) for c in first.smell.nose.channels] == [
        ("s0_h0", "ohm"),
        ("CO", "adc"),
    ]
    assert first.smell.baseline == frame(0).baseline


def test_a_recording_of_plain_samples_has_frames_too(tmp_path: Path) -> None:
    spec = StreamSpec(
        "enose", Kind.GAS, 1.0, (3,), "ohm", ("humidity", "NO2", "CO"), "link", Origin.SIMULATED
    )
    sample = Sample(
        "enose", 3, 5 * S, 6 * S, np.array([40.0, 1e4, np.nan]), Flag.CLIPPED, "CO: end"
    )
    with Recorder(tmp_path / "a.mcap") as recorder:
        recorder.on_stream(spec)
        recorder.on_sample(sample)
    source = open_recording(tmp_path / "a.mcap").sources["enose"]
    found = read_all(source)[0]
    assert source.spec == spec
    assert found.payload.tobytes() == sample.payload.tobytes()  # in the order of the stream
    assert found.smell is not None
    assert found.smell.faults == (Fault.NONE, Fault.MISSING)
    assert (found.smell.humidity_percent, found.smell.nose.simulated) == (40.0, True)


def test_a_recording_of_before_is_still_read() -> None:
    recording = open_recording(OLD)
    assert recording.topics["/enose/data"] == "thymos_msgs/msg/GasArray"
    source = recording.sources["enose"]
    found = read_all(source)
    assert source.spec.channels == ("NO2", "CO", "temperature", "humidity", "pressure")
    assert [s.seq for s in found] == [10, 11, 12, 13]
    assert [s.payload[0] for s in found] == [1e4 + i / 3 for i in range(4)]
    assert np.signbit(found[0].payload[1])
    assert np.isnan(found[2].payload[1])
    assert (found[2].note, found[2].flags) == ("CO: at the end of its range", Flag.CLIPPED)
    assert (found[3].t_ns, found[3].t_recv_ns) == (10**18 + 1_500_000_000, 10**18 + 1_501_234_567)
    made = frame_of(found[2], source.spec)
    assert made.faults == (Fault.NONE, Fault.MISSING)
    assert made.nose.serial == "A5"


# -- the messages


MAKE = Rosbags(typestore().types)
TIME = st.integers(-(2**31), 2**31 - 1).map(lambda s: s * S + 999_999_999)


@st.composite
def in_time(draw: st.DrawFn) -> SmellFrame:
    """A frame whose stamps a message can hold."""
    one = draw(frames(draw(noses())))
    clean = one.baseline and replace(one.baseline, taken_ns=draw(st.none() | TIME))
    return replace(one, t_ns=draw(TIME), t_recv_ns=draw(TIME), baseline=clean)


@settings(max_examples=40, deadline=None)
@given(in_time())
def test_any_frame_comes_back_from_its_messages(one: SmellFrame) -> None:
    store = typestore()
    sent = [frame_message(MAKE, one, info_id(one.nose)), info_message(MAKE, one.nose, one.t_ns)]
    read, info = (
        store.deserialize_cdr(store.serialize_cdr(m, kind), kind)
        for m, kind in zip(sent, (FRAME, INFO), strict=True)
    )
    assert read.info_id == info.id
    assert nose_from(info) == one.nose
    assert frame_from(read, nose_from(info)) == one


def test_a_message_that_contradicts_itself_is_refused() -> None:
    def read(**other: Any) -> SmellFrame:
        m = frame_message(MAKE, frame(0), 1)
        for name, value in other.items():
            setattr(m, name, value)
        return frame_from(m, NOSE)

    for wrong, words in (
        ({"channels": ["a", "b"]}, "not those of its nose"),
        ({"values": np.zeros(3)}, "values of shape"),
        ({"faults": np.array([0, 200], np.uint8)}, "200 is no Fault"),
        ({"phase": 9}, "9 is no Phase"),
        ({"offsets_ns": np.zeros(1, np.int64)}, "1 offset_ns"),
    ):
        with pytest.raises(FrameError, match=words):
            read(**wrong)
    m = frame_message(MAKE, frame(0), 1)
    m.units = []
    with pytest.raises(FrameError, match="0 units for 2 channels"):
        bare_nose(m)
    info = info_message(MAKE, NOSE, 0)
    info.version = "2.0"
    with pytest.raises(FrameError, match=r"version '2.0'"):
        nose_from(info)


def test_an_old_bag_without_definitions_is_read_too(tmp_path: Path) -> None:
    """As `ros2 bag record` of ROS 2 Humble left it: sqlite, no definitions inside."""
    from rosbags.rosbag2 import Writer

    store, name = typestore(), "thymos_msgs/msg/GasArray"
    header = MAKE.message(
        "std_msgs/msg/Header",
        stamp=MAKE.message("builtin_interfaces/msg/Time", sec=7, nanosec=5),
        frame_id="enose_link",
    )
    message = store.types[name](
        header=header,
        sensor_model="GM",
        channel_names=["NO2", "CO"],
        unit="adc",
        values=np.array([5.0, 6.0]),
        valid=np.array([True, False]),
        reasons=["", "saturated"],
        temperature=float("nan"),
        humidity=float("nan"),
        pressure=float("nan"),
        warmup=True,
        sequence=3,
        flags=0,
        note="",
    )
    with Writer(tmp_path / "bag", version=8) as bag:
        to = bag.add_connection("/enose/data", name, typestore=store)
        bag.write(to, 7 * S, bytes(store.serialize_cdr(message, name)))
    source = open_recording(tmp_path / "bag").sources["enose"]
    (found,) = read_all(source)
    assert np.array_equal(found.payload, [5.0, np.nan], equal_nan=True)
    assert (found.seq, found.t_ns, found.flags) == (3, 7 * S + 5, Flag.WARMUP)
    assert found.note == "saturated"
    made = frame_of(found, source.spec)
    assert made.faults == (Fault.NONE, Fault.MISSING)
    assert [channel.unit for channel in made.nose.channels] == ["adc", "adc"]
