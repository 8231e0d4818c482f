"""Clocks: the skew that was planted comes back; what has no clock is told so."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from thymos.clock import ClockModel
from thymos.clock.calibration import ClockCalibration
from thymos.errors import CalibrationError
from thymos.record import Recorder
from thymos.samples import NS_PER_S, Flag, Kind, Sample, StreamSpec
from thymos_calibration.cli import app
from thymos_calibration.clock import load, measure
from thymos_calibration.store import CalibrationStore
from thymos_drivers.testing import ListSource

MIC = StreamSpec(
    "microphone", Kind.AUDIO, 16000.0, (-1, 1), "s16", device="headset", extra={"serial": "H7"}
)
NOSE = StreamSpec("enose", Kind.GAS, 10.0, (1,), "ohm", ("CO",), device="nose")


def sound(skew_ppm: float, seconds: float, *, seed: int = 1, flags: Flag = Flag.OK) -> list[Sample]:
    """Blocks of 320 frames of a card whose second is `skew_ppm` longer than ours."""
    rng = np.random.default_rng(seed)
    out = []
    for n in range(round(seconds * 50)):
        end_ns = (n + 1) * 20_000_000 * (1 + skew_ppm * 1e-6)
        arrived = round(10**9 + end_ns + 2e6 + rng.exponential(3e6))
        start = round(10**9 + end_ns - 20_000_000)
        block = np.zeros((320, 1), np.int16)
        out.append(Sample("microphone", n, start, arrived, block, flags if n == 500 else Flag.OK))
    return out


@pytest.mark.parametrize("skew_ppm", [-80.0, 0.0, 45.0])
def test_a_sound_card(skew_ppm: float, tmp_path) -> None:
    with ListSource(MIC, sound(skew_ppm, 130), live=True) as mic:
        result = measure(mic, seconds=120)
    assert result.quality["skew_ppm"] == pytest.approx(skew_ppm, abs=8)
    assert result.quality["skew_uncertainty_ppm"] < 50
    assert result.device == "H7"  # the serial number, not the name
    store = CalibrationStore(tmp_path)
    store.save(result)
    warm = load(store, MIC)
    assert isinstance(warm, ClockCalibration)
    assert ClockModel(62500, calibration=warm).skew_ppm == pytest.approx(skew_ppm, abs=8)


def test_a_recording_knows_when_sound_arrived(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("THYMOS_CALIBRATION", str(tmp_path / "store"))
    with Recorder(tmp_path / "drive.mcap") as recorder:
        recorder.on_stream(MIC)
        for sample in sound(30.0, 65):
            recorder.on_sample(sample)
    args = ["clock", "microphone", str(tmp_path / "drive.mcap"), "--seconds", "60", "--json"]
    run = CliRunner().invoke(app, args)
    assert run.exit_code == 0, run.output
    told = json.loads(run.stdout)
    assert told["device"] == "H7"
    assert told["quality"]["skew_ppm"] == pytest.approx(30, abs=15)
    no = CliRunner().invoke(app, ["clock", "enose", str(tmp_path / "drive.mcap"), "--json"])
    assert no.exit_code == 1
    assert "has no enose" in json.loads(no.stdout)["refused"]


class Ticking(ListSource):
    """A nose whose driver has a clock."""

    def __init__(self, samples: list[Sample], clock: ClockModel | None) -> None:
        super().__init__(NOSE, samples, live=True)
        self.clock = clock


def ticks(seconds: float, jump: bool = False) -> tuple[list[Sample], ClockModel]:
    rng = np.random.default_rng(2)
    clock = ClockModel(1_000_000)
    out = []
    for n in range(round(seconds * 10)):
        host = round((n / 10 * (1 + 200e-6) + 0.004 + rng.exponential(0.004)) * NS_PER_S)
        count = n * 100 - (200_000 if jump and n > 400 else 0)
        stamp = clock.observe(count, host)
        out.append(Sample("enose", n, stamp.t_ns, host, np.zeros(1)))
    return out, clock


def test_a_nose_with_ticks() -> None:
    with Ticking(*ticks(130)) as nose:
        result = measure(nose, seconds=120)
    assert result.quality["skew_ppm"] == pytest.approx(200, abs=20)
    assert result.values["clock"]["anchor_ticks"] is not None


def test_refusals() -> None:
    samples, _ = ticks(40)
    lossy = sound(0, 40, flags=Flag.GAP_BEFORE)
    at_once = [Sample("microphone", s.seq, s.t_ns, s.t_ns, s.payload) for s in sound(0, 40)]
    for source, seconds, word in (
        (Ticking(samples, None), 35, "no clock"),
        (ListSource(MIC, sound(0, 20), live=True), 60, "too few"),
        (ListSource(MIC, lossy, live=True), 35, "lost"),
        (Ticking(*ticks(60, jump=True)), 55, "jumped"),
        (ListSource(MIC, at_once), 35, "when its samples arrived"),
        (ListSource(MIC, [None] * 40, live=True), 35, "nothing"),
    ):
        with source, pytest.raises(CalibrationError, match=word) as refused:
            measure(source, seconds=seconds)
        assert refused.value.hint
