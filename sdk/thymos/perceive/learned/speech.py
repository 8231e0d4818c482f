"""Emotion of an utterance from how it sounds, whatever the words and the level."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from thymos.errors import ConfigError, ModelError
from thymos.perceive.learned.session import (
    WEIGHTS,
    Floats,
    on_plane,
    open_session,
    softmax,
    to_emotions,
)

RATE = 16000
_SPAN, _HOP = 3 * RATE, 2 * RATE  # as long as the clips it learned from
_LONGEST_AT_ONCE = 4 * RATE
_SHORTEST = RATE * 3 // 10
_LIMIT = 60 * RATE
_SILENCE = 1e-4
FOLDS = 6
"""Of three RAVDESS speakers each, in order: 01-03, 04-06 … 16-18."""


def fold_of(speaker: str) -> int:
    """Return the fold of a RAVDESS speaker (01 to 18), whose head never heard that speaker."""
    return (int(speaker) - 1) // 3


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
        path = path or WEIGHTS / "speech.onnx"
        self._session: Any = open_session(path, threads)
        self._folds_path = path.with_name("speech_folds.npz")

    def predict(self, pcm: NDArray[Any], without: int | None = None) -> SpeechReading:
        """Return the reading of one utterance.

        Longer than 4 s, it is read in stretches of 3 s every 2 s and the answers are averaged;
        of more than a minute, the last minute is read. Silence at both ends is cut.

        Args:
            pcm: [samples], mono, 16 kHz; float in [-1, 1] or int16.
            without: Answer with the head fitted without the speakers of this fold of RAVDESS
                (`fold_of`); to score the model on people it was trained with.

        Raises:
            ConfigError: Not one-dimensional, shorter than 0.3 s, silent, or not finite.
            ModelError: The heads of the folds are missing.
        """
        x = _as_float(np.asarray(pcm))
        x = _trim(x[-_LIMIT:])
        if len(x) < _SHORTEST:  # little is left of a short word: silence around it does no harm
            x = np.pad(x, (0, _SHORTEST - len(x)))
        spans = [x]
        if len(x) > _LONGEST_AT_ONCE:
            starts = list(range(0, len(x) - _SPAN, _HOP))
            spans = [x[s : s + _SPAN] for s in [*starts, len(x) - _SPAN]]
        found = [softmax(self._logits(s, without)) for s in spans]
        probs = np.asarray(np.mean(found, axis=0, dtype=np.float32))
        valence, arousal = on_plane(probs, self.labels)
        return SpeechReading(probs, to_emotions(probs, self.labels), float(valence), float(arousal))

    def _logits(self, pcm: Floats, without: int | None) -> Floats:
        logits, pooled = self._session.run(["logits", "pooled"], {"pcm": pcm[None]})
        if without is None:
            return np.asarray(logits[0], dtype=np.float32)
        weight, bias = self._folds
        return np.asarray(pooled[0] @ weight[without] + bias[without], dtype=np.float32)

    @cached_property
    def _folds(self) -> tuple[Floats, Floats]:
        try:
            with np.load(self._folds_path, allow_pickle=False) as saved:
                return saved["weight"].astype(np.float32), saved["bias"].astype(np.float32)
        except (OSError, ValueError, KeyError) as err:
            raise ModelError(
                f"the heads of the folds cannot be read: {err}",
                hint="install thymos again: its weights are part of the package",
            ) from err


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
