"""Bangs and rushes are told with their second; speech-like and slow changes are not."""

from __future__ import annotations

import numpy as np
import pytest

from thymos.align.window import Window
from thymos.perceive.sudden import SuddenMovement, SuddenSound
from thymos.samples import NS_PER_S, Flag, Kind, Sample, StreamSpec

RATE = 16000
SOUND = StreamSpec("microphone", Kind.AUDIO, RATE, (-1, 1), "s16")
CAMERA = StreamSpec("camera", Kind.VIDEO, 15, (48, 64, 3), "rgb8")
WHOLE = Window("w000000", 0, 4 * NS_PER_S, {})


def hear(pcm: np.ndarray, block: int = 1600) -> SuddenSound:
    ear = SuddenSound()
    ear.start(SOUND)
    for start in range(0, len(pcm), block):
        part = pcm[start : start + block].clip(-32768, 32767).astype(np.int16)[:, None]
        ear.observe(Sample("microphone", 0, start * NS_PER_S // RATE, 0, part))
    return ear


def noise(seconds: float, level: float) -> np.ndarray:
    return np.random.default_rng(2).normal(0, level, round(RATE * seconds))


@pytest.mark.parametrize("block", [800, 1600, 1024, 480])
def test_a_bang_is_told_with_its_second(block: int) -> None:
    pcm = noise(4, 20)
    pcm[2 * RATE : 2 * RATE + 2400] += noise(0.15, 16000)
    (cue,) = hear(pcm, block).cues(WHOLE)
    assert (cue.name, cue.modality, cue.emotion) == ("sudden_sound", "voice", None)
    assert abs(cue.t0_ns - 2e9) < 0.2e9


def test_loud_from_the_start_and_slowly_louder_is_not_sudden() -> None:
    assert hear(noise(4, 16000)).cues(WHOLE) == []
    assert hear(noise(4, 200) + 0).cues(WHOLE) == []


def test_a_bang_at_the_very_end_is_not_forgotten() -> None:
    pcm = noise(4, 20)
    pcm[-1600:] += noise(0.1, 16000)
    assert len(hear(pcm).cues(WHOLE)) == 1


def see(greys: list[int], flags: Flag = Flag.OK) -> SuddenMovement:
    eye = SuddenMovement()
    eye.start(CAMERA)
    for i, grey in enumerate(greys):
        pixels = np.full((48, 64, 3), grey, np.uint8)
        eye.observe(Sample("camera", i, i * NS_PER_S // 15, 0, pixels, flags))
    return eye


def test_a_rush_is_told_and_a_slow_fade_is_not() -> None:
    (cue,) = see([100] * 20 + [180] * 20).cues(WHOLE)
    assert (cue.name, cue.modality) == ("sudden_movement", "face")
    assert cue.t0_ns == 20 * NS_PER_S // 15
    assert see(list(range(100, 160))).cues(WHOLE) == []
    assert see([0, 255] * 20, Flag.INVALID).cues(WHOLE) == []


def test_events_belong_to_the_window_in_which_they_were() -> None:
    eye = see([100] * 20 + [180] * 20)
    assert eye.cues(Window("w000001", 2 * NS_PER_S, 4 * NS_PER_S, {})) == []
    assert len(eye.cues(Window("w000000", 0, 2 * NS_PER_S, {}))) == 1
