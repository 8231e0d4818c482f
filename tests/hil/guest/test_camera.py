"""The V4L2 driver on the kernel's own test camera (vivid)."""

from __future__ import annotations

import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest

from hil_guest import VIVID, as_nobody, control, modprobe, wait_for
from thymos.devices import open_uri
from thymos.errors import DeviceError, DeviceLostError, ThymosError
from thymos.samples import Flag, Health, Sample, Source
from thymos_drivers import listing

URI = "v4l2:vivid?size=320x180&fps=15"


def frames(source: Source, count: int) -> list[Sample]:
    found: list[Sample] = []
    deadline = time.monotonic() + 60
    while len(found) < count:
        assert time.monotonic() < deadline, source.health
        sample = source.read(5.0)
        if sample is not None:
            found.append(sample)
    return found


def camera(uri: str = URI) -> Source:
    source = open_uri("camera", uri)
    assert source is not None
    return source


def test_it_is_listed_by_name(vivid: Path) -> None:
    (found,) = [c for c in listing.cameras() if c.uri]
    assert (found.uri, found.usable) == (f"v4l2:{vivid}", True)
    assert "vivid" in found.name


def test_frames_carry_the_kernel_s_capture_stamps(vivid: Path) -> None:
    with camera() as source:
        got = frames(source, 30)
        spec = source.spec
    assert (spec.shape, spec.unit, spec.device) == ((180, 320, 3), "rgb8", str(vivid))
    assert all(s.payload.shape == spec.shape for s in got)
    assert not any(s.flags & (Flag.TIME_ESTIMATED | Flag.INVALID) for s in got)
    steps = sorted(b.t_ns - a.t_ns for a, b in pairwise(got) if b.seq == a.seq + 1)
    assert steps[0] > 0
    assert steps[len(steps) // 2] == pytest.approx(1e9 / spec.rate_hz, rel=0.1)
    # vivid stamps an ideal grid, a little ahead of the arrival; a second would be another clock
    assert all(abs(s.t_recv_ns - s.t_ns) < 5e9 for s in got)


def test_a_camera_that_is_unplugged_is_lost_and_comes_back(vivid: Path) -> None:
    source = camera()
    source.open()
    before = frames(source, 3)
    control(vivid, "disconnect=1")
    with pytest.raises(DeviceLostError, match="went away"):
        frames(source, 1000)
    assert source.health.health is Health.LOST
    source.close()
    subprocess.run(["modprobe", "-r", "vivid"], check=True)
    with pytest.raises(DeviceError, match="no camera"):
        source.open()
    modprobe(*VIVID)
    wait_for(vivid.exists)
    source.open()
    after = frames(source, 3)
    source.close()
    assert after[0].t_ns > before[-1].t_ns
    assert after[0].seq > before[-1].seq


def test_a_second_reader_is_told_that_it_is_in_use(vivid: Path) -> None:
    with camera() as first:
        frames(first, 1)
        with pytest.raises(DeviceError, match="in use") as told, camera() as second:
            frames(second, 1)
        assert "fuser" in told.value.hint
        frames(first, 1)  # the first one is not disturbed


def test_a_user_without_the_group_is_told_which_one(vivid: Path) -> None:
    vivid.chmod(0o660)
    camera()  # everything is imported by now: another user may not read this folder
    told = as_nobody(lambda: open_and_tell(URI))
    assert told.startswith("DevicePermissionError")
    assert "usermod -aG video" in told


def open_and_tell(uri: str) -> str:
    try:
        camera(uri).open()
    except ThymosError as err:
        return f"{type(err).__name__}: {err} ({err.hint})"
    return "opened"


def test_a_size_it_cannot_do_is_said(vivid: Path) -> None:
    with camera("v4l2:vivid?size=640x360&fps=15") as source:
        (sample,) = frames(source, 1)
        assert sample.payload.shape == source.spec.shape  # what it does, not what was asked
