"""Live runs: threads, losses, newest wins, nothing lost without being counted."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest

from stages import (
    CountingPerceiver,
    EchoReasoner,
    PlainResponder,
    SlowVoice,
    samples,
    source,
    spec,
)
from thymos.align.window import Window
from thymos.clock import MonotonicClock
from thymos.config import Config, RespondConfig, WindowConfig
from thymos.contract import WindowReport
from thymos.errors import DeviceLostError, DeviceNotFoundError
from thymos.events import Observer
from thymos.pipeline import Pipeline
from thymos.runner import run_capture, run_live
from thymos.samples import NS_PER_S, EndOfStream, Flag, Health, Kind, Sample, StreamSpec
from thymos.supervise import Supervisor, pace_together
from thymos_drivers.testing import ListSource

CONFIG = Config(window=WindowConfig(length_s=0.5, hop_s=0.5), respond=RespondConfig(speak=False))


class Keeper(Observer):
    def __init__(self) -> None:
        self.reports: list[WindowReport] = []
        self.skipped: list[str] = []
        self.samples: list[Sample] = []
        self.notes: list[str] = []

    def on_sample(self, sample: Sample) -> None:
        self.samples.append(sample)

    def on_report(self, report: WindowReport) -> None:
        self.reports.append(report)

    def on_skip(self, window: Window) -> None:
        self.skipped.append(window.id)

    def on_note(self, text: str) -> None:
        self.notes.append(text)


def street(keeper: Keeper, reasoner: EchoReasoner, *perceivers: object) -> Pipeline:
    return Pipeline(
        CONFIG,
        perceivers=perceivers,  # type: ignore[arg-type]
        reasoner=reasoner,
        responder=PlainResponder(),
        observers=[keeper],
    )


def test_recorded_sources_play_in_real_time_on_one_time_base() -> None:
    keeper = Keeper()
    # A bag holds absolute times; the sound of this one begins 300 ms after the picture.
    streams = [
        source(Kind.VIDEO, 20, 1.5, t0_ns=10**18),
        source(Kind.AUDIO, 8000, 1.0, t0_ns=10**18 + 300_000_000),
    ]
    before = MonotonicClock().now_ns()
    summary = run_live(streams, street(keeper, EchoReasoner(), CountingPerceiver(), SlowVoice()))
    first = {
        name: min(s.t_ns for s in keeper.samples if s.stream == name)
        for name in ("camera", "microphone")
    }
    assert first["microphone"] - first["camera"] == 300_000_000
    assert first["camera"] >= before
    assert all(s.latency_ns >= 0 for s in keeper.samples)
    assert summary.counters["camera"].received == 30
    assert summary.windows == summary.reasoned + summary.skipped >= 3
    assert summary.unobserved == {}


def test_the_newest_window_wins_while_the_model_is_busy() -> None:
    keeper, reasoner = Keeper(), EchoReasoner()
    reasoner.gate = threading.Event()
    threading.Timer(2.4, reasoner.gate.set).start()
    summary = run_live([source(Kind.VIDEO, 20, 2.5)], street(keeper, reasoner, CountingPerceiver()))
    assert summary.skipped == len(keeper.skipped) >= 1
    assert summary.windows == summary.reasoned + summary.skipped
    ids = [r.window.id for r in keeper.reports]
    assert ids == sorted(ids)
    assert not set(ids) & set(keeper.skipped)


def test_samples_that_come_too_late_are_counted() -> None:
    pipeline = street(Keeper(), EchoReasoner(), CountingPerceiver())
    made = spec(Kind.VIDEO, 10)
    pipeline.add_stream(made)
    on_time = samples(made, 2.0)
    for sample in on_time[:3] + on_time[8:]:
        pipeline.push(sample)
    assert pipeline.ready()
    pipeline.push(on_time[3])
    assert pipeline.late == {"camera": 1}


def test_stop_ends_a_run_soon() -> None:
    keeper = Keeper()
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    run_live(
        [source(Kind.VIDEO, 10, 3600.0)],
        street(keeper, EchoReasoner(), CountingPerceiver()),
        stop=stop,
    )
    assert len(keeper.samples) < 100
    assert not [t for t in threading.enumerate() if t.name.startswith(("read-", "perceive-"))]


def test_a_capture_hands_over_every_sample() -> None:
    keeper = Keeper()
    counters = run_capture([source(Kind.GAS, 50, 1.0)], [keeper], stop=threading.Event())
    assert len(keeper.samples) == counters["enose"].received == 50


def live_spec() -> StreamSpec:
    return spec(Kind.VIDEO, 20)


def live(items: list[Sample | Exception | None]) -> ListSource:
    return ListSource(live_spec(), items, live=True)


class Unplugged(ListSource):
    """Is lost after its first samples and cannot be opened at the first two tries."""

    tries = 0

    def open(self) -> None:
        self.tries += 1
        if self.tries in (2, 3):
            raise DeviceNotFoundError("no such camera", hint="plug it in")
        if self.tries == 4:
            self._items = [replace(s, seq=s.seq + 100) for s in samples(live_spec(), 0.1)]
        super().open()


def test_a_lost_device_comes_back_and_the_gap_is_flagged() -> None:
    made = Unplugged(live_spec(), [*samples(live_spec(), 0.1), DeviceLostError("gone")], live=True)
    guard = Supervisor(made, MonotonicClock())
    got: list[Sample] = []
    health: set[Health] = set()
    with guard:
        end = time.monotonic() + 15
        while len(got) < 4 and time.monotonic() < end:
            sample = guard.read(0.05)
            health.add(guard.health.health)
            if sample is not None:
                got.append(sample)
        events = guard.events()
    assert [s.seq for s in got] == [0, 1, 100, 101]
    assert [bool(s.flags & Flag.GAP_BEFORE) for s in got] == [False, False, True, False]
    assert Health.RECOVERING in health
    assert guard.counters.reconnects == 1
    assert "gone" in events[0]
    assert "back after" in events[1]


def test_a_device_that_was_never_there_is_an_error_and_closes_the_others() -> None:
    class Never(ListSource):
        def open(self) -> None:
            raise DeviceNotFoundError("no such nose", hint="thymos devices")

    camera = live(list(samples(live_spec(), 1.0)))
    nose = Never(spec(Kind.GAS, 1), [], live=True)
    with pytest.raises(DeviceNotFoundError, match="no such nose"):
        run_live([camera, nose], street(Keeper(), EchoReasoner()))
    with pytest.raises(EndOfStream):  # closed again
        camera.read(0.0)


def test_pacing_keeps_live_sources_as_they_are() -> None:
    camera = live([])
    with camera:
        assert pace_together([camera], MonotonicClock()) == [camera]
    assert NS_PER_S == 10**9
