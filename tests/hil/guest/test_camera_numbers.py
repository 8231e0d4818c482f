"""The V4L2 camera read with linuxpy: the driver's own numbers, on vivid that drops buffers."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest

from fault_table import fault_row
from hil_guest import VIVID, control, modprobe, remove, wait_for
from thymos.clock import MonotonicClock
from thymos.devices import open_uri
from thymos.errors import DeviceError
from thymos.samples import Flag, Health, Sample, Source
from thymos.supervise import Supervisor
from witness import Witness

pytest.importorskip("linuxpy", reason="linuxpy is not installed (pip install 'thymos[v4l2]')")

URI = "v4l2:vivid?size=320x180&fps=5&reader=linuxpy"


def frames(source: Source, count: int) -> list[Sample]:
    found: list[Sample] = []
    deadline = time.monotonic() + 180
    while len(found) < count:
        assert time.monotonic() < deadline, source.health
        sample = source.read(5.0)
        if sample is not None:
            found.append(sample)
    return found


def watched(uri: str = URI) -> Witness:
    source = open_uri("camera", uri)
    assert source is not None
    # Emulation is too slow for the nominal rate: that is not what is looked at here.
    return Witness(Supervisor(source, MonotonicClock()), nominal_hz=0.0)


def there(samples: list[Sample], rate_hz: float) -> list[int]:
    """Frames that lie before each but the first: vivid stamps an exact grid."""
    return [round((b.t_ns - a.t_ns) * rate_hz / 1e9) - 1 for a, b in pairwise(samples)]


def test_pictures_and_stamps_are_those_of_the_other_reader(vivid: Path) -> None:
    spec, shades = {}, {}
    for uri in (URI, URI.replace("&reader=linuxpy", "")):
        source = watched(uri)
        with source:
            got = frames(source, 6)
            spec[uri] = source.spec
            shades[uri] = [s.payload.mean(axis=(0, 1)) for s in got]
        assert not any(s.flags & (Flag.TIME_ESTIMATED | Flag.INVALID) for s in got)
        assert all(abs(s.t_recv_ns - s.t_ns) < 5e9 for s in got)
    ours, theirs = spec.values()
    assert (ours.shape, ours.rate_hz, ours.unit) == (theirs.shape, theirs.rate_hz, theirs.unit)
    assert ours.extra["reader"] == "linuxpy"
    a, b = (sum(s) / len(s) for s in shades.values())  # moving bars: alike, not equal
    assert a == pytest.approx(b, abs=12)


def test_counted_drops_are_true_drops(vivid: Path) -> None:
    """Half of the buffers: by stamps alone such holes would be taken for a new rate."""
    source = watched(URI + "&set=percentage_of_dropped_buffers:50")
    with source:
        got = frames(source, 40)
        rate_hz = source.spec.rate_hz
        dropped = source.counters.dropped
    true = there(got, rate_hz)
    told = [b.seq - a.seq - 1 for a, b in pairwise(got)]
    assert sum(true) > 10
    assert told == true
    # The counter also holds what was left out up to the newest frame in the queue.
    assert dropped >= sum(true)
    assert [bool(s.flags & Flag.GAP_BEFORE) for s in got[1:]] == [n > 0 for n in true]
    assert all("missing" in s.note or "left out" in s.note for s in got[1:] if s.flags)
    fault_row(
        "V4L2 (vivid, emulated)",
        "the driver drops 50 % of the buffers, reader=linuxpy",
        source, family="Cameras", lost=sum(true), reported=sum(told),
    )  # fmt: skip


def test_a_second_reader_is_told_that_it_is_in_use(vivid: Path) -> None:
    first = watched()
    with first:
        frames(first, 1)
        second = open_uri("camera", URI)
        assert second is not None
        with pytest.raises(DeviceError, match="in use"):
            second.open()
        frames(first, 1)  # the first one is not disturbed


def test_unplugged_it_is_lost_lets_go_and_comes_back(vivid: Path) -> None:
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
        remove("vivid")  # the kernel refuses that while anybody holds the device or its buffers
        modprobe(*VIVID)
        wait_for(vivid.exists)
        after = frames(guard, 3)
        assert guard.counters.reconnects == 1
    assert after[0].flags & Flag.GAP_BEFORE
    assert after[0].seq > before[-1].seq
    assert after[0].t_ns > before[-1].t_ns
