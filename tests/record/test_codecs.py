"""Pictures raw, as MJPEG and H.264; sound as PCM and FLAC: what comes back, and who reads it."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reading import read_all
from thymos.config import RecordConfig
from thymos.errors import RecordingError
from thymos.record import Recorder, open_recording
from thymos.record.flac import decode_flac, encode_flac
from thymos.record.h264 import FrameOrder, H264Decoder, H264Encoder
from thymos.samples import Flag, Kind, Sample, StreamSpec

Record = Callable[..., Path]
FRAME_NS = 33_333_333


def film(n: int, height: int = 120, width: int = 160) -> list[np.ndarray]:
    """A textured scene that moves, with a little noise."""
    rng = np.random.default_rng(4)
    y, x = np.mgrid[0:height, 0:width]
    texture = rng.integers(0, 30, (height, width, 1))
    scene = np.stack([x * 255 // width, y * 255 // height, (x + y) % 200], -1)
    return [
        np.clip(np.roll(scene, 2 * i, 1) * 0.8 + texture, 0, 255).astype(np.uint8) for i in range(n)
    ]


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


def of(samples: list[Sample], stream: str) -> list[Sample]:
    return [s for s in samples if s.stream == stream]


@pytest.mark.parametrize("audio", ["pcm", "flac"])
@pytest.mark.parametrize("video", ["raw", "mjpeg", "h264"])
def test_times_numbers_flags_and_sound_are_exact_in_every_coding(
    record: Record, samples: list[Sample], video: str, audio: str
) -> None:
    recording = open_recording(record(video=video, audio=audio))
    assert recording.notes == []
    for name in ("camera", "microphone", "enose"):
        found, wanted = read_all(recording.sources[name]), of(samples, name)
        assert [(s.t_ns, s.t_recv_ns, s.seq, s.flags, s.note) for s in found] == [
            (s.t_ns, s.t_recv_ns, s.seq, s.flags, s.note) for s in wanted
        ]
        if name != "camera" or video == "raw":
            assert all(
                a.payload.tobytes() == b.payload.tobytes()
                for a, b in zip(found, wanted, strict=True)
            )


@pytest.mark.parametrize(("video", "least"), [("mjpeg", 32.0), ("h264", 32.0)])
def test_how_much_of_a_picture_is_lost(tmp_path: Path, video: str, least: float) -> None:
    pictures = film(45)
    path = keep(tmp_path / "film.mcap", pictures, video=video)
    found = read_all(open_recording(path).sources["camera"])
    assert len(found) == 45
    assert min(psnr(a.payload, b) for a, b in zip(found, pictures, strict=True)) > least
    assert path.stat().st_size < sum(p.nbytes for p in pictures) / 4


def keep(path: Path, pictures: list[np.ndarray], **config: Any) -> Path:
    spec = StreamSpec("camera", Kind.VIDEO, 30.0, pictures[0].shape, "rgb8")
    with Recorder(path, RecordConfig(**config)) as recorder:
        recorder.on_stream(spec)
        for i, picture in enumerate(pictures):
            recorder.on_sample(Sample("camera", i, i * FRAME_NS, i * FRAME_NS, picture))
    assert recorder.notes == []
    return path


def test_the_same_film_gives_the_same_pixels_each_time(tmp_path: Path) -> None:
    source = open_recording(keep(tmp_path / "a.mcap", film(40), video="h264")).sources["camera"]
    first, again = read_all(source), read_all(source)
    assert [s.payload.tobytes() for s in first] == [s.payload.tobytes() for s in again]


def messages(path: Path, topic: str) -> list[Any]:
    from rosbags.highlevel import AnyReader

    with AnyReader([path]) as reader:
        found = [c for c in reader.connections if c.topic == topic]
        return [reader.deserialize(raw, c.msgtype) for c, _, raw in reader.messages(found)]


def units(data: bytes) -> list[int]:
    """Kinds of the NAL units of an Annex B message."""
    return [part[0] & 31 for part in data.split(b"\0\0\1")[1:]]


def test_h264_is_what_the_schema_of_foxglove_demands(tmp_path: Path) -> None:
    path = keep(tmp_path / "a.mcap", film(70), video="h264")
    found = messages(path, "/camera/image_raw/h264")
    assert type(found[0]).__msgtype__ == "foxglove_msgs/msg/CompressedVideo"
    assert {m.format for m in found} == {"h264"}
    assert [m.timestamp.sec * 10**9 + m.timestamp.nanosec for m in found] == [
        i * FRAME_NS for i in range(70)
    ]
    kinds = [units(bytes(m.data)) for m in found]
    keys = [i for i, k in enumerate(kinds) if 5 in k]
    assert keys[0] == 0
    assert all(b - a <= 31 for a, b in zip(keys, [*keys[1:], 70], strict=True))  # one a second
    assert all({7, 8} <= set(kinds[i]) for i in keys)  # SPS and PPS with every key frame
    assert all(k.count(1) + k.count(5) == 1 for k in kinds)  # one slice, one picture


def test_h264_is_decoded_by_others_without_b_frames(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    pictures = film(40)
    path = keep(tmp_path / "a.mcap", pictures, video="h264")
    stream = b"".join(bytes(m.data) for m in messages(path, "/camera/image_raw/h264"))
    with av.open(io.BytesIO(stream), format="h264") as container:
        frames = list(container.decode(video=0))
        assert container.streams.video[0].codec_context.has_b_frames is False
    types = av.video.frame.PictureType
    assert {types(f.pict_type).name for f in frames} == {"I", "P"}
    assert len(frames) == 40
    assert psnr(frames[20].to_ndarray(format="rgb24"), pictures[20]) > 30


def test_mjpeg_is_what_image_transport_writes(tmp_path: Path) -> None:
    from PIL import Image

    pictures = film(3)
    path = keep(tmp_path / "a.mcap", pictures, video="mjpeg")
    found = messages(path, "/camera/image_raw/compressed")
    assert type(found[0]).__msgtype__ == "sensor_msgs/msg/CompressedImage"
    assert found[0].format == "rgb8; jpeg compressed bgr8"
    with Image.open(io.BytesIO(bytes(found[0].data))) as picture:
        assert psnr(np.asarray(picture), pictures[0]) > 32


def test_raw_pictures_are_plain_images(tmp_path: Path) -> None:
    pictures = film(3, 7, 9)  # odd sizes too
    found = messages(keep(tmp_path / "a.mcap", pictures, video="raw"), "/camera/image_raw")
    assert [(m.width, m.height, m.step, m.encoding) for m in found] == [(9, 7, 27, "rgb8")] * 3
    assert bytes(found[1].data) == pictures[1].tobytes()


def test_flac_blocks_are_whole_flac_files_for_others(record: Record, samples: list[Sample]) -> None:
    av = pytest.importorskip("av")
    found = messages(record(audio="flac"), "/microphone/audio")
    assert {m.encoding for m in found} == {"flac"}
    with av.open(io.BytesIO(bytes(found[5].data)), format="flac") as container:
        assert container.streams.audio[0].codec_context.sample_rate == 16_000
        wave = np.concatenate([f.to_ndarray() for f in container.decode(audio=0)], axis=1)
    assert np.array_equal(wave.reshape(-1, 2), of(samples, "microphone")[5].payload)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("frames", [0, 1, 15, 16, 320, 1600, 70_000])
def test_flac_loses_nothing(channels: int, frames: int) -> None:
    rng = np.random.default_rng(frames)
    wave = rng.integers(-32768, 32768, (frames, channels)).astype(np.int16)
    data = encode_flac(wave, 44_100)
    assert encode_flac(wave, 44_100) == data
    assert np.array_equal(decode_flac(data, channels, frames), wave)


@pytest.mark.parametrize("at", [0, 20, 60, 200, -3])
def test_a_damaged_block_of_flac_is_found(at: int) -> None:
    rng = np.random.default_rng(1)
    data = bytearray(encode_flac(rng.integers(-900, 900, (320, 1)).astype(np.int16), 16_000))
    good = decode_flac(bytes(data), 1, 320)
    data[at] ^= 0x10
    try:
        assert np.array_equal(decode_flac(bytes(data), 1, 320), good)  # in a field nobody needs
        assert at == 20
    except RecordingError:
        pass


@pytest.mark.parametrize("data", [b"", b"fLaC", b"fLaC" + bytes(60), bytes(100)])
def test_what_is_no_flac_is_refused(data: bytes) -> None:
    with pytest.raises(RecordingError):
        decode_flac(data, 1, 320)


@pytest.mark.parametrize(
    ("spec", "config", "topic", "why"),
    [
        (
            StreamSpec("microphone", Kind.AUDIO, 16_000.0, (-1, 16), "s16"),
            {"audio": "flac"},
            "/microphone/audio",
            "16 channels",
        ),
        (
            StreamSpec("camera", Kind.VIDEO, 30.0, (15, 21, 3), "rgb8"),
            {"video": "h264"},
            "/camera/image_raw/compressed",
            "21x15",
        ),
    ],
)
def test_what_a_codec_cannot_hold_is_written_plainly_and_said(
    tmp_path: Path, spec: StreamSpec, config: dict[str, str], topic: str, why: str
) -> None:
    shape = (50, 16) if spec.kind is Kind.AUDIO else spec.shape
    payload = np.ones(shape, np.int16 if spec.kind is Kind.AUDIO else np.uint8)
    path = tmp_path / "a.mcap"
    with Recorder(path, RecordConfig(**config)) as recorder:  # type: ignore[arg-type]
        recorder.on_stream(spec)
        recorder.on_sample(Sample(spec.name, 0, 5, 6, payload))
    assert why in recorder.notes[0]
    recording = open_recording(path)
    assert topic in recording.topics
    assert np.abs(read_all(recording.sources[spec.name])[0].payload - payload).max() <= 3


def coded(n: int) -> list[bytes]:
    encoder = H264Encoder(160, 120)
    return [encoder.encode(p, i * FRAME_NS) for i, p in enumerate(film(n))]


def decoded(data: list[bytes]) -> list[np.ndarray | None]:
    decoder = H264Decoder()
    out: list[np.ndarray | None] = []
    for one in data:
        try:
            out.append(decoder.decode(one))
        except RecordingError:
            out.append(None)
    return out


def test_a_lost_picture_leaves_a_gap_up_to_the_next_key_frame_and_no_garbage() -> None:
    data = coded(70)
    good = decoded(data)
    assert all(p is not None for p in good)
    key = next(i for i in range(1, 70) if 5 in units(data[i]))
    found = decoded(data[:10] + data[11:])
    assert all(p is None for p in found[10 : key - 1])
    for i, picture in enumerate(found):
        if picture is not None:
            wanted = good[i if i < 10 else i + 1]
            assert wanted is not None
            assert np.array_equal(picture, wanted)
    assert sum(p is not None for p in found) == 10 + 70 - key


def test_a_film_that_begins_between_key_frames_begins_at_the_next() -> None:
    data = coded(70)
    key = next(i for i in range(1, 70) if 5 in units(data[i]))
    found = decoded(data[5:])
    assert [p is not None for p in found] == [i >= key for i in range(5, 70)]


def test_a_damaged_picture_and_those_that_refer_to_it_are_left_out() -> None:
    data = coded(40)
    good = decoded(data)
    wrong = 0
    for at in range(5, 25):
        bad = bytearray(data[at])
        place = len(bad) * (at % 4 + 1) // 6
        bad[place : place + 20] = bytes(255 - b for b in bad[place : place + 20])
        found = decoded([*data[:at], bytes(bad), *data[at + 1 : at + 3]])
        shown = found[at]
        wrong += shown is not None and not np.array_equal(shown, good[at])  # type: ignore[arg-type]
        assert found[at - 1] is not None
    assert wrong <= 5  # H.264 has no checksum: some damage decodes. MCAP has one for each chunk


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\0\0\1", b"\0\0\1\x65", b"\0\0\1\x67\xff", b"x" * 99]
)
def test_bytes_that_are_no_film_do_no_harm(data: bytes) -> None:
    FrameOrder().see(data)
    with pytest.raises(RecordingError):
        H264Decoder().decode(data)


def test_a_camera_that_changes_its_mode_begins_a_new_film(tmp_path: Path) -> None:
    pictures = [*film(10), *film(10, 60, 80)]
    found = read_all(
        open_recording(keep(tmp_path / "a.mcap", pictures, video="h264")).sources["camera"]
    )
    assert [s.payload.shape for s in found] == [p.shape for p in pictures]
    assert psnr(found[12].payload, pictures[12]) > 30


def test_a_lost_message_in_a_bag_of_others_leaves_a_marked_gap(tmp_path: Path) -> None:
    from rosbags.rosbag2 import StoragePlugin, Writer

    from thymos.record.definitions import typestore

    store, name = typestore(), "foxglove_msgs/msg/CompressedVideo"
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        line = writer.add_connection("/cam/video", name, typestore=store)
        for i, data in enumerate(coded(70)):
            if i == 40:
                continue
            stamp = store.types["builtin_interfaces/msg/Time"](sec=9, nanosec=i * 10**7)
            message = store.types[name](
                timestamp=stamp,
                frame_id="cam",
                data=np.frombuffer(data, np.uint8),
                format="h264",
            )
            writer.write(line, 10**10 + i, store.serialize_cdr(message, name))
    source = open_recording(tmp_path / "bag").sources["camera"]
    found = read_all(source)
    assert source.counters.corrupt == 62 - 41  # up to the key frame
    assert [s.seq for s in found if Flag.GAP_BEFORE in s.flags] == [61]
    assert {s.payload.shape for s in found} == {(120, 160, 3)}
