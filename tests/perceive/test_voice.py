from __future__ import annotations

import numpy as np
import pytest

from thymos.align.window import Window
from thymos.config import PerceiveConfig
from thymos.models import ModelStore
from thymos.perceive.hearing import RATE
from thymos.perceive.voice import VoicePerceiver
from thymos.samples import NS_PER_S, EndOfStream, Kind, Sample, StreamSpec

SPEC = StreamSpec("microphone", Kind.AUDIO, RATE, (-1, 1), "s16")


@pytest.fixture
def voice(tmp_path) -> VoicePerceiver:
    return VoicePerceiver(PerceiveConfig(), ModelStore(tmp_path))


def names(cues) -> set[str]:
    return {c.name for c in cues}


def speech(data_dir, clip: str = "av/sadtalker/WDA_KatieHill_000.mp4") -> np.ndarray:
    """16 kHz mono float speech of a clip."""
    from thymos_drivers.media import open_audio

    blocks = []
    with open_audio(str(data_dir / clip)) as source:
        rate = source.spec.rate_hz
        while True:
            try:
                sample = source.read()
            except EndOfStream:
                break
            if sample is not None:
                blocks.append(sample.payload.mean(axis=1) / 32768.0)
    assert rate == RATE
    return np.concatenate(blocks).astype(np.float32)


def pour(voice: VoicePerceiver, pcm: np.ndarray, start_s: float = 0.0) -> None:
    ints = np.clip(pcm * 32768, -32768, 32767).astype(np.int16)[:, None]
    for lo in range(0, len(ints), 1600):
        t_ns = int((start_s + lo / RATE) * NS_PER_S)
        voice.observe(Sample("microphone", lo, t_ns, t_ns, ints[lo : lo + 1600]))


def window(t0_s: float, t1_s: float) -> Window:
    return Window("w", int(t0_s * NS_PER_S), int(t1_s * NS_PER_S), {})


@pytest.mark.data
@pytest.mark.parametrize(
    ("clip", "low", "high"),
    [
        ("sadtalker/WDA_KatieHill_000.mp4", 130, 190),  # a woman's low voice
        ("sadtalker/WDA_AlexandriaOcasioCortez_000.mp4", 190, 230),
        ("video_retalking/1.mp4", 80, 110),  # a man
        ("sadtalker/eluosi.wav", 170, 230),
    ],
)
def test_a_speaking_voice(data_dir, voice, watch, clip, low, high):
    seen = watch(data_dir / "av" / clip, voice)
    assert {"activity", "pitch", "energy", "rate"} <= names(seen.cues[0])
    assert seen.all("activity")[0].value > 0.6
    assert low < seen.all("pitch")[0].value < high
    assert 2 < seen.all("rate")[0].value < 6
    for cue in seen.all():
        assert cue.t0_ns <= cue.t1_ns
        if cue.emotion:
            assert sum(cue.emotion.values()) == pytest.approx(1, abs=1e-3)
            assert cue.confidence < 0.8


@pytest.mark.data
@pytest.mark.parametrize(
    "clip",
    [
        "pyfeat/no_face.mp4",
        "synchformer/vggsound_ZYc410CE4Rg_0_10000.mp4",
        "mediapipe/format_FLV_H264_AAC.video",  # a test signal that the detector takes for speech
        "mediapipe/format_MKV_VP8_VORBIS.video",
    ],
)
def test_sound_that_is_not_speech(data_dir, voice, watch, clip):
    seen = watch(data_dir / "av" / clip, voice)
    assert names(seen.all()) <= {"activity", "sound", "clipping", "event"}
    assert all(c.value == 0 for c in seen.all("activity"))
    assert not any(c.emotion for c in seen.all())


@pytest.mark.data
@pytest.mark.parametrize(
    ("clip", "heard"),
    [
        ("pyfeat/no_face.mp4", {"music"}),
        ("sadtalker/WDA_KatieHill_000.mp4", set()),
        ("sadtalker/RD_Radio31_000.wav", set()),
        ("mediapipe/format_FLV_H264_AAC.video", set()),  # beeps
        ("pyfeat/single_face.mp4", set()),
    ],
)
def test_music_is_told_and_speech_is_none(data_dir, voice, watch, clip, heard):
    seen = watch(data_dir / "av" / clip, voice).all("event")
    assert {c.value for c in seen} == heard
    assert all(c.t1_ns - c.t0_ns >= NS_PER_S and c.emotion is None for c in seen)


@pytest.mark.data
def test_voice_quality_falls_with_noise_and_pauses_are_counted(data_dir, voice):
    voice.start(SPEC)
    clean = speech(data_dir)[: 4 * RATE]
    noise = np.random.default_rng(0).normal(0, 0.02, len(clean)).astype(np.float32)
    # two halves with 1 s of a quiet room between
    room = np.random.default_rng(1).normal(0, 1e-4, RATE).astype(np.float32)
    halting = np.concatenate([clean[: 2 * RATE], room, clean[2 * RATE : 3 * RATE]])
    pour(voice, np.concatenate([clean, clean + noise, halting]))
    found = [{c.name: c for c in voice.cues(window(t, t + 4))} for t in (0, 4, 8)]
    assert found[0]["quality"].value > found[1]["quality"].value + 1
    assert 0.15 < found[2]["pauses"].value < 0.6
    assert "s" in found[2]["pauses"].text


@pytest.mark.data
def test_a_silent_track_is_stated_not_perceived(data_dir, voice, watch):
    seen = watch(data_dir / "av/pyfeat/WolfgangLanger_Pexels.mp4", voice)
    assert seen.all() == []
    assert all("digital silence" in notes[0] for notes in seen.notes)


@pytest.mark.data
def test_near_silence_is_quiet_not_digital(data_dir, voice, watch):
    seen = watch(data_dir / "av/pyfeat/single_face.mp4", voice)
    assert "quiet" in seen.all("sound")[0].text
    assert seen.notes == [()]


@pytest.mark.data
def test_higher_and_louder_are_said_against_the_speaker(data_dir, voice):
    """The same speech again, 1.3 times as high and 10 dB up."""
    import soxr

    usual = speech(data_dir)[: 8 * RATE]
    # 8 dB down first so that the louder one does not clip
    raised = soxr.resample(usual, RATE, RATE / 1.3)[: 4 * RATE].astype(np.float32)
    voice.start(SPEC)
    pour(voice, np.concatenate([usual * 0.25, raised * 0.8, usual[: 4 * RATE] * 0.25]))
    first = voice.cues(window(0, 8))
    assert "than usual" not in next(c for c in first if c.name == "pitch").text
    high = {c.name: c for c in voice.cues(window(8, 12))}
    assert "higher than usual" in high["pitch"].text
    assert "louder than usual" in high["energy"].text
    again = {c.name: c for c in voice.cues(window(12, 16))}
    assert "louder" not in again["energy"].text


@pytest.mark.data
def test_clipped_sound_is_told(data_dir, voice):
    voice.start(SPEC)
    pour(voice, speech(data_dir)[: 4 * RATE] * 40)
    assert "clipping" in names(voice.cues(window(0, 4)))


@pytest.mark.data
def test_same_sound_same_cues_whatever_the_block_size(data_dir, tmp_path):
    pcm = speech(data_dir)[: 4 * RATE]
    ints = (pcm * 32767).astype(np.int16)[:, None]
    found = []
    for block in (160, 1024, 5000):
        voice = VoicePerceiver(PerceiveConfig(), ModelStore(tmp_path))
        voice.start(SPEC)
        for lo in range(0, len(ints), block):
            t_ns = lo * NS_PER_S // RATE
            voice.observe(Sample("microphone", lo, t_ns, 0, ints[lo : lo + block]))
        found.append(voice.cues(window(0, 4)))
    assert found[0] == found[1] == found[2]


def test_no_sound_at_all_says_nothing(voice):
    voice.start(SPEC)
    assert voice.cues(window(0, 4)) == []
    assert voice.notes == ()
