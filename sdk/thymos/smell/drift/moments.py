"""Means, spreads and covariances, at once or along a stream."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from thymos.errors import ConfigError
from thymos.smell.drift.base import (
    F64,
    Correction,
    fitted,
    rows_of,
    source_of,
    target_of,
)

EPS = 1e-9
LEAST = 1e-6
"""Shrinkage that is always there: a channel that never changed must not make a matrix singular."""


def ledoit_wolf(centred: F64) -> F64:
    """Covariance shrunk towards a multiple of the identity.

    Ledoit and Wolf 2004, A well-conditioned estimator for large-dimensional covariance matrices,
    J. Multivariate Analysis 88, section 3.

    Args:
        centred: [n, p], mean zero (by class, if residuals of classes).
    """
    n, p = centred.shape
    cov = centred.T @ centred / n
    mean = np.trace(cov) / p
    spread = float(((cov - mean * np.eye(p)) ** 2).sum())
    noise = float((((centred**2).T @ (centred**2)) / n - cov**2).sum() / n)
    share = min(1.0, max(LEAST, noise / spread)) if spread > 0 else 1.0
    shrunk: F64 = (1 - share) * cov + share * (mean if mean > 0 else 1.0) * np.eye(p)
    return shrunk


def power(matrix: F64, exponent: float, floor: float = 1e-10) -> F64:
    """A symmetric positive matrix to a power, by its eigenvectors."""
    values, vectors = np.linalg.eigh(matrix)
    values = np.maximum(values, floor * max(float(values[-1]), EPS))
    result: F64 = (vectors * values**exponent) @ vectors.T
    return result


class WindowStandardizer(Correction):
    """z-scores with the target's own mean and spread, all of it: transductive, offline.

    The simplest answer to drift that works: a shift and a gain of each feature vanish. It
    presumes that the target holds all odours in about the proportions of the source.
    """

    def __init__(self) -> None:
        self._source: tuple[F64, F64] | None = None
        self._target: tuple[F64, F64] | None = None

    def fit(
        self,
        source: ArrayLike,
        y: ArrayLike,
        target: ArrayLike | None = None,
        target_y: ArrayLike | None = None,
    ) -> WindowStandardizer:
        """Learn mean and spread of both sides; labels of the target are not used."""
        rows, _ = source_of(source, y)
        there, _ = target_of(target, target_y, rows.shape[1])
        self._source = rows.mean(axis=0), rows.std(axis=0) + EPS
        self._target = there.mean(axis=0), there.std(axis=0) + EPS
        return self

    def transform(self, x: ArrayLike) -> F64:
        """z-scores by the target's statistics."""
        mean, spread = fitted(self._target, self)
        z: F64 = (rows_of(x, "target", len(mean)) - mean) / spread
        return z

    def transform_source(self, x: ArrayLike) -> F64:
        """z-scores by the source's statistics."""
        mean, spread = fitted(self._source, self)
        z: F64 = (rows_of(x, "source", len(mean)) - mean) / spread
        return z


class OnlineStandardizer(Correction):
    """z-scores by running statistics of the last rows of the stream: causal, bounded memory.

    The source's statistics count as `prior` rows, so the first samples of a stream are not
    divided by nothing.
    """

    def __init__(self, window: int = 300, prior: float = 10.0) -> None:
        if window < 1 or prior <= 0:
            raise ConfigError("window and prior must be positive", hint="window=300, prior=10")
        self.prior = prior
        self.window = window
        self._seen = 0
        self._rows: F64 = np.zeros((window, 0))
        self._source: tuple[F64, F64] | None = None

    def fit(
        self,
        source: ArrayLike,
        y: ArrayLike,
        target: ArrayLike | None = None,
        target_y: ArrayLike | None = None,
    ) -> OnlineStandardizer:
        """Learn the source's statistics and forget the stream; target rows begin a new one."""
        rows, _ = source_of(source, y)
        self._source = rows.mean(axis=0), rows.std(axis=0) + EPS
        self._seen, self._rows = 0, np.zeros((self.window, rows.shape[1]))
        return self if target is None else self.partial_fit(target)

    def partial_fit(self, x: ArrayLike) -> OnlineStandardizer:
        """Take in rows of the stream, oldest first."""
        mean, _ = fitted(self._source, self)
        for row in rows_of(x, "target", len(mean)):
            self._rows[self._seen % self.window] = row
            self._seen += 1
        return self

    def transform(self, x: ArrayLike) -> F64:
        """z-scores by what the stream held until now."""
        mean, spread = fitted(self._source, self)
        rows = rows_of(x, "target", len(mean))
        if self._seen:
            seen = self._rows[: self._seen]
            n = len(seen)
            here = (seen.sum(axis=0) + self.prior * mean) / (n + self.prior)
            about = ((seen - here) ** 2).sum(axis=0) + self.prior * spread**2
            mean, spread = here, np.sqrt(about / (n + self.prior)) + EPS
        z: F64 = (rows - mean) / spread
        return z

    def transform_source(self, x: ArrayLike) -> F64:
        """z-scores by the source's statistics."""
        mean, spread = fitted(self._source, self)
        z: F64 = (rows_of(x, "source", len(mean)) - mean) / spread
        return z
