"""The supervisor on devices that hang: in silence, on opening, on closing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

import thymos.supervise as supervise
from thymos.clock import MonotonicClock
from thymos.errors import DeviceError
from thymos.samples import EndOfStream, Flag, Health, Kind, Sample, StreamSpec, frozen
from thymos.supervise import Supervisor
from thymos_drivers.base import BaseSource
from thymos_drivers.sim import open_camera


class Clock:
    """A robot clock that a test moves."""

    def __init__(self) -> None:
        self.ns = 10**12

    def now_ns(self) -> int:
        return self.ns


class Mute(BaseSource):
    """A device that opens and gives nothing, with or without knowing it; waits where it is told."""

    live = True

    def __init__(self, rate_hz: float = 10.0) -> None:
        super().__init__(StreamSpec("nose", Kind.GAS, rate_hz, (1,), "ohm", device="mute"))
        self.opened = 0
        self.speaks = False
        self.may_open, self.may_close = threading.Event(), threading.Event()
        self.may_open.set()
        self.may_close.set()
        self.closed = 0

    def _open(self) -> None:
        self.may_open.wait(60)
        self.opened += 1
        self._say(Health.OK)

    def _close(self) -> None:
        self.may_close.wait(60)
        self.closed += 1

    def stalls(self) -> None:
        self._say(Health.STALLED, "it hangs", "kick it")

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        self._check_open()
        if not self.speaks:
            return None
        now = time.monotonic_ns()
        return Sample("nose", self.opened, now, now, frozen(np.zeros(1)))


@pytest.fixture
def mute() -> Iterator[Mute]:
    made = Mute()
    yield made
    made.may_open.set()
    made.may_close.set()


def until_open(guard: Supervisor, mute: Mute, clock: Clock, count: int) -> None:
    deadline = time.monotonic() + 20
    while mute.opened < count:
        assert time.monotonic() < deadline
        clock.ns += 200_000_000
        guard.read(0.01)
    while guard.health.health is Health.RECOVERING:
        assert time.monotonic() < deadline
        guard.read(0.01)


def test_a_device_that_hangs_is_opened_again_and_the_hole_is_flagged() -> None:
    shaky = open_camera("", rate="50", hang="0.2")
    guard = Supervisor(shaky, MonotonicClock(), patience_s=0.5)
    seen: set[Health] = set()
    got: list[Sample] = []
    with guard:
        deadline = time.monotonic() + 30
        while len(got) < 30:
            assert time.monotonic() < deadline
            sample = guard.read(0.1)
            seen.add(guard.health.health)
            if sample is not None:
                got.append(sample)
        assert guard.counters.reconnects == 1
        events = guard.events()
    assert {Health.OK, Health.STALLED, Health.RECOVERING} <= seen
    (hole,) = [i for i, s in enumerate(got) if s.flags & Flag.GAP_BEFORE]
    assert got[hole].t_ns - got[hole - 1].t_ns > 500_000_000
    assert got[hole].seq > got[hole - 1].seq + 1
    assert "silent" in events[0]
    assert "back after" in events[1]


@pytest.mark.parametrize("knows", [True, False])
def test_silence_that_stays_is_tried_less_and_less_often(mute: Mute, knows: bool) -> None:
    clock = Clock()
    guard = Supervisor(mute, clock, patience_s=10.0)
    with guard:
        opened_at = []
        for count in range(1, 6):
            until_open(guard, mute, clock, count)
            opened_at.append(clock.ns / 1e9)
            if knows:
                mute.stalls()
        waits = np.diff(opened_at)
        assert guard.counters.reconnects == 4
        assert waits == pytest.approx([10, 20, 40, 80], abs=3)
        mute.speaks = True
        assert guard.read(0.0) is not None
        mute.speaks = False
        begin = clock.ns / 1e9
        if knows:
            mute.stalls()
        until_open(guard, mute, clock, 6)
        assert clock.ns / 1e9 - begin == pytest.approx(10, abs=3)  # it was good: patience is new


def test_silence_is_told_although_the_driver_does_not_know() -> None:
    clock, mute = Clock(), Mute()
    with Supervisor(mute, clock) as guard:
        guard.read(0.0)
        clock.ns += 5 * 10**9
        early = guard.health
        clock.ns += 6 * 10**9
        late = guard.health
    assert (early.health, late.health) == (Health.OK, Health.STALLED)
    assert "nothing for 11 s" in late.reason


def test_a_slow_nose_is_not_a_silent_one() -> None:
    clock, mute = Clock(), Mute(rate_hz=1 / 60)
    with Supervisor(mute, clock) as guard:
        for _ in range(15):
            guard.read(0.0)
            clock.ns += 60 * 10**9
        assert guard.health.health is Health.OK
        assert mute.opened == 1


def test_a_device_that_hangs_on_opening_is_an_error(
    mute: Mute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "OPEN_S", 0.2)
    mute.may_open.clear()
    guard = Supervisor(mute, MonotonicClock())
    with pytest.raises(DeviceError, match="gives no answer") as told:
        guard.open()
    assert told.value.hint
    mute.may_open.set()  # it opens after all, and nobody wants it any more
    deadline = time.monotonic() + 10
    while not mute.closed:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_device_that_hangs_on_reopening_does_not_hold_up_the_reader(
    mute: Mute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "CLOSE_S", 0.2)
    guard = Supervisor(mute, MonotonicClock(), patience_s=0.1)
    guard.open()
    mute.stalls()
    mute.may_open.clear()
    mute.may_close.clear()
    deadline = time.monotonic() + 10
    while guard.health.health is not Health.RECOVERING:
        assert time.monotonic() < deadline
        guard.read(0.05)
    assert guard.read(0.05) is None  # closing hangs
    mute.may_close.set()
    for _ in range(12):
        assert guard.read(0.1) is None  # opening hangs
    assert guard.health.health is Health.RECOVERING
    mute.speaks = True
    mute.may_open.set()
    deadline = time.monotonic() + 10
    while (sample := guard.read(0.1)) is None:
        assert time.monotonic() < deadline
    assert sample.flags & Flag.GAP_BEFORE
    guard.close()
    with pytest.raises(EndOfStream):
        guard.read(0.0)
