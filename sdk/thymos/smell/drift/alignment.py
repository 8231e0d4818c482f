"""The alignment that wins: a shift and a gain of every feature, found with the class balance.

A z-score of the target alone presumes that both sides hold the odours in the same proportions. Here
the target is a mixture of the source's classes (Gaussian, one covariance), shifted by `d` and
scaled by `s`; expectation-maximisation (Dempster, Laird and Rubin 1977) finds which row belongs to
which class and the shift that follows, in turn:

    r_nk ∝ π_k exp(T score_k((x_n − d) / s))         which class
    d = mean(x) − s Σ_k p_k m_k,   p = mean of r      which shift

so the shift only depends on the proportions `p` [classes], and all of it happens in as many
dimensions as there are classes. EM finds the nearest optimum: it is begun from several proportions
and the best explanation is kept. `T` < 1 because the features of a nose are far from independent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from thymos.errors import ConfigError
from thymos.smell.drift.base import (
    F64,
    UNLABELLED,
    Correction,
    fitted,
    one_hot,
    rows_of,
    source_of,
    target_of,
)
from thymos.smell.drift.discriminant import Discriminant
from thymos.smell.drift.moments import EPS

SEVERAL = 0.75
"""`trust` for a source of several sessions."""


@dataclass(frozen=True)
class Shift:
    """What drift did: x = s · z + d for a z-scored row z of the source.

    Attributes:
        d: Shift of each feature, in spreads of the source [p].
        s: Gain of each feature [p].
        shares: Of each class in the target [k].
        members: Which row belongs to which class [n, k].
        fit: How well the target is explained; only comparable on the same rows.
    """

    d: F64
    s: F64
    shares: F64
    members: F64
    fit: float

    def undo(self, z: F64) -> F64:
        """Rows as the source would have shown them."""
        back: F64 = (z - self.d) / self.s
        return back


def find_shift(
    model: Discriminant,
    z: F64,
    *,
    gains: F64,
    starts: F64,
    told: F64 | None = None,
    label_weight: float = 5.0,
    temperature: float = 0.3,
    trust: float = 1.0,
    stay: float = 0.0,
    even: float = 10.0,
    rounds: int = 25,
) -> Shift:
    """Fit the shift by EM from each of several beginnings and keep the best.

    Args:
        model: The classes of the source.
        z: Rows of the target, z-scored by the source, [n, p].
        gains: `s` [p], kept as it is: its estimate and that of the proportions feed on each other.
        starts: Proportions to begin with [starts, k].
        told: [n, k], one 1 in a row whose label is known, else zeros.
        label_weight: How many rows a labelled row counts as.
        temperature: `T`.
        trust: Share of the shift that is believed, see `MixtureAlignment`.
        stay: Rows that say *no drift*: pulls `d` to zero while the target is small.
        even: Rows of each class that the proportions count besides what was found.
        rounds: Most rounds of EM.
    """
    u = z / gains
    weight = np.ones(len(u))
    if told is not None:
        weight = np.where(told.any(axis=1), label_weight, 1.0)
    total = weight.sum()
    m = weight @ u / total
    trust = trust * total / (total + stay)
    gram = model.means @ model.weights.T
    raw = u @ model.weights.T + (model.offsets - trust * (model.weights @ m))
    h, best = model.weights @ m, None
    for start in starts:
        r, p, pi = _settle(
            temperature * raw, temperature * trust * gram, start,
            weight=weight, told=told, even=even, rounds=rounds,
        )  # fmt: skip
        scores = raw + trust * (p @ gram)
        top = scores.max(axis=1) if told is None else _top(scores, told)
        # Of the squared distance, only the part that depends on the proportions.
        pull = 2 * trust * (p @ h) + trust**2 * (p @ gram @ p - 2 * (p @ h))
        value = float(weight @ top / total - 0.5 * pull)
        if best is None or value > best[0] + EPS:
            best = value, r, p, pi
    if best is None:
        raise ConfigError("no beginning for the search", hint="starts: [at least 1, classes]")
    value, r, p, pi = best
    return Shift(trust * (m - p @ model.means) * gains, gains, pi, r, value)


def _settle(
    raw: F64,
    gram: F64,
    p: F64,
    *,
    weight: F64,
    told: F64 | None,
    even: float,
    rounds: int,
) -> tuple[F64, F64, F64]:
    # Classes first: sums over so few columns are slow row by row.
    wide, (n, k) = np.ascontiguousarray(raw.T), raw.shape
    pi, share = np.full(k, 1.0 / k), weight / weight.sum()
    known = np.zeros(n, dtype=bool) if told is None else told.any(axis=1)
    r = wide
    for _ in range(rounds):
        r = wide + (p @ gram + np.log(pi))[:, None]
        r = np.exp(r - r.max(axis=0))
        r /= r.sum(axis=0)
        if told is not None:
            r[:, known] = told[known].T
        before, p = p, r @ share
        pi = (r @ np.ones(n) + even) / (n + even * k)
        if np.abs(p - before).max() < 1e-5:
            break
    return r.T, p, pi


def _top(scores: F64, told: F64) -> F64:
    known = told.any(axis=1)
    best: F64 = np.where(known, (scores * told).sum(axis=1), scores.max(axis=1))
    return best


def beginnings(classes: int, more: int, seed: int = 0) -> F64:
    """Even proportions, then `more` random ones (uniform on the simplex), [1 + more, classes]."""
    drawn = np.random.default_rng(seed).dirichlet(np.ones(classes), more)
    return np.concatenate([np.full((1, classes), 1.0 / classes), drawn])


class MixtureAlignment(Correction):
    """Undoes a shift and a gain of each feature, with the class balance of the target found too.

    Args:
        temperature: `T` of the module's formula.
        starts: Beginnings besides even proportions.
        label_weight: How many unlabelled rows a labelled target row counts as.
        trust: Share of the shift, and of the logarithm of the gains, that is believed. 1 for a
            source of one session, to which any drift is new. Classes of a source of several
            sessions are wide where it drifts, so part of the shift is in them: `SEVERAL`.
        seed: Of the beginnings.
    """

    def __init__(
        self,
        temperature: float = 0.3,
        starts: int = 8,
        label_weight: float = 5.0,
        trust: float = 1.0,
        *,
        seed: int = 0,
    ) -> None:
        if not (0 < temperature <= 1 and 0 < trust <= 1) or starts < 0 or label_weight < 1:
            raise ConfigError(
                f"temperature={temperature}, starts={starts}, label_weight={label_weight}, "
                f"trust={trust}",
                hint="temperature and trust in (0, 1], starts ≥ 0, label_weight ≥ 1",
            )
        self.trust = trust
        self.temperature = temperature
        self.starts = starts
        self.label_weight = label_weight
        self.seed = seed
        self.model = Discriminant()
        self.shift: Shift | None = None

    def fit(
        self,
        source: ArrayLike,
        y: ArrayLike,
        target: ArrayLike | None = None,
        target_y: ArrayLike | None = None,
    ) -> MixtureAlignment:
        """Learn the classes from the source and the shift from the target.

        Raises:
            ConfigError: No target, or labels the source does not have.
        """
        rows, labels = source_of(source, y)
        there, told = target_of(target, target_y, rows.shape[1])
        self.model.fit(rows, labels)
        strange = set(told.tolist()) - set(self.model.classes.tolist()) - {UNLABELLED}
        if strange:
            raise ConfigError(
                f"the source has no {', '.join(sorted(strange))}",
                hint="teach a new odour instead: thymos smell teach NAME",
            )
        z = self.model.z(there)
        known = one_hot(told, self.model.classes)
        self.shift = find_shift(
            self.model,
            z,
            gains=(z.std(axis=0) + 1e-6) ** self.trust,
            starts=beginnings(len(self.model.classes), self.starts, self.seed),
            told=known if known.any() else None,
            label_weight=self.label_weight,
            temperature=self.temperature,
            trust=self.trust,
        )
        return self

    def transform(self, x: ArrayLike) -> F64:
        """Rows of the target as the source would have measured them."""
        shift: Shift = fitted(self.shift, self)
        back: F64 = shift.undo(self.model.z(x)) * self.model.spread + self.model.mean
        return back

    def transform_source(self, x: ArrayLike) -> F64:
        """Rows of the source, as they are."""
        return rows_of(x, "source", len(self.model.mean))
