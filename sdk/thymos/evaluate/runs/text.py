"""Text: the emotion of each line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from thymos.contract import EMOTIONS
from thymos.evaluate.runs.items import Answer, Item
from thymos.evaluate.runs.shared import digest, named

FINE_THRESHOLD = 0.3  # of the 28 labels; not tuned
FINE_CLASSES = (
    "admiration", "amusement", "anger", "annoyance", "approval", "caring", "confusion",
    "curiosity", "desire", "disappointment", "disapproval", "disgust", "embarrassment",
    "excitement", "fear", "gratitude", "grief", "joy", "love", "nervousness", "optimism", "pride",
    "realization", "relief", "remorse", "sadness", "surprise", "neutral",
)  # fmt: skip
"""The 28 labels of GoEmotions (Demszky et al., ACL 2020), in its order."""
FINE_TAG = "_fine"
"""Tag in which the GoEmotions preset keeps its 28 labels; tags with `_` get no scores."""


def finely(items: Sequence[Item]) -> list[Item]:
    """Put the 28 labels of the GoEmotions preset in the place of the seven classes."""
    return [replace(item, labels=tuple(item.tags[FINE_TAG].split("|"))) for item in items]


class Text:
    """Reads each line with `thymos.perceive.learned.TextEmotion`.

    Args:
        fine: Answer the 28 labels of GoEmotions instead of the seven classes.
    """

    def __init__(self, fine: bool = False) -> None:
        from thymos.perceive.learned import TextEmotion
        from thymos.perceive.learned.session import WEIGHTS

        self._model = TextEmotion()
        self._fine = fine
        files = (WEIGHTS / name for name in ("text.onnx", "text.json", "tokenizer.json"))
        self.identity: Mapping[str, Any] = {"task": "text", "weights": digest(*files), "fine": fine}

    def answer(self, items: Sequence[Item]) -> list[Answer]:
        """Answer lines, in order."""
        reading = self._model.predict([item.text for item in items])
        if self._fine:
            names, probs = self._model.labels, reading.labels
            found = probs > FINE_THRESHOLD
        else:
            names, probs, found = EMOTIONS, reading.emotion, reading.found
        return [
            Answer(
                item.key,
                named(names, row),
                tuple(name for name, yes in zip(names, says, strict=True) if yes),
            )
            for item, row, says in zip(items, probs, found, strict=True)
        ]

    def close(self) -> None:
        """Nothing to let go."""
