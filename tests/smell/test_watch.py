"""The watch: what it says of a nose that it only looks at."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from thymos.cli.smell_live import open_nose
from thymos.samples import Counters, Flag, Health, HealthReport, Kind, Sample, StreamSpec, each
from thymos.smell.drift import GuardState
from thymos.smell.frame import Phase
from thymos.smell.signal import Moment, Odour, SmellSignal
from thymos.smell.view import PAST_BINS, DriftView, as_json, by_sensor
from thymos.smell.watch import MAX_EVENTS, SmellWatch
from thymos.smell.watch_signal import signal_of

S = 1_000_000_000
SIM = "sim:?pace=0&seconds=40&events=smoke@12-20"


def watched(uri: str = SIM, until_s: float = 1e9) -> SmellWatch:
    watch = SmellWatch()
    with open_nose(uri) as source:
        watch.on_stream(source.spec)
        for sample in each(source):
            if sample.t_ns > until_s * S:
                break
            watch.on_sample(sample)
    return watch


def test_the_watch_follows_a_smell() -> None:
    clean, smelling, after = (watched(until_s=t).view() for t in (11.9, 19.0, 39.0))
    assert clean.phase is Phase.BASELINE
    assert clean.baseline.how == "first_seconds"
    assert clean.odour.shares == ()
    assert clean.events == ()
    assert smelling.phase is Phase.EXPOSURE
    assert smelling.odour.shares[0][0] == "smoke"
    assert smelling.odour.since_ns is not None
    assert {c.name: c.response > 0 for c in smelling.channels} == {
        "NO2": True, "C2H5OH": False, "VOC": False, "CO": False, "NH3": False, "CH4": False,
    }  # fmt: skip
    assert after.phase is Phase.RECOVERY
    happened = [e.name for e in after.events if e.name != "odour_timed"]
    assert happened == ["odour_onset", "danger", "odour_fading"]
    assert smelling.danger
    assert smelling.danger.kind == "smoke"
    onset = after.events[0]
    assert onset.earliest_ns <= onset.latest_ns < onset.known_ns
    assert 12 <= after.seconds(onset.known_ns) < 13
    assert smelling.odour.began_ns
    assert abs(smelling.seconds(smelling.odour.began_ns[1]) - 12.0) < 1.0  # when it came in truth
    assert smelling.link.measured_hz == pytest.approx(10.0)
    past = smelling.channels[3].past
    assert len(past) == PAST_BINS
    assert past[-1] < -0.3 < -0.05 < past[-9]


def test_an_onset_is_told_again_when_the_rise_has_told_it_better() -> None:
    watch = SmellWatch()
    odour = Odour(50 * S, 50 * S, 51 * S, 51 * S, 1.0, 1.0, 51 * S)
    first, better = Moment(40 * S, 8 * S, "prior"), Moment(44 * S, S, "fitted")
    for t, onset in ((51, first), (60, better), (69, better), (72, better), (73, better)):
        state = SimpleNamespace(odour=odour, onset_air=onset, offset_air=None, t_ns=t * S)
        watch._follow(state)
    _, told = watch.fresh(0)
    assert [(e.name, e.known_ns // S, e.earliest_ns // S, e.latest_ns // S) for e in told] == [
        ("odour_onset", 51, 24, 50),
        ("odour_timed", 72, 42, 46),
    ]
    same = Moment(40 * S, 8 * S, "fitted")  # no better than what was told
    other = replace(odour, onset_ns=100 * S, known_ns=101 * S)
    for t in (101, 130):
        watch._follow(SimpleNamespace(odour=other, onset_air=same, offset_air=None, t_ns=t * S))
    assert [e.name for e in watch.fresh(2)[1]] == ["odour_onset"]


def test_the_same_recording_gives_the_same_views() -> None:
    one, two = (as_json(watched(until_s=19.0).view(), past=True) for _ in range(2))
    assert one == two


def test_the_guard_is_shown_once_it_has_a_verdict() -> None:
    said = [signal_of(None, 2).drift]
    state = SmellSignal(("a", "b"), "ohm").update(0, np.array([1e4, 2e4]))
    needed = GuardState(1.5, True, "a left what was learnt", "thymos calibrate enose")
    for guard in (None, GuardState(float("nan"), False), GuardState(0.4, False), needed):
        said.append(signal_of(state, 2, guard=guard).drift)
    assert said[:3] == [None, None, None]
    assert said[3] == DriftView(0.4, False)
    assert said[4] == DriftView(1.5, True, "a left what was learnt", "thymos calibrate enose")


def test_heater_steps_are_grouped_by_sensor_and_nothing_else_is() -> None:
    names = ["s0_h0", "s0_h1", "s0_h2", "NO2", "h0", "h1", "h2", "GM102B", "TGS2602"]
    assert by_sensor(names) == {
        "s0": [0, 1, 2], "NO2": [3], "h": [4, 5, 6], "GM102B": [7], "TGS2602": [8],
    }  # fmt: skip


def test_losses_and_complaints_are_counted() -> None:
    watch = SmellWatch()
    watch.on_stream(StreamSpec("enose", Kind.GAS, 2.0, (2,), "adc", ("CO", "temperature")))
    assert watch.view().link.state == "waiting"
    for k, seq in enumerate((0, 1, 2, 6, 7)):
        flags = Flag.INVALID if seq == 7 else Flag.OK
        watch.on_sample(
            Sample("enose", seq, k * S // 2, k * S // 2, np.array([300.0, 21.5]), flags)
        )
        watch.on_sample(Sample("another", seq, 0, 0, np.zeros(9)))
    view = watch.view()
    assert (view.link.received, view.link.lost, view.link.invalid) == (5, 3, 1)
    assert view.air.temperature_celsius == 21.5
    assert [c.name for c in view.channels] == ["CO"]
    assert watch.view(12 * S).link.state == "quiet"
    watch.link(HealthReport(Health.RECOVERING, "lost 3 s ago"), Counters(dropped=9, reconnects=1))
    watch.on_note("enose: lost: unplugged; trying to open it again")
    view = watch.view(12 * S)
    assert view.link.state == "recovering: lost 3 s ago"
    assert (view.link.lost, view.link.reconnects) == (9, 1)
    assert view.events[-1].text.startswith("enose: lost")
    assert watch.fresh(0)[0] == 1
    assert watch.fresh(1) == (1, ())


def test_a_long_stream_and_a_clock_that_leaps_are_survived() -> None:
    watch = SmellWatch()
    watch.on_stream(StreamSpec("enose", Kind.GAS, 1.0, (1,), "ohm", ("CO",)))
    times = [*range(0, 400), *range(10**6, 10**6 + 100), *range(50, 60)]
    for seq, t in enumerate(times):
        watch.on_sample(Sample("enose", seq, t * S, t * S, np.array([1e4])))
        watch.on_note("again")
    view = watch.view()
    assert len(view.events) == MAX_EVENTS
    assert view.link.measured_hz == pytest.approx(1.0)
    assert watch.fresh(0)[0] == len(times)
