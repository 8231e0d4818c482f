"""Methods that map the target into the source: with transfer samples, or by their statistics."""

from __future__ import annotations

from typing import Literal

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
    rows_of,
    source_of,
    target_of,
)
from thymos.smell.drift.moments import EPS, power

Pairs = Literal["rows", "class"]


class DirectStandardization(Correction):
    """Direct standardisation (DS): one linear map from the target device to the source device.

    x_source ≈ x_target B + b, from transfer samples measured on both. Wang, Veltkamp and Kowalski
    1991, Multivariate instrument standardization, Analytical Chemistry 63; by ridge regression
    towards *no change*, since there are fewer transfer samples than features.

    Args:
        pairs: `rows`: row i of the target is the sample of row i of the source. `class`: a
            labelled target row belongs to the mean of its class in the source (no sample was
            measured on both devices).
        ridge: Weight of *no change*, as a share of the mean variance of a feature.
    """

    def __init__(self, pairs: Pairs = "rows", ridge: float = 1e-3) -> None:
        if pairs not in ("rows", "class") or ridge < 0:
            raise ConfigError(f"pairs={pairs!r}, ridge={ridge}", hint="rows or class; ridge ≥ 0")
        self.pairs = pairs
        self.ridge = ridge
        self._map: tuple[F64, F64, F64] | None = None

    def fit(
        self,
        source: ArrayLike,
        y: ArrayLike,
        target: ArrayLike | None = None,
        target_y: ArrayLike | None = None,
    ) -> DirectStandardization:
        """Learn the map from the transfer samples.

        Raises:
            ConfigError: The rows are no pairs, or fewer than two are labelled.
        """
        rows = rows_of(source, "source")
        labels = labels_of(y, rows, "source")
        there, told = target_of(target, target_y, rows.shape[1])
        here, there = self._paired(rows, labels, there, told)
        mean_there, mean_here = there.mean(axis=0), here.mean(axis=0)
        change = self._change(there - mean_there, here - mean_here)
        self._map = mean_there, mean_here, change
        return self

    def _paired(self, rows: F64, y: Labels, there: F64, told: Labels) -> tuple[F64, F64]:
        if self.pairs == "rows":
            if len(rows) != len(there):
                raise ConfigError(
                    f"{len(rows)} source rows and {len(there)} target rows are no pairs",
                    hint="row i of both must be the same sample; or pairs='class'",
                )
            return rows, there
        known = np.isin(told, np.unique(y)) & (told != UNLABELLED)
        if known.sum() < 2:
            raise ConfigError("fewer than two labelled target rows", hint="give target_y")
        here = np.array([rows[y == c].mean(axis=0) for c in told[known]])
        return here, there[known]

    def _change(self, there: F64, here: F64) -> F64:
        return _ridge_to_identity(there, here, np.arange(there.shape[1]), self.ridge)

    def transform(self, x: ArrayLike) -> F64:
        """Rows of the target as the source device would have measured them."""
        mean_there, mean_here, change = fitted(self._map, self)
        rows = rows_of(x, "target", len(mean_there)) - mean_there
        mapped: F64 = rows @ change + mean_here
        return mapped

    def transform_source(self, x: ArrayLike) -> F64:
        """Rows of the source, as they are."""
        return rows_of(x, "source", len(fitted(self._map, self)[0]))


class PiecewiseDirectStandardization(DirectStandardization):
    """Piecewise direct standardisation (PDS): each feature from its neighbours only.

    Wang et al. 1991 (as above), section on piecewise standardisation: a band matrix has far
    fewer unknowns than DS. Neighbours are the columns up to `width` away: put the features of
    one sensor side by side.
    """

    def __init__(self, pairs: Pairs = "rows", ridge: float = 1e-3, width: int = 2) -> None:
        super().__init__(pairs, ridge)
        if width < 0:
            raise ConfigError("width must not be negative", hint="width=2")
        self.width = width

    def _change(self, there: F64, here: F64) -> F64:
        p = there.shape[1]
        change = np.zeros((p, p))
        for j in range(p):
            near = np.arange(max(0, j - self.width), min(p, j + self.width + 1))
            own = np.flatnonzero(near == j)
            part = _ridge_to_identity(there[:, near], here[:, [j]], own, self.ridge)
            change[near, j] = part[:, 0]
        return change


def _ridge_to_identity(there: F64, here: F64, own: np.ndarray, ridge: float) -> F64:
    """The map B of least |there B − here|² + weight |B − I|²; `own`: feature of each column."""
    stay = np.zeros((there.shape[1], here.shape[1]))
    stay[own, np.arange(here.shape[1])] = 1.0
    gram = there.T @ there
    weight = ridge * max(float(np.trace(gram)) / len(gram), EPS) + EPS
    change = np.linalg.solve(gram + weight * np.eye(len(gram)), there.T @ here + weight * stay)
    return np.asarray(change)


class Coral(Correction):
    """Correlation alignment (CORAL): the target gets the source's mean and covariance.

    Sun, Feng and Saenko 2016, Return of frustratingly easy domain adaptation, AAAI, algorithm 1,
    the other way round: they recolour the source, here the target is whitened and recoloured,
    so that a classifier that exists need not be trained again.

    Args:
        shrink: Share of the mean variance put to every direction before whitening.
    """

    def __init__(self, shrink: float = 0.1) -> None:
        if shrink < 0:
            raise ConfigError("shrink must not be negative", hint="shrink=0.1")
        self.shrink = shrink
        self._map: tuple[F64, F64, F64] | None = None

    def fit(
        self,
        source: ArrayLike,
        y: ArrayLike,
        target: ArrayLike | None = None,
        target_y: ArrayLike | None = None,
    ) -> Coral:
        """Learn both covariances; no label of the target is used."""
        rows, _ = source_of(source, y)
        there, _ = target_of(target, target_y, rows.shape[1])
        change = power(self._cov(there), -0.5) @ power(self._cov(rows), 0.5)
        self._map = there.mean(axis=0), rows.mean(axis=0), change
        return self

    def _cov(self, rows: F64) -> F64:
        cov = np.atleast_2d(np.cov(rows.T, bias=True))
        more: F64 = cov + self.shrink * (np.trace(cov) / len(cov) + EPS) * np.eye(len(cov))
        return more

    def transform(self, x: ArrayLike) -> F64:
        """Rows of the target, whitened and recoloured."""
        mean_there, mean_here, change = fitted(self._map, self)
        moved: F64 = (rows_of(x, "target", len(mean_there)) - mean_there) @ change + mean_here
        return moved

    def transform_source(self, x: ArrayLike) -> F64:
        """Rows of the source, as they are."""
        return rows_of(x, "source", len(fitted(self._map, self)[0]))


class SubspaceAlignment(Correction):
    """Subspace alignment: principal axes of the source are turned onto those of the target.

    Fernando et al. 2013, Unsupervised visual domain adaptation using subspace alignment, ICCV,
    section 3.2: source x P_s (P_sᵀ P_t), target x P_t; both z-scored first, as there.

    Args:
        components: Principal axes kept of each side.
    """

    def __init__(self, components: int = 20) -> None:
        if components < 1:
            raise ConfigError("components must be at least 1", hint="components=20")
        self.components = components
        self._source: tuple[F64, F64, F64] | None = None
        self._target: tuple[F64, F64, F64] | None = None

    def fit(
        self,
        source: ArrayLike,
        y: ArrayLike,
        target: ArrayLike | None = None,
        target_y: ArrayLike | None = None,
    ) -> SubspaceAlignment:
        """Learn both subspaces; no label of the target is used."""
        rows, _ = source_of(source, y)
        there, _ = target_of(target, target_y, rows.shape[1])
        k = min(self.components, rows.shape[1], len(rows) - 1, max(1, len(there) - 1))
        s_mean, s_spread, p_s = self._axes(rows, k)
        t_mean, t_spread, p_t = self._axes(there, k)
        self._source = s_mean, s_spread, p_s @ (p_s.T @ p_t)
        self._target = t_mean, t_spread, p_t
        return self

    @staticmethod
    def _axes(rows: F64, k: int) -> tuple[F64, F64, F64]:
        mean, spread = rows.mean(axis=0), rows.std(axis=0) + EPS
        axes = np.linalg.svd((rows - mean) / spread, full_matrices=False)[2][:k].T
        return mean, spread, np.asarray(axes)

    def transform(self, x: ArrayLike) -> F64:
        """Rows of the target on its own axes: [n, components]."""
        mean, spread, axes = fitted(self._target, self)
        z: F64 = ((rows_of(x, "target", len(mean)) - mean) / spread) @ axes
        return z

    def transform_source(self, x: ArrayLike) -> F64:
        """Rows of the source on the aligned axes: [n, components]."""
        mean, spread, axes = fitted(self._source, self)
        z: F64 = ((rows_of(x, "source", len(mean)) - mean) / spread) @ axes
        return z
