"""Doubly right: is the answer right, and does the reason given lead to the right answer?

Source: StimuVAR (IJCV 2025, arXiv 2409.00304; paper and code read, grade P). Each item gets two
letters: the first says whether the prediction is right (R) or wrong (W), the second whether the
emotion that can be told **from the reason alone, its label words taken out**, is right. RR is
right for the right reason, RW right by luck, WR a good reason with a wrong conclusion.

StimuVAR asks a language model to tell the emotion from the reason. Here it is told without one
(grade I): words of feeling are taken out (`thymos.evaluate.extract`), and outward signs that are
left (smiles, tears, a raised voice) are counted, see `signs.yaml`. This reader is weak, and it
cannot see reasons that lie in what is said; how weak is in `docs/evaluation.md`. Give another
reader as `repredict` to use a model of yours; results of different readers cannot be compared.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files

import yaml

from thymos.contract import EMOTIONS
from thymos.evaluate.extract import MAX_CHARACTERS, feeling_of

_WORD = re.compile(r"[A-Za-z]+(?:[-'’][A-Za-z]+)*")
Reader = Callable[[str], str]
"""From a reason without label words to a class; empty if it tells nothing."""


@functools.cache
def _signs() -> dict[str, list[tuple[int, re.Pattern[str]]]]:
    data = yaml.safe_load((files("thymos.evaluate") / "signs.yaml").read_text("utf-8"))
    return {
        name: [
            (int(weight), re.compile(rf"\b(?:{'|'.join(w.strip() for w in listed.split(', '))})\b"))
            for weight, listed in data[name].items()
        ]
        for name in EMOTIONS
    }


def without_labels(reason: str) -> str:
    """Take every word of feeling out of a reason, not only the label's: synonyms tell it too."""
    kept = _WORD.sub(lambda m: "" if feeling_of(m.group().lower()) else m.group(), reason)
    return " ".join(kept.split())


def repredict(reason: str) -> str:
    """Tell the class from the outward signs in a reason; empty if it holds none, or on a tie."""
    text = reason[-MAX_CHARACTERS:].lower()
    points = {
        name: sum(weight * len(pattern.findall(text)) for weight, pattern in signs)
        for name, signs in _signs().items()
    }
    first, second = sorted(points.values(), reverse=True)[:2]
    return max(points, key=lambda name: points[name]) if first > second else ""


@dataclass(frozen=True)
class DoublyRight:
    """Shares of the items; they sum to 1.

    Attributes:
        rr: Prediction right, reason right.
        rw: Prediction right, reason wrong or empty.
        wr: Prediction wrong, reason right.
        ww: Both wrong.
        told: Share of the reasons that tell any class at all.
        shuffled: Share of right reasons when reasons are given to other items: the chance level.
        items: How many.
    """

    rr: float
    rw: float
    wr: float
    ww: float
    told: float
    shuffled: float
    items: int


def doubly_right(
    truth: Sequence[str],
    said: Sequence[str],
    reasons: Sequence[str],
    read: Reader = repredict,
) -> DoublyRight:
    """Score predictions and their reasons together.

    Args:
        truth: True class of each item.
        said: Predicted class; anything else (empty) is wrong.
        reasons: The explanation given with it.
        read: Tells a class from a reason whose label words were taken out.
    """
    if not truth:
        return DoublyRight(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0)
    from numpy.random import default_rng

    found = [read(without_labels(reason)) for reason in reasons]
    n = len(truth)
    pairs = [(t == s, t == f) for t, s, f in zip(truth, said, found, strict=True)]
    order = default_rng(0).permutation(n)
    rr, rw, wr, ww = (
        pairs.count(pair) / n
        for pair in ((True, True), (True, False), (False, True), (False, False))
    )
    by_luck = sum(truth[i] == found[j] for i, j in enumerate(order)) / n
    return DoublyRight(rr, rw, wr, ww, sum(map(bool, found)) / n, by_luck, n)
