"""Known sound for `make hil`: noise in a file, and whatever a microphone hears of it."""

from __future__ import annotations

import time
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thymos.samples import Sample, Source

RATE = 16000


def hear(source: Source, seconds: float) -> list[Sample]:
    """Blocks that hold so many seconds; patient, as a sound card may be emulated."""
    found: list[Sample] = []
    deadline = time.monotonic() + 30 + 10 * seconds
    while sum(len(s.payload) for s in found) < seconds * RATE:
        assert time.monotonic() < deadline, source.health
        sample = source.read(0.5)
        if sample is not None:
            found.append(sample)
    return found


def write_noise(path: Path, seconds: int, seed: int) -> NDArray[np.int16]:
    """Write a WAV in which any slip of a single frame shows; returns its frames."""
    values = np.random.default_rng(seed).integers(-20000, 20000, seconds * RATE).astype(np.int16)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(values.tobytes())
    return values
