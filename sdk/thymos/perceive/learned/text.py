"""Emotion of what was said: GoEmotions' 28 labels, Ekman's classes, valence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.contract import EMOTIONS
from thymos.errors import MissingExtraError, ModelError
from thymos.perceive.learned.session import (
    WEIGHTS,
    Floats,
    on_plane,
    open_session,
    softmax,
    to_emotions,
)

_TOKENS = 64
_CHARACTERS = 2000
_BATCH = 64


@dataclass(frozen=True)
class TextReading:
    """What n texts say.

    Attributes:
        labels: [n, 28], columns `TextEmotion.labels`; each is a probability of its own.
        emotion: [n, 7], columns `thymos.contract.EMOTIONS`; rows sum to 1.
        found: [n, 7] bool, columns EMOTIONS: classes over their threshold, any number of them.
        valence: [n], -1 to 1, from the classes' places on the affect plane.
        arousal: [n], likewise.
    """

    labels: Floats
    emotion: Floats
    found: NDArray[np.bool_]
    valence: Floats
    arousal: Floats


class TextEmotion:
    """Emotion probabilities of English sentences; the first 64 word pieces are read.

    Attributes:
        labels: The 28 labels of GoEmotions.
    """

    def __init__(self, folder: Path | None = None, threads: int = 1) -> None:
        folder = folder or WEIGHTS
        self._session: Any = open_session(folder / "text.onnx", threads)
        try:
            from tokenizers import Tokenizer
        except ImportError as err:
            raise MissingExtraError("tokenizers", "perceive") from err
        try:
            spec = json.loads((folder / "text.json").read_text("utf-8"))
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self.labels: tuple[str, ...] = tuple(spec["labels"])
            self._ekman: tuple[str, ...] = tuple(spec["ekman"])
            self._thresholds = np.array(spec["thresholds"], dtype=np.float32)
            self._temperature = float(spec["temperature"])
        except Exception as err:  # tokenizers has no error class of its own
            raise ModelError(f"the text model in {folder} cannot be read: {err}") from err

    def logits(self, texts: list[str]) -> Floats:
        """Return the raw outputs [n, 28 + 7]: labels, then Ekman classes in their own order."""
        rows = [np.zeros((0, len(self.labels) + len(self._ekman)), dtype=np.float32)]
        for i in range(0, len(texts), _BATCH):
            part = self._tokenizer.encode_batch([t[:_CHARACTERS] for t in texts[i : i + _BATCH]])
            ids = np.zeros((len(part), max(min(len(e.ids), _TOKENS) for e in part)), np.int64)
            for row, encoding in zip(ids, part, strict=True):
                row[: min(len(encoding.ids), _TOKENS)] = encoding.ids[:_TOKENS]
            rows.append(self._session.run(None, {"ids": ids})[0])
        return np.concatenate(rows)

    def predict(self, texts: list[str]) -> TextReading:
        """Return the readings of texts; an empty list gives empty arrays."""
        logits = self.logits(texts)
        n = len(self.labels)
        single = softmax(logits[:, n:] / self._temperature)
        valence, arousal = on_plane(single, self._ekman)
        over = 1 / (1 + np.exp(-logits[:, n:])) > self._thresholds
        order = [self._ekman.index(name) for name in EMOTIONS]
        return TextReading(
            labels=np.asarray(1 / (1 + np.exp(-logits[:, :n])), dtype=np.float32),
            emotion=to_emotions(single, self._ekman),
            found=over[:, order],
            valence=valence,
            arousal=arousal,
        )
