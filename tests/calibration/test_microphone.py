"""Microphones: floor, spectrum, calibrator, and the latency of a loop made of software."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from thymos.errors import CalibrationError
from thymos.samples import NS_PER_S, Flag, Health, Kind, Sample, StreamSpec
from thymos_calibration.cli import app
from thymos_calibration.microphone import (
    Heard,
    as_calibration,
    chirp,
    delay_of,
    latency,
    listen,
    noise_floor,
    octaves,
    sensitivity,
)
from thymos_drivers.base import BaseSource
from thymos_drivers.testing import ListSource

RATE = 16000
SPEC = StreamSpec("microphone", Kind.AUDIO, float(RATE), (-1, 1), "s16", device="desk")


def heard(pcm: np.ndarray, clipped: float = 0.0) -> Heard:
    return Heard(0, RATE, pcm, clipped)


def hiss(dbfs: float, seconds: float = 4.0) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 10 ** (dbfs / 20), round(seconds * RATE))


def test_the_floor_is_measured() -> None:
    found = noise_floor(heard(hiss(-62.0) + 0.001))
    assert found["noise_dbfs"] == pytest.approx(-62, abs=0.2)
    assert found["dc_offset"] == pytest.approx(0.001, abs=1e-4)
    bands = found["noise_octaves_dbfs"]
    assert list(bands) == ["63", "125", "250", "500", "1000", "2000", "4000"]
    # White noise: 3 dB more in every octave, its width over the whole band.
    assert bands["4000"] - bands["2000"] == pytest.approx(3, abs=0.4)
    assert bands["4000"] == pytest.approx(-62 + 10 * np.log10(2828.4 / 8000), abs=0.4)
    hum = octaves(0.01 * np.sin(2 * np.pi * 125 * np.arange(4 * RATE) / RATE), RATE)
    assert hum["125"] == pytest.approx(20 * np.log10(0.01 / np.sqrt(2)), abs=0.2)
    assert max(v for k, v in hum.items() if k != "125") < -80


@pytest.mark.parametrize(
    ("pcm", "clipped", "word"),
    [
        (np.zeros(4 * RATE), 0.0, "muted"),
        (hiss(-20.0), 0.0, "not quiet"),
        (np.concatenate([hiss(-70.0), hiss(-45.0, 1.0)]), 0.0, "not quiet"),
        (hiss(-62.0), 0.05, "clipped"),
        (hiss(-62.0, 1.0), 0.0, "least"),
    ],
)
def test_not_silence(pcm: np.ndarray, clipped: float, word: str) -> None:
    with pytest.raises(CalibrationError, match=word) as refused:
        noise_floor(heard(pcm, clipped))
    assert refused.value.hint


def test_a_calibrator_gives_the_gain() -> None:
    t = np.arange(3 * RATE) / RATE
    tone = 0.05 * np.sin(2 * np.pi * 1000 * t) + hiss(-70, 3.0)
    found = sensitivity(heard(tone), 94.0)
    assert found["tone_hz"] == pytest.approx(1000, abs=1)
    assert found["full_scale_db_spl"] == pytest.approx(94 + 29.03, abs=0.1)
    with pytest.raises(CalibrationError, match="tone"):
        sensitivity(heard(hiss(-40, 3.0)), 94.0)
    with pytest.raises(CalibrationError, match="clips"):
        sensitivity(heard(tone, 0.01), 94.0)


class Room(BaseSource):
    """A loudspeaker and a microphone in one room: echoes, noise, and a known delay."""

    live = True

    def __init__(self, delay_s: float, gain: float = 0.3, jitter_s: float = 0.0) -> None:
        super().__init__(SPEC)
        self.delay_s, self.gain, self.jitter_s = delay_s, gain, jitter_s
        self.now = 0  # frames
        self.air: np.ndarray = np.zeros(120 * RATE)
        self.rng = np.random.default_rng(4)

    def _open(self) -> None:
        self._say(Health.OK)

    def play(self, sound: np.ndarray, rate: int) -> int:
        begin = self.now + round(0.1 * rate)
        late = self.delay_s + self.jitter_s * self.rng.standard_normal()
        at = begin + round(late * rate)
        for echo, strength in ((0.0, 1.0), (0.011, 0.5), (0.023, 0.35)):
            lo = at + round(echo * rate)
            self.air[lo : lo + len(sound)] += self.gain * strength * sound
        return 5 * NS_PER_S + begin * NS_PER_S // rate

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        block = self.air[self.now : self.now + 512] + self.rng.normal(0, 1e-3, 512)
        t_ns = 5 * NS_PER_S + self.now * NS_PER_S // RATE
        self.now += 512
        pcm = np.clip(block * 32768, -32768, 32767).astype(np.int16)[:, None]
        return Sample("microphone", self.now // 512, t_ns, t_ns, pcm)


@pytest.mark.parametrize("delay_ms", [3.0, 41.5, 187.0])
def test_latency_of_a_loop(delay_ms: float) -> None:
    with Room(delay_ms / 1000) as room:
        found = latency(room, room, times=4)
    assert found["loop_latency_ms"] == pytest.approx(delay_ms, abs=0.2)
    assert found["chirps_heard"] == 4


def test_no_loop_no_latency() -> None:
    with Room(0.05, gain=0.0) as deaf, pytest.raises(CalibrationError, match="0 of 4") as refused:
        latency(deaf, deaf, times=4)
    assert "speaker" in refused.value.hint
    with Room(0.2, jitter_s=0.03) as loose, pytest.raises(CalibrationError, match="varies"):
        latency(loose, loose, times=6)


def test_noise_is_no_chirp() -> None:
    rng = np.random.default_rng(0)
    for seed in range(20):
        del seed
        assert delay_of(chirp(RATE), heard(rng.normal(0, 0.1, 2 * RATE)), 0) is None


def test_listening() -> None:
    block = np.zeros((1600, 1), np.int16)
    samples = [
        Sample("microphone", n, n * 10**8, n * 10**8, block, Flag.GAP_BEFORE if n == 9 else Flag.OK)
        for n in range(20)
    ]
    with ListSource(SPEC, samples) as mic:
        assert len(listen(mic, 0.5).pcm) == 8000
    with ListSource(SPEC, samples) as mic, pytest.raises(CalibrationError, match="lost"):
        listen(mic, 1.5)
    with ListSource(SPEC, samples[:3]) as mic, pytest.raises(CalibrationError, match="ended"):
        listen(mic, 1.5)
    with ListSource(SPEC, [None] * 40) as mic, pytest.raises(CalibrationError, match="nothing"):
        listen(mic, 1.5)
    loud = [Sample("microphone", 0, 0, 0, np.full((1600, 2), 32767, np.int16))]
    with ListSource(SPEC, loud) as mic:
        assert listen(mic, 0.1).clipped == 1.0


def test_the_command_on_a_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import wave

    monkeypatch.setenv("THYMOS_CALIBRATION", str(tmp_path / "store"))
    with wave.open(str(tmp_path / "quiet.wav"), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((hiss(-55.0, 5.0) * 32768).astype("<i2").tobytes())
    quiet = str(tmp_path / "quiet.wav")
    run = CliRunner().invoke(app, ["microphone", quiet, "--seconds", "4", "--json"])
    assert run.exit_code == 0, run.output
    told = json.loads(run.stdout)
    assert told["noise_dbfs"] == pytest.approx(-55, abs=0.5)
    assert told["kind"] == "microphone"
    no = CliRunner().invoke(app, ["microphone", quiet, "--loopback", "--json"])
    assert no.exit_code == 1
    assert "loudspeaker" in json.loads(no.stdout)["refused"]


def test_what_is_kept() -> None:
    with ListSource(SPEC, []) as mic:
        kept = as_calibration(mic, {"noise_dbfs": -60.0}, heard(hiss(-60.0)))
    assert kept.device == "desk"
    assert kept.method == "noise floor"
    assert kept.quality["headroom_db"] > 40
