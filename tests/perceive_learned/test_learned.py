"""The wrappers: shapes, invariances, bad input."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from thymos.contract import EMOTIONS
from thymos.errors import ConfigError, ModelError

pytest.importorskip("onnxruntime")

from thymos.perceive.learned import FaceExpression, SpeechEmotion, TextEmotion
from thymos.perceive.learned.session import WEIGHTS, to_emotions
from thymos.perceive.learned.speech import FOLDS, fold_of


@pytest.fixture(scope="module")
def face():
    return FaceExpression()


@pytest.fixture(scope="module")
def voice():
    return SpeechEmotion()


@pytest.fixture(scope="module")
def words():
    pytest.importorskip("tokenizers")
    return TextEmotion()


def _picture(seed: int, side: int = 48) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(60, 180, (6, 6))
    return np.kron(coarse, np.ones((side // 6, side // 6))).astype(np.uint8)


def _hum(seconds: float) -> np.ndarray:
    t = np.arange(int(seconds * 16000)) / 16000
    return (0.3 * np.sin(2 * np.pi * 180 * t) * np.sin(2 * np.pi * 3 * t)).astype(np.float32)


def test_weights_are_small():
    assert sum(f.stat().st_size for f in WEIGHTS.iterdir()) < 20e6


def test_face_shapes_and_sums(face):
    for crops in (np.stack([_picture(0), _picture(1)]), np.zeros((2, 96, 90, 3), np.uint8)):
        probs = face.predict(crops)
        assert probs.shape == (2, len(EMOTIONS))
        np.testing.assert_allclose(probs.sum(1), 1, atol=1e-5)
    assert face.predict(np.zeros((0, 48, 48), np.uint8)).shape == (0, 7)


def test_face_ignores_light_mirror_and_size(face):
    dark = _picture(3)
    want = face.predict(dark[None])
    np.testing.assert_allclose(face.predict((dark + 40)[None]), want, atol=0.03)
    np.testing.assert_allclose(face.predict(dark[None, :, ::-1]), want, atol=1e-5)
    large = np.kron(dark, np.ones((3, 3))).astype(np.uint8)
    np.testing.assert_allclose(face.predict(large[None]), want, atol=0.15)
    assert np.array_equal(face.predict(dark[None]), want)


def test_face_crop_is_square_and_may_leave_the_picture():
    frame = np.arange(40 * 60, dtype=np.uint8).reshape(40, 60)
    crop = FaceExpression.crop(frame, (-5.0, -5.0, 20.0, 30.0))
    assert crop.shape == (36, 36)
    assert crop[0, 0] == frame[0, 0]


@pytest.mark.parametrize("bad", [np.zeros((48, 48), np.uint8), np.zeros((1, 48, 48))])
def test_face_refuses_other_input(face, bad):
    with pytest.raises(ConfigError, match="face crops"):
        face.predict(bad)


def test_speech_any_length_any_level_any_type(voice):
    for seconds in (0.3, 1.0, 7.0, 11.0):
        got = voice.predict(_hum(seconds))
        assert got.probs.shape == (8,)
        assert got.probs.sum() == pytest.approx(1, abs=1e-4)
        assert got.emotion.sum() == pytest.approx(1, abs=1e-4)
        assert -1 <= got.valence <= 1
        assert -1 <= got.arousal <= 1
    loud = voice.predict(_hum(2)).probs
    np.testing.assert_allclose(voice.predict(_hum(2) * 0.01).probs, loud, atol=1e-3)
    np.testing.assert_allclose(
        voice.predict((_hum(2) * 32767).astype(np.int16)).probs, loud, atol=0.02
    )


def test_speech_of_trained_speakers_is_scored_by_heads_that_never_heard_them(voice):
    assert [fold_of(speaker) for speaker in ("01", "03", "04", "18")] == [0, 0, 1, FOLDS - 1]
    said = [voice.predict(_hum(2), without=fold).probs for fold in range(FOLDS)]
    for probs in said:
        assert probs.sum() == pytest.approx(1, abs=1e-4)
    assert np.array_equal(voice.predict(_hum(2), without=0).probs, said[0])
    assert not np.allclose(said[0], said[1], atol=1e-3)  # each has a head of its own
    assert not np.allclose(said[0], voice.predict(_hum(2)).probs, atol=1e-3)


def test_speech_without_the_heads_of_folds_still_reads(tmp_path):
    shutil.copy(WEIGHTS / "speech.onnx", tmp_path)
    alone = SpeechEmotion(tmp_path / "speech.onnx")
    assert alone.predict(_hum(1)).probs.shape == (8,)
    with pytest.raises(ModelError, match="heads of the folds"):
        alone.predict(_hum(1), without=0)


@pytest.mark.parametrize(
    "bad",
    [np.zeros(16000), np.zeros((2, 16000)), np.ones(100), np.full(16000, np.nan)],
    ids=["silent", "stereo", "short", "nan"],
)
def test_speech_refuses_other_input(voice, bad):
    with pytest.raises(ConfigError):
        voice.predict(bad)


def test_text_plain_cases(words):
    texts = ["I am so happy!", "That is disgusting.", "I'm terrified.", "He died. I miss him."]
    got = words.predict(texts)
    want = ["joy", "disgust", "fear", "sadness"]
    assert [EMOTIONS[i] for i in got.emotion.argmax(1)] == want
    assert got.labels.shape == (4, 28)
    assert got.valence[0] > 0 > got.valence[2]


@pytest.mark.parametrize(
    "text", ["I am not happy about this.", "I don't like this at all.", "This is not funny."]
)
def test_text_negated_joy_is_no_joy(words, text):
    got = words.predict([text])
    assert got.emotion[0, EMOTIONS.index("joy")] < 0.35
    assert (
        got.valence[0] < words.predict([text.replace("not ", "").replace("don't ", "")]).valence[0]
    )


def test_text_does_not_depend_on_its_neighbours(words):
    alone = words.predict(["I love it"]).emotion[0]
    beside = words.predict(["I love it", "a much longer text " * 40, ""]).emotion
    np.testing.assert_allclose(beside[0], alone, atol=1e-4)
    assert np.all(np.isfinite(beside))
    assert words.predict([]).emotion.shape == (0, 7)


def test_damaged_weights_are_named(tmp_path):
    with pytest.raises(ModelError, match="no weights"):
        FaceExpression(tmp_path / "face.onnx")
    (tmp_path / "face.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelError, match="cannot be loaded"):
        FaceExpression(tmp_path / "face.onnx")
    shutil.copy(WEIGHTS / "text.onnx", tmp_path)
    with pytest.raises(ModelError, match="cannot be read"):
        TextEmotion(tmp_path)


def test_calm_counts_as_neutral():
    got = to_emotions(np.array([0.25, 0.75], np.float32), ("neutral", "calm"))
    assert got[EMOTIONS.index("neutral")] == pytest.approx(1.0)
