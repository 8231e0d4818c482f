"""Emotion of an utterance from how it sounds, whatever the words and the level."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from thymos.errors import ConfigError
from thymos.perceive.learned.session import (
    WEIGHTS,
    Floats,
    on_plane,
    open_session,
    softmax,
    to_emotions,
)

RATE = 16000
_SPAN, _HOP = 6 * RATE, 3 * RATE
_LONGEST_AT_ONCE = 8 * RATE
_SHORTEST = RATE * 3 // 10
_LIMIT = 60 * RATE
_SILENCE = 1e-4


@dataclass(frozen=True)
class SpeechReading:
    """What one stretch of speech sounds like.

    Attributes:
        probs: [8], columns `SpeechEmotion.labels`, sums to 1.
        emotion: [7], columns `thymos.contract.EMOTIONS`, sums to 1.
        valence: -1 to 1, from the classes' places on the affect plane.
        arousal: -1 to 1, likewise.
    """

    probs: Floats
    emotion: Floats
    valence: float
    arousal: float


class SpeechEmotion:
    """Emotion probabilities of speech; give it speech, it does not tell speech from noise."""

    labels: ClassVar[tuple[str, ...]] = (
        "neutral", "calm", "joy", "sadness", "anger", "fear", "disgust", "surprise",
    )  # fmt: skip

    def __init__(self, path: Path | None = None, threads: int = 1) -> None:
        self._session: Any = open_session(path or WEIGHTS / "speech.onnx", threads)

    def predict(self, pcm: NDArray[Any]) -> SpeechReading:
        """Return the reading of one utterance.

        Longer than 8 s, it is read in stretches of 6 s every 3 s and the answers are averaged;
        of more than a minute, the last minute is read. Silence at both ends is cut.

        Args:
            pcm: [samples], mono, 16 kHz; float in [-1, 1] or int16.

        Raises:
            ConfigError: Not one-dimensional, shorter than 0.3 s, silent, or not finite.
        """
        x = _as_float(np.asarray(pcm))
        x = _trim(x[-_LIMIT:])
        if len(x) < _SHORTEST:  # little is left of a short word: silence around it does no harm
            x = np.pad(x, (0, _SHORTEST - len(x)))
        spans = [x]
        if len(x) > _LONGEST_AT_ONCE:
            starts = list(range(0, len(x) - _SPAN, _HOP))
            spans = [x[s : s + _SPAN] for s in [*starts, len(x) - _SPAN]]
        found = [softmax(self._session.run(None, {"pcm": s[None]})[0])[0] for s in spans]
        probs = np.asarray(np.mean(found, axis=0, dtype=np.float32))
        valence, arousal = on_plane(probs, self.labels)
        return SpeechReading(probs, to_emotions(probs, self.labels), float(valence), float(arousal))


def _as_float(pcm: NDArray[Any]) -> Floats:
    hint = "give one channel at 16 kHz, 0.3 s or longer, where a voice was found"
    if pcm.ndim != 1 or len(pcm) < _SHORTEST:
        raise ConfigError(f"speech of shape {pcm.shape} cannot be read", hint=hint)
    x = pcm.astype(np.float32) / (32768.0 if pcm.dtype.kind == "i" else 1.0)
    peak = float(np.abs(x).max())
    if not np.isfinite(peak) or peak < _SILENCE:
        raise ConfigError("the speech is silent or not finite", hint=hint)
    return np.asarray(x / peak, dtype=np.float32)


def _trim(x: Floats) -> Floats:
    """Cut the silence at both ends: 40 dB under the loudest 10 ms, 0.1 s is left."""
    frames = len(x) // 160
    power = (x[: frames * 160].reshape(frames, 160) ** 2).mean(1)
    on = np.flatnonzero(power > power.max() * 1e-4)
    if not len(on):
        return x
    return x[max(0, int(on[0]) - 10) * 160 : (int(on[-1]) + 11) * 160]
