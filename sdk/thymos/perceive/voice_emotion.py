"""From speech to an emotion, by its tone."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from thymos.contract import EMOTIONS
from thymos.errors import ConfigError, MissingExtraError, ModelError
from thymos.perceive.affect import AffectReading
from thymos.perceive.hearing import F32


class VoiceEmotionModel(Protocol):
    """A classifier of the tone of voice.

    Attributes:
        name: For people.
        reliability: How far it can be trusted on strangers, 0 … 1; caps a cue's confidence.
    """

    name: str
    reliability: float

    def read(self, pcm: F32) -> AffectReading | None:
        """Classify speech; None if it cannot be read.

        Args:
            pcm: float32 [n] at 16 kHz, full scale ±1, pauses taken out, at least half a second.
        """


class Learned:
    """The network trained for Thymos on acted English speech (RAVDESS).

    Recall 0.78 over eight classes for speakers it did not hear, 0.64 over six on another language
    and studio (EMO-DB). Both are acted, each emotion as often as the next; people who speak in
    public or to a camera it tends to call angry or disgusted. Everyday speech is mostly neutral,
    so the answer is flattened (temperature 2) and moved from the actors' prior to an everyday one
    by Bayes' rule; both figures are by hand, and the cap on confidence is low.

    Args:
        without: Read with the head fitted without this fold of RAVDESS speakers; for evaluation.
    """

    name = "thymos speech emotion"
    reliability = 0.35
    _FLATTEN = 0.5
    _PRIOR_SHIFT = np.array([2.5 if name == "neutral" else 0.6 for name in EMOTIONS])

    _without: int | None = None

    def __init__(self, without: int | None = None) -> None:
        from thymos.perceive.learned import SpeechEmotion

        self._without = without
        self._net = SpeechEmotion()

    def read(self, pcm: F32) -> AffectReading | None:
        """See `VoiceEmotionModel`."""
        from thymos.perceive.learned.session import on_plane

        try:
            found = self._net.predict(pcm, self._without)
        except ConfigError:  # too short or silent after all
            return None
        moved = np.maximum(found.emotion, 1e-6) ** self._FLATTEN * self._PRIOR_SHIFT
        shares = (moved / moved.sum()).astype(np.float32)
        valence, arousal = on_plane(shares, EMOTIONS)
        return AffectReading(shares, float(valence), float(arousal))


def load(without: int | None = None) -> VoiceEmotionModel | None:
    """The network trained for Thymos (see `Learned`); None if prosody alone has to do."""
    try:
        return Learned(without)
    except (ModelError, MissingExtraError):
        return None
