"""Methods that take directions out: those in which drift, concentration or noise move a sample."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import ArrayLike

from thymos.errors import ConfigError
from thymos.smell.drift.base import (
    F64,
    UNLABELLED,
    Correction,
    Labels,
    fitted,
    labels_of,
    one_hot,
    rows_of,
    source_of,
)


class _Directions(Correction):
    """Shared part: centre, subtract the part along orthonormal directions [features, k]."""

    def __init__(self, components: int = 1) -> None:
        if components < 1:
            raise ConfigError("components must be at least 1", hint="components=1")
        self.components = components
        self.mean: F64 | None = None
        self.directions: F64 | None = None

    @abstractmethod
    def _find(self, rows: F64, y: Labels, target: F64 | None, target_y: Labels | None) -> F64:
        """Give the directions [features, k], orthonormal; `rows` and `target` are centred."""

    def fit(
        self,
        source: ArrayLike,
        y: ArrayLike,
        target: ArrayLike | None = None,
        target_y: ArrayLike | None = None,
    ) -> _Directions:
        """Find the directions; labelled target rows help where the method can use them."""
        rows, labels = source_of(source, y)
        self.mean = rows.mean(axis=0)
        there = told = None
        if target is not None and target_y is not None:
            there = rows_of(target, "target", rows.shape[1]) - self.mean
            told = labels_of(target_y, there, "target")
        self.directions = self._find(rows - self.mean, labels, there, told)
        return self

    def transform(self, x: ArrayLike) -> F64:
        """Rows without their part along the directions."""
        mean, directions = fitted(self.mean, self), fitted(self.directions, self)
        rows = rows_of(x, "rows", len(mean)) - mean
        left: F64 = rows - (rows @ directions) @ directions.T + mean
        return left


def _principal(rows: F64, k: int) -> F64:
    """The first `k` principal directions [features, k] of centred rows."""
    return np.asarray(np.linalg.svd(rows, full_matrices=False)[2][:k].T)


class ComponentCorrection(_Directions):
    """Component correction with a reference gas (CC-PCA).

    One gas that is measured again and again moves along the drift: x − x p pᵀ, with p the first
    principal components of that gas. Artursson et al. 2000, Drift correction for gas sensors
    using multivariate methods, J. Chemometrics 14.

    Args:
        reference: Label of the reference gas; the most frequent one of the source if empty.
        components: How many directions to take out.
    """

    def __init__(self, reference: str = "", components: int = 1) -> None:
        super().__init__(components)
        self.reference = reference

    def _find(self, rows: F64, y: Labels, target: F64 | None, target_y: Labels | None) -> F64:
        names, counts = np.unique(y, return_counts=True)
        reference = self.reference or str(names[counts.argmax()])
        gas = rows[y == reference]
        if len(gas) == 0:
            raise ConfigError(
                f"no source row has the reference gas {reference!r}",
                hint=f"reference= one of: {', '.join(map(str, names))}",
            )
        if target is not None and target_y is not None:
            gas = np.concatenate([gas, target[target_y == reference]])
        return _principal(gas - gas.mean(axis=0), self.components)


class CommonDirections(_Directions):
    """Directions in which all odours vary alike (common principal components, CPCA).

    Ziyatdinov et al. 2010, Drift compensation of gas sensor array data by common principal
    component analysis, Sensors and Actuators B 146; the components one after another by the
    power iteration of Trendafilov 2010, Computational Statistics and Data Analysis 54.
    """

    ROUNDS = 50

    def _find(self, rows: F64, y: Labels, target: F64 | None, target_y: Labels | None) -> F64:
        names = [c for c in np.unique(y) if (y == c).sum() > 2]
        weights = np.array([(y == c).sum() for c in names], dtype=np.float64)
        weights /= weights.sum()
        covs = [np.cov(rows[y == c].T) for c in names]
        free = np.eye(rows.shape[1])
        found: list[F64] = []
        for _ in range(min(self.components, rows.shape[1])):
            pooled = sum(w * (free @ s @ free) for w, s in zip(weights, covs, strict=True))
            x = np.linalg.eigh(pooled)[1][:, -1]
            for _ in range(self.ROUNDS):
                pulls = [w * (s @ x) / (x @ s @ x) for w, s in zip(weights, covs, strict=True)]
                x = free @ np.sum(pulls, axis=0)
                x /= np.linalg.norm(x)
            found.append(x)
            free = free - np.outer(x, x)
        return np.column_stack(found)


class ConcentrationInvariance(_Directions):
    """Takes out the lines along which concentration moves each odour.

    In the logarithm a power law is a line: log r = a + b log C, with slopes b of sensor and
    odour. The first principal direction of each class is its slope; the span of the strongest
    `components` of them goes. Give `log_features`.
    """

    def _find(self, rows: F64, y: Labels, target: F64 | None, target_y: Labels | None) -> F64:
        slopes = []
        for c in np.unique(y):
            here = rows[y == c] - rows[y == c].mean(axis=0)
            slopes.append(_principal(here, 1)[:, 0])
        kept, sizes, _ = np.linalg.svd(np.column_stack(slopes), full_matrices=False)
        enough = int((sizes > 1e-6 * sizes[0]).sum())
        return np.asarray(kept[:, : min(self.components, enough)])


class OrthogonalSignalCorrection(_Directions):
    """Takes out the largest variation that has nothing to do with the labels (OSC).

    The direct form of Fearn 2000, On orthogonal signal correction, Chemometrics and Intelligent
    Laboratory Systems 50: among the directions w with Yᵀ X w = 0 those of greatest variance;
    their scores t = X w and loadings p = Xᵀt / tᵀt go: X − t pᵀ. Labelled target rows are put
    to the source, so what differs between the two and not between odours goes too.
    """

    def __init__(self, components: int = 1) -> None:
        super().__init__(components)
        self._loadings: F64 | None = None

    def _find(self, rows: F64, y: Labels, target: F64 | None, target_y: Labels | None) -> F64:
        if target is not None and target_y is not None:
            told = target_y != UNLABELLED
            rows, y = np.concatenate([rows, target[told]]), np.concatenate([y, target_y[told]])
        wanted = one_hot(y, np.unique(y))
        wanted -= wanted.mean(axis=0)
        basis, sizes, _ = np.linalg.svd(rows.T @ wanted, full_matrices=False)
        basis = basis[:, sizes > 1e-9 * sizes[0]]
        directions = _principal(rows - (rows @ basis) @ basis.T, self.components)
        scores = rows @ directions
        self._loadings = rows.T @ scores @ np.linalg.pinv(scores.T @ scores)
        return directions

    def transform(self, x: ArrayLike) -> F64:
        """X − X w pᵀ, about the source's mean."""
        mean, directions = fitted(self.mean, self), fitted(self.directions, self)
        rows = rows_of(x, "rows", len(mean)) - mean
        left: F64 = rows - (rows @ directions) @ fitted(self._loadings, self).T + mean
        return left
