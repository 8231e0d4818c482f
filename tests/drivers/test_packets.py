"""H.264 of a camera, kept as it came: from files in three containers and from RTSP."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import patch

import av
import numpy as np
import pytest
from helpers_rtsp import RtspCamera
from mcap.reader import make_reader

from reading import read_all
from thymos.config import RecordConfig
from thymos.errors import DeviceLostError
from thymos.record import Recorder, open_recording
from thymos.record.definitions import typestore
from thymos.samples import Flag, Sample
from thymos_drivers.camera import V4l2Camera
from thymos_drivers.capture import Capture
from thymos_drivers.netcam import open_rtsp

GOP = 10
FPS = 25


class Played(V4l2Camera):
    """Plays a film as a camera would; stamps are the frames' own, moved to now."""

    def __init__(self, path: Path, *, keep: bool = True) -> None:
        super().__init__("/dev/video7", stream="camera", options={}, keep=keep)
        self._path = path

    def _capture(self, av: Any, path: str) -> Any:
        self._begin_ns = time.monotonic_ns()
        return av.open(str(self._path))

    def _stamp(self, frame: Any, now_ns: int) -> int | None:
        return self._begin_ns + int(frame.time * 1e9)


def pictures(count: int) -> Iterator[np.ndarray]:
    """A texture that moves: what is missing shows."""
    texture = np.random.default_rng(3).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    for n in range(count):
        yield np.roll(texture, (n, 2 * n), (0, 1))


def film(path: Path, count: int = 45, *, codec: str = "libx264", **options: str) -> Path:
    with av.open(str(path), "w") as out:
        video: Any = out.add_stream(codec, rate=FPS)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        params = f"keyint={GOP}:min-keyint={GOP}:scenecut=0:bframes={options.pop('bframes', '0')}"
        if codec == "libx264":
            video.options = {"preset": "ultrafast", "x264-params": params}
        for n, rgb in enumerate(pictures(count)):
            frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, FPS)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
    return path


def read_film(camera: Capture) -> list[Sample]:
    out: list[Sample] = []
    while True:
        try:
            sample = camera.read(5.0)
        except DeviceLostError:
            return out
        assert sample is not None
        out.append(sample)


@contextmanager
def seen(camera: Capture) -> Iterator[list[Sample]]:
    with patch("thymos_drivers.capture.QUEUE", 1000), camera:  # a file is played at once
        yield read_film(camera)


def keep(path: Path, camera: Capture, samples: Sequence[Sample]) -> tuple[list[Sample], list[str]]:
    """Record samples as H.264; what comes back, and what the recorder said."""
    with Recorder(path, RecordConfig(video="h264")) as recorder:
        recorder.on_stream(camera.spec)
        for sample in samples:
            recorder.on_sample(sample)
    return read_all(open_recording(path).sources["camera"]), recorder.notes


def messages(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        found = [(c.topic, m.data) for _, c, m in make_reader(file).iter_messages()]
    kind = "foxglove_msgs/msg/CompressedVideo"
    films = [data for topic, data in found if topic.endswith("h264")]
    return [bytes(typestore().deserialize_cdr(data, kind).data) for data in films]


def same(a: Sequence[Sample], b: Sequence[Sample]) -> list[bool]:
    return [x.payload.tobytes() == y.payload.tobytes() for x, y in zip(a, b, strict=True)]


@pytest.mark.parametrize("container", ["mkv", "mp4", "ts", "flv"])
def test_a_film_goes_into_the_recording_as_it_came(tmp_path: Path, container: str) -> None:
    camera = Played(film(tmp_path / f"film.{container}"))
    with seen(camera) as samples:
        assert camera.spec.extra["keep"] == "packets"
    assert len(samples) == 45
    assert all(s.encoded is not None and s.encoded.format == "h264" for s in samples)
    back, notes = keep(tmp_path / "out.mcap", camera, samples)
    assert notes == []
    assert messages(tmp_path / "out.mcap") == [s.encoded.data for s in samples if s.encoded]
    assert all(same(back, samples))  # bit for bit what perception saw
    assert [(s.t_ns, s.seq, s.flags) for s in back] == [(s.t_ns, s.seq, s.flags) for s in samples]


def test_packets_are_those_of_the_encoder(tmp_path: Path) -> None:
    path = film(tmp_path / "film.ts")
    with seen(Played(path)) as samples, av.open(str(path)) as plain:
        sent = [bytes(p) for p in plain.demux(video=0) if p.size]
    kept = [s.encoded.data for s in samples if s.encoded]
    assert all(k.endswith(p) for k, p in zip(kept, sent, strict=True))


def test_rtsp_is_kept_and_starts_at_a_key_frame(tmp_path: Path) -> None:
    with RtspCamera() as server:
        camera = open_rtsp(f"//127.0.0.1:{server.port}/live", keep="packets")
        with seen(camera) as samples:
            assert camera.spec.extra["keep"] == "packets"
        server.shutdown()
    assert len(samples) >= 20
    back, notes = keep(tmp_path / "out.mcap", camera, samples)
    assert len(back) == len(samples)
    assert notes == []
    assert all(same(back, samples))
    first = av.CodecContext.create("h264", "r")
    first.flags |= av.codec.context.Flags.low_delay
    assert len(first.decode(av.Packet(messages(tmp_path / "out.mcap")[0]))) == 1


def lost(samples: list[Sample], numbers: set[int]) -> list[Sample]:
    """As a queue leaves samples out."""
    return [s for s in samples if s.seq not in numbers]


@pytest.mark.parametrize("begin", [0, 3])
def test_after_a_loss_pictures_are_encoded_here_up_to_the_next_key_frame(
    tmp_path: Path, begin: int
) -> None:
    camera = Played(film(tmp_path / "film.mkv"))
    with seen(camera) as samples:
        rest = lost(samples, {*range(begin), 14, 15, 32})
    back, notes = keep(tmp_path / "out.mcap", camera, rest)
    assert [s.seq for s in back] == [s.seq for s in rest]  # no picture more is lost
    own = {*(range(begin, 10) if begin else ()), *range(16, 20), *range(33, 40)}
    assert [not exact for exact in same(back, rest)] == [s.seq in own for s in rest]
    assert notes == [
        f"{len(own)} pictures of camera were encoded anew: what the camera had sent before them "
        "was lost"
    ]
    worst = max(
        float(np.mean(np.abs(a.payload.astype(int) - b.payload)))
        for a, b in zip(back, rest, strict=True)
    )
    assert worst < 10  # whole pictures, none that refers to one that is missing


def test_a_loss_that_the_numbers_do_not_tell_is_found_in_the_film(tmp_path: Path) -> None:
    camera = Played(film(tmp_path / "film.mkv"))
    with seen(camera) as samples:
        rest = lost(samples, {14})
        renumbered = [replace(s, seq=i) for i, s in enumerate(rest)]
    back, _ = keep(tmp_path / "out.mcap", camera, renumbered)
    exact = same(back, renumbered)
    assert exact == [not 14 <= i < 19 for i in range(44)]


def test_a_picture_without_its_packet_breaks_the_film_off(tmp_path: Path) -> None:
    camera = Played(film(tmp_path / "film.mkv"))
    with seen(camera) as samples:
        odd = [replace(s, encoded=None, flags=Flag.INVALID) if s.seq == 4 else s for s in samples]
    back, _ = keep(tmp_path / "out.mcap", camera, odd)
    assert len(back) == 45
    assert same(back, odd) == [not 4 <= i < 10 for i in range(45)]


def test_films_with_b_frames_are_encoded_here(tmp_path: Path) -> None:
    camera = Played(film(tmp_path / "film.mkv", bframes="2:b-adapt=0"))
    with seen(camera) as samples:
        back, _ = keep(tmp_path / "out.mcap", camera, samples)
    assert len(samples) == len(back) == 45
    assert not any(s.encoded for s in samples[6:])
    worst = [np.mean(np.abs(a.payload.astype(int) - b.payload)) for a, b in zip(back, samples)]  # noqa: B905
    assert max(worst) < 10


def test_what_cannot_be_kept_is_said(tmp_path: Path) -> None:
    camera = Played(film(tmp_path / "film.mkv", codec="mpeg4"))
    with seen(camera) as samples:
        assert camera.spec.extra["keep"] == "no, mpeg4 cannot be kept"
    assert not any(s.encoded for s in samples)
    plain = Played(tmp_path / "film.mkv", keep=False)
    with seen(plain) as samples:
        assert "keep" not in plain.spec.extra
    assert not any(s.encoded for s in samples)


def test_a_late_reader_loses_old_pictures_and_no_more(tmp_path: Path) -> None:
    camera = Played(film(tmp_path / "film.mkv"))
    with camera:
        time.sleep(0.5)  # played at once into a queue of eight
        kept = read_film(camera)
    assert camera.counters.dropped == 45 - len(kept)
    back, _ = keep(tmp_path / "out.mcap", camera, kept)
    assert [s.seq for s in back] == [s.seq for s in kept]
    assert same(back, kept) == [s.seq >= 40 for s in kept]
