"""The V4L2 driver on the kernel's own test camera (vivid)."""

from __future__ import annotations

import subprocess
import time
from itertools import pairwise
from pathlib import Path

import pytest

from fault_table import Seen, fault_row
from hil_guest import VIVID, as_nobody, control, modprobe, remove, wait_for
from thymos.clock import MonotonicClock
from thymos.devices import open_uri
from thymos.errors import DeviceError, DevicePermissionError
from thymos.samples import Flag, Health, Sample, Source
from thymos.supervise import Supervisor
from thymos_drivers import listing
from witness import Refused, Witness

URI = "v4l2:vivid?size=320x180&fps=15"
SLOW = "v4l2:vivid?size=320x180&fps=5"
"""Emulation keeps up with this: what is lost was lost by the fault."""


def frames(source: Source, count: int) -> list[Sample]:
    found: list[Sample] = []
    deadline = time.monotonic() + 180
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


def note(what: str, seen: Seen, **more: float | None) -> None:
    fault_row("V4L2 (vivid, emulated)", what, seen, family="Cameras", **more)  # type: ignore[arg-type]


def missing(samples: list[Sample], rate_hz: float) -> int:
    """Frames that lack between these: vivid stamps an exact grid."""
    steps = (b.t_ns - a.t_ns for a, b in pairwise(samples))
    return sum(round(step * rate_hz / 1e9) - 1 for step in steps)


def watched(uri: str = SLOW) -> Witness:
    # Emulation is too slow for the nominal rate: that is not what is looked at here.
    return Witness(Supervisor(camera(uri), MonotonicClock()), nominal_hz=0.0)


@pytest.mark.parametrize("number", [0, 3])
def test_a_camera_that_is_unplugged_is_lost_and_comes_back(vivid: Path, number: int) -> None:
    """At the same number, and at another one: found again by its name."""
    guard = watched()
    with guard:
        before = frames(guard, 3)
        control(vivid, "disconnect=1")
        deadline = time.monotonic() + 60
        while guard.health.health is not Health.RECOVERING:
            assert time.monotonic() < deadline
            sample = guard.read(1.0)
            if sample is not None:
                before.append(sample)
        remove("vivid")
        modprobe(*VIVID, f"vid_cap_nr={number}")
        there = Path(f"/dev/video{number}")
        wait_for(there.exists)
        back_ns = time.monotonic_ns()
        after = frames(guard, 3)
        assert guard.counters.reconnects == 1
        assert guard.spec.device == str(there)
        rate_hz = guard.spec.rate_hz
    assert "went away" in guard.events()[0]
    assert after[0].flags & Flag.GAP_BEFORE
    assert after[0].t_ns > before[-1].t_ns
    assert after[0].seq > before[-1].seq
    again_s = (after[0].t_recv_ns - back_ns) / 1e9
    lost = missing(before, rate_hz) + missing(after, rate_hz)  # none is made while it is away
    where = f"as {there}: found by its name" if number else "again"
    reported = guard.counters.dropped
    what = f"unplugged, plugged in {where}"
    note(what, guard, good_again_s=again_s, lost=lost, reported=reported)


def test_buffers_that_the_driver_drops_are_counted(vivid: Path) -> None:
    source = watched(SLOW + "&set=percentage_of_dropped_buffers:20")
    with source:
        got = frames(source, 40)
        counters = source.counters
        period_ns = 1e9 / source.spec.rate_hz
    there = round((got[-1].t_ns - got[0].t_ns) / period_ns) + 1  # vivid stamps an exact grid
    lost = there - len(got)
    assert lost > 0
    # What waits in the queue or was dropped before the first frame counts too.
    assert abs(got[-1].seq - got[0].seq + 1 - there) <= 3
    assert counters.dropped >= lost - 3
    reported = got[-1].seq - got[0].seq + 1 - len(got)
    assert all("missing" in s.note for s in got if s.flags & Flag.GAP_BEFORE)
    note("the driver drops 20 % of the buffers", source, lost=lost, reported=reported)


def test_controls_are_set_when_it_is_opened(vivid: Path) -> None:
    with camera(URI + "&set=brightness:77,contrast:33") as source:
        frames(source, 1)
        said = subprocess.run(
            ["v4l2-ctl", "-d", str(vivid), "-C", "brightness,contrast"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    assert said.split() == ["brightness:", "77", "contrast:", "33"]
    with pytest.raises(DeviceError, match="does not take zest=1") as told:
        camera(URI + "&set=zest:1").open()
    assert "--list-ctrls" in told.value.hint


def test_the_clock_of_the_host_may_jump(vivid: Path) -> None:
    source = watched()
    with source:
        before = frames(source, 10)
        subprocess.run(["date", "-s", "+1 hour"], check=True, capture_output=True)
        after = frames(source, 10)
        rate_hz = source.spec.rate_hz
    got = before + after
    assert not any(s.flags & (Flag.TIME_JUMP | Flag.TIME_ESTIMATED) for s in got)
    assert all(0 < b.t_ns - a.t_ns < 60e9 for a, b in pairwise(got))
    lost = missing(got, rate_hz)
    reported = got[-1].seq - got[0].seq + 1 - len(got)
    note("the host's clock jumps by 1 h", source, lost=lost, reported=reported)


def test_a_second_reader_is_told_that_it_is_in_use(vivid: Path) -> None:
    with camera() as first:
        frames(first, 1)
        with pytest.raises(DeviceError, match="in use") as told, camera() as second:
            frames(second, 1)
        assert "fuser" in told.value.hint
        note("two programs on one camera", Refused(told.value))
        frames(first, 1)  # the first one is not disturbed


def test_a_user_without_the_group_is_told_which_one(vivid: Path) -> None:
    vivid.chmod(0o660)
    camera()  # everything is imported by now: another user may not read this folder
    told = as_nobody(camera().open)
    assert isinstance(told, DevicePermissionError)
    assert "usermod -aG video" in told.hint
    note("permission denied: this user is not in the group", Refused(told))


def test_a_camera_that_was_never_there() -> None:
    with pytest.raises(DeviceError, match="no camera") as told:
        camera("v4l2:/dev/video9").open()
    note("never there", Refused(told.value))


def test_a_size_it_cannot_do_is_said(vivid: Path) -> None:
    with camera("v4l2:vivid?size=640x360&fps=15") as source:
        (sample,) = frames(source, 1)
        assert sample.payload.shape == source.spec.shape  # what it does, not what was asked
