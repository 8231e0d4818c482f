"""The V4L2 camera. Without a device here, FFmpeg's own live sources stand in for the kernel's."""

from __future__ import annotations

import errno
import io
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.reader import make_reader
from PIL import Image

from fault_table import Seen, fault_row
from thymos.clock import MonotonicClock
from thymos.config import RecordConfig
from thymos.devices import open_uri
from thymos.errors import ConfigError, DeviceError, DeviceLostError, DeviceNotFoundError
from thymos.errors import DevicePermissionError as Denied
from thymos.record.recorder import Recorder
from thymos.samples import EndOfStream, Flag, Health, Sample
from thymos.supervise import Supervisor
from thymos_drivers.camera import V4l2Camera, open_error, v4l2_names
from thymos_drivers.capture import QUEUE
from witness import Witness


class TestSource(V4l2Camera):
    """Frames from `testsrc2`, in real time, stamped with the monotonic clock as V4L2 does."""

    __test__ = False

    def __init__(self, seconds: float, *, base_us: int | None = 0, rate: int = 100) -> None:
        super().__init__("/dev/video7", stream="camera", options={})
        self._graph = f"testsrc2=size=64x48:rate={rate}:duration={seconds},realtime"
        self._base_us = base_us

    def _capture(self, av: Any, path: str) -> Any:
        self._first_us = time.monotonic_ns() // 1000
        return av.open(self._graph, format="lavfi")

    def _sample(self, frame: Any, packet: Any) -> Sample | None:
        if self._base_us is None:
            frame.pts = None
        else:
            frame.pts = int(frame.time * 1e6) + self._first_us + self._base_us
            frame.time_base = Fraction(1, 1_000_000)
        return super()._sample(frame, packet)


def read_all(camera: V4l2Camera) -> list[Sample]:
    out: list[Sample] = []
    while True:
        try:
            sample = camera.read(5.0)
        except DeviceLostError:
            return out
        assert sample is not None
        out.append(sample)


def test_kernel_stamps_are_used() -> None:
    with TestSource(0.5) as camera:
        assert camera.spec.shape == (48, 64, 3)
        samples = read_all(camera)
        assert camera.health.health is Health.LOST
    assert len(samples) + camera.counters.dropped == 50
    steps = np.diff([s.seq for s in samples])
    gaps = np.diff([s.t_ns for s in samples])
    assert gaps == pytest.approx(10_000_000 * steps, abs=2000)
    assert not any(s.flags & Flag.TIME_ESTIMATED for s in samples)


@pytest.mark.parametrize("base_us", [None, 10**15])
def test_without_a_plausible_stamp_arrival_stands_in(base_us: int | None) -> None:
    with TestSource(0.1, base_us=base_us) as camera:
        samples = read_all(camera)
    assert all(s.flags & Flag.TIME_ESTIMATED and s.t_ns == s.t_recv_ns for s in samples)


def test_a_late_reader_gets_fresh_frames_and_a_count() -> None:
    with TestSource(1.0) as camera:
        first = camera.read(5.0)
        time.sleep(0.6)
        late = camera.read(5.0)
        assert first is not None
        assert late is not None
        assert camera.counters.dropped > 20
        assert late.flags & Flag.GAP_BEFORE
        assert late.seq >= 20
        rest = read_all(camera)
        assert len(rest) + 2 + camera.counters.dropped == 100
        assert QUEUE < 20


def test_loss_is_a_typed_error_after_the_last_frame() -> None:
    with TestSource(0.05) as camera:
        samples = read_all(camera)
        assert len(samples) == 5
        with pytest.raises(DeviceLostError) as lost:
            camera.read(0.1)
        assert lost.value.hint
    camera.close()


def test_closing_wakes_the_reader_and_ends_the_thread() -> None:
    camera = TestSource(60.0, rate=1)
    camera.open()
    camera.read(5.0)
    closer = threading.Timer(0.05, camera.close)
    closer.start()
    with pytest.raises(EndOfStream):
        camera.read(30.0)
    closer.join(10)
    assert not closer.is_alive()


def test_sequence_goes_on_after_reopening() -> None:
    camera = TestSource(0.05)
    seqs = []
    for _ in range(2):
        with camera:
            seqs += [s.seq for s in read_all(camera)]
    assert seqs == list(range(10))
    assert camera.counters.received == 10


def test_missing_camera() -> None:
    source = open_uri("camera", "v4l2:/dev/video99")
    assert source is not None
    with pytest.raises(DeviceNotFoundError) as missing:
        source.open()
    assert missing.value.hint == "thymos devices"
    named = open_uri("camera", "v4l2:No Such Camera")
    assert named is not None
    with pytest.raises(DeviceNotFoundError, match="No Such Camera"):
        named.open()


@pytest.mark.parametrize(
    "query", ["size=big", "fps=0", "format=a;b", "zoom=3", "set=gain", "set=a=b:1", "keep=all"]
)
def test_wrong_options(query: str) -> None:
    with pytest.raises(ConfigError):
        open_uri("camera", f"v4l2:/dev/video0?{query}")


@pytest.mark.parametrize(
    ("code", "kind", "word"),
    [
        (errno.EACCES, Denied, "usermod -aG video"),
        (errno.ENODEV, DeviceNotFoundError, "thymos devices"),
        (errno.EBUSY, DeviceError, "fuser"),
        (errno.EINVAL, DeviceError, "v4l2-ctl"),
    ],
)
def test_open_errors(code: int, kind: type[DeviceError], word: str) -> None:
    error = open_error("/dev/video0", OSError(code, "why"))
    assert type(error) is kind
    assert word in error.hint


def test_names_come_from_sysfs(tmp_path: Path) -> None:
    for node, index, name in (
        ("video10", 0, "C920"),
        ("video2", 0, "vivid"),
        ("video3", 1, "vivid"),
    ):
        (tmp_path / node).mkdir()
        (tmp_path / node / "index").write_text(f"{index}\n")
        (tmp_path / node / "name").write_text(f"{name}\n")
    (tmp_path / "video5").mkdir()
    assert v4l2_names(tmp_path) == {"/dev/video2": "vivid", "/dev/video10": "C920"}


def note(what: str, seen: Seen, **more: int) -> None:
    fault_row("played by FFmpeg", what, seen, family="Cameras", **more)


class Lasting:
    """A container that delivers nothing more after its end, as a camera that is still there."""

    def __init__(self, container: Any, over: Callable[[], bool]) -> None:
        self._container, self._over = container, over
        self.streams = container.streams

    def demux(self, video: Any) -> Iterator[Any]:
        yield from self._container.demux(video)
        while not self._over():
            pass

    def close(self) -> None:
        self._container.close()


class Played(V4l2Camera):
    """Plays a file of pictures as a camera would; stamps are the frames' own, moved to now."""

    def __init__(
        self,
        path: Path,
        *,
        keep: bool = False,
        stamps: list[int] | None = None,
        ends: bool = True,
    ) -> None:
        super().__init__("/dev/video7", stream="camera", options={}, keep=keep)
        self._path = path
        self._ends = ends
        self._frames_ms = stamps

    def _capture(self, av: Any, path: str) -> Any:
        self._begin_ns = time.monotonic_ns()
        self._n = 0
        container = av.open(str(self._path))
        return container if self._ends else Lasting(container, lambda: self._stop.wait(0.01))

    def _stamp(self, frame: Any, now_ns: int) -> int | None:
        ms = self._frames_ms[self._n] if self._frames_ms else 1000 * frame.time
        self._n += 1
        return self._begin_ns + int(ms * 1e6)


def mjpeg(path: Path, sizes: list[tuple[int, int]]) -> list[bytes]:
    """Write a motion JPEG stream whose frames may differ in size; returns the JPEGs."""
    pictures = []
    for n, (width, height) in enumerate(sizes):
        rgb = np.zeros((height, width, 3), np.uint8)
        rgb[: height // 2] = (10 * n, 100, 200)
        data = io.BytesIO()
        Image.fromarray(rgb).save(data, "JPEG", quality=95)
        pictures.append(data.getvalue())
    path.write_bytes(b"".join(pictures))
    return pictures


def watched(camera: V4l2Camera, count: int) -> tuple[Witness, list[Sample]]:
    """Open it and read so many samples; what was said meanwhile."""
    seen = Witness(Supervisor(camera, MonotonicClock()), nominal_hz=0.0)
    with seen:
        camera._inbox._capacity = 1000  # a file is played at once
        got = [seen.read(5.0) for _ in range(count)]
        assert seen.read(0.1) is None
    assert None not in got
    return seen, got  # type: ignore[return-value]


def read_slowly(camera: V4l2Camera) -> list[Sample]:
    camera._inbox._capacity = 1000  # a file is played at once
    return read_all(camera)


def test_the_camera_s_own_jpegs_are_kept_where_asked(tmp_path: Path) -> None:
    pictures = mjpeg(tmp_path / "film.mjpeg", [(64, 48)] * 7)
    with Played(tmp_path / "film.mjpeg", keep=True) as camera:
        kept = read_slowly(camera)
    assert [s.encoded.data if s.encoded else b"" for s in kept] == pictures
    assert all(s.encoded is not None and s.encoded.format == "jpeg" for s in kept)
    with Played(tmp_path / "film.mjpeg") as camera:
        assert all(s.encoded is None for s in read_slowly(camera))


def test_kept_jpegs_lie_in_the_recording_byte_for_byte(tmp_path: Path) -> None:
    pictures = mjpeg(tmp_path / "film.mjpeg", [(64, 48)] * 7)
    path = tmp_path / "film.mcap"
    with (
        Played(tmp_path / "film.mjpeg", keep=True) as camera,
        Recorder(path, RecordConfig(video="mjpeg")) as recorder,
    ):
        recorder.on_stream(camera.spec)
        samples = read_slowly(camera)
        for sample in samples:
            recorder.on_sample(sample)
    with path.open("rb") as file:
        raw = [m.data for _, c, m in make_reader(file).iter_messages() if "image" in c.topic]
    assert len(raw) == 7
    assert all(picture in data for picture, data in zip(pictures, raw, strict=True))


def test_a_new_size_midway_is_scaled_to_the_first_and_said(tmp_path: Path) -> None:
    mjpeg(tmp_path / "film.mjpeg", [(64, 48)] * 3 + [(128, 96)] * 3)
    camera = Played(tmp_path / "film.mjpeg", keep=True, ends=False)
    seen, samples = watched(camera, 6)
    assert {s.payload.shape for s in samples} == {(48, 64, 3)}
    assert [s.encoded is not None for s in samples] == [True] * 3 + [False] * 3
    lost = 6 - len(samples)
    note("changes its size midway", seen, lost=lost, reported=camera.counters.dropped)
    assert [s.note for s in samples if s.note] == ["the camera gives 128x96 now, scaled to 64x48"]


def test_repeated_frames_are_left_out_and_counted(tmp_path: Path) -> None:
    mjpeg(tmp_path / "film.mjpeg", [(64, 48)] * 6)
    camera = Played(tmp_path / "film.mjpeg", stamps=[0, 33, 33, 66, 66, 99], ends=False)
    seen, samples = watched(camera, 4)
    assert camera.counters.duplicates == 2
    assert camera.counters.dropped == 0
    lost = 4 - len(samples)
    note("delivers two of four frames twice", seen, lost=lost, reported=camera.counters.dropped)
    assert [s.seq for s in samples] == [0, 1, 2, 3]
    assert not any(s.flags for s in samples)


def test_lost_frames_are_told_from_the_stamps(tmp_path: Path) -> None:
    mjpeg(tmp_path / "film.mjpeg", [(64, 48)] * 6)
    camera = Played(tmp_path / "film.mjpeg", stamps=[0, 33, 66, 165, 198, 231], ends=False)
    seen, samples = watched(camera, 6)
    assert camera.counters.dropped == 2
    assert samples[3].note == "2 frames are missing"
    note("loses two frames", seen, lost=2, reported=camera.counters.dropped)
    assert [s.seq for s in samples] == [0, 1, 2, 5, 6, 7]
    assert [bool(s.flags & Flag.GAP_BEFORE) for s in samples] == [False] * 3 + [True] + [False] * 2


def test_a_camera_that_shows_one_picture_for_ever_is_stalled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Frozen(TestSource):
        def _stamp(self, frame: Any, now_ns: int) -> int | None:
            return 10**9

    monkeypatch.setattr("thymos_drivers.capture._STALL_S", 0.3)
    camera = Witness(Supervisor(Frozen(5.0), MonotonicClock()), nominal_hz=0.0)
    with camera:
        assert camera.read(5.0) is not None
        deadline = time.monotonic() + 5
        while camera.health.health is not Health.STALLED:
            assert time.monotonic() < deadline
            assert camera.read(0.1) is None
        assert "the same picture" in camera.health.reason
        assert camera.counters.duplicates > 10
        lost, reported = 0, camera.counters.dropped  # what it repeats was never another picture
        what = "delivers one picture for ever (duplicates); limit set to 0.3 s"
        note(what, camera, lost=lost, reported=reported)
    assert lost == reported


def test_a_camera_that_delivers_nothing_is_stalled_and_opened_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Dead(TestSource):
        opened = 0

        def _capture(self, av: Any, path: str) -> Any:
            self.opened += 1
            self._graph = f"testsrc2=size=64x48:rate={0.001 if self.opened == 1 else 50},realtime"
            return super()._capture(av, path)

        def _sample(self, frame: Any, packet: Any) -> Sample | None:
            return super()._sample(frame, packet) if self.opened > 1 else None

    monkeypatch.setattr("thymos_drivers.capture._STALL_S", 0.3)
    guard = Witness(Supervisor(Dead(60.0), MonotonicClock(), patience_s=1.0), nominal_hz=0.0)
    with guard:
        deadline = time.monotonic() + 20
        while guard.health.health is not Health.RECOVERING:
            assert time.monotonic() < deadline
            assert guard.read(0.1) is None
        while (sample := guard.read(0.5)) is None:
            assert time.monotonic() < deadline
        assert sample.flags & Flag.GAP_BEFORE
        reported = guard.counters.dropped
        note("delivers nothing; patience set to 1 s", guard, lost=0, reported=reported)
    assert "has delivered nothing" in guard.events()[0]
    assert reported == 0
