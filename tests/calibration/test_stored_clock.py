"""The stored clock calibration: begun with by live devices, told, and by nothing else."""

from __future__ import annotations

import datetime as dt
import json
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from thymos.cli.devices import Device, _calibrations, _of
from thymos.clock import ClockCalibration
from thymos.config import Config
from thymos.devices import open_uri
from thymos.errors import ConfigError
from thymos.pipeline import Pipeline
from thymos.runner import run_live
from thymos.samples import Kind, StreamSpec
from thymos.warm import warm_clocks
from thymos_calibration.store import Calibration, CalibrationStore
from thymos_drivers.enose import SerialNose
from thymos_drivers.microphone import Microphone
from thymos_drivers.testing import ListSource

pytest.importorskip("serial", reason="pyserial is not installed (pip install 'thymos[enose]')")
sys.path.insert(0, str(Path(__file__).parents[1] / "drivers"))
import helpers_noses as noses

NOW = dt.datetime.now(dt.timezone.utc).replace(microsecond=0)
SKEW = 1234.5  # no crystal: nothing else can be the reason that it is seen


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CalibrationStore:
    monkeypatch.setenv("THYMOS_CALIBRATION", str(tmp_path))
    return CalibrationStore()


def measured(
    device: str, *, days: float = 3, skew: float = SKEW, whose: str | None = None
) -> Calibration:
    learnt = ClockCalibration(whose or device, skew, 2.0, boot="another")
    return Calibration(
        "clock", device, {"clock": learnt.as_json(), "stream": "x"}, "by hand",
        quality={"skew_ppm": skew}, made_at=NOW - dt.timedelta(days=days),
    )  # fmt: skip


def begin(uri: str) -> tuple[float, list[str], StreamSpec]:
    """Skew after the first reading of a nose, what was told, and what it says of itself."""
    told: list[str] = []
    nose = open_uri("enose", uri)
    assert isinstance(nose, SerialNose)
    warm_clocks([nose], told.append)
    with nose:
        assert nose.read(5.0) is not None
        assert nose.clock is not None
        return nose.clock.skew_ppm, told, nose.spec


def test_a_nose_begins_with_it_and_says_so(store: CalibrationStore) -> None:
    with noses.Board(noses.Own(), hz=50.0) as board:
        assert begin(f"serial:{board.port}")[1] == []  # nothing stored, nothing to say
        store.save(measured(board.port, days=20, skew=7.0))
        store.save(measured(board.port))
        skew, told, spec = begin(f"serial:{board.port}")
    assert skew == pytest.approx(SKEW, abs=20)
    assert told == ["enose: its clock begins with +1234.5 ± 2.0 ppm (clock of 3 days ago)"]
    day = f"{NOW - dt.timedelta(days=3):%Y-%m-%d}"
    assert spec.extra["clock"] == f"began with +1234.5 ppm of {day}"


def test_by_hand_wins(store: CalibrationStore, tmp_path: Path) -> None:
    with noses.Board(noses.Own(), hz=50.0) as board:
        store.save(measured(board.port))
        by_hand = CalibrationStore(tmp_path / "other").save(measured(board.port, skew=500.0))
        skew, told, spec = begin(f"serial:{board.port}?clock={by_hand}")
        assert skew == pytest.approx(500.0, abs=20)
        assert told == []
        assert "+500.0 ppm" in spec.extra["clock"]
        skew, told, spec = begin(f"serial:{board.port}?clock=off")
        assert abs(skew) < 400
        assert told == []
        assert "clock" not in spec.extra


@pytest.mark.parametrize("fault", ["old", "foreign", "damaged", "no clock"])
def test_what_is_not_to_be_trusted_is_not_applied_and_that_is_said(
    store: CalibrationStore, fault: str
) -> None:
    with noses.Board(noses.Own(), hz=50.0) as board:
        made = measured(
            board.port,
            days=40 if fault == "old" else 3,
            whose="another nose" if fault == "foreign" else None,
        )
        path = store.save(replace(made, values={}) if fault == "no clock" else made)
        if fault == "damaged":
            path.write_text("{")
        skew, (told,), spec = begin(f"serial:{board.port}")
    assert abs(skew) < 400
    assert told.startswith("enose: the stored clock is not applied: ")
    said = {"old": "40 days old", "foreign": "of another device: another nose"}
    assert said.get(fault, str(path)) in told
    assert "clock" not in spec.extra


def test_it_is_found_by_the_serial_number_at_another_port(
    store: CalibrationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(measured("NOSE42"))
    with noses.Board(noses.Own(), hz=50.0) as board:
        port = SimpleNamespace(device=str(board.port), serial_number="NOSE42")
        monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [port])
        assert begin("serial:NOSE42")[0] == pytest.approx(SKEW, abs=20)


def test_a_nose_that_comes_back_is_asked_about_once(store: CalibrationStore) -> None:
    told: list[str] = []
    with noses.Board(noses.Own(), hz=50.0) as board:
        store.save(measured(board.port))
        nose = open_uri("enose", f"serial:{board.port}")
        assert isinstance(nose, SerialNose)
        warm_clocks([nose], told.append)
        for _ in range(2):
            with nose:
                assert nose.read(5.0) is not None
                assert nose.spec.extra["clock"]
    assert len(told) == 1


def test_a_microphone_begins_with_it(
    store: CalibrationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from test_microphone import FakePortAudio

    monkeypatch.setitem(sys.modules, "sounddevice", FakePortAudio())
    store.save(measured("USB Mic: Audio (hw:1,0)"))
    for uri, skew in (("portaudio:USB", SKEW), ("portaudio:USB?clock=off", 0.0)):
        told: list[str] = []
        microphone = open_uri("microphone", uri)
        assert isinstance(microphone, Microphone)
        warm_clocks([microphone], told.append)
        with microphone:
            assert microphone._grid.skew_ppm == skew
            assert ("clock" in microphone.spec.extra) == bool(skew) == bool(told)
    with pytest.raises(ConfigError, match="cannot read the clock"):
        open_uri("microphone", "portaudio:USB?clock=/nowhere")


def test_a_live_run_applies_it(store: CalibrationStore, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    with noses.Board(noses.Own(), hz=50.0) as board:
        store.save(measured(board.port))
        nose = open_uri("enose", f"serial:{board.port}")
        assert isinstance(nose, SerialNose)
        pipeline = Pipeline(Config())
        monkeypatch.setattr(pipeline.remarks, "event", told.append)
        stop = threading.Event()
        timer = threading.Timer(2.0, stop.set)
        timer.start()
        run_live([nose], pipeline, stop=stop)
        pipeline.close()
    assert [t for t in told if "its clock begins with +1234.5" in t]


def test_recordings_and_devices_without_a_clock_are_left_alone() -> None:
    spec = StreamSpec("enose", Kind.GAS, 10.0, (1,), "ohm", ("CO",), device="nose")
    asked: list[Any] = []
    for live in (True, False):
        warm_clocks([ListSource(spec, [], live=live)], asked.append)
    assert asked == []


def test_thymos_devices_tells_what_becomes_of_it(store: CalibrationStore) -> None:
    store.save(measured("NOSE42", skew=-12.0))
    store.save(measured("Headset", days=40))
    nose = Device("enose", "serial:/dev/ttyUSB0", "USB2.0-Serial", "/dev/ttyUSB0, serial NOSE42")
    ear = Device("microphone", "portaudio:Headset", "Headset")
    assert _of(nose, _calibrations()) == ("clock 3 d (skew -12.0 ppm, applied by thymos run)",)
    assert _of(ear, _calibrations()) == (
        "clock 40 d, old (skew +1234.5 ppm, not applied any more)",
    )
    assert json.loads(store.files("clock", "NOSE42")[0].read_text())["kind"] == "clock"
