"""The two small classifiers all of this rests on: Gaussian classes, and softmax regression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thymos.smell.drift.base import F64, Labels, fitted, one_hot, rows_of, softmax, source_of
from thymos.smell.drift.moments import EPS, ledoit_wolf


class Discriminant:
    """Linear discriminant analysis with a shrunk covariance: one Gaussian a class, one spread.

    Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, section 4.3; shrinkage
    by Ledoit and Wolf. Rows are z-scored first. Class priors are taken as equal: the balance of
    the source says nothing about what a robot will smell.

    Attributes:
        classes: Sorted labels [k].
        mean: [p] and `spread` [p], of the z-score.
        means: Of the classes, z-scored, [k, p].
        cov: Within the classes, z-scored, [p, p]; `precision` is its inverse.
        weights: [k, p] and `offsets` [k]: scores(z) = z weightsᵀ + offsets.
        usual: Median squared Mahalanobis distance of a source row to the nearest class.
    """

    def __init__(self) -> None:
        self.classes: Labels = np.zeros(0, dtype=np.str_)
        nothing: F64 = np.zeros(0)
        self.mean = self.spread = self.means = self.cov = self.precision = nothing
        self.weights = self.offsets = nothing
        self.usual = 1.0

    def fit(self, source: ArrayLike, y: ArrayLike) -> Discriminant:
        """Learn from labelled rows.

        Raises:
            ConfigError: Too few rows or classes, or no finite numbers.
        """
        rows, labels = source_of(source, y)
        self.classes, place = np.unique(labels, return_inverse=True)
        self.mean, self.spread = rows.mean(axis=0), rows.std(axis=0)
        self.spread = np.where(self.spread > EPS, self.spread, 1.0)
        z = (rows - self.mean) / self.spread
        self.means = np.array([z[place == c].mean(axis=0) for c in range(len(self.classes))])
        self._set(self.means, ledoit_wolf(z - self.means[place]))
        self.usual = max(EPS, float(np.median(self.distances(z))))
        return self

    def _set(self, means: F64, cov: F64) -> None:
        self.means, self.cov = means, cov
        self.precision = inverse(cov)
        self.weights, self.offsets = linear(means, self.precision)

    ARRAYS = ("classes", "mean", "spread", "means", "cov")

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What is to be stored of it, with `about`."""
        return {name: getattr(self, name) for name in self.ARRAYS}

    def about(self) -> dict[str, Any]:
        """The part of it that is no array."""
        return {"usual": self.usual}

    @classmethod
    def of(cls, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Discriminant:
        """Make it again from what was stored."""
        made = cls()
        made.classes, made.mean, made.spread = (arrays[n] for n in cls.ARRAYS[:3])
        made._set(arrays["means"], arrays["cov"])
        made.usual = float(about["usual"])
        return made

    def z(self, x: ArrayLike) -> F64:
        """Rows as z-scores of the source."""
        fitted(len(self.classes) or None, self)
        scored: F64 = (rows_of(x, "rows", len(self.mean)) - self.mean) / self.spread
        return scored

    def distances(self, z: F64) -> F64:
        """Squared Mahalanobis distance of each z-scored row to its nearest class [n]."""
        q = np.einsum("np,np->n", z @ self.precision, z)
        nearest: F64 = q - 2 * (z @ self.weights.T + self.offsets).max(axis=1)
        return nearest

    def predict_proba(self, x: ArrayLike) -> F64:
        """Probabilities [n, classes]."""
        return softmax(self.z(x) @ self.weights.T + self.offsets)

    def predict(self, x: ArrayLike) -> Labels:
        """The likeliest class of each row."""
        return np.asarray(self.classes[self.predict_proba(x).argmax(axis=1)])


def inverse(cov: F64) -> F64:
    """Inverse of a covariance."""
    return np.asarray(np.linalg.inv(cov), dtype=np.float64)


def linear(means: F64, precision: F64) -> tuple[F64, F64]:
    """Weights [k, p] and offsets [k] of Gaussian classes with one precision and equal priors."""
    weights = means @ precision
    return weights, -0.5 * np.einsum("kp,kp->k", weights, means)


class SoftmaxRegression:
    """Multinomial logistic regression with a ridge, in numpy.

    Minimises Σ w_i log-loss + |W|²/(2 c) by the fixed bound of the Hessian of Böhning 1992,
    Multinomial logistic regression algorithm, Annals of the Institute of Statistical Mathematics
    44: no step length to choose, and the loss falls in every round.
    """

    def __init__(self, c: float = 1.0, rounds: int = 150) -> None:
        self.c = c
        self.rounds = rounds
        self.classes: Labels = np.zeros(0, dtype=np.str_)
        self._weights: F64 | None = None

    def fit(self, rows: ArrayLike, y: ArrayLike, weight: F64 | None = None) -> SoftmaxRegression:
        """Learn from rows [n, p] (of about unit spread), labels [n] and weights [n]."""
        x, labels = source_of(rows, y)
        self.classes = np.unique(labels)
        wanted = one_hot(labels, self.classes)
        w = np.ones(len(x)) if weight is None else weight
        x = np.column_stack([x, np.ones(len(x))])
        ridge = np.full(x.shape[1], 1.0 / self.c)
        ridge[-1] = EPS
        bound = 0.5 * (x.T * w) @ x + np.diag(ridge)
        inverse = np.linalg.inv(bound)
        # Nesterov's momentum on top of the bound: the same fixed point in a tenth of the rounds.
        at = ahead = np.zeros((x.shape[1], len(self.classes)))
        for i in range(self.rounds):
            slope = x.T @ (w[:, None] * (softmax(x @ ahead) - wanted)) + ridge[:, None] * ahead
            new = ahead - inverse @ slope
            ahead = new + i / (i + 3.0) * (new - at)
            at = new
        self._weights = at
        return self

    def predict_proba(self, x: ArrayLike) -> F64:
        """Probabilities [n, classes]."""
        weights = fitted(self._weights, self)
        rows = rows_of(x, "rows", len(weights) - 1)
        return softmax(rows @ weights[:-1] + weights[-1])

    def predict(self, x: ArrayLike) -> Labels:
        """The likeliest class of each row."""
        return np.asarray(self.classes[self.predict_proba(x).argmax(axis=1)])
