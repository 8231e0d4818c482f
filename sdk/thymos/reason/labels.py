"""Open-vocabulary labels: class, valence and arousal of a word for a feeling (`labels.yaml`)."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

import yaml

from thymos.contract import EMOTIONS, Emotion, EmotionGuess
from thymos.errors import ModelError

MAX_LABEL = 40
_ENTRY = re.compile(r"^([a-z]+(?: [a-z]+)?) (-?[.\d]+) (-?[.\d]+)$")
_ENDINGS = (("ness", ""), ("ly", ""), ("fulness", "ful"))


@dataclass(frozen=True, slots=True)
class Label:
    """A word for a feeling.

    Attributes:
        word: As in the table.
        level1: Its class.
        valence: −1 … 1.
        arousal: −1 … 1.
    """

    word: str
    level1: Emotion
    valence: float
    arousal: float

    def guess(self, confidence: float) -> EmotionGuess:
        """This label with a probability, as it stands in an explanation."""
        return EmotionGuess(
            label=self.word,
            confidence=confidence,
            level1=self.level1,
            valence=self.valence,
            arousal=self.arousal,
        )


@functools.cache
def table() -> Mapping[str, Label]:
    """Read the table of the package, once; in order of the classes.

    Raises:
        ModelError: It is damaged.
    """
    text = (files("thymos.reason") / "labels.yaml").read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    made: dict[str, Label] = {}
    for level1 in EMOTIONS:
        for entry in str(data.get(level1, "")).split(","):
            fields = _ENTRY.match(" ".join(entry.split()))
            if fields is None or fields[1] in made:
                raise ModelError(f"the label '{entry.strip()}' is not readable or comes twice")
            made[fields[1]] = Label(fields[1], level1, float(fields[2]), float(fields[3]))
    return made


def resolve(text: str) -> Label | None:
    """The label that a word or short phrase names, None if the table does not know it.

    Case, white space, punctuation and Unicode forms do not matter; `sadness`, `sadly` and `sad`
    are one. A denied label (`not happy`) and anything longer than a label names none.
    """
    plain = unicodedata.normalize("NFKC", text[: 4 * MAX_LABEL]).casefold()
    plain = " ".join(re.sub(r"[^a-z]+", " ", plain).split())
    if not plain or len(plain) > MAX_LABEL:
        return None
    known = table()
    if plain in known:
        return known[plain]
    for ending, instead in _ENDINGS:
        stem = plain.removesuffix(ending) + instead
        for form in (stem, stem.removesuffix("i") + "y"):  # happiness: happy
            if plain.endswith(ending) and form in known:
                return known[form]
    return None
