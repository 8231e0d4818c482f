"""Scores of classifiers, with intervals, in numpy.

`truth` and `predicted` are class numbers [n]; `probs` and `logits` are [n, classes]. WAR and UAR
are the names of speech emotion recognition (Schuller et al., INTERSPEECH 2009 Emotion Challenge)
for accuracy and for the mean recall over classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]


def accuracy(truth: Ints, predicted: Ints) -> float:
    """Return the share of right answers (weighted average recall, WAR)."""
    return float(np.mean(np.asarray(truth) == np.asarray(predicted)))


def recalls(truth: Ints, predicted: Ints, classes: Sequence[int]) -> Floats:
    """Return the recall of each class; NaN where the truth never holds it."""
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    return np.array(
        [np.mean(predicted[truth == c] == c) if np.any(truth == c) else np.nan for c in classes]
    )


def uar(truth: Ints, predicted: Ints) -> float:
    """Return the unweighted average recall over the classes the truth holds."""
    return float(np.mean(recalls(truth, predicted, np.unique(truth).tolist())))


def precisions(truth: Ints, predicted: Ints, classes: Sequence[int]) -> Floats:
    """Return the precision of each class; 0 where it is never said."""
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    return np.array(
        [np.mean(truth[predicted == c] == c) if np.any(predicted == c) else 0.0 for c in classes]
    )


def f1_scores(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> Floats:
    """Return F1 of each column of two [n, classes] tables; 0 where nothing is there to find."""
    hits = np.sum(truth & predicted, axis=0)
    total = np.sum(truth, axis=0) + np.sum(predicted, axis=0)
    return np.where(total > 0, 2.0 * hits / np.maximum(total, 1), 0.0)


def _by_class(truth: Ints, predicted: Ints) -> tuple[Floats, Floats]:
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    classes, count = np.unique(truth, return_counts=True)
    return f1_scores(truth[:, None] == classes, predicted[:, None] == classes), count / len(truth)


def macro_f1(truth: Ints, predicted: Ints) -> float:
    """Return the mean F1 over the classes the truth holds.

    An answer of a class that the truth never holds counts as a miss of the true class.
    """
    return float(np.mean(_by_class(truth, predicted)[0]))


def weighted_f1(truth: Ints, predicted: Ints) -> float:
    """Return the mean F1 over classes, each weighted by its share of the truth (WAF)."""
    scores, shares = _by_class(truth, predicted)
    return float(scores @ shares)


def confusion(truth: Ints, predicted: Ints, n: int) -> NDArray[np.int64]:
    """Return the [n, n] table of counts, a row for each true class."""
    table = np.zeros((n, n), dtype=np.int64)
    np.add.at(table, (np.asarray(truth), np.asarray(predicted)), 1)
    return table


@dataclass(frozen=True)
class Bin:
    """One bar of a reliability diagram: what was claimed in it and what was right."""

    share: float
    confidence: float
    accuracy: float


def reliability(probs: Floats, truth: Ints, bins: int = 15) -> list[Bin]:
    """Return the filled bins of the top label's probability, equal widths, lowest first."""
    probs, truth = np.asarray(probs), np.asarray(truth)
    top, right = probs.max(axis=1), probs.argmax(axis=1) == truth
    place = np.minimum((top * bins).astype(int), bins - 1)
    filled = (place == b for b in np.unique(place))
    return [Bin(float(m.mean()), float(top[m].mean()), float(right[m].mean())) for m in filled]


def expected_calibration_error(probs: Floats, truth: Ints, bins: int = 15) -> float:
    """Return the ECE of the top label, equal-width bins (Guo et al., ICML 2017, section 2)."""
    return sum(b.share * abs(b.accuracy - b.confidence) for b in reliability(probs, truth, bins))


def softmax(logits: Floats) -> Floats:
    """Return the softmax over the last axis."""
    e = np.exp(logits - np.max(logits, axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def fit_temperature(logits: Floats, truth: Ints) -> float:
    """Return the temperature that minimises the log loss (Guo et al., ICML 2017, section 4.2)."""
    grid = np.exp(np.linspace(np.log(0.2), np.log(5.0), 241))
    rows = np.arange(len(truth))
    losses = [-np.mean(np.log(softmax(logits / t)[rows, truth] + 1e-12)) for t in grid]
    return float(grid[int(np.argmin(losses))])


@dataclass(frozen=True)
class Interval:
    """A score with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap(
    score: Callable[[NDArray[np.int64]], float],
    units: Sequence[object] | NDArray[Any],
    rounds: int = 1000,
    seed: int = 0,
) -> Interval:
    """Bootstrap a score over units (people, groups of equal pictures), not over single items.

    Percentile interval (Efron and Tibshirani 1993, chapter 13); whole units are drawn, since the
    clips of one person are not independent.

    Args:
        score: Takes row numbers (with repeats) and returns the score of those rows.
        units: For each row, the unit it belongs to; whole units are drawn.
        rounds: Number of draws.
        seed: Seed of the draws.
    """
    _, place = np.unique(np.asarray(units), return_inverse=True)
    order = np.argsort(place, kind="stable")
    rows = np.split(order, np.cumsum(np.bincount(place))[:-1])
    rng = np.random.default_rng(seed)
    draws = [
        score(np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))]))
        for _ in range(rounds)
    ]
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(score(np.arange(len(place))), float(low), float(high))
