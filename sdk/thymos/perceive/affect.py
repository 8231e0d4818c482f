"""What a model of emotion answers."""

from __future__ import annotations

from dataclasses import dataclass

from thymos.perceive.hearing import F32


@dataclass(frozen=True, slots=True)
class AffectReading:
    """One answer of a model.

    Attributes:
        probabilities: float32 [7] in the order of `EMOTIONS`, sums to 1.
        valence: −1 … 1, None if the model does not say.
        arousal: −1 … 1, None if the model does not say.
    """

    probabilities: F32
    valence: float | None = None
    arousal: float | None = None
