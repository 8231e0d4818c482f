"""Which topic becomes which stream; compressed, split and crashed bags; every message of a bag."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reading import read_all
from thymos.errors import MediaError, RecordingError
from thymos.record import open_recording
from thymos.record.bags import open_bag
from thymos.record.definitions import typestore
from thymos.samples import Sample

S = 1_000_000_000
IMAGE = "sensor_msgs/msg/Image"
SOUND = "foxglove_msgs/msg/RawAudio"


def image(store: Any, i: int, grey: int) -> Any:
    stamp = store.types["builtin_interfaces/msg/Time"](sec=100 + i, nanosec=5)
    return store.types[IMAGE](
        header=store.types["std_msgs/msg/Header"](stamp=stamp, frame_id="f"),
        height=2,
        width=2,
        encoding="rgb8",
        is_bigendian=0,
        step=6,
        data=np.full(12, grey, np.uint8),
    )


def sound(store: Any, i: int) -> Any:
    stamp = store.types["builtin_interfaces/msg/Time"](sec=100 + i, nanosec=5)
    return store.types[SOUND](
        timestamp=stamp,
        data=np.zeros(320, np.uint8),
        format="pcm-s16",
        sample_rate=8000,
        number_of_channels=1,
    )


def robot(path: Path, n: int = 4, storage: str = "mcap", compression: str = "") -> Path:
    """A rosbag2 folder with two cameras, the first also compressed, and two microphones."""
    from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

    store = typestore()
    plugin = StoragePlugin.MCAP if storage == "mcap" else StoragePlugin.SQLITE3
    writer = Writer(path, version=9, storage_plugin=plugin)
    if compression:
        writer.set_compression(CompressionMode[compression], CompressionFormat.ZSTD)
    with writer:
        for topic, grey in (("/front/image_raw", 10), ("/rear/image_raw", 20)):
            line = writer.add_connection(topic, IMAGE, typestore=store)
            for i in range(n):
                data = store.serialize_cdr(image(store, i, grey), IMAGE)
                writer.write(line, (100 + i) * S, data)
        for topic in ("/head/mic", "/base/mic"):
            line = writer.add_connection(topic, SOUND, typestore=store)
            writer.write(line, 100 * S, store.serialize_cdr(sound(store, 0), SOUND))
    return path


def grey(source: Any) -> int:
    return int(read_all(source)[0].payload[0, 0, 0])


def test_the_first_by_name_takes_the_role_and_the_choice_is_told(tmp_path: Path) -> None:
    recording = open_recording(robot(tmp_path / "bag"))
    assert set(recording.sources) == {
        "camera",
        "camera.rear_image_raw",
        "microphone",
        "microphone.head_mic",
    }
    assert grey(recording.sources["camera"]) == 10
    assert any(
        "'camera' is /front/image_raw" in n and "--topic camera=TOPIC" in n for n in recording.notes
    )


def test_a_topic_can_be_chosen_for_a_stream(tmp_path: Path) -> None:
    bag = robot(tmp_path / "bag")
    recording = open_recording(bag, {"camera": "/rear/image_raw", "microphone": "/head/mic"})
    assert grey(recording.sources["camera"]) == 20
    assert recording.sources["camera"].spec.name == "camera"
    assert read_all(recording.sources["camera"])[0].stream == "camera"
    assert grey(recording.sources["camera.front_image_raw"]) == 10
    assert recording.notes == []
    both = open_recording(bag, {"camera.l": "/front/image_raw", "camera.r": "/rear/image_raw"})
    assert {"camera.l", "camera.r"} < set(both.sources)


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        ({"camera": "/up/image_raw"}, "there is no topic '/up/image_raw'"),
        ({"camera": "/head/mic"}, "cannot be the stream 'camera'"),
    ],
)
def test_a_choice_that_cannot_be_met_is_an_error(
    tmp_path: Path, chosen: dict[str, str], why: str
) -> None:
    with pytest.raises(RecordingError, match=why) as caught:
        open_recording(robot(tmp_path / "bag"), chosen)
    assert "/front/image_raw" in caught.value.hint


def test_a_stream_of_an_own_recording_can_be_renamed(
    record: Callable[..., Path], samples: list[Sample]
) -> None:
    path = record()
    recording = open_recording(path, {"camera.left": "/camera/image_raw/compressed"})
    found = read_all(recording.sources["camera.left"])
    wanted = [s for s in samples if s.stream == "camera"]
    assert [(s.seq, s.flags, s.note) for s in found] == [(s.seq, s.flags, s.note) for s in wanted]


def test_the_command_line_and_the_settings_choose_too(tmp_path: Path) -> None:
    bag = robot(tmp_path / "bag")
    settings = tmp_path / "thymos.yaml"
    settings.write_text("sources: {topics: {camera: /up/image_raw}}\n")

    def explain(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "thymos", "explain", "--json", str(bag), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

    by_file = explain("--config", str(settings))
    assert by_file.returncode == 1
    assert "there is no topic '/up/image_raw'" in by_file.stderr
    assert "/rear/image_raw" in by_file.stderr
    wrong = explain("--topic", "camera")
    assert wrong.returncode == 1
    assert "as STREAM=TOPIC" in wrong.stderr


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("compression", ["", "FILE", "MESSAGE"])
def test_compressed_bags_of_either_mode(tmp_path: Path, storage: str, compression: str) -> None:
    bag = robot(tmp_path / "bag", storage=storage, compression=compression)
    before = sorted(bag.iterdir())
    sources = open_recording(bag).sources
    assert [s.t_ns for s in read_all(sources["camera"])] == [(100 + i) * S + 5 for i in range(4)]
    assert grey(sources["camera.rear_image_raw"]) == 20
    assert sorted(bag.iterdir()) == before
    if compression == "FILE":  # a part alone, and the folder without its metadata
        part = next(p for p in before if p.suffix == ".zstd")
        assert grey(open_recording(part).sources["camera"]) == 10
        (bag / "metadata.yaml").unlink()
        assert grey(open_recording(bag).sources["camera"]) == 10


def test_a_damaged_compressed_file_is_said(tmp_path: Path) -> None:
    bag = robot(tmp_path / "bag", compression="FILE")
    part = next(bag.glob("*.zstd"))
    part.write_bytes(part.read_bytes()[:200])
    with pytest.raises(RecordingError, match="is damaged"):
        open_recording(part)


def test_messages_compressed_by_something_else_are_refused(tmp_path: Path) -> None:
    bag = robot(tmp_path / "bag", compression="MESSAGE")
    meta = bag / "metadata.yaml"
    meta.write_text(meta.read_text().replace("zstd", "lz4"))
    with pytest.raises(RecordingError, match="compressed with 'lz4'"):
        open_recording(bag)


def test_what_a_crash_left_in_the_log_of_sqlite_is_read(tmp_path: Path) -> None:
    made = next(robot(tmp_path / "bag", storage="sqlite3").glob("*.db3"))
    crashed = tmp_path / "crashed.db3"
    db = sqlite3.connect(made)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA wal_autocheckpoint=0")
    db.execute(
        "INSERT INTO messages(topic_id, timestamp, data) SELECT topic_id, timestamp + 9000000000,"
        " data FROM messages"
    )
    db.commit()
    shutil.copy(made, crashed)
    shutil.copy(f"{made}-wal", f"{crashed}-wal")
    db.close()
    before = {p: p.read_bytes() for p in tmp_path.glob("crashed*")}
    recording = open_recording(crashed)
    assert any("was not closed properly" in n for n in recording.notes)
    assert len(read_all(recording.sources["camera"])) == 8
    assert {p: p.read_bytes() for p in tmp_path.glob("crashed*")} == before


def test_an_mcap_without_its_index_is_read(record: Callable[..., Path], tmp_path: Path) -> None:
    from mcap.reader import make_reader
    from mcap.writer import IndexType, Writer

    path = tmp_path / "plain.mcap"
    with record().open("rb") as source, path.open("wb") as file:
        writer = Writer(
            file,
            index_types=IndexType.NONE,
            repeat_channels=False,
            repeat_schemas=False,
            use_statistics=False,
            use_summary_offsets=False,
        )
        writer.start("ros2")
        known: dict[str, int] = {}
        for schema, channel, message in make_reader(source).iter_messages():
            if channel.topic not in known:
                number = writer.register_schema(schema.name, schema.encoding, schema.data)
                known[channel.topic] = writer.register_channel(
                    channel.topic, "cdr", number, channel.metadata
                )
            writer.add_message(
                known[channel.topic],
                message.log_time,
                message.data,
                message.publish_time,
                message.sequence,
            )
        writer.finish()
    recording = open_recording(path)
    assert recording.notes == []
    assert {n: len(read_all(s)) for n, s in recording.sources.items()} == {
        "camera": 60,
        "microphone": 100,
        "enose": 20,
    }


def test_several_recordings_in_a_folder_are_not_taken_for_one(
    record: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "sessions"
    folder.mkdir()
    for name in ("monday.mcap", "tuesday.mcap"):
        shutil.move(record(name), folder / name)
    with pytest.raises(MediaError, match="several recordings") as caught:
        open_recording(folder)
    assert "monday.mcap" in caught.value.hint


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("ros1_foxglove/example.bag", 8647),
        ("ros1_foxglove/example-bz2.bag", 8647),
        ("ros1_foxglove/example-lz4.bag", 8647),
        ("ros1_cruise/example-unsorted-chunks.bag", 3),
        ("plotjuggler/rosbag2_test/rosbag2_test_0.db3", 4695),
        ("plotjuggler/rosbag2_test", 4695),
        ("rosbag2/rosbag2_py/test/resources/mcap/wbag", 0),
        ("rosbag2/rosbag2_py/test/resources/sqlite3/wbag", 0),
        ("rosbag2/rosbag2_tests/resources/mcap/cdr_test", 0),
        ("rosbag2/rosbag2_tests/resources/sqlite3/cdr_test", 0),
    ],
)
def test_every_message_of_real_bags_is_there_in_order(
    data_dir: Path, name: str, count: int
) -> None:
    import yaml

    path = data_dir / "bags" / name
    if not count:
        meta = yaml.safe_load((path / "metadata.yaml").read_text())
        count = meta["rosbag2_bagfile_information"]["message_count"]
        assert count > 0
    bag = open_bag(path)
    found = 0
    for topic in bag.topics:
        times = [raw.log_ns for raw in bag.messages(topic.name)]
        found += len(times)
        assert times == sorted(times)
    bag.close()
    assert found == count


@pytest.mark.data
def test_a_real_camera_of_others_is_seen(data_dir: Path) -> None:
    recording = open_recording(data_dir / "bags" / "mcap_lichtblick" / "custom-camera-model.mcap")
    found = read_all(recording.sources["camera"])
    assert found[0].payload.ndim == 3
    assert found[0].payload.std() > 10  # a picture, not a plain area
    assert json.dumps(recording.topics)


def test_a_compressed_file_is_known_as_a_recording(tmp_path: Path) -> None:
    from thymos.explainer import open_media

    bag = robot(tmp_path / "bag", compression="FILE")
    sources, absent, _ = open_media(next(bag.glob("*.zstd")), topics={"camera": "/rear/image_raw"})
    assert absent == {}
    assert grey(next(s for s in sources if s.spec.name == "camera")) == 20
