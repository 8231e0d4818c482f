"""The stored av-sync result: applied to live devices by itself, told, and to nothing else."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stages import EchoReasoner, PlainResponder, samples, spec
from thymos.cli.devices import Device, _calibrations, _of
from thymos.config import Config, RespondConfig, SourcesConfig, WindowConfig
from thymos.contract import WindowReport
from thymos.events import Observer
from thymos.pipeline import Pipeline
from thymos.runner import run_capture, run_live, run_offline
from thymos.samples import Kind, Sample, Source
from thymos.supervise import shifted
from thymos.sync import synced
from thymos_calibration.store import Calibration, CalibrationStore
from thymos_drivers.testing import ListSource

MS = 1_000_000
VIDEO = replace(spec(Kind.VIDEO, 10), device="C920", extra={"serial": "5A2B"})
SOUND = replace(spec(Kind.AUDIO, 1000), device="Headset")
NOW = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)


class Keeper(Observer):
    def __init__(self) -> None:
        self.stamps: dict[str, list[int]] = {}
        self.reports: list[WindowReport] = []
        self.notes: list[str] = []

    def on_sample(self, sample: Sample) -> None:
        self.stamps.setdefault(sample.stream, []).append(sample.t_ns)

    def on_report(self, report: WindowReport) -> None:
        self.reports.append(report)

    def on_note(self, text: str) -> None:
        self.notes.append(text)

    @property
    def moved_ms(self) -> float:
        """By how much all stamps of the sound were moved."""
        plain = [s.t_ns for s in samples(SOUND, 1.0)]
        pairs = zip(self.stamps[SOUND.name], plain, strict=True)
        (moved,) = {got - was for got, was in pairs}
        return moved / MS


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CalibrationStore:
    monkeypatch.setenv("THYMOS_CALIBRATION", str(tmp_path))
    return CalibrationStore()


def measured(device: str = "5A2B+Headset", days: float = 3, **quality: Any) -> Calibration:
    return Calibration(
        "av-sync",
        device,
        {"offset_ms": 170.0},
        "talking",
        {"confidence": 0.89, **quality},
        made_at=NOW - dt.timedelta(days=days, hours=1),
    )


def devices(*, live: bool = True) -> list[Source]:
    return [ListSource(s, samples(s, 1.0), live=live) for s in (VIDEO, SOUND)]


def run(sources: Sequence[Source], by_hand: dict[str, float] | None = None) -> Keeper:
    keeper = Keeper()
    config = Config(
        sources=SourcesConfig(offset_ms=by_hand or {}),
        window=WindowConfig(length_s=0.5, hop_s=0.5),
        respond=RespondConfig(speak=False),
    )
    pipeline = Pipeline(
        config,
        perceivers=[],
        reasoner=EchoReasoner(),
        responder=PlainResponder(),
        observers=[keeper],
    )
    if all(s.live for s in sources):
        run_live(sources, pipeline)
    else:
        list(run_offline(sources, pipeline))
    pipeline.close()
    return keeper


def note_of(keeper: Keeper) -> str:
    return {s.stream: s.note for s in keeper.reports[0].sources}[SOUND.name]


@pytest.mark.parametrize("device", ["5A2B+Headset", "C920+Headset"])
@pytest.mark.parametrize("first", ["camera", "microphone"])
def test_it_is_applied_to_its_pair_and_told(
    store: CalibrationStore, device: str, first: str
) -> None:
    store.save(measured(device))
    sources = devices()
    keeper = run(sources if first == "camera" else sources[::-1])
    assert keeper.moved_ms == -170
    assert keeper.stamps[VIDEO.name] == [s.t_ns for s in samples(VIDEO, 1.0)]
    day = f"{NOW - dt.timedelta(days=3, hours=1):%Y-%m-%d}"
    assert note_of(keeper) == f"stamps moved by -170 ms (av-sync of {day}, confidence 0.89)"
    assert keeper.notes == [
        "microphone: stamps are moved by -170 ms (av-sync of 3 days ago, confidence 0.89)"
    ]


@pytest.mark.parametrize("by_hand", [{"microphone": -20.0}, {"microphone": 0.0}, {"camera": 0.0}])
def test_offsets_by_hand_win(store: CalibrationStore, by_hand: dict[str, float]) -> None:
    store.save(measured())
    keeper = run(devices(), by_hand)
    assert keeper.moved_ms == by_hand.get("microphone", 0.0)
    assert keeper.notes == []


@pytest.mark.parametrize(
    ("result", "word"),
    [
        (measured(days=120), "120 days old"),
        (measured(confidence=0.3), "not sure enough"),
        (replace(measured(), values={"offset_ms": None}), "tells no offset"),
        (replace(measured(), quality={}), "tells no offset"),
        (replace(measured(), values={"offset_ms": 1e9}), "not sure enough"),
    ],
)
def test_what_is_old_or_unsure_is_not_applied_and_that_is_said(
    store: CalibrationStore, result: Calibration, word: str
) -> None:
    store.save(result)
    keeper = run(devices())
    assert keeper.moved_ms == 0
    assert note_of(keeper) == ""
    (told,) = keeper.notes
    assert "the stored av-sync is not applied" in told
    assert word in told
    assert told in keeper.reports[0].notes


def test_a_damaged_file_is_not_applied_and_that_is_said(store: CalibrationStore) -> None:
    store.save(measured()).write_text("{")
    keeper = run(devices())
    assert keeper.moved_ms == 0
    assert "not JSON" in keeper.notes[0]


def test_other_devices_files_and_single_streams_are_left_alone(store: CalibrationStore) -> None:
    store.save(measured("C270+Headset"))
    assert run(devices()).notes == []
    store.save(measured())
    recorded = run(devices(live=False))
    assert (recorded.moved_ms, recorded.notes) == (0, [])
    alone = devices()[1:]
    assert synced(alone, {}, print) == alone


def test_a_recording_tells_it_and_a_new_calibration_of_it_is_of_the_devices(
    store: CalibrationStore, tmp_path: Path
) -> None:
    pytest.importorskip("mcap", reason="mcap is not installed (pip install 'thymos[record]')")
    from thymos.record import Recorder, open_recording
    from thymos_calibration.av_observe import Observed
    from thymos_calibration.av_sync import AvOffset, calibration

    store.save(measured())
    out = tmp_path / "out.mcap"
    with Recorder(out) as recorder:
        run_capture(synced(devices(), {}, print), [recorder], stop=threading.Event())
    sources = open_recording(out).sources
    assert sources[SOUND.name].spec.extra["offset_ms"] == "-170"
    again = run(list(sources.values()))
    assert again.moved_ms == -170  # as recorded, once
    none: Any = None  # what was seen and heard is in the answer already
    seen = Observed(
        sources[VIDEO.name].spec, sources[SOUND.name].spec, none, none, none, none, none, none, 0, 0
    )
    result = calibration(seen, AvOffset("talking", 5.0, 1.0, 0.9))
    assert result.device == "5A2B+Headset"
    assert result.values["offset_ms"] == 175.0  # what is left, and what was taken off already


def test_it_survives_a_microphone_that_is_opened_again(store: CalibrationStore) -> None:
    store.save(measured())
    told: list[str] = []
    camera, microphone = synced(devices(), {}, told.append)
    with camera:
        for _ in range(2):
            with microphone:
                sample = microphone.read()
                assert sample is not None
                assert sample.t_ns == samples(SOUND, 1.0)[0].t_ns - 170 * MS
    assert len(told) == 1


def test_thymos_devices_tells_what_becomes_of_it(store: CalibrationStore) -> None:
    store.save(measured())
    store.save(measured("5A2B+Old", days=120))
    camera = Device("camera", "v4l2:/dev/video0", "C920", "/dev/video0, serial 5A2B")
    assert _of(camera, _calibrations()) == (
        "av-sync 3 d (sound -170 ms, confidence 0.89, applied by thymos run)",
        "av-sync 120 d, old (sound -170 ms, confidence 0.89, not applied any more)",
    )


def test_by_hand_and_stored_do_not_add_up(store: CalibrationStore) -> None:
    store.save(measured())
    twice = synced(shifted(devices(), {SOUND.name: -20.0}), {}, print)
    for source in twice:
        source.open()
    first = twice[1].read()
    assert first is not None
    assert first.t_ns == samples(SOUND, 1.0)[0].t_ns - 20 * MS
    assert json.loads(json.dumps(dict(twice[1].spec.extra)))["offset_ms"] == "-20"
