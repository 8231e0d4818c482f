"""What is recorded comes back: bit for bit where it can, and readable by others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reading import read_all
from thymos.errors import RecordingError
from thymos.record import Recorder, open_recording
from thymos.samples import EndOfStream, Flag, Kind, Origin, Sample, Source, StreamSpec

Record = Callable[..., Path]


def test_sound_and_gas_come_back_bit_for_bit(record: Record, samples: list[Sample]) -> None:
    recording = open_recording(record())
    assert recording.notes == []
    for name in ("microphone", "enose"):
        wanted = [s for s in samples if s.stream == name]
        found = read_all(recording.sources[name])
        assert len(found) == len(wanted)
        for a, b in zip(found, wanted, strict=True):
            assert a.payload.dtype == b.payload.dtype
            assert a.payload.tobytes() == b.payload.tobytes()
            assert (a.t_ns, a.t_recv_ns, a.seq, a.flags, a.note) == (
                b.t_ns,
                b.t_recv_ns,
                b.seq,
                b.flags,
                b.note,
            )
            assert not a.payload.flags.writeable


def test_pictures_come_back_with_their_times_numbers_and_flags(
    record: Record, samples: list[Sample]
) -> None:
    wanted = [s for s in samples if s.stream == "camera"]
    found = read_all(open_recording(record()).sources["camera"])
    assert [(s.t_ns, s.t_recv_ns, s.seq, s.flags, s.note) for s in found] == [
        (s.t_ns, s.t_recv_ns, s.seq, s.flags, s.note) for s in wanted
    ]
    error = np.abs(found[9].payload.astype(int) - wanted[9].payload.astype(int))
    assert error.mean() < 6  # JPEG
    assert found[7].flags == Flag.GAP_BEFORE | Flag.CLIPPED


def test_the_spec_of_a_stream_survives(record: Record, specs: dict[str, StreamSpec]) -> None:
    sources = open_recording(record()).sources
    assert sources["enose"].spec == specs["enose"]  # simulated stays simulated
    for name in ("camera", "microphone"):
        assert sources[name].spec == replace(specs[name], origin=Origin.RECORDED)


def test_a_source_can_be_opened_again_and_starts_over(record: Record) -> None:
    source = open_recording(record()).sources["enose"]
    assert isinstance(source, Source)
    first = read_all(source)
    again = read_all(source)
    assert [s.seq for s in first] == [s.seq for s in again]
    source.close()
    source.close()
    with pytest.raises(EndOfStream):
        source.read()


def test_rosbags_reads_it_and_stamps_are_capture_times(
    record: Record, samples: list[Sample]
) -> None:
    from rosbags.highlevel import AnyReader

    with AnyReader([record()]) as reader:
        types = {c.topic: c.msgtype for c in reader.connections}
        assert types["/camera/image_raw/compressed"] == "sensor_msgs/msg/CompressedImage"
        assert types["/microphone/audio"] == "thymos_msgs/msg/AudioFrame"
        assert types["/enose/data"] == "thymos_msgs/msg/SmellFrame"
        assert types["/enose/info"] == "thymos_msgs/msg/SmellInfo"
        count = 0
        for connection, log_ns, raw in reader.messages():
            message: Any = reader.deserialize(raw, connection.msgtype)
            if hasattr(message, "header"):
                stamp = message.header.stamp
                assert stamp.sec * 10**9 + stamp.nanosec == log_ns
                count += 1
        assert count == len(samples) + 1  # the description of the nose


def test_the_index_and_every_checksum_are_sound(record: Record, samples: list[Sample]) -> None:
    from mcap.reader import make_reader

    with record().open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        summary = reader.get_summary()
        assert summary is not None
        assert summary.statistics is not None
        messages = list(reader.iter_messages())
        assert len(messages) == summary.statistics.message_count
        assert reader.get_header().profile == "ros2"
        assert {s.encoding for s in summary.schemas.values()} == {"ros2msg"}
        by_capture = {
            (m.log_time, m.publish_time) for _, c, m in messages if c.topic == "/enose/data"
        }
        assert by_capture == {(s.t_ns, s.t_recv_ns) for s in samples if s.stream == "enose"}


def test_the_same_samples_give_the_same_messages(record: Record) -> None:
    from mcap.reader import make_reader

    def messages(path: Path) -> list[tuple[object, ...]]:
        with path.open("rb") as file:
            return [
                (c.topic, m.log_time, m.publish_time, m.sequence, m.data)
                for _, c, m in make_reader(file).iter_messages(log_time_order=False)
            ]

    assert messages(record("a.mcap")) == messages(record("b.mcap"))


def test_two_cameras_keep_their_names(tmp_path: Path) -> None:
    left = StreamSpec("camera.left", Kind.VIDEO, 10.0, (8, 8, 3), "rgb8")
    right = replace(left, name="camera.right")
    with Recorder(tmp_path / "two.mcap") as recorder:
        for spec in (left, right):
            recorder.on_stream(spec)
            recorder.on_sample(Sample(spec.name, 0, 5, 6, np.zeros((8, 8, 3), np.uint8)))
    recording = open_recording(tmp_path / "two.mcap")
    assert set(recording.sources) == {"camera.left", "camera.right"}
    assert "/camera/left/image_raw/compressed" in recording.topics


def test_faces_and_voices_stay_out_when_they_shall(record: Record) -> None:
    recording = open_recording(record("private.mcap", faces=False, voices=False))
    assert set(recording.sources) == {"enose"}
    assert b"jpeg" not in record("other.mcap", faces=False).read_bytes()


def test_an_older_recording_is_not_overwritten_unasked(record: Record) -> None:
    path = record()
    before = path.read_bytes()
    with pytest.raises(RecordingError, match="exists") as caught:
        Recorder(path)
    assert caught.value.hint
    assert path.read_bytes() == before
    with Recorder(path, overwrite=True):
        pass
    assert path.read_bytes() == before  # an empty recording is none
    with Recorder(path, overwrite=True) as recorder:
        recorder.on_stream(StreamSpec("enose", Kind.GAS, 10.0, (1,), "ohm"))
        recorder.on_sample(Sample("enose", 0, 0, 0, np.array([1.0])))
        assert path.read_bytes() == before  # until the new one is whole
    assert path.read_bytes() != before


@pytest.mark.ros
@pytest.mark.parametrize("video", ["raw", "mjpeg"])
def test_ros_itself_deserialises_the_messages(
    record: Record, samples: list[Sample], video: str
) -> None:
    serialization = pytest.importorskip("rclpy.serialization")
    sensor_msgs = pytest.importorskip("sensor_msgs.msg")
    std_msgs = pytest.importorskip("std_msgs.msg")
    from mcap.reader import make_reader

    camera = {
        "raw": ("/camera/image_raw", sensor_msgs.Image),
        "mjpeg": ("/camera/image_raw/compressed", sensor_msgs.CompressedImage),
    }[video]
    types = dict([camera, ("/thymos/stream_spec", std_msgs.String)])
    seen = dict.fromkeys(types, 0)
    with record(video=video).open("rb") as file:
        for _, channel, message in make_reader(file).iter_messages(topics=list(types)):
            found = serialization.deserialize_message(message.data, types[channel.topic])
            seen[channel.topic] += 1
            if channel.topic == "/thymos/stream_spec":
                assert found.data.startswith('{"channels"')
                continue
            assert found.header.stamp.sec * 10**9 + found.header.stamp.nanosec == message.log_time
            assert found.header.frame_id == "camera_optical"
            if video == "raw":
                assert (found.encoding, found.width, found.step) == ("rgb8", 64, 192)
                assert len(found.data) == 48 * 64 * 3
            else:
                assert bytes(found.data[:3]) == b"\xff\xd8\xff"
    assert seen[camera[0]] == sum(s.stream == "camera" for s in samples)
    assert seen["/thymos/stream_spec"] == 3


@pytest.mark.ros
@pytest.mark.parametrize("audio", ["pcm", "flac"])
def test_ros_itself_deserialises_our_own_messages(
    record: Record, samples: list[Sample], audio: str
) -> None:
    serialization = pytest.importorskip("rclpy.serialization")
    thymos_msgs = pytest.importorskip("thymos_msgs.msg")
    from mcap.reader import make_reader

    from thymos.record.flac import decode_flac

    wanted = [s for s in samples if s.stream == "microphone"]
    with record(audio=audio).open("rb") as file:
        found = [
            serialization.deserialize_message(m.data, thymos_msgs.AudioFrame)
            for _, _, m in make_reader(file).iter_messages(topics=["/microphone/audio"])
        ]
    assert [m.sequence for m in found] == [s.seq for s in wanted]
    data = [bytes(m.data) for m in found]
    if audio == "flac":
        data = [decode_flac(d, 2, 320).tobytes() for d in data]
    assert data == [s.payload.tobytes() for s in wanted]
