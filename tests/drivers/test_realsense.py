"""RealSense against the library's own software device, and by record and playback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thymos.config import RecordConfig
from thymos.devices import open_uri
from thymos.errors import (
    ConfigError,
    DeviceError,
    DeviceLostError,
    DeviceNotFoundError,
    DevicePermissionError,
    MediaError,
)
from thymos.record import Recorder, open_recording
from thymos.samples import Control, Controlled, EndOfStream, Flag, Health, Kind, Sample, each
from thymos_drivers.realsense import RealSense, typed_error

rs = pytest.importorskip("pyrealsense2", reason="pyrealsense2 is not installed (thymos[realsense])")

WIDTH, HEIGHT = 64, 48
FRAMES = 60


class Rig:
    """A colour camera made of software."""

    def __init__(self) -> None:
        self.device = rs.software_device()
        self.sensor = self.device.add_sensor("RGB Camera")
        lens = rs.intrinsics()
        lens.width, lens.height, lens.fx, lens.fy, lens.ppx, lens.ppy = (
            WIDTH,
            HEIGHT,
            60,
            60,
            32,
            24,
        )
        lens.model, lens.coeffs = rs.distortion.none, [0.0] * 5
        stream = rs.video_stream()
        stream.type, stream.index, stream.uid = rs.stream.color, 0, 0
        stream.width, stream.height, stream.fps, stream.bpp = WIDTH, HEIGHT, 30, 3
        stream.fmt, stream.intrinsics = rs.format.bgr8, lens
        self.profile = self.sensor.add_video_stream(stream)
        self._kept: list[np.ndarray] = []
        self.depth_sensor = self.device.add_sensor("Stereo Module")
        stream.type, stream.uid, stream.bpp, stream.fmt = rs.stream.depth, 1, 2, rs.format.z16
        self.depth_profile = self.depth_sensor.add_video_stream(stream)

    def measure(self, n: int, stamp_ms: float, unit_m: float = 0.001) -> None:
        depth = np.full((HEIGHT, WIDTH), 1000 + n, np.uint16)
        depth[0, 0], depth[0, 1] = 0, 65535
        self._kept.append(depth)
        frame = rs.software_video_frame()
        frame.pixels, frame.stride, frame.bpp = depth, WIDTH * 2, 2
        frame.timestamp, frame.frame_number = stamp_ms, n
        frame.domain = rs.timestamp_domain.hardware_clock
        frame.profile = self.depth_profile.as_video_stream_profile()
        frame.depth_units = unit_m
        self.depth_sensor.on_video_frame(frame)

    def show(self, n: int, stamp_ms: float) -> None:
        pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        pixels[..., 0], pixels[..., 2] = n, 200  # blue counts, red is constant
        self._kept.append(pixels)
        frame = rs.software_video_frame()
        frame.pixels, frame.stride, frame.bpp = pixels, WIDTH * 3, 3
        frame.timestamp, frame.frame_number = stamp_ms, n
        frame.domain = rs.timestamp_domain.hardware_clock
        frame.profile = self.profile.as_video_stream_profile()
        self.sensor.on_video_frame(frame)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rig = Rig()
    folder = tmp_path_factory.mktemp("realsense")
    path = folder / "session.db3"
    try:
        recorder = rs.recorder(str(path), rig.device)
    except RuntimeError:  # before 2.57 the library wrote ROS 1 bags
        path = folder / "session.bag"
        recorder = rs.recorder(str(path), rig.device)
    sensors = list(recorder.query_sensors())
    for sensor in sensors:
        sensor.open(sensor.get_stream_profiles()[0])
        sensor.start(lambda frame: None)
    for n in range(FRAMES):
        rig.show(n, 1000.0 + 33.0 * n)
        rig.measure(n, 1004.0 + 33.0 * n)
        time.sleep(0.001)
    for sensor in sensors:
        sensor.stop()
        sensor.close()
    del sensor, sensors, recorder
    return path


def read_all(source: Any) -> Iterator[Sample]:
    while True:
        try:
            sample = source.read(5.0)
        except EndOfStream:
            return
        assert sample is not None
        yield sample


def test_playback_gives_each_frame_once(recording: Path) -> None:
    source = open_uri("camera", f"realsense:{recording}")
    assert isinstance(source, RealSense)
    with source:
        assert source.spec.shape == (HEIGHT, WIDTH, 3)
        samples = []
        for sample in read_all(source):
            samples.append(sample)
            if len(samples) == 5:
                time.sleep(0.3)  # a slow reader loses nothing of a recording
    assert [s.seq for s in samples] == list(range(FRAMES))
    assert [s.t_ns for s in samples] == [33_000_000 * n for n in range(FRAMES)]
    assert [tuple(s.payload[5, 5]) for s in samples] == [(200, 0, n) for n in range(FRAMES)]
    assert source.counters.dropped == 0
    assert not source.live


def test_playback_of_depth(recording: Path) -> None:
    source = open_uri("camera", f"realsense:{recording}?image=depth", stream="depth")
    assert source is not None
    with source:
        assert (source.spec.kind, source.spec.unit) == (Kind.DEPTH, "mm")
        assert source.spec.shape == (HEIGHT, WIDTH)
        samples = list(read_all(source))
    assert [s.seq for s in samples] == list(range(FRAMES))
    assert [s.t_ns for s in samples] == [33_000_000 * n for n in range(FRAMES)]
    assert [int(s.payload[5, 5]) for s in samples] == [1000 + n for n in range(FRAMES)]
    assert samples[0].payload.dtype == np.uint16


def test_depth_is_recorded_and_read_back_to_the_millimetre(recording: Path, tmp_path: Path) -> None:
    with (
        RealSense(str(recording), stream="depth", depth=True) as source,
        Recorder(tmp_path / "depth.mcap", RecordConfig(video="mjpeg")) as recorder,
    ):
        recorder.on_stream(source.spec)
        samples = list(read_all(source))
        for sample in samples:
            recorder.on_sample(sample)
    back = open_recording(recorder.path).sources["depth"]
    with back:
        assert back.spec.kind is Kind.DEPTH
        again = list(read_all(back))
    assert len(again) == FRAMES
    assert all((a.payload == b.payload).all() for a, b in zip(samples, again, strict=True))
    assert [s.t_ns for s in again] == [s.t_ns for s in samples]


@pytest.mark.parametrize(("unit_m", "middle", "far"), [(0.001, 1000, 65535), (0.0001, 100, 6553)])
def test_live_depth_is_in_millimetres(unit_m: float, middle: int, far: int) -> None:
    rig = Rig()
    with RealSense(find=lambda _: rig.device, depth=True) as source:
        rig.measure(0, 50_000.0, unit_m)
        sample = source.read(5.0)
    assert sample is not None
    assert [int(sample.payload[i]) for i in ((5, 5), (0, 0))] == [middle, 0]
    assert abs(int(sample.payload[0, 1]) - far) <= 1  # the unit is a float of 32 bits


def test_colour_and_depth_of_one_camera_are_two_streams() -> None:
    rig = Rig()
    with (
        RealSense(find=lambda _: rig.device) as colour,
        RealSense(find=lambda _: rig.device, depth=True) as depth,
    ):
        for n in range(5):
            rig.show(n, 50_000.0 + 33.0 * n)
            rig.measure(n, 50_004.0 + 33.0 * n)
            picture, distance = colour.read(5.0), depth.read(5.0)
            assert picture is not None
            assert distance is not None
            assert int(picture.payload[5, 5, 2]) == n
            assert int(distance.payload[5, 5]) == 1000 + n


def test_playback_can_be_closed_at_any_time(recording: Path) -> None:
    for count in (0, 3):
        with RealSense(str(recording)) as source:
            for _ in range(count):
                source.read(5.0)
        with pytest.raises(EndOfStream):
            source.read()


def test_live_hardware_stamps_become_robot_time() -> None:
    rig = Rig()
    with RealSense(find=lambda _: rig.device) as source:
        began = time.monotonic_ns()
        samples = []
        for n in range(20):
            if n != 7:  # one frame is lost on the cable
                rig.show(n, 50_000.0 + 5.0 * n)
                samples.append(source.read(5.0))
            time.sleep(0.005)
        assert source.health.health is Health.OK
        assert source.counters.dropped == 1
    seen = [s for s in samples if s is not None]
    assert len(seen) == 19
    assert [s.seq for s in seen] == [n for n in range(20) if n != 7]
    assert [s.seq for s in seen if s.flags & Flag.GAP_BEFORE] == [8]
    assert all(began <= s.t_ns <= s.t_recv_ns for s in seen)
    assert source.live


def test_waiting_for_a_frame_ends_with_close() -> None:
    rig = Rig()
    source = RealSense(find=lambda _: rig.device)
    source.open()
    assert source.read(0.01) is None
    closer = threading.Timer(0.05, source.close)
    closer.start()
    with pytest.raises(EndOfStream):
        source.read(30.0)
    closer.join()


def test_no_camera_and_bad_files(tmp_path: Path) -> None:
    with pytest.raises(DeviceNotFoundError) as none:
        RealSense("123456789").open()
    assert none.value.hint
    with pytest.raises(MediaError, match="there is no file"):
        RealSense(str(tmp_path / "no.db3")).open()
    bad = tmp_path / "bad.db3"
    bad.write_bytes(b"SQLite format 3\0" + b"x" * 900)
    with pytest.raises(MediaError, match="not a RealSense recording"):
        RealSense(str(bad)).open()
    with pytest.raises(ConfigError):
        open_uri("camera", "realsense:?fps=fast")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("No device connected", DeviceNotFoundError),
        ("failed to set power state", DevicePermissionError),
        ("Device or resource busy", DeviceError),
        ("Frame didn't arrive within 5000", DeviceLostError),
        ("xioctl(VIDIOC_QBUF) failed", DeviceError),
    ],
)
def test_texts_become_types(text: str, kind: type[DeviceError]) -> None:
    error = typed_error(text, "D435")
    assert type(error) is kind
    assert error.hint


def test_the_factory_s_intrinsics_are_told_of_both_pictures(recording: Path) -> None:
    for depth in (False, True):
        with RealSense(str(recording), depth=depth) as source:
            told = json.loads(source.spec.extra["lens"])
        assert told["matrix"] == [60.0, 0.0, 32.0, 0.0, 60.0, 24.0, 0.0, 0.0, 1.0]
        assert (told["width"], told["height"]) == (WIDTH, HEIGHT)
        assert (told["distortion_model"], told["distortion"]) == ("plumb_bob", [0.0] * 5)


def limits(low: float, high: float, step: float, default: float) -> Any:
    made = rs.option_range()
    made.min, made.max, made.step, made.default = low, high, step, default
    return made


def test_options_are_controls() -> None:
    rig = Rig()
    rig.sensor.add_option(rs.option.gain, limits(0, 128, 1, 64), True)
    rig.sensor.add_option(rs.option.enable_auto_exposure, limits(0, 1, 1, 1), True)
    rig.sensor.add_option(rs.option.gamma, limits(0, 1, 0.1, 0.5), True)  # no whole number
    rig.sensor.add_read_only_option(rs.option.asic_temperature, 33.0)
    source = RealSense(find=lambda _: rig.device, controls={"gain": 10})
    assert isinstance(source, Controlled)
    with pytest.raises(DeviceError, match="no open camera"):
        source.controls()
    with source:
        found = {c.name: c for c in source.controls()}
        assert found["gain"] == Control("gain", 10, 0, 128, 1, 64)
        assert found["enable_auto_exposure"].switch
        assert "gamma" not in found
        source.set_control("gain", 99)
        assert rig.sensor.get_option(rs.option.gain) == 99
        for name, value, why in (
            ("gain", 300, "it goes from 0 to 128"),
            ("zest", 1, "no such control"),
            ("asic_temperature", 33, "cannot be changed"),
        ):
            with pytest.raises(DeviceError, match=f"does not take {name}={value}: .*{why}"):
                source.set_control(name, value)
    rig.sensor.set_option(rs.option.gain, 1)
    with source:
        assert rig.sensor.get_option(rs.option.gain) == 99


def test_a_recording_has_no_controls(recording: Path) -> None:
    with RealSense(str(recording)) as source:
        assert source.controls() == []
        with pytest.raises(DeviceError, match="no open camera"):
            source.set_control("gain", 1)


def test_it_is_read_as_an_iterator(recording: Path) -> None:
    with RealSense(str(recording)) as source:
        assert [s.seq for s in each(source)] == list(range(FRAMES))
