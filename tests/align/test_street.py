"""Alignment inside the street: late samples are told, windows follow the ends of speech."""

from __future__ import annotations

import threading
import wave
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from stages import CountingPerceiver, EchoReasoner, PlainResponder, samples, source, spec
from thymos.align import merge
from thymos.config import Config, PerceiveConfig, ReasonConfig, RespondConfig, WindowConfig
from thymos.contract import Cue, WindowReport
from thymos.devices import open_uri
from thymos.events import Observer
from thymos.models import ModelStore
from thymos.perceive.voice import VoicePerceiver
from thymos.pipeline import Pipeline
from thymos.runner import run_live, run_offline
from thymos.samples import NS_PER_S, Kind, Origin, Sample, StreamSpec, frozen
from thymos_drivers.testing import ListSource

S = NS_PER_S
MS = 1_000_000


def street(window: WindowConfig, *perceivers: object, **more: object) -> Pipeline:
    return Pipeline(
        Config(window=window, respond=RespondConfig(speak=False)),
        perceivers=perceivers,  # type: ignore[arg-type]
        reasoner=EchoReasoner(),
        responder=PlainResponder(),
        **more,  # type: ignore[arg-type]
    )


# -- late samples


class Watcher(Observer):
    def __init__(self) -> None:
        self.told: list[tuple[Sample, str]] = []
        self.pipeline: Pipeline | None = None

    def on_unmatched(self, sample: Sample, reason: str) -> None:
        self.told.append((sample, reason))
        if self.pipeline is not None:  # would never return if the pipeline held its lock
            self.pipeline.ready()
            self.pipeline.remarks.event("late")
        raise RuntimeError("not my day")


def test_observers_hear_of_every_late_sample_outside_the_lock(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second = Watcher(), Watcher()
    pipeline = street(WindowConfig(length_s=1.0, hop_s=1.0), observers=[first, second])
    first.pipeline = pipeline
    camera = spec(Kind.VIDEO, 10)
    pipeline.add_stream(camera)
    made = samples(camera, 3.0)

    def run() -> None:
        for sample in made:
            pipeline.push(sample)
            pipeline.ready()
        pipeline.push(replace(made[4], seq=99))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive(), "a callback was called inside the lock"
    assert first.told == second.told
    assert [(s.seq, why) for s, why in first.told] == [
        (99, "1600 ms before the end of a window already given out")
    ]
    assert pipeline.late == {"camera": 1}
    assert "Watcher failed: RuntimeError: not my day" in capsys.readouterr().err
    assert len(pipeline.flush()) == 1  # and the street goes on


# -- windows anchored to the ends of speech


class Ends:
    """Finds planted events: a block of sound whose first frame is the event's offset in ms."""

    modality: ClassVar[str] = "voice"
    kind: ClassVar[Kind] = Kind.AUDIO
    slow: ClassVar[bool] = False
    anchor_label: ClassVar[str] = "planted"
    notes: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._found: list[int] = []
        self._heard = 0

    def start(self, spec: StreamSpec) -> None: ...

    def observe(self, sample: Sample) -> None:
        back_ms = int(sample.payload[0, 0])
        if back_ms:
            self._found.append(sample.t_ns - back_ms * MS)
        self._heard = sample.t_ns

    def anchors(self, *, closed: bool = False) -> tuple[list[int], int | None]:
        found, self._found = self._found, []
        return found, self._heard - 400 * MS

    def cues(self, window: object) -> list[Cue]:
        return []

    def close(self) -> None: ...


def planted(at_s: list[float], seconds: float, back_ms: int = 300) -> ListSource:
    """Sound in which an event at each of `at_s` is known `back_ms` later."""
    made = spec(Kind.AUDIO, 8000)
    blocks = samples(made, seconds)
    for at in at_s:
        k = round((at + back_ms / 1e3) * 50)
        blocks[k] = replace(blocks[k], payload=frozen(blocks[k].payload + np.int16(back_ms)))
    return ListSource(made, blocks)


def test_a_window_for_every_planted_event() -> None:
    window = WindowConfig(anchor="speech", length_s=1.0, after_s=0.2)
    pipeline = street(window, Ends(), CountingPerceiver())
    streams = [source(Kind.VIDEO, 10, 8.0), planted([2.0, 2.6, 6.4], 8.0), source(Kind.GAS, 1, 8.0)]
    reports = list(run_offline(streams, pipeline))
    spans = [(r.window.t0_ns / S, r.window.t1_ns / S) for r in reports]
    assert spans == [(1.2, 2.2), (1.8, 2.8), (5.6, 6.6)]
    assert [r.cues[0].value for r in reports] == [10.0, 10.0, 10.0]  # perceived over that span
    assert [r.window.streams["enose"].state for r in reports] == ["present"] * 3


def test_live_runs_follow_events_too() -> None:
    """The perceiver finds them on a thread of its own, after the samples were aligned."""
    made: list[WindowReport] = []

    class Keep(Observer):
        def on_report(self, report: WindowReport) -> None:
            made.append(report)

    window = WindowConfig(anchor="speech", length_s=0.5, after_s=0.1)
    pipeline = street(window, Ends(), CountingPerceiver(), observers=[Keep()])
    streams = [source(Kind.VIDEO, 10, 3.0), planted([0.8, 1.6], 3.0, back_ms=200)]
    summary = run_live(streams, pipeline)
    assert summary.windows == 2
    lengths = {r.window.t1_ns - r.window.t0_ns for r in made}
    assert lengths == {S // 2}
    assert summary.reasoned == len(made) >= 1  # the first may have been passed over


def test_a_user_may_set_anchors_of_his_own() -> None:
    pipeline = street(WindowConfig(anchor="speech", length_s=1.0, after_s=0.0), CountingPerceiver())
    camera = spec(Kind.VIDEO, 10)
    pipeline.add_stream(camera)
    assert pipeline.anchor(2 * S, "button")
    for sample in samples(camera, 6.0):
        pipeline.push(sample)
    (window,) = pipeline.ready()
    assert (window.t0_ns, window.t1_ns, window.label) == (S, 2 * S, "button")
    assert not pipeline.anchor(S, "too late")
    grid = street(WindowConfig(), CountingPerceiver())
    assert not grid.anchor(0, "windows lie on the grid")


def test_when_nobody_speaks_that_is_said() -> None:
    heard: list[str] = []

    class Notes(Observer):
        def on_note(self, text: str) -> None:
            heard.append(text)

    pipeline = street(WindowConfig(anchor="speech"), Ends(), observers=[Notes()])
    assert list(run_offline([planted([], 5.0)], pipeline)) == []
    assert heard == ["no window: nobody was heard to stop speaking (window.anchor is speech)"]


def spoken(data_dir: Path) -> tuple[StreamSpec, np.ndarray, list[float]]:
    """Two real sentences with pauses around them, and when the sound of each fades out [s]."""
    pieces: list[np.ndarray] = []
    ends: list[float] = []
    for path in sorted((data_dir / "speech" / "ravdess" / "Actor_01").glob("*.flac"))[:2]:
        heard = open_uri("microphone", f"file:{path}")
        assert heard is not None
        with heard:
            rate = int(heard.spec.rate_hz)
            mono = np.concatenate([s.payload[:, :1] for s in merge([heard])])
        pieces += [np.zeros((rate, 1), np.int16), mono]
        before = sum(len(p) for p in pieces[:-1])
        power = np.convolve(np.abs(mono[:, 0]).astype(float), np.ones(rate // 20), "same")
        loud = np.flatnonzero(power > 0.05 * power.max())
        ends.append((before + int(loud[-1])) / rate)
    sound = np.concatenate([*pieces, np.zeros((rate, 1), np.int16)])
    made = StreamSpec("microphone", Kind.AUDIO, rate, (-1, 1), "s16", origin=Origin.RECORDED)
    return made, sound, ends


@pytest.mark.data
def test_windows_end_where_real_people_stop_speaking(data_dir: Path) -> None:
    made, sound, ends = spoken(data_dir)
    rate = int(made.rate_hz)

    def once(block: int) -> list[WindowReport]:
        blocks = [
            Sample("microphone", n, lo * S // rate, 0, frozen(sound[lo : lo + block]))
            for n, lo in enumerate(range(0, len(sound), block))
        ]
        window = WindowConfig(anchor="speech", length_s=2.0, after_s=0.5)
        voice = VoicePerceiver(PerceiveConfig(), ModelStore())
        return list(run_offline([ListSource(made, blocks)], street(window, voice)))

    reports = once(rate // 50)
    found = [r.window.t1_ns / S - 0.5 for r in reports]
    assert len(found) == 2
    assert np.abs(np.array(found) - np.array(ends)).max() < 0.4
    assert any(c.name == "activity" and "speaks" in c.text for c in reports[0].cues)
    # However the sound is cut into blocks, the windows lie at the same places.
    assert [r.window.t1_ns for r in once(rate // 7)] == [r.window.t1_ns for r in reports]


@pytest.mark.data
@pytest.mark.models
def test_explain_gives_windows_at_the_ends_of_speech(
    data_dir: Path, model_store: ModelStore, tmp_path: Path
) -> None:
    from thymos import explain

    made, sound, ends = spoken(data_dir)
    path = tmp_path / "spoken.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(int(made.rate_hz))
        file.writeframes(sound.tobytes())
    config = Config(
        window=WindowConfig(anchor="speech", length_s=3.0, after_s=0.5),
        reason=ReasonConfig(backend="rules"),
        respond=RespondConfig(speak=False),
    )
    runs = [
        [r.model_copy(update={"latency_ms": {}}) for r in explain(path, config=config)]
        for _ in "ab"
    ]
    assert runs[0] == runs[1]
    reports = runs[0]
    assert [abs(r.window.t1_ns / S - 0.5 - e) < 0.4 for r, e in zip(reports, ends, strict=True)]
    assert all(any(c.modality == "words" for c in r.cues) for r in reports)
