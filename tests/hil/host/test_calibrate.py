"""`thymos calibrate microphone` and `clock` through PortAudio and a real sound server."""

from __future__ import annotations

import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest

from hil_pulse import Daemon
from thymos.devices import open_uri
from thymos.errors import CalibrationError
from thymos.samples import Source
from thymos_calibration.clock import measure
from thymos_calibration.microphone import latency, listen, noise_floor
from thymos_calibration.speaker import PortAudioSpeaker

RATE = 16000


def microphone() -> Source:
    source = open_uri("microphone", f"portaudio:vmic?rate={RATE}&block_ms=20")
    assert source is not None
    return source


@pytest.fixture
def hiss(tmp_path: Path) -> Path:
    """A quiet room: noise of −60 dBFS for a minute."""
    noise = np.random.default_rng(1).normal(0, 32768e-3, 60 * RATE).astype("<i2")
    path = tmp_path / "hiss.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(noise.tobytes())
    return path


def test_nobody_plugged_in(daemon: Daemon) -> None:
    with microphone() as mic, pytest.raises(CalibrationError, match="muted"):
        noise_floor(listen(mic, 3.0))


def test_floor_and_latency_of_the_loop(daemon: Daemon, hiss: Path) -> None:
    room = subprocess.Popen(["paplay", "--device=vmic", str(hiss)])
    try:
        with microphone() as mic:
            listen(mic, 1.0)
            assert noise_floor(listen(mic, 3.0))["noise_dbfs"] == pytest.approx(-60, abs=1)
            with PortAudioSpeaker("", RATE) as speaker:
                found = latency(mic, speaker, times=6)
    finally:
        room.kill()
        room.wait()
    # A null sink hands on at once: what is left is buffers, told wrongly or not at all.
    assert found["chirps_heard"] >= 4
    assert -100 < found["loop_latency_ms"] < 400
    assert found["loop_latency_spread_ms"] < 5


def test_a_clock_behind_a_sound_server(daemon: Daemon) -> None:
    with microphone() as mic:
        result = measure(mic, seconds=35)
    assert abs(result.quality["skew_ppm"]) < 300  # the daemon runs on this machine's own clock
