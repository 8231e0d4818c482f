"""Clips as arrays: what is wrong with a file becomes one kind of error, never a crash."""

from __future__ import annotations

import contextlib
import wave
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("av")

from thymos.errors import MediaError
from thymos.evaluate.runs.media import RATE, read_archive, read_audio, read_picture

CASES = sorted((Path(__file__).parents[1] / "fuzz/cases/rest").glob("media-*.bin"))


def sound(path, rate, channels, seconds=1.0):
    t = np.arange(int(rate * seconds)) / rate
    pcm = (np.sin(2 * np.pi * 440 * t) * 12000).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(pcm, channels).tobytes())


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (16000, 1), (44100, 2), (48000, 6)])
def test_any_rate_and_channels_become_mono_16_khz(tmp_path, rate, channels):
    sound(tmp_path / "a.wav", rate, channels)
    pcm = read_audio(tmp_path / "a.wav")
    assert pcm.dtype == np.float32
    assert abs(len(pcm) - RATE) < RATE // 50
    spectrum = np.abs(np.fft.rfft(pcm[:RATE] * np.hanning(len(pcm[:RATE]))))
    assert abs(np.argmax(spectrum) * RATE / len(pcm[:RATE]) - 440) < 3


def test_mono_16_khz_is_read_bit_by_bit(tmp_path):
    sound(tmp_path / "a.wav", RATE, 1)
    with wave.open(str(tmp_path / "a.wav")) as file:
        pcm = np.frombuffer(file.readframes(RATE), "<i2")
    assert np.array_equal(read_audio(tmp_path / "a.wav"), pcm.astype(np.float32) / 32768)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
@pytest.mark.parametrize("read", [read_audio, read_picture])
def test_damaged_media_never_crash(read, case):
    with contextlib.suppress(MediaError):
        assert read(case).size


def test_archives_of_other_things_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.zeros((2, 4, 4)))
    with pytest.raises(MediaError, match="no uint8"):
        read_archive(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", other=np.zeros(3))
    with pytest.raises(MediaError, match="cannot be read"):
        read_archive(tmp_path / "b.npz")
    (tmp_path / "c.npz").write_bytes(b"PK nonsense")
    with pytest.raises(MediaError, match="cannot be read"):
        read_archive(tmp_path / "c.npz")
