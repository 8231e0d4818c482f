"""A smell and a frown through the whole street: what is said of their order is true."""

from __future__ import annotations

import re
from typing import ClassVar

import pytest

from stages import source
from thymos.align.window import Window
from thymos.config import Config, PerceiveConfig, RespondConfig, WindowConfig
from thymos.contract import Cue, Modality, WindowReport
from thymos.perceive.smell import SmellPerceiver
from thymos.pipeline import Pipeline
from thymos.reason.context import UNPROVEN
from thymos.reason.rules import RulesReasoner
from thymos.respond.responder import StreetResponder
from thymos.runner import run_offline
from thymos.samples import NS_PER_S, Kind, Origin, Sample, StreamSpec
from thymos_drivers.sim_nose import CHANNELS, MoxArray, parse_events
from thymos_drivers.testing import ListSource

HZ, SECONDS = 10, 32
NOSE = StreamSpec("enose", Kind.GAS, HZ, (6,), "ohm", CHANNELS, origin=Origin.SIMULATED)


class Frowning:
    """A face whose brows are drawn together for two seconds from a given moment."""

    modality: ClassVar[Modality] = "face"
    kind: ClassVar[Kind] = Kind.VIDEO
    slow: ClassVar[bool] = False
    notes: tuple[str, ...] = ()

    def __init__(self, at_s: float) -> None:
        self.begin_ns = round(at_s * NS_PER_S)

    def start(self, spec: StreamSpec) -> None:
        """Nothing to load."""

    def observe(self, sample: Sample) -> None:
        """Nothing to see."""

    def cues(self, window: Window) -> list[Cue]:
        end_ns = self.begin_ns + 2 * NS_PER_S
        if not window.t0_ns <= self.begin_ns < window.t1_ns:
            return []
        anger = {"anger": 0.8, "neutral": 0.2}
        return [
            Cue(
                id="",
                modality="face",
                name="frown",
                value=1.0,
                confidence=0.9,
                t0_ns=self.begin_ns,
                t1_ns=end_ns,
                text="the brows are drawn together",
                emotion=anger,
            )
        ]

    def close(self) -> None:
        """Nothing to let go."""


def explained(smoke_s: float, frown_s: float) -> WindowReport:
    array = MoxArray(parse_events(f"smoke@{smoke_s}-{SECONDS}"), 3)
    times = [n * NS_PER_S // HZ for n in range(SECONDS * HZ)]
    nose = [Sample("enose", n, t, t, array.step(1 / HZ)) for n, t in enumerate(times)]
    pipeline = Pipeline(
        Config(window=WindowConfig(length_s=4.0, hop_s=4.0), respond=RespondConfig(speak=False)),
        perceivers=[SmellPerceiver(PerceiveConfig()), Frowning(frown_s)],
        reasoner=RulesReasoner(),
        responder=StreetResponder(),
    )
    streams = [ListSource(NOSE, nose), source(Kind.VIDEO, 10, float(SECONDS))]
    reports = list(run_offline(streams, pipeline))
    pipeline.close()
    return next(r for r in reports if any(c.name == "frown" for c in r.cues))


@pytest.mark.parametrize("apart_s", [2.5, 4.0, 7.0])
def test_a_burnt_smell_began_before_the_frown(apart_s: float) -> None:
    text = explained(14.0, 14.0 + apart_s).explanation.rationale
    said = re.search(r"A smell like smoke began about (\d+) s before this: the brows", text)
    assert said, text
    assert abs(int(said[1]) - apart_s) <= 1
    assert UNPROVEN in text


@pytest.mark.parametrize("apart_s", [1.5, 2.5])
def test_or_after_it(apart_s: float) -> None:
    text = explained(13.0 + apart_s, 13.0).explanation.rationale
    assert re.search(
        r"A smell like smoke began (about \d s|shortly|at least \d s) after this", text
    )
    assert "before this" not in text


def test_or_about_the_same_time() -> None:
    text = explained(14.0, 14.1).explanation.rationale
    assert "began at about the same time as this: the brows" in text


def test_a_frown_before_any_smell_is_told_alone() -> None:
    assert "smell" not in explained(25.0, 13.0).explanation.rationale.lower()
