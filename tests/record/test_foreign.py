"""Recordings by others: rosbag2 folders and files, ROS 1 bags, every known message type."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reading import read_all
from thymos.errors import MediaError, RecordingError, ThymosError
from thymos.record import open_recording
from thymos.record.definitions import typestore
from thymos.samples import Flag, Kind, Origin

S = 1_000_000_000
T0 = 1_700_000_000 * S
Messages = list[tuple[str, str, int, Any]]  # topic, type, log time, message


class Maker:
    """Makes messages of a type store."""

    def __init__(self, store: Any) -> None:
        self.store = store

    def __call__(self, name: str, **fields: Any) -> Any:
        return self.store.types[name](**fields)

    def header(self, t_ns: int, frame: str = "frame") -> Any:
        if "seq" in self.store.types["std_msgs/msg/Header"].__dataclass_fields__:  # ROS 1
            stamp = self("builtin_interfaces/msg/Time", sec=t_ns // S, nanosec=t_ns % S)
            return self("std_msgs/msg/Header", seq=0, stamp=stamp, frame_id=frame)
        stamp = self("builtin_interfaces/msg/Time", sec=t_ns // S, nanosec=t_ns % S)
        return self("std_msgs/msg/Header", stamp=stamp, frame_id=frame)

    def image(self, t_ns: int, encoding: str, pixels: np.ndarray, step: int = 0) -> Any:
        rows = pixels.reshape(pixels.shape[0], -1)
        if step:
            rows = np.pad(rows, ((0, 0), (0, step - rows.shape[1])))
        return self(
            "sensor_msgs/msg/Image",
            header=self.header(t_ns),
            height=pixels.shape[0],
            width=pixels.shape[1],
            encoding=encoding,
            is_bigendian=0,
            step=rows.shape[1],
            data=rows.reshape(-1).astype(np.uint8),
        )


@pytest.fixture
def make() -> Maker:
    return Maker(typestore())


@pytest.fixture
def bag2(tmp_path: Path) -> Callable[..., Path]:
    """Write a rosbag2 folder with rosbags."""

    def write(messages: Messages, storage: str = "mcap", store: Any = None) -> Path:
        from rosbags.rosbag2 import StoragePlugin, Writer

        store = store or typestore()
        path = tmp_path / f"bag_{storage}"
        plugin = StoragePlugin.MCAP if storage == "mcap" else StoragePlugin.SQLITE3
        with Writer(path, version=9, storage_plugin=plugin) as writer:
            connections: dict[str, Any] = {}
            for topic, msgtype, log_ns, message in messages:
                if topic not in connections:
                    connections[topic] = writer.add_connection(topic, msgtype, typestore=store)
                writer.write(connections[topic], log_ns, store.serialize_cdr(message, msgtype))
        return path

    return write


PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize(
    ("encoding", "raw", "wanted", "step"),
    [
        ("rgb8", PIXELS, PIXELS, 0),
        ("rgb8", PIXELS, PIXELS, 32),  # padded rows
        ("bgr8", PIXELS[:, :, ::-1], PIXELS, 0),
        ("mono8", PIXELS[:, :, :1], np.repeat(PIXELS[:, :, :1], 3, axis=2), 0),
        ("bgra8", np.dstack([PIXELS[:, :, ::-1], PIXELS[:, :, 0]]), PIXELS, 0),
    ],
)
def test_pictures_of_every_encoding(
    make: Maker,
    bag2: Callable[..., Path],
    storage: str,
    encoding: str,
    raw: np.ndarray,
    wanted: np.ndarray,
    step: int,
) -> None:
    msgtype = "sensor_msgs/msg/Image"
    messages = [
        (
            "/cam/image_raw",
            msgtype,
            T0 + i * S // 10 + 7,
            make.image(T0 + i * S // 10, encoding, raw, step),
        )
        for i in range(5)
    ]
    recording = open_recording(bag2(messages, storage))
    source = recording.sources["camera"]
    assert source.spec.rate_hz == 10.0
    assert source.spec.origin is Origin.RECORDED
    found = read_all(source)
    assert [s.t_ns for s in found] == [T0 + i * S // 10 for i in range(5)]
    assert [s.seq for s in found] == [0, 1, 2, 3, 4]
    assert all(np.array_equal(s.payload, wanted) for s in found)


@pytest.mark.parametrize(("encoding", "order"), [("yuv422_yuy2", "yuyv"), ("yuv422", "uyvy")])
def test_yuv_pictures_follow_bt601(
    make: Maker, bag2: Callable[..., Path], encoding: str, order: str
) -> None:
    raw = np.random.default_rng(1).integers(16, 236, (8, 10, 2)).astype(np.uint8)
    msgtype = "sensor_msgs/msg/Image"
    path = bag2([("/cam/image_raw", msgtype, T0, make.image(T0, encoding, raw))])
    found = read_all(open_recording(path).sources["camera"])[0].payload
    assert np.abs(found.astype(int) - rgb_of(raw, order).astype(int)).max() <= 2


def rgb_of(raw: np.ndarray, order: str) -> np.ndarray:
    """4:2:2 to RGB, one pair of pixels after the other (ITU-R BT.601, studio range)."""
    luma, chroma = (0, 1) if order == "yuyv" else (1, 0)
    out = np.zeros((*raw.shape[:2], 3))
    for row, column in np.ndindex(*raw.shape[:2]):
        pair = column // 2 * 2
        y = 1.164 * (float(raw[row, column, luma]) - 16)
        u, v = (float(raw[row, pair + k, chroma]) - 128 for k in (0, 1))
        out[row, column] = (y + 1.596 * v, y - 0.392 * u - 0.813 * v, y + 2.017 * u)
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def test_an_encoding_nobody_knows_is_said(make: Maker, bag2: Callable[..., Path]) -> None:
    message = make.image(T0, "bayer_rggb8", np.zeros((2, 2, 1), np.uint8))
    path = bag2([("/cam/image_raw", "sensor_msgs/msg/Image", T0, message)])
    with pytest.raises(RecordingError, match="encoding 'bayer_rggb8' are not read"):
        open_recording(path)


FAR = np.array([[0, 1200, 65535], [500, 3, 7]])


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
def test_depth_of_other_cameras_is_read_in_millimetres(
    make: Maker, bag2: Callable[..., Path], encoding: str, big: bool
) -> None:
    order = ">" if big else "<"
    pixels = FAR.astype(f"{order}u2") if encoding == "16UC1" else (FAR / 1000).astype(f"{order}f4")
    wanted = FAR.copy()
    if encoding == "32FC1":
        pixels[1] = (np.nan, np.inf, 70.0)
        wanted[1] = 0
    raw = np.ascontiguousarray(pixels).view(np.uint8).reshape(2, 3, -1)
    message = make.image(T0, encoding, raw)
    message.is_bigendian = int(big)
    path = bag2(
        [
            ("/cam/color/image_raw", "sensor_msgs/msg/Image", T0, make.image(T0, "rgb8", PIXELS)),
            ("/cam/depth/image_rect_raw", "sensor_msgs/msg/Image", T0, message),
        ]
    )
    sources = open_recording(path).sources
    assert list(sources) == ["camera", "depth"]
    spec = sources["depth"].spec
    assert (spec.kind, spec.unit, spec.shape, spec.channels) == (Kind.DEPTH, "mm", (2, 3), ())
    (sample,) = read_all(sources["depth"])
    assert np.array_equal(sample.payload, wanted)
    chosen = open_recording(path, {"depth.front": "/cam/depth/image_rect_raw"}).sources
    assert chosen["depth.front"].spec.kind is Kind.DEPTH
    for wrong in ({"camera": "/cam/depth/image_rect_raw"}, {"depth": "/cam/color/image_raw"}):
        with pytest.raises(RecordingError, match="which cannot be the stream"):
            open_recording(path, wrong)


def test_a_depth_picture_that_lies_about_its_size_is_damaged(
    make: Maker, bag2: Callable[..., Path]
) -> None:
    message = make.image(T0, "16UC1", np.zeros((2, 2, 2), np.uint8))
    message.height = 1000
    with pytest.raises(RecordingError, match="a depth picture of 2x1000 has 8 bytes"):
        open_recording(bag2([("/depth", "sensor_msgs/msg/Image", T0, message)]))


def test_a_compressed_twin_is_not_read_twice(make: Maker, bag2: Callable[..., Path]) -> None:
    from thymos.record.encode import to_jpeg

    jpeg = make(
        "sensor_msgs/msg/CompressedImage",
        header=make.header(T0),
        format="rgb8; jpeg compressed bgr8",
        data=np.frombuffer(to_jpeg(PIXELS), np.uint8),
    )
    raw = ("/cam/image_raw", "sensor_msgs/msg/Image", T0, make.image(T0, "rgb8", PIXELS))
    twin = ("/cam/image_raw/compressed", "sensor_msgs/msg/CompressedImage", T0, jpeg)
    recording = open_recording(bag2([raw, twin]))
    assert list(recording.sources) == ["camera"]
    assert "twin" in recording.notes[0]


WAVE = np.array([[0, 100], [-32768, 32767], [5, -5]], np.int16)


def pcm(kind: str) -> Any:
    return np.frombuffer(WAVE.astype(kind).tobytes(), np.uint8)


def sound_cases(make: Maker) -> dict[str, tuple[str, Any]]:
    header = make.header(T0)
    t = make("builtin_interfaces/msg/Time", sec=T0 // S, nanosec=0)

    def utils(layout: str, data: Any) -> tuple[str, Any]:
        name = "audio_utils_msgs/msg/AudioFrame"
        return name, make(
            name,
            header=header,
            format=layout,
            channel_count=2,
            sampling_frequency=48_000,
            frame_sample_count=3,
            data=data,
        )

    raw = make(
        "foxglove_msgs/msg/RawAudio",
        timestamp=t,
        data=pcm("<i2"),
        format="pcm-s16",
        sample_rate=48_000,
        number_of_channels=2,
    )
    wide = WAVE.astype(np.int32)
    s24 = np.frombuffer((wide << 8).astype("<i4").tobytes(), np.uint8).reshape(-1, 4)[:, :3]
    flipped = np.frombuffer((WAVE.view(np.uint16) ^ 0x8000).astype("<u2").tobytes(), np.uint8)
    return {
        "raw_audio": ("foxglove_msgs/msg/RawAudio", raw),
        "signed_16": utils("signed_16", pcm("<i2")),
        "unsigned_16": utils("unsigned_16", flipped),
        "signed_24": utils("signed_24", s24.reshape(-1)),
        "signed_padded_24": utils(
            "signed_padded_24", np.frombuffer((wide << 8).astype("<i4").tobytes(), np.uint8)
        ),
        "signed_32": utils(
            "signed_32", np.frombuffer((wide << 16).astype("<i4").tobytes(), np.uint8)
        ),
    }


@pytest.mark.parametrize(
    "case",
    ["raw_audio", "signed_16", "unsigned_16", "signed_24", "signed_padded_24", "signed_32"],
)
def test_sound_of_every_layout(make: Maker, bag2: Callable[..., Path], case: str) -> None:
    msgtype, message = sound_cases(make)[case]
    source = open_recording(bag2([("/audio", msgtype, T0 + 9, message)])).sources["microphone"]
    assert source.spec.rate_hz == 48_000
    sample = read_all(source)[0]
    assert sample.t_ns == T0
    assert np.array_equal(sample.payload, WAVE)


def test_floating_sound_is_scaled_and_clipped(make: Maker, bag2: Callable[..., Path]) -> None:
    wave = np.array([0.0, 0.5, -1.0, 2.0, np.nan], "<f4")
    name = "audio_utils_msgs/msg/AudioFrame"
    message = make(
        name,
        header=make.header(T0),
        format="float",
        channel_count=1,
        sampling_frequency=16_000,
        frame_sample_count=5,
        data=np.frombuffer(wave.tobytes(), np.uint8),
    )
    found = read_all(open_recording(bag2([("/a", name, T0, message)])).sources["microphone"])
    assert found[0].payload[:, 0].tolist() == [0, 16384, -32767, 32767, 0]


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_the_stamped_family_of_mgonzs13(bag2: Callable[..., Path], storage: str) -> None:
    store = typestore(mgonzs13=True)
    make = Maker(store)
    empty = {"float32": "f4", "int32": "i4", "int8": "i1", "uint8": "u1"}
    data = make(
        "audio_common_msgs/msg/AudioData",
        int16_data=WAVE.reshape(-1),
        **{f"{k}_data": np.zeros(0, v) for k, v in empty.items()},
    )
    info = make("audio_common_msgs/msg/AudioInfo", format=8, channels=2, rate=44_100, chunk=3)
    audio = make("audio_common_msgs/msg/Audio", audio_data=data, info=info)
    message = make("audio_common_msgs/msg/AudioStamped", header=make.header(T0), audio=audio)
    path = bag2([("/audio", "audio_common_msgs/msg/AudioStamped", T0, message)], storage, store)
    if storage == "sqlite3":  # as Humble and older write it: no definitions inside
        db = sqlite3.connect(next(path.glob("*.db3")))
        db.execute("DELETE FROM message_definitions")
        db.commit()
        db.close()
    source = open_recording(path).sources["microphone"]
    assert source.spec.rate_hz == 44_100
    assert np.array_equal(read_all(source)[0].payload, WAVE)


def plain_audio(make: Maker, n: int) -> Messages:
    name = "audio_common_msgs/msg/AudioData"
    block = np.zeros(640, np.uint8)
    # 20 ms blocks that arrive two at a time, as a sound server gives them
    return [
        ("/audio/audio", name, T0 + (i // 2 * 2 + 2) * 20_000_000, make(name, data=block))
        for i in range(n)
    ]


def test_sound_without_stamps_is_laid_on_a_grid_and_marked(
    make: Maker, bag2: Callable[..., Path]
) -> None:
    recording = open_recording(bag2(plain_audio(make, 100)))
    assert "16 kHz mono s16 was assumed" in recording.notes[0]
    found = read_all(recording.sources["microphone"])
    assert all(Flag.TIME_ESTIMATED in s.flags for s in found)
    steps = {b.t_ns - a.t_ns for a, b in itertools.pairwise(found[20:])}
    assert steps == {20_000_000}


def test_the_info_topic_tells_the_format(make: Maker, bag2: Callable[..., Path]) -> None:
    name = "audio_common_msgs/msg/AudioInfo"
    fields = {"channels": 2, "sample_rate": 8000, "sample_format": "S16LE", "bitrate": 128}
    info = make(name, coding_format="WAVE", **fields)
    recording = open_recording(bag2([("/audio/info", name, T0, info), *plain_audio(make, 4)]))
    assert recording.notes == []
    assert recording.sources["microphone"].spec.rate_hz == 8000
    assert recording.sources["microphone"].spec.shape == (-1, 2)
    mp3 = make(name, coding_format="MP3", **fields)
    shutil.rmtree(recording.path)
    with pytest.raises(RecordingError, match="coded as mp3"):
        open_recording(bag2([("/audio/info", name, T0, mp3), *plain_audio(make, 4)]))


def test_a_gas_array_of_olfaction_msgs(make: Maker, bag2: Callable[..., Path]) -> None:
    def sensor(frame: str, technology: int, units: int, raw: float) -> Any:
        return make(
            "olfaction_msgs/msg/GasSensor",
            header=make.header(T0, frame),
            technology=technology,
            manufacturer=0,
            mpn=0,
            raw=raw,
            raw_units=units,
            raw_air=0.0,
            calib_a=0.0,
            calib_b=0.0,
        )

    sensors = [
        sensor("no2", 1, 5, 1e4),
        sensor("co", 1, 5, float("nan")),
        sensor("temp", 100, 100, 21.0),
    ]
    name = "olfaction_msgs/msg/GasSensorArray"
    message = make(name, header=make.header(T0), sensors=sensors)
    source = open_recording(bag2([("/enose", name, T0, message)])).sources["enose"]
    assert source.spec.channels == ("no2", "co", "temperature")
    assert source.spec.unit == "ohm"
    payload = read_all(source)[0].payload
    assert (payload[0], payload[2]) == (1e4, 21.0)
    assert np.isnan(payload[1])


@pytest.mark.parametrize("name", ["bag #1", "what?", "50%25"])
def test_odd_characters_in_a_path_do_no_harm(
    make: Maker, bag2: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    msgtype = "sensor_msgs/msg/Image"
    made = bag2([("/cam/image", msgtype, T0, make.image(T0, "rgb8", PIXELS))], "sqlite3")
    odd = made.rename(tmp_path / name)
    for path in (odd, next(odd.glob("*.db3"))):
        assert len(read_all(open_recording(path).sources["camera"])) == 1
    assert sorted(p.suffix for p in odd.iterdir()) == [".db3", ".yaml"]


def test_a_ros1_bag(tmp_path: Path) -> None:
    from rosbags.rosbag1 import Writer
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.ROS1_NOETIC)
    make = Maker(store)
    path = tmp_path / "one.bag"
    with Writer(path) as writer:
        name = "sensor_msgs/msg/Image"
        connection = writer.add_connection("/cam/image", name, typestore=store)
        for i in range(3):
            message = make.image(T0 + i, "rgb8", PIXELS)
            writer.write(connection, T0 + i + 5, store.serialize_ros1(message, name))
    found = read_all(open_recording(path).sources["camera"])
    assert [s.t_ns for s in found] == [T0, T0 + 1, T0 + 2]
    assert np.array_equal(found[0].payload, PIXELS)


def test_a_damaged_message_is_counted_and_leaves_a_gap(
    make: Maker, bag2: Callable[..., Path]
) -> None:
    name = "sensor_msgs/msg/Image"
    good = [make.image(T0 + i * S, "rgb8", PIXELS) for i in range(40)]
    good[30].data = good[30].data[:5]
    path = bag2([("/cam/image", name, T0 + i * S, m) for i, m in enumerate(good)])
    source = open_recording(path).sources["camera"]
    found = read_all(source)
    assert len(found) == 39
    assert source.counters.corrupt == 1
    assert [s.seq for s in found if Flag.GAP_BEFORE in s.flags] == [31]


def test_a_message_without_a_stamp_gets_the_time_of_its_log(
    make: Maker, bag2: Callable[..., Path]
) -> None:
    message = make.image(0, "rgb8", PIXELS)
    path = bag2([("/cam/image", "sensor_msgs/msg/Image", T0, message)])
    sample = read_all(open_recording(path).sources["camera"])[0]
    assert sample.t_ns == T0
    assert Flag.TIME_ESTIMATED in sample.flags


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.mcap", b"", "empty"),
        ("empty.bag", b"", "empty"),
        ("pointer.mcap", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS"),
        ("letter.mcap", b"Dear Sir,", "not a recording"),
        ("head.mcap", b"\x89MCAP0\r\n", "recording of nothing"),
        ("head.bag", b"#ROSBAG V2.0\n", "cannot open"),
        ("head.db3", b"SQLite format 3\x00" + bytes(84), "cannot open"),
    ],
)
def test_what_is_no_recording_is_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises((MediaError, RecordingError), match=reason) as caught:
        open_recording(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_bare_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no file"):
        open_recording(tmp_path / "nothing.mcap")
    with pytest.raises(MediaError, match="without a recording"):
        open_recording(tmp_path)


def test_a_split_bag_is_read_part_after_part_even_without_metadata(
    make: Maker, bag2: Callable[..., Path], tmp_path: Path
) -> None:
    name = "sensor_msgs/msg/Image"
    folder = tmp_path / "split"
    folder.mkdir()
    for part in range(11):  # bag_10 comes after bag_9, not after bag_1
        messages = [("/cam/image", name, T0 + part, make.image(T0 + part, "rgb8", PIXELS))]
        written = bag2(messages)
        shutil.move(next(written.glob("*.mcap")), folder / f"bag_{part}.mcap")
        shutil.rmtree(written)
    found = read_all(open_recording(folder).sources["camera"])
    assert [s.t_ns - T0 for s in found] == list(range(11))
    assert [s.seq for s in found] == list(range(11))


OUTCOMES = dict(
    line.split("\t")
    for line in (Path(__file__).parent / "bag_outcomes.tsv").read_text("utf-8").splitlines()
    if not line.startswith("#")
)


@pytest.mark.data
@pytest.mark.parametrize("name", OUTCOMES)
def test_every_bag_opens_or_says_why(data_dir: Path, name: str) -> None:
    path = data_dir / "bags" / name
    folder = path if path.is_dir() else path.parent
    before = {p: p.stat().st_mtime_ns for p in folder.iterdir()}
    try:
        recording = open_recording(path)
        for source in recording.sources.values():
            assert read_all(source)
        found, hint = f"streams: {', '.join(sorted(recording.sources))}", "-"
    except ThymosError as err:
        found, hint = str(err), err.hint
    assert OUTCOMES[name] in found
    assert "\n" not in found
    assert len(found) < 420 + len(str(path))
    assert hint
    assert {p: p.stat().st_mtime_ns for p in folder.iterdir()} == before  # nothing was written


@pytest.mark.data
def test_no_bag_was_forgotten(data_dir: Path) -> None:
    bags = data_dir / "bags"
    files = {p for p in bags.rglob("*") if p.suffix in (".mcap", ".db3", ".bag")}
    folders = {p.parent for p in files if p.suffix != ".bag"}
    assert {p.relative_to(bags).as_posix() for p in files | folders} == set(OUTCOMES)
    assert len(files) > 40


def test_the_kind_of_a_stream_is_told_by_its_type() -> None:
    from thymos.record.decode import READS

    # depth is an Image too; its encoding tells
    assert {k for k, _ in READS.values()} == set(Kind) - {Kind.DEPTH}
