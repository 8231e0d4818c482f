"""Whose a cue is: told when all perceivers of a stage have answered, live and step by step."""

from __future__ import annotations

from collections.abc import Sequence

from stages import CountingPerceiver, EchoReasoner, PlainResponder, SlowVoice, source
from thymos.align.window import Window
from thymos.config import Config, RespondConfig, WindowConfig
from thymos.contract import Cue, WindowReport
from thymos.pipeline import Pipeline
from thymos.runner import run_live, run_offline
from thymos.samples import Kind

CONFIG = Config(window=WindowConfig(length_s=1.0, hop_s=1.0), respond=RespondConfig(speak=False))


class Knowing(CountingPerceiver):
    """Says that all words are person 1's, once for each stage of a window."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[str]] = []

    def attribute(self, window: Window, cues: Sequence[Cue]) -> tuple[list[Cue], list[str]]:
        self.asked.append([cue.modality for cue in cues])
        told = [c.model_copy(update={"track": "p1"}) if c.modality == "words" else c for c in cues]
        return told, [] if any(c.modality == "face" for c in cues) else ["late"]


class Failing(CountingPerceiver):
    """Cannot tell."""

    def attribute(self, window: Window, cues: Sequence[Cue]) -> tuple[list[Cue], list[str]]:
        raise ValueError("no idea")


def street(perceiver: CountingPerceiver) -> Pipeline:
    return Pipeline(
        CONFIG,
        perceivers=[perceiver, SlowVoice()],
        reasoner=EchoReasoner(),
        responder=PlainResponder(),
    )


def tracks(report: WindowReport) -> list[tuple[str, str]]:
    return [(cue.modality, cue.track) for cue in report.cues]


def test_cues_of_the_quick_and_of_the_slow_stage_get_their_track() -> None:
    knowing = Knowing()
    streams = [source(Kind.VIDEO, 10, 1.0), source(Kind.AUDIO, 8000, 1.0)]
    (report,) = run_offline(streams, street(knowing))
    assert tracks(report) == [("face", ""), ("words", "p1")]
    assert knowing.asked == [["face"], ["words"]]


def test_live_it_is_the_same() -> None:
    streams = [source(Kind.VIDEO, 10, 1.0), source(Kind.AUDIO, 8000, 1.0)]
    seen: list[WindowReport] = []

    class Keep:
        def __getattr__(self, name: str) -> object:
            return seen.append if name == "on_report" else lambda *_: None

    pipeline = Pipeline(
        CONFIG,
        perceivers=[Knowing(), SlowVoice()],
        reasoner=EchoReasoner(),
        responder=PlainResponder(),
        observers=[Keep()],  # type: ignore[list-item]
    )
    run_live(streams, pipeline)
    assert tracks(seen[0]) == [("face", ""), ("words", "p1")]


def test_one_that_fails_loses_no_cue_and_is_told() -> None:
    streams = [source(Kind.VIDEO, 10, 1.0), source(Kind.AUDIO, 8000, 1.0)]
    (report,) = run_offline(streams, street(Failing()))
    assert tracks(report) == [("face", ""), ("words", "")]
    assert "perception fault in face: ValueError: no idea" in report.notes
