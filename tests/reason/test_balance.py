"""No modality wins by the number of its cues, by frames, or by loudness."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thymos.align.window import Window
from thymos.config import PerceiveConfig
from thymos.contract import EMOTIONS, Cue
from thymos.reason.fusion import fuse
from thymos.samples import NS_PER_S, Kind, Sample, StreamSpec

S = NS_PER_S
NAMES = {"face": "expression", "voice": "tone", "words": "sentiment"}


@st.composite
def window_cues(draw):
    """Up to three senses, each with one reading of some sureness and span."""
    made = []
    for n, modality in enumerate(draw(st.sets(st.sampled_from(sorted(NAMES)), min_size=1))):
        weights = draw(st.lists(st.floats(0.01, 1), min_size=7, max_size=7))
        start = draw(st.integers(0, 3 * S))
        made.append(
            Cue(
                id=f"k{n}", modality=modality, name=NAMES[modality], value="x",
                confidence=draw(st.floats(0.05, 0.9)), t0_ns=start,
                t1_ns=start + draw(st.integers(0, 3 * S)),
                emotion={e: w / sum(weights) for e, w in zip(EMOTIONS, weights, strict=True)},
            )
        )  # fmt: skip
    return made


def same(a, b):
    assert a.weights == pytest.approx(b.weights)
    assert a.fused == pytest.approx(b.fused, abs=1e-6)
    assert a.conflict == pytest.approx(b.conflict, abs=1e-6)
    assert a.dissenting == b.dissenting


@settings(max_examples=60, deadline=None)
@given(window_cues(), st.sampled_from(sorted(NAMES)), st.integers(2, 30))
def test_saying_it_again_changes_nothing(cues, loud, times):
    again = [
        c.model_copy(update={"id": f"{c.id}-{n}"})
        for c in cues
        if c.modality == loud
        for n in range(times - 1)
    ]
    same(fuse([*cues, *again]), fuse(cues))


@settings(max_examples=60, deadline=None)
@given(window_cues(), st.integers(1, 30), st.floats(-60, 0))
def test_cues_that_tell_of_no_emotion_change_nothing(cues, count, level):
    present = {c.modality for c in cues}
    more = [
        Cue(id=f"m{n}", modality=m, name=name, value=value, confidence=0.9, t0_ns=n, t1_ns=4 * S)
        for n in range(count)
        for m, name, value in (
            ("voice", "energy", level), ("voice", "pitch", 200.0), ("face", "head_yaw", 3.0),
        )
        if m in present
    ]  # fmt: skip
    same(fuse([*cues, *more]), fuse(cues))


def heard(pcm, gain, block):
    from thymos.models import ModelStore
    from thymos.perceive.voice import VoicePerceiver

    perceiver = VoicePerceiver(PerceiveConfig(), ModelStore())
    perceiver.start(StreamSpec("microphone", Kind.AUDIO, 16000, (-1, 1), "s16"))
    sound = np.round(np.clip(pcm * gain, -1, 1) * 32767).astype(np.int16)
    for n, lo in enumerate(range(0, len(sound), block)):
        t_ns = lo * S // 16000
        perceiver.observe(Sample("microphone", n, t_ns, t_ns, sound[lo : lo + block, None]))
    found = perceiver.cues(Window("w000000", 0, 10 * S, {}))
    perceiver.close()
    return found


@pytest.mark.data
def test_a_louder_voice_is_not_believed_more(data_dir, cue):
    from thymos.train.data import ravdess, read_pcm

    clip = next(c for c in ravdess(data_dir) if c.label == "anger")
    pcm = read_pcm(clip.path)
    pcm = pcm / np.abs(pcm).max()
    face = cue("face", "a face", "sadness", conf=0.6)
    soft, loud = (fuse([face, *heard(pcm, gain, 1600)]) for gain in (0.1, 0.9))
    assert loud.weights["voice"] == pytest.approx(soft.weights["voice"], abs=0.03)
    assert loud.fused == pytest.approx(soft.fused, abs=0.05)
    small = fuse([face, *heard(pcm, 0.9, 320)])
    assert small.fused == pytest.approx(loud.fused, abs=1e-6)


@pytest.mark.data
@pytest.mark.models
def test_more_frames_of_a_face_change_nothing(data_dir, model_store, cue):
    from thymos.evaluate.conflict_readings import picture
    from thymos.evaluate.conflict_set import faces
    from thymos.perceive.face import FacePerceiver

    voice = cue("voice", "a voice", "anger", conf=0.35)
    frame = picture(data_dir, next(c for c in faces(data_dir) if c.label == "joy"))
    seen = []
    for hz in (10, 30):
        perceiver = FacePerceiver(PerceiveConfig(), model_store)
        perceiver.start(StreamSpec("camera", Kind.VIDEO, hz, frame.shape, "rgb8"))
        for n in range(2 * hz):
            perceiver.observe(Sample("camera", n, n * S // hz, n * S // hz, frame))
        found = perceiver.cues(Window("w000000", 0, 2 * S, {}))
        perceiver.close()
        assert any(c.name == "expression" for c in found)
        seen.append(fuse([voice, *found]))
    assert seen[1].weights == pytest.approx(seen[0].weights, abs=0.02)
    assert seen[1].fused == pytest.approx(seen[0].fused, abs=0.02)
