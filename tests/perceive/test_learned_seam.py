"""The trained models behind the perceivers, and what stands in where they cannot run."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from thymos.contract import EMOTIONS
from thymos.perceive import expression, text_emotion, voice_emotion


@pytest.mark.models
def test_each_modality_uses_its_trained_model(model_store):
    assert isinstance(expression.load(model_store), expression.Learned)
    assert isinstance(voice_emotion.load(), voice_emotion.Learned)
    assert isinstance(text_emotion.load(), text_emotion.Learned)


@pytest.mark.models
def test_without_their_runtime_the_others_stand_in(model_store, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert isinstance(expression.load(model_store), expression.Facex)
    assert voice_emotion.load() is None
    assert isinstance(text_emotion.load(), text_emotion.Lexicon)


@pytest.mark.parametrize(
    ("text", "top"),
    [("I finally got the job, I am so happy!", "joy"), ("I am not happy about this.", "sadness")],
)
def test_text(text, top):
    found = text_emotion.Learned().read(text)
    assert EMOTIONS[int(found.probabilities.argmax())] == top
    assert found.probabilities.sum() == pytest.approx(1, abs=1e-4)
    assert (found.valence > 0) == (top == "joy")


def test_nothing_said_is_no_reading():
    assert text_emotion.Learned().read("  ") is None


def test_silence_and_snippets_are_no_tone_of_voice():
    model = voice_emotion.Learned()
    assert model.read(np.zeros(16000, np.float32)) is None
    assert model.read(np.zeros(100, np.float32)) is None
    noise = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    assert model.read(noise).probabilities.sum() == pytest.approx(1, abs=1e-4)
