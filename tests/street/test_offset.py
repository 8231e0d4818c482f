"""Offsets of a stream (`sources.offset_ms`): at one place, told, and never twice."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from stages import EchoReasoner, PlainResponder, samples, spec
from thymos.config import Config, RecordConfig, RespondConfig, SourcesConfig, WindowConfig
from thymos.contract import WindowReport
from thymos.events import Observer
from thymos.pipeline import Pipeline
from thymos.runner import run_capture, run_live, run_offline
from thymos.samples import Kind, Sample, Source, StreamSpec
from thymos.supervise import shifted
from thymos_drivers.testing import ListSource

MS = 1_000_000
VIDEO, SOUND = spec(Kind.VIDEO, 10), spec(Kind.AUDIO, 1000)
OFFSETS = {SOUND.name: -17.0}


class Keeper(Observer):
    def __init__(self) -> None:
        self.stamps: dict[str, list[int]] = {}
        self.reports: list[WindowReport] = []

    def on_sample(self, sample: Sample) -> None:
        self.stamps.setdefault(sample.stream, []).append(sample.t_ns)

    def on_report(self, report: WindowReport) -> None:
        self.reports.append(report)


def both(*, live: bool = False) -> list[Source]:
    return [ListSource(s, samples(s, 1.0), live=live) for s in (VIDEO, SOUND)]


def street(keeper: Keeper, offsets: dict[str, float]) -> Pipeline:
    config = Config(
        sources=SourcesConfig(offset_ms=offsets),
        window=WindowConfig(length_s=0.5, hop_s=0.5),
        respond=RespondConfig(speak=False),
    )
    return Pipeline(
        config,
        perceivers=[],
        reasoner=EchoReasoner(),
        responder=PlainResponder(),
        observers=[keeper],
    )


def moved(stamps: list[int]) -> set[int]:
    plain = [s.t_ns for s in samples(SOUND, 1.0)]
    return {got - was for got, was in zip(stamps, plain, strict=True)}


@pytest.mark.parametrize("live", [False, True])
def test_the_stamps_of_one_stream_move_and_its_source_says_so(live: bool) -> None:
    keeper = Keeper()
    pipeline = street(keeper, OFFSETS)
    if live:
        run_live(both(live=True), pipeline)
    else:
        list(run_offline(both(), pipeline))
    pipeline.close()
    assert moved(keeper.stamps[SOUND.name]) == {-17 * MS}
    assert keeper.stamps[VIDEO.name] == [s.t_ns for s in samples(VIDEO, 1.0)]
    told = {source.stream: source.note for source in keeper.reports[0].sources}
    assert told[SOUND.name] == "stamps moved by -17 ms (sources.offset_ms)"
    assert told[VIDEO.name] == ""


def test_a_recording_with_moved_stamps_is_not_moved_again(tmp_path: Path) -> None:
    pytest.importorskip("mcap", reason="mcap is not installed (pip install 'thymos[record]')")
    from thymos.record import Recorder, open_recording

    out = tmp_path / "moved.mcap"
    with Recorder(out, RecordConfig()) as recorder:
        run_capture(shifted(both(live=True), OFFSETS), [recorder], stop=threading.Event())
    recorded = list(open_recording(out).sources.values())
    extra: dict[str, StreamSpec] = {s.spec.name: s.spec for s in recorded}
    assert extra[SOUND.name].extra["offset_ms"] == "-17"
    keeper = Keeper()
    pipeline = street(keeper, OFFSETS)
    list(run_offline(recorded, pipeline))
    pipeline.close()
    assert moved(keeper.stamps[SOUND.name]) == {-17 * MS}


def test_no_offset_changes_nothing() -> None:
    sources = both()
    assert shifted(sources, {"enose": 5.0, SOUND.name: 0.0}) == sources
    with pytest.raises(ValidationError):
        SourcesConfig(offset_ms={"camera": 1e9})
