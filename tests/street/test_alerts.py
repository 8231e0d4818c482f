"""A danger that the nose notices is answered at once: no window and no model is waited for."""

from __future__ import annotations

import csv
import itertools
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import yaml

from stages import EchoReasoner
from thymos.align.window import Window
from thymos.config import Config, PerceiveConfig, RespondConfig, WindowConfig
from thymos.contract import (
    Alert,
    Cue,
    Explanation,
    Guard,
    Modality,
    Response,
    WindowReport,
)
from thymos.errors import ModelError
from thymos.events import Observer
from thymos.perceive.smell import SmellPerceiver
from thymos.perceive.threads import PerceiverThreads
from thymos.pipeline import Pipeline
from thymos.reason.base import Evidence, TextSink
from thymos.reason.rules import RulesReasoner
from thymos.respond.base import Speech
from thymos.respond.responder import StreetResponder
from thymos.runner import run_offline
from thymos.samples import NS_PER_S, Kind, Origin, Sample, StreamSpec
from thymos_drivers.sim_nose import CHANNELS, MoxArray, parse_events
from thymos_drivers.testing import ListSource

HZ = 10
SIM = StreamSpec("enose", Kind.GAS, HZ, (6,), "ohm", CHANNELS, origin=Origin.SIMULATED)
QUIET = Config(window=WindowConfig(length_s=4.0, hop_s=4.0), respond=RespondConfig(speak=False))
MOST_SAMPLES = 20
"""From the onset in the air to the warning: 2 s of capture time at 10 Hz, most of it the three
readings of the onset and the second for which a recognised danger must hold."""


def nose(events: str, seconds: float, seed: int = 1) -> list[Sample]:
    array = MoxArray(parse_events(events), seed)
    step = NS_PER_S // HZ
    return [
        Sample("enose", n, n * step, n * step, array.step(1 / HZ)) for n in range(int(seconds * HZ))
    ]


class Log(Observer):
    """What was told, in order."""

    def __init__(self) -> None:
        self.told: list[Alert | WindowReport] = []

    def on_alert(self, alert: Alert) -> None:
        self.told.append(alert)

    def on_report(self, report: WindowReport) -> None:
        self.told.append(report)


def street(events: str, seconds: float, seed: int = 1, **more: Any) -> tuple[list[Any], list[Any]]:
    log = Log()
    pipeline = Pipeline(
        more.pop("config", QUIET),
        perceivers=[SmellPerceiver(PerceiveConfig())],
        reasoner=RulesReasoner(),
        responder=StreetResponder(),
        observers=[log],
        **more,
    )
    reports = list(run_offline([ListSource(SIM, nose(events, seconds, seed))], pipeline))
    pipeline.close()
    return reports, log.told


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("odour", "danger"), [("smoke", "smoke"), ("gas", "gas"), ("ammonia", "gas")]
)
def test_it_is_answered_within_samples_of_the_onset(odour: str, danger: str, seed: int) -> None:
    _, told = street(f"{odour}@15-25", 32, seed)
    first = next(n for n, item in enumerate(told) if isinstance(item, Alert))
    alert = told[first]
    assert (alert.response.guard.danger, alert.response.guard.action) == (danger, "warned")
    assert alert.response.text_source == "guard"
    assert 0 <= (alert.t_ns - 15 * NS_PER_S) * HZ // NS_PER_S <= MOST_SAMPLES
    assert all(item.window.t1_ns <= alert.t_ns for item in told[:first])
    assert all(item.window.t1_ns > alert.t_ns for item in told[first + 1 :])  # before its own
    assert alert.cue.began_ns is not None
    assert alert.cue.began_ns[0] <= alert.cue.began_ns[1] <= alert.t_ns


def test_the_report_shows_it_as_the_answer_of_its_window() -> None:
    reports, told = street("smoke@15-25", 40)
    (alert,) = [item for item in told if isinstance(item, Alert)]
    own = next(r for r in reports if r.window.t0_ns <= alert.t_ns < r.window.t1_ns)
    assert own.alerts == (alert,)
    assert own.response.text == alert.response.text
    assert own.response.answers == own.window.id
    others = [r for r in reports if r is not own]
    assert all(r.alerts == () for r in others)
    assert all(r.response.guard.action != "warned" for r in others)  # once is enough
    after = next(r for r in others if r.window.t0_ns == own.window.t1_ns)
    assert (after.response.guard.action, after.response.guard.danger) == ("silenced", "smoke")


def test_the_same_samples_give_the_same_alerts() -> None:
    assert [r.line() for r in street("gas@15-30", 44)[0]] == [
        r.line() for r in street("gas@15-30", 44)[0]
    ]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "events", ["", "coffee@15-35", "orange@15-35", "coffee@15-25,orange@40-60"]
)
def test_harmless_smells_and_clean_air_raise_none(events: str, seed: int) -> None:
    assert not [item for item in street(events, 80, seed)[1] if isinstance(item, Alert)]


def test_a_danger_that_lasts_is_told_a_few_times_and_no_more() -> None:
    pipeline_told = street("smoke@15-1200", 1215)[1]
    times = [a.t_ns / NS_PER_S for a in pipeline_told if isinstance(a, Alert)]
    assert len(times) == 3
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert gaps[0] >= 60
    assert gaps[1] >= 240


@pytest.mark.parametrize("substance", ["mandarin_orange", "peach", "potato", "mint", "cabbage"])
def test_real_harmless_recordings_raise_no_alarm(data_dir: Path, substance: str) -> None:
    gas = ("NO2", "C2H5OH", "VOC", "CO", "Alcohol", "LPG", "Benzene")
    spec = StreamSpec("enose", Kind.GAS, 1, (7,), "adc", gas, origin=Origin.RECORDED)
    (path,) = sorted((data_dir / "enose" / "smellnet" / "test" / substance).glob("*.csv"))
    perceiver, warner = SmellPerceiver(PerceiveConfig()), StreetResponder()
    perceiver.start(spec)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    said = []
    for n, row in enumerate(rows):
        values = np.array([float(row[c]) for c in gas])
        values[values > 4e9] = np.nan
        perceiver.observe(Sample("enose", n, n * NS_PER_S, n * NS_PER_S, values))
        said += [made for cue in perceiver.dangers() if (made := warner.warn(cue))]
    assert len(rows) > 300
    assert all(made.gesture != "alert" for made in said)
    assert len(said) <= 1  # at most a hint


@pytest.mark.parametrize(
    ("odour", "calibrated", "told"),
    [
        ("gas", True, ["tilt_head", "alert"]),  # a hint, then a warning
        ("gas", False, ["tilt_head"]),
        ("coffee", True, []),
        ("orange", True, []),
    ],
)
def test_a_nose_that_learnt_no_odour_goes_by_the_sensor_for_gas(
    tmp_path: Path, odour: str, calibrated: bool, told: list[str]
) -> None:
    live = replace(SIM, origin=Origin.LIVE)  # simulated patterns do not count for it
    air = np.median([s.payload for s in nose("", 10, 4)], axis=0)
    path = tmp_path / "air.yaml"
    rows = {n: {"baseline": float(v), "noise": 50.0} for n, v in zip(CHANNELS, air, strict=True)}
    path.write_text(yaml.safe_dump({"unit": "ohm", "channels": rows}))
    perceiver = SmellPerceiver(PerceiveConfig(clean_air=str(path) if calibrated else ""))
    perceiver.start(live)
    responder, said = StreetResponder(), []
    for sample in nose(f"{odour}@15-60", 60, 4):
        perceiver.observe(sample)
        said += [
            (sample.t_ns / NS_PER_S - 15, made)
            for cue in perceiver.dangers()
            if (made := responder.warn(cue))
        ]
    assert [made.gesture for _, made in said] == told
    assert all(made.guard.danger == "gas" for _, made in said)
    if calibrated and told:
        (hint_s, _), (alarm_s, _) = said
        assert 5 <= hint_s <= 10
        assert 20 <= alarm_s <= 30


class Alarming:
    """Notices gas in its second sample."""

    modality: ClassVar[Modality] = "smell"
    kind: ClassVar[Kind] = Kind.GAS
    slow: ClassVar[bool] = False
    notes: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.found: list[Cue] = []

    def start(self, spec: StreamSpec) -> None:
        """Nothing to load."""

    def observe(self, sample: Sample) -> None:
        if sample.seq == 1:
            self.found.append(
                Cue(
                    id="",
                    modality="smell",
                    name="danger",
                    value="gas",
                    confidence=0.9,
                    t0_ns=0,
                    t1_ns=sample.t_ns,
                )
            )

    def dangers(self) -> list[Cue]:
        found, self.found = self.found, []
        return found

    def cues(self, window: Window) -> list[Cue]:
        return []

    def close(self) -> None:
        """Nothing."""


class Stuck(EchoReasoner):
    """A model that thinks until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.released = threading.Event()

    def explain(
        self,
        evidence: Evidence,
        *,
        cancel: threading.Event | None = None,
        on_text: TextSink | None = None,
    ) -> Explanation:
        self.entered.set()
        assert self.released.wait(30)
        return super().explain(evidence, cancel=cancel, on_text=on_text)


class Voice:
    """A voice that plays until it is cancelled, and says what it played."""

    def __init__(self) -> None:
        self.played: list[str] = []
        self.playing = threading.Event()
        self.stop = threading.Event()
        self.warned = threading.Event()

    def synthesise(self, text: str) -> Speech:
        return Speech(np.zeros(8, np.int16), 8000, text)

    def save(self, speech: Speech, path: Path) -> None:
        """Not asked for."""

    def play(self, speech: Speech) -> bool:
        self.played.append(speech.text)
        if "gas" in speech.text:
            self.warned.set()
            return True
        self.stop.clear()
        self.playing.set()
        return not self.stop.wait(30)

    def cancel(self) -> None:
        self.stop.set()


def live(reasoner: Any, voice: Voice | None, log: Log) -> tuple[Pipeline, list[Sample]]:
    pipeline = Pipeline(
        Config(window=WindowConfig(length_s=1.0, hop_s=1.0)),
        perceivers=[Alarming()],
        reasoner=reasoner,
        responder=StreetResponder(),
        observers=[log],
        speaker=voice,
        play=voice is not None,
    )
    pipeline.prepare()
    pipeline.warn_in_background()
    spec = StreamSpec("enose", Kind.GAS, 1, (2,), "ohm", ("A", "B"), origin=Origin.RECORDED)
    pipeline.add_stream(spec)
    made = [Sample("enose", n, n * NS_PER_S, n * NS_PER_S, np.ones(2)) for n in range(6)]
    return pipeline, made


def test_a_model_that_thinks_holds_up_no_warning() -> None:
    heard, log, reasoner = threading.Event(), Log(), Stuck()
    log.on_alert = lambda alert: (log.told.append(alert), heard.set())  # type: ignore[method-assign,assignment]
    pipeline, made = live(reasoner, None, log)
    threads = PerceiverThreads()
    threads.start(pipeline.slots)
    window = Window("w000000", 0, NS_PER_S, {})
    thinking = threading.Thread(target=lambda: pipeline.finish(pipeline.estimate(window)))
    thinking.start()
    assert reasoner.entered.wait(30)
    for sample in made:
        threads.give(sample)
    assert heard.wait(30)  # while the model still thinks
    assert not reasoner.released.is_set()
    (alert,) = log.told
    assert alert.t_ns == NS_PER_S
    assert "gas" in alert.response.text
    reasoner.released.set()
    thinking.join(30)
    threads.stop()
    pipeline.close()


def test_small_talk_stops_in_the_middle_of_a_word() -> None:
    voice = Voice()
    pipeline, made = live(EchoReasoner(), voice, Log())
    answer = Response(
        intent="neutral",
        candidates=(),
        text="How are things today?",
        text_source="template",
        gesture="none",
        guard=Guard(action="none"),
    )
    talking = threading.Thread(target=lambda: pipeline._aloud.say("w", answer))
    talking.start()
    assert voice.playing.wait(30)
    for sample in made[:2]:
        pipeline.observe(sample)
    assert voice.warned.wait(30)
    talking.join(30)
    assert not talking.is_alive()
    assert [("gas" in text) for text in voice.played] == [False, True]
    pipeline.close()


def test_a_voice_that_fails_is_told_and_the_warning_stands() -> None:
    class Hoarse(Voice):
        def synthesise(self, text: str) -> Speech:
            raise ModelError("the voice is missing")

    told, log = threading.Event(), Log()
    notes: list[str] = []
    log.on_note = lambda text: (notes.append(text), told.set())  # type: ignore[method-assign,assignment]
    pipeline, made = live(EchoReasoner(), Hoarse(), log)
    for sample in made[:2]:
        pipeline.observe(sample)
    assert told.wait(30)
    assert any("the voice is missing" in text for text in notes)
    (alert,) = log.told
    assert "gas" in alert.response.text
    pipeline.close()
