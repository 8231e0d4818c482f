"""Counting by the driver's numbers: buffers as linuxpy tells them, everything behind it real.

linuxpy itself and a kernel that drops buffers are in tests/hil/guest/test_camera_numbers.py.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import time
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from thymos.devices import open_uri
from thymos.errors import ConfigError, DeviceError, DeviceLostError, MissingExtraError
from thymos.samples import Flag, Health, Sample, Source
from thymos_drivers.frames import FrameGate

WIDTH, HEIGHT = 16, 16
PERIOD_US = 50_000
DAMAGED = 0x40

pytest.importorskip("av", reason="PyAV is not installed (pip install 'thymos[camera]')")


def jpeg(shade: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (WIDTH, HEIGHT), (shade, shade, shade)).save(out, "JPEG")
    return out.getvalue()


def yuyv(shade: int, stride: int) -> bytes:
    row = bytes([shade, 128] * WIDTH).ljust(stride, b"\xff")
    return row * HEIGHT


class Buffers:
    """What linuxpy would hand over: (number, data, flags), then the camera is gone."""

    def __init__(self, name: str, stride: int = 0) -> None:
        self.made: list[tuple[int, bytes, int]] = []
        self.format = SimpleNamespace(
            width=WIDTH, height=HEIGHT, bytes_per_line=stride,
            pixel_format=SimpleNamespace(name=name),
        )  # fmt: skip
        self.refuses: OSError | None = None
        self.closed = 0
        self.asked: tuple[Any, ...] = ()
        self.begin_us = time.monotonic_ns() // 1000

    def raw_read(self) -> Any:
        if not self.made:
            raise OSError(errno.ENODEV, "No such device")
        number, data, flags = self.made.pop(0)
        at_us = self.begin_us + number % 1000 * PERIOD_US
        stamp = SimpleNamespace(secs=at_us // 1_000_000, usecs=at_us % 1_000_000)
        told = SimpleNamespace(timestamp=stamp, sequence=number, flags=flags)
        return SimpleNamespace(data=data, buff=told)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module in linuxpy's place; a test sets its `buffers`."""
    module: Any = ModuleType("linuxpy.video.device")
    readable, other = os.pipe()
    os.write(other, b"x")  # there is always something to read

    class Device:
        def __init__(self, path: str) -> None:
            self.path = path

        def open(self) -> None:
            if module.buffers.refuses is not None:
                raise module.buffers.refuses

        def close(self) -> None:
            module.buffers.closed += 1

        def fileno(self) -> int:
            return readable

    class VideoCapture:
        def __init__(self, device: Device, size: int, way: object) -> None:
            self.buffer: Any = None

        def set_format(self, *asked: Any) -> None:
            module.buffers.asked = asked

        def set_fps(self, fps: float) -> None:
            raise OSError(errno.ENOTTY, "it has one rate")

        def get_fps(self) -> float:
            return 1e6 / PERIOD_US

        def get_format(self) -> Any:
            return module.buffers.format

        def open(self) -> None:
            self.buffer = module.buffers

        def close(self) -> None:
            raise OSError(errno.ENODEV, "No such device")

        def disarm(self) -> None:
            self.buffer = None

    module.Device, module.VideoCapture, module.MemoryMap = Device, VideoCapture, object()
    module.V4L2Error = type("V4L2Error", (Exception,), {})
    monkeypatch.setitem(sys.modules, "linuxpy", ModuleType("linuxpy"))
    monkeypatch.setitem(sys.modules, "linuxpy.video", ModuleType("linuxpy.video"))
    monkeypatch.setitem(sys.modules, "linuxpy.video.device", module)
    yield module
    os.close(readable)
    os.close(other)


def opened(query: str = "") -> Source:
    source = open_uri("camera", f"v4l2:/dev/video0?reader=linuxpy{query}")
    assert source is not None
    return source


def read_all(source: Source) -> list[Sample]:
    out = []
    while True:
        try:
            sample = source.read(5.0)
        except DeviceLostError:
            return out
        assert sample is not None
        out.append(sample)


@pytest.mark.parametrize("first", [0, 2**32 - 3])  # 32 bits turn over
def test_a_hole_in_the_numbers_is_counted_exactly(library: Any, first: int) -> None:
    library.buffers = buffers = Buffers("MJPEG")
    kept = [0, 1, 2, 5, 7, 9, 11, 12]  # steps of two in a row: by stamps that would be a new rate
    buffers.made = [((first + n) % 2**32, jpeg(20 * n), 0) for n in kept]
    buffers.begin_us -= (first % 1000) * PERIOD_US
    if first:  # the kernel's stamps go on where its numbers begin again
        plain = buffers.raw_read
        stamps = iter(kept)

        def raw_read() -> Any:
            frame = plain()
            at_us = time.monotonic_ns() // 1000 + next(stamps) * 1000
            frame.buff.timestamp = SimpleNamespace(secs=at_us // 10**6, usecs=at_us % 10**6)
            return frame

        buffers.raw_read = raw_read  # type: ignore[method-assign]
    with opened("&format=mjpeg&keep=packets") as source:
        got = read_all(source)
        assert source.health.health is Health.LOST
        assert source.spec.extra["reader"] == "linuxpy"
        assert source.spec.extra["keep"] == "packets"
        assert source.spec.rate_hz == 20
    assert buffers.asked == (640, 480, "MJPG")
    assert [s.seq for s in got] == kept
    assert source.counters.dropped == kept[-1] + 1 - len(kept)
    holes = [s.seq for s in got if s.flags & Flag.GAP_BEFORE]
    assert holes == [5, 7, 9, 11]
    assert got[3].note == "2 frames are missing"
    assert [s.encoded.data for s in got if s.encoded] == [jpeg(20 * n) for n in kept]
    assert [int(s.payload.mean()) for s in got] == pytest.approx([20 * n for n in kept], abs=2)
    assert buffers.closed == 1


def test_the_kernel_s_stamps_are_kept_to_the_microsecond(library: Any) -> None:
    library.buffers = buffers = Buffers("YUYV", stride=2 * WIDTH)
    buffers.made = [(n, yuyv(100, 2 * WIDTH), 0) for n in range(4)]
    with opened() as source:
        got = read_all(source)
    assert buffers.asked == (640, 480, "YUYV")
    assert [s.t_ns // 1000 for s in got] == [buffers.begin_us + n * PERIOD_US for n in range(4)]
    assert all(s.flags == Flag.OK for s in got)


@pytest.mark.parametrize("stride", [2 * WIDTH, 2 * WIDTH + 64])
def test_rows_may_be_padded(library: Any, stride: int) -> None:
    library.buffers = buffers = Buffers("YUYV", stride=stride)
    buffers.made = [(0, yuyv(126, stride), 0)]
    with opened() as source:
        (only,) = read_all(source)
    assert only.payload.shape == (HEIGHT, WIDTH, 3)
    assert np.ptp(only.payload) == 0
    assert int(only.payload[0, 0, 0]) == pytest.approx(128, abs=3)


def test_what_the_driver_calls_damaged_and_what_is_torn_is_left_out(library: Any) -> None:
    library.buffers = buffers = Buffers("MJPEG")
    whole = jpeg(50)
    buffers.made = [(0, whole, 0), (1, whole, DAMAGED), (2, b"\xff\xd8torn", 0), (4, whole, 0)]
    with opened("&format=mjpeg") as source:
        got = read_all(source)
    assert [s.seq for s in got] == [0, 4]
    assert got[1].flags & Flag.GAP_BEFORE
    counters = source.counters
    assert (counters.received, counters.corrupt, counters.dropped) == (2, 2, 1)


def test_a_picture_that_comes_twice_is_not_missing() -> None:
    gate = FrameGate()
    told = [gate.judge(stamp, 10**13, number) for stamp, number in ((1, 5), (1, 6), (2, 7), (3, 9))]
    assert [v.t_ns for v in told][1] is None
    assert [v.lost for v in told] == [0, 0, 0, 1]


def test_a_driver_that_does_not_count_is_judged_by_its_stamps() -> None:
    gate = FrameGate(20.0)
    stamps = [n * 50_000_000 for n in (0, 1, 2, 4, 5)]
    assert [gate.judge(t, 10**13, 0).lost for t in stamps] == [0, 0, 0, 1, 0]


def test_a_missing_stamp_hides_no_missing_frame() -> None:
    gate = FrameGate()
    gate.judge(1, 10**13, 1)
    told = gate.judge(None, 10**13 + 1, 4)
    assert told.lost == 2
    assert told.flags == Flag.TIME_ESTIMATED | Flag.GAP_BEFORE


@pytest.mark.parametrize(
    ("code", "word"), [(errno.EBUSY, "fuser"), (errno.EACCES, "usermod"), (errno.ENODEV, "thymos")]
)
def test_opening_fails_as_without_it(library: Any, code: int, word: str) -> None:
    library.buffers = buffers = Buffers("MJPEG")
    buffers.refuses = OSError(code, "why")
    with pytest.raises(DeviceError) as told:
        opened().open()
    assert word in told.value.hint


def test_a_format_that_it_does_not_read_is_said(library: Any) -> None:
    library.buffers = buffers = Buffers("NV12")
    with pytest.raises(DeviceError, match="gives NV12") as told:
        opened().open()
    assert "leave out reader" in told.value.hint
    assert buffers.closed == 1
    for query in ("reader=linuxpy&format=h264", "reader=opencv"):
        with pytest.raises(ConfigError, match="reader"):
            open_uri("camera", f"v4l2:/dev/video0?{query}")


def test_without_linuxpy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "linuxpy", None)
    with pytest.raises(MissingExtraError, match="linuxpy") as told:
        opened().open()
    assert "thymos[v4l2]" in told.value.hint
