"""From words to probabilities over the seven emotions of the contract."""

from __future__ import annotations

import re
from typing import Protocol

import numpy as np

from thymos.contract import EMOTIONS, Emotion
from thymos.errors import MissingExtraError, ModelError
from thymos.perceive.affect import AffectReading
from thymos.perceive.hearing import F32


class TextEmotionModel(Protocol):
    """A classifier of text.

    Attributes:
        name: For people.
        reliability: Share of right answers on labelled text, 0 … 1; caps a cue's confidence.
    """

    name: str
    reliability: float

    def read(self, text: str) -> AffectReading | None:
        """Classify a text; None if it says nothing."""


_WORDS: dict[Emotion, str] = {
    "joy": "happy glad great wonderful love loved lovely thanks thank good nice excited fun "
    "enjoy enjoying amazing awesome delighted pleased proud celebrate celebrating smile laugh",
    "sadness": "sad sorry unhappy cry crying miss lonely alone lost hurt depressed hopeless grief "
    "tired disappointed died death tears heartbroken miserable",
    "anger": "angry mad furious hate annoying annoyed unfair stupid damn outrageous rage fed-up "
    "idiot ridiculous",
    "fear": "afraid scared fear worried worry anxious nervous terrified danger dangerous panic "
    "frightened",
    "disgust": "disgusting gross awful nasty stinks smelly rotten sick yuck vomit horrible",
    "surprise": "wow surprised surprising unexpected suddenly unbelievable incredible",
}
_NOT = {"not", "no", "never", "don't", "isn't", "wasn't", "can't", "won't", "didn't", "hardly"}
_OPPOSITE: dict[Emotion, Emotion] = {"joy": "sadness", "sadness": "neutral", "anger": "neutral"}


class Lexicon:
    """Counts about a hundred everyday words; a "not" up to three words before turns one round.

    It stands in where no trained model is there. Most sentences hold none of its words, and then
    it says nothing.
    """

    name = "lexicon"
    reliability = 0.3

    def __init__(self) -> None:
        self._of = {word: name for name, words in _WORDS.items() for word in words.split()}

    def read(self, text: str) -> AffectReading | None:
        """See `TextEmotionModel`."""
        tokens = re.findall(r"[a-z'-]+", text.lower())
        counts = dict.fromkeys(EMOTIONS, 0.0)
        for k, token in enumerate(tokens):
            emotion = self._of.get(token)
            if emotion is None:
                continue
            if _NOT.intersection(tokens[max(0, k - 3) : k]):
                emotion = _OPPOSITE.get(emotion, "neutral")
            counts[emotion] += 1.0
        total = sum(counts.values())
        if not total:
            return None
        prior = np.array([1.0 if name == "neutral" else 0.25 for name in EMOTIONS])
        found = prior + 1.5 * np.array([counts[name] for name in EMOTIONS])
        shares: F32 = (found / found.sum()).astype(np.float32)
        return AffectReading(shares)


class Learned:
    """The network trained for Thymos: macro-F1 0.635 on GoEmotions' test set (Ekman's classes)."""

    name = "thymos text emotion"
    reliability = 0.63

    def __init__(self) -> None:
        from thymos.perceive.learned import TextEmotion

        self._net = TextEmotion()

    def read(self, text: str) -> AffectReading | None:
        """See `TextEmotionModel`."""
        if not text.strip():
            return None
        found = self._net.predict([text])
        return AffectReading(found.emotion[0], float(found.valence[0]), float(found.arousal[0]))


def load() -> TextEmotionModel:
    """The network trained for Thymos; where its file or runtime lacks, the lexicon."""
    try:
        return Learned()
    except (ModelError, MissingExtraError):
        return Lexicon()
