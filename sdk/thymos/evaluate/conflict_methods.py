"""What fusion is compared with on the conflict set, and fusion with a part of it taken away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from thymos.contract import EMOTIONS, Cue, Emotion, Modality
from thymos.reason.base import Affect
from thymos.reason.fusion import hear

F64 = NDArray[np.float64]
Method = Callable[[Sequence[Cue]], Mapping[Emotion, float]]


def naive(cues: Sequence[Cue]) -> Mapping[Emotion, float]:
    """Equal-weight mean of the modalities' probabilities, as their models give them."""
    return _weighted({m: (h.raw, 1.0) for m, h in hear(cues).items()})


def _surest(cues: Sequence[Cue]) -> Mapping[Emotion, float]:
    """The modality with the greatest probability decides alone."""
    found = hear(cues)
    return max((h.raw for h in found.values()), key=lambda raw: max(raw.values()))


def _by_count(cues: Sequence[Cue]) -> Mapping[Emotion, float]:
    """Weights by number of cues: who says most is heard most."""
    count = {m: sum(c.modality == m for c in cues) for m in ("face", "voice", "words")}
    return _weighted({m: (h.raw, float(count[m])) for m, h in hear(cues).items()})


def _of(modality: Modality) -> Method:
    def alone(cues: Sequence[Cue]) -> Mapping[Emotion, float]:
        found = hear(cues)
        return found[modality].raw if modality in found else dict.fromkeys(EMOTIONS, 1 / 7)

    return alone


BASELINES: dict[str, Method] = {
    "naive mean": naive,
    "surest modality": _surest,
    "by number of cues": _by_count,
    "face alone": _of("face"),
    "voice alone": _of("voice"),
}
"""What needs no measuring: the models' probabilities as they come."""


def _even(affect: Affect, prior: Mapping[Emotion, float]) -> Mapping[Emotion, float]:
    """Equal-weight mean of the corrected readings: calibration without reliability."""
    return _weighted({m: (r, 1.0) for m, r in affect.unimodal.items()})


def _mixture(affect: Affect, prior: Mapping[Emotion, float]) -> Mapping[Emotion, float]:
    """Linear pool of the corrected readings with fusion's own weights (Stone 1961)."""
    return _weighted({m: (r, affect.weights[m]) for m, r in affect.unimodal.items()})


ABLATIONS = {"corrected, even weights": _even, "corrected, mixture": _mixture}
"""What is left of fusion when a part of it is taken away."""


def _weighted(
    parts: Mapping[Modality, tuple[Mapping[Emotion, float], float]],
) -> Mapping[Emotion, float]:
    total = sum(w for _, w in parts.values())
    return {e: sum(r[e] * w for r, w in parts.values()) / total for e in EMOTIONS}


def matrix(found: Sequence[Mapping[Emotion, float]]) -> F64:
    """Readings as rows [n, 7] in the order of `EMOTIONS`."""
    return np.array([[r[e] for e in EMOTIONS] for r in found]).reshape(-1, len(EMOTIONS))
