"""A nose that says itself when it needs calibration."""

from __future__ import annotations

import itertools
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from thymos.align.window import Window
from thymos.cli.smell import app
from thymos.config import PerceiveConfig
from thymos.devices import open_uri
from thymos.errors import CalibrationError, ConfigError
from thymos.perceive.smell import SmellPerceiver
from thymos.perceive.smell_guard import AirGuard, learn_air
from thymos.samples import NS_PER_S, Kind, Origin, Sample, StreamSpec
from thymos.smell.signal import SmellSignal

S = NS_PER_S
NAMES = ("a", "b", "c")
SPEC = StreamSpec("enose", Kind.GAS, 1, (3,), "ohm", NAMES, origin=Origin.SIMULATED)
R0 = np.array([1e4, 3e4, 8e4])


def air(seconds: int, seed: int, drift: float = 0.0) -> np.ndarray:
    """Clean air in changing weather, which moves all channels together; one channel drifts."""
    rng = np.random.default_rng(seed)
    t = np.arange(seconds)
    weather = 0.03 * np.sin(t / 400)[:, None] * np.array([1.0, 0.8, 0.9])
    own = drift * t[:, None] / seconds * np.array([0.0, 0.0, 1.0])
    return np.asarray(R0 * np.exp(weather + own + rng.normal(0, 0.003, (seconds, 3))))


def states(rows: np.ndarray):
    signal = SmellSignal(NAMES, "ohm")
    return (signal.update(k * S, row) for k, row in enumerate(rows))


@pytest.fixture
def guard_file(tmp_path: Path) -> Path:
    guard, count = learn_air(states(air(6000, 1)), NAMES)
    assert count > 5900
    guard.save(tmp_path / "guard.npz")
    return tmp_path / "guard.npz"


@pytest.mark.parametrize("drift", [0.0, 0.05])
def test_drift_that_the_baseline_follows_is_told(guard_file: Path, drift: float) -> None:
    """0.05 in fifty minutes is followed without an onset, but it is not the nose of before."""
    nose = SmellPerceiver(PerceiveConfig(drift_guard=str(guard_file)))
    nose.start(SPEC)
    told, onsets = [], 0
    for k, row in enumerate(air(3000, 2, drift)):
        nose.observe(Sample("enose", k, k * S, k * S, row))
        if k % 4 == 3:
            cues = nose.cues(Window("w", (k - 3) * S, (k + 1) * S, {}))
            onsets += sum(cue.name == "odour_onset" for cue in cues)
            told.append(any("needs calibration" in note for note in nose.notes))
    assert onsets == 0
    assert nose.guard_state is not None
    if drift:
        assert not any(told[:60])  # at first nothing is wrong
        assert all(told[-100:])
        assert "c most of all" in nose.notes[-1]
        assert "thymos calibrate enose" in nose.notes[-1]
    else:
        assert np.mean(told) < 0.02


def test_a_smell_is_no_drift(guard_file: Path) -> None:
    nose = SmellPerceiver(PerceiveConfig(drift_guard=str(guard_file)))
    nose.start(SPEC)
    rows = air(300, 3)
    rows[100:200] *= 0.5
    for k, row in enumerate(rows):
        nose.observe(Sample("enose", k, k * S, k * S, row))
        if nose.guard_state is not None:
            assert not nose.guard_state.needed


@pytest.mark.parametrize("drift", [0.04, 0.12])
def test_clean_air_that_has_moved_since_it_was_calibrated(tmp_path: Path, drift: float) -> None:
    file = tmp_path / "air.json"
    rows = {n: {"baseline": r, "noise": r * 0.003} for n, r in zip(NAMES, R0, strict=True)}
    file.write_text(json.dumps({"unit": "ohm", "channels": rows}))
    nose = SmellPerceiver(PerceiveConfig(clean_air=str(file)))
    nose.start(SPEC)
    rng = np.random.default_rng(4)
    for k in range(9000):
        row = R0 * np.exp(np.array([0, drift * k / 9000, 0]) + rng.normal(0, 0.003, 3))
        nose.observe(Sample("enose", k, k * S, k * S, row))
    nose.cues(Window("w", 8996 * S, 9000 * S, {}))
    state = nose.guard_state
    assert state is not None
    assert state.score == pytest.approx(drift / 0.08, abs=0.15)
    assert state.needed is (drift > 0.08)
    said = "clean air of b has moved by +" in " ".join(nose.notes)
    assert said is (drift > 0.08)
    assert nose.frame is not None
    assert nose.frame.rate_hz == pytest.approx(1.0)


def test_too_little_air_and_another_nose(guard_file: Path) -> None:
    with pytest.raises(CalibrationError, match="too few for a guard"):
        learn_air(states(air(40, 1)), NAMES)
    with pytest.raises(ConfigError, match="other channels"):
        AirGuard.load(guard_file, ("a", "b"))


def test_the_command(tmp_path: Path) -> None:
    out = tmp_path / "guard.npz"
    done = CliRunner().invoke(
        app,
        ["guard", "sim:?pace=0&seconds=120&rate=10", str(out), "--json"],
        catch_exceptions=False,
    )
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["seconds_of_clean_air"] > 100
    assert out.is_file()


def test_a_live_nose_is_listened_to_until_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_uri("enose", "sim:?pace=0")  # without an end
    assert source is not None
    read, count = source.read, itertools.count()

    def read_and_stop(timeout_s: float = 1.0) -> Sample | None:
        if next(count) == 900:
            os.kill(os.getpid(), signal.SIGINT)
        return read(timeout_s)

    monkeypatch.setattr(source, "read", read_and_stop)
    monkeypatch.setattr("thymos.cli.smell_live.open_nose", lambda uri: source)
    made = CliRunner().invoke(app, ["guard", "sim:", str(tmp_path / "g.npz"), "--json"])
    assert made.exit_code == 0, made.output
    assert 60 <= json.loads(made.stdout.splitlines()[-1])["seconds_of_clean_air"] <= 90
    assert AirGuard.load(tmp_path / "g.npz", source.spec.channels)
