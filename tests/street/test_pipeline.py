"""The street as one object: step by step, faults contained, absence stated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stages import (
    Absent,
    Broken,
    CountingPerceiver,
    EchoReasoner,
    PlainResponder,
    SlowVoice,
    source,
    spec,
)
from thymos.align.window import Window
from thymos.config import Config, RespondConfig, WindowConfig
from thymos.contract import Cue, Response, WindowReport
from thymos.errors import ModelError
from thymos.events import Observer
from thymos.pipeline import Pipeline
from thymos.reason.base import Affect
from thymos.respond.base import Speech
from thymos.runner import run_offline
from thymos.samples import NS_PER_S, EndOfStream, Flag, Kind

CONFIG = Config(window=WindowConfig(length_s=1.0, hop_s=1.0), respond=RespondConfig(speak=False))


@pytest.fixture
def reasoner() -> EchoReasoner:
    return EchoReasoner()


def street(reasoner: EchoReasoner, *perceivers: object, **more: object) -> Pipeline:
    return Pipeline(
        more.pop("config", CONFIG),  # type: ignore[arg-type]
        perceivers=perceivers,  # type: ignore[arg-type]
        reasoner=reasoner,
        responder=PlainResponder(),
        **more,  # type: ignore[arg-type]
    )


def test_every_sample_is_seen_in_its_own_window(reasoner: EchoReasoner) -> None:
    pipeline = street(reasoner, CountingPerceiver())
    reports = list(run_offline([source(Kind.VIDEO, 10, 3.0)], pipeline))
    assert [r.cues[0].value for r in reports] == [10.0, 10.0, 10.0]
    assert [r.window.id for r in reports] == ["w000000", "w000001", "w000002"]
    assert [r.response.answers for r in reports] == [r.window.id for r in reports]


def test_cues_are_numbered_and_quick_ones_keep_their_id(reasoner: EchoReasoner) -> None:
    pipeline = street(reasoner, CountingPerceiver(), SlowVoice())
    streams = [source(Kind.VIDEO, 10, 1.0), source(Kind.AUDIO, 8000, 1.0)]
    (report,) = run_offline(streams, pipeline)
    assert [c.id for c in report.cues] == ["w000000-face1", "w000000-words1"]
    assert report.explanation.rationale == "w000000-face1,w000000-words1"


def test_a_fault_in_one_modality_leaves_the_others(reasoner: EchoReasoner) -> None:
    pipeline = street(reasoner, CountingPerceiver(), Broken())
    streams = [source(Kind.VIDEO, 10, 1.0), source(Kind.AUDIO, 8000, 1.0)]
    (report,) = run_offline(streams, pipeline)
    assert [c.modality for c in report.cues] == ["face"]
    assert "bang" in " ".join(report.notes)


def test_a_perceiver_without_weights_is_named_with_the_remedy(reasoner: EchoReasoner) -> None:
    pipeline = street(reasoner, Absent())
    (report,) = run_offline([source(Kind.VIDEO, 10, 1.0)], pipeline)
    assert report.cues == ()
    assert "no weights (thymos models pull)" in " ".join(report.notes)


def test_an_absent_stream_is_stated_as_missing(reasoner: EchoReasoner) -> None:
    pipeline = street(reasoner, CountingPerceiver())
    pipeline.state_absent("microphone", "the file has no sound track")
    (report,) = run_offline([source(Kind.VIDEO, 10, 1.0)], pipeline)
    state = report.window.streams["microphone"]
    assert (state.state, state.reason) == ("missing", "the file has no sound track")


def test_sources_are_closed_when_the_caller_stops_early(reasoner: EchoReasoner) -> None:
    made = source(Kind.VIDEO, 10, 5.0)
    reports = run_offline([made], street(reasoner, CountingPerceiver()))
    next(reports)
    reports.close()
    with pytest.raises(EndOfStream):  # what a closed source says
        made.read(0.0)


def test_the_same_input_gives_the_same_reports(reasoner: EchoReasoner) -> None:
    def once() -> list[str]:
        streams = [source(Kind.VIDEO, 30, 4.0), source(Kind.GAS, 1, 4.0)]
        reports = run_offline(streams, street(EchoReasoner(), CountingPerceiver()))
        return [r.model_copy(update={"latency_ms": {}}).model_dump_json() for r in reports]

    assert once() == once()


class Watcher(Observer):
    def __init__(self) -> None:
        self.calls: list[str] = []

    def on_estimate(self, window: Window, cues: tuple[Cue, ...], affect: Affect) -> None:
        self.calls.append("estimate")

    def on_text(self, window_id: str, text: str) -> None:
        self.calls.append(text)

    def on_report(self, report: WindowReport) -> None:
        self.calls.append("report")
        raise RuntimeError("a broken watcher")


def test_observers_hear_in_order_and_cannot_break_the_street(
    reasoner: EchoReasoner, capsys: pytest.CaptureFixture[str]
) -> None:
    watcher = Watcher()
    pipeline = street(reasoner, CountingPerceiver(), observers=[watcher])
    assert len(list(run_offline([source(Kind.VIDEO, 10, 2.0)], pipeline))) == 2
    assert watcher.calls == ["estimate", "because", "report"] * 2
    assert "a broken watcher" in capsys.readouterr().err


class FakeSpeaker:
    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.saved: list[Path] = []

    def synthesise(self, text: str) -> Speech:
        if self.fault:
            raise self.fault
        import numpy as np

        return Speech(np.zeros(10, np.int16), 16000, text)

    def save(self, speech: Speech, path: Path) -> None:
        self.saved.append(path)

    def play(self, speech: Speech) -> bool:
        return True

    def cancel(self) -> None:
        pass


def test_an_answer_is_written_and_named(reasoner: EchoReasoner, tmp_path: Path) -> None:
    speaker = FakeSpeaker()
    pipeline = street(reasoner, CountingPerceiver(), speaker=speaker, answer_dir=tmp_path)
    (report,) = run_offline([source(Kind.VIDEO, 10, 1.0)], pipeline)
    assert report.response.spoken == "answer-w000000.wav"
    assert speaker.saved == [tmp_path / "answer-w000000.wav"]


@pytest.mark.parametrize("fault", [ModelError("no voice"), OSError(28, "No space left")])
def test_a_voice_that_fails_is_told(
    reasoner: EchoReasoner, tmp_path: Path, fault: Exception
) -> None:
    pipeline = street(
        reasoner, CountingPerceiver(), speaker=FakeSpeaker(fault), answer_dir=tmp_path
    )
    (report,) = run_offline([source(Kind.VIDEO, 10, 1.0)], pipeline)
    assert report.response.spoken == ""
    assert "was not spoken" in " ".join(report.notes)


@pytest.fixture
def old_answer(reasoner: EchoReasoner) -> Callable[[float], Response]:
    def make(age_ms: float) -> Response:
        pipeline = street(reasoner, CountingPerceiver())
        pipeline.add_stream(spec(Kind.VIDEO, 10))
        window = Window("w000000", 0, NS_PER_S, {})
        return pipeline.finish(pipeline.estimate(window), max_age_ms=age_ms).response

    return make


def test_an_answer_that_is_too_old_is_silenced(old_answer: Callable[[float], Response]) -> None:
    assert old_answer(0.0).guard.action == "none"
    assert old_answer(60_000.0).guard.action == "silenced"


def test_flags_do_not_disturb(reasoner: EchoReasoner) -> None:
    from dataclasses import replace

    made = source(Kind.VIDEO, 10, 1.0)
    made._items = [replace(s, flags=Flag.TIME_ESTIMATED) for s in made._items]  # type: ignore[arg-type]
    assert len(list(run_offline([made], street(reasoner, CountingPerceiver())))) == 1
