"""The V4L2 camera. Without a device here, FFmpeg's own live sources stand in for the kernel's."""

from __future__ import annotations

import errno
import threading
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thymos.devices import open_uri
from thymos.errors import ConfigError, DeviceError, DeviceLostError, DeviceNotFoundError
from thymos.errors import DevicePermissionError as Denied
from thymos.samples import EndOfStream, Flag, Health, Sample
from thymos_drivers.camera import QUEUE, V4l2Camera, open_error, v4l2_names


class TestSource(V4l2Camera):
    """Frames from `testsrc2`, in real time, stamped with the monotonic clock as V4L2 does."""

    __test__ = False

    def __init__(self, seconds: float, *, base_us: int | None = 0, rate: int = 100) -> None:
        super().__init__("/dev/video7", stream="camera", options={})
        self._graph = f"testsrc2=size=64x48:rate={rate}:duration={seconds},realtime"
        self._base_us = base_us

    def _connect(self, av: Any, path: str) -> Any:
        self._first_us = time.monotonic_ns() // 1000
        return av.open(self._graph, format="lavfi")

    def _sample(self, frame: Any, seq: int) -> Sample:
        if self._base_us is None:
            frame.pts = None
        else:
            frame.pts = int(frame.time * 1e6) + self._first_us + self._base_us
            frame.time_base = Fraction(1, 1_000_000)
        return super()._sample(frame, seq)


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


@pytest.mark.parametrize("query", ["size=big", "fps=0", "format=a;b", "zoom=3"])
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
