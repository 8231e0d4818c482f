"""Open-vocabulary label sets: the list parser, MER2024's set metric, sentiment.

Sources, with the grades of our reference notes: MER2024 set metric and parser, code of
zeroQiaoba/MERTools (read, and its stored example reproduced); sentiment of MER-UniBench, the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from thymos.evaluate.classification import accuracy, weighted_f1

Lists = Mapping[str, Sequence[str]]
"""Labels of each clip, by its name."""
_QUOTES = re.compile(r"['\",]")


def parse_labels(text: str) -> list[str]:
    """Take a label list apart as MERTools does: `"['happy', 'calm']"`.

    One leading `[` and one trailing `]` are dropped, what remains is split at quotes and commas.
    A parser that respects quotes (JSON, `ast`) gives other lists, and so other scores.
    """
    text = text.strip()
    text = text.removeprefix("[").removesuffix("]")
    return [part for piece in _QUOTES.split(text) if (part := piece.strip())]


@dataclass(frozen=True)
class SetScore:
    """Means over clips: `accuracy` = |G∩P|/|P|, `recall` = |G∩P|/|G|, and their mean."""

    accuracy: float
    recall: float
    mean: float
    clips: int


def set_score(
    truth: Lists, predicted: Lists, groups: Mapping[str, Sequence[Sequence[str]]] | None = None
) -> SetScore:
    """Score label sets clip by clip: MER2024's open-vocabulary metric; CA-MER's Acc, Rec, Avg.

    MER2024 (code read, grade P) lets a language model group the synonyms of each clip; each label
    then stands for the first of its group. CA-MER (described by VISTA, grade S) calls the same
    three numbers Acc, Rec and Avg.

    Args:
        truth: Labels of each clip; a clip without any is left out.
        predicted: Answers to the same clips; a clip that is lacking counts as no labels: 0 and 0.
        groups: Synonyms of each clip.
    """
    rows = []
    for name, labels in truth.items():
        first = {w.lower(): g[0].lower() for g in (groups or {}).get(name, ()) for w in g}
        true, said = (
            {first.get(w, w) for w in (label.strip().lower() for label in own)}
            for own in (labels, predicted.get(name, ()))
        )
        if true:
            hits = len(true & said)
            rows.append((hits / len(said) if said else 0.0, hits / len(true)))
    if not rows:
        return SetScore(0.0, 0.0, 0.0, 0)
    precision, recall = np.mean(rows, axis=0).tolist()
    return SetScore(precision, recall, (precision + recall) / 2, len(rows))


@dataclass(frozen=True)
class Sentiment:
    """`waf` is the weighted F1 (primary), `accuracy` beside it; both over non-zero truths."""

    waf: float
    accuracy: float
    clips: int


def sentiment(truth: Sequence[float], predicted: Sequence[float]) -> Sentiment:
    """Score the sign of sentiment (MER-UniBench: MOSI, MOSEI, SIMS, SIMSv2; code read, grade P).

    A true score of 0 is left out; below it is negative, above it positive. Fixed here: a predicted
    0 counts as wrong, where it would otherwise be on the negative side by accident.
    """
    signs = np.sign(np.asarray([truth, predicted], dtype=float)).astype(int)
    true, said = signs[:, signs[0] != 0]
    if not len(true):
        return Sentiment(0.0, 0.0, 0)
    return Sentiment(weighted_f1(true, said), accuracy(true, said), len(true))


def shuffled(predicted: Lists, seed: int = 0) -> dict[str, Sequence[str]]:
    """Give each clip the answer of another one drawn at random: the chance level of a metric."""
    names = list(predicted)
    order = np.random.default_rng(seed).permutation(len(names))
    return {name: predicted[names[j]] for name, j in zip(names, order, strict=True)}


def constant(names: Iterable[str], labels: Sequence[str]) -> dict[str, Sequence[str]]:
    """Give every clip the same labels: what a metric pays for not looking."""
    return dict.fromkeys(names, labels)
