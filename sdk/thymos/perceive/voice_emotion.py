"""From speech to probabilities over the seven emotions of the contract."""

from __future__ import annotations

from typing import Protocol

from thymos.models import ModelStore
from thymos.perceive.hearing import F32


class VoiceEmotionModel(Protocol):
    """A classifier of the tone of voice.

    Attributes:
        name: For people.
        reliability: Unweighted recall on speakers it was not trained on; caps a cue's confidence.
    """

    name: str
    reliability: float

    def probabilities(self, pcm: F32) -> F32:
        """Classify speech.

        Args:
            pcm: float32 [n] at 16 kHz, full scale ±1, pauses taken out, at least half a second.

        Returns:
            Calibrated probabilities [7] in the order of `EMOTIONS`.
        """


def load(store: ModelStore) -> VoiceEmotionModel | None:
    """The best model there is; None if prosody alone has to do."""
    return None
