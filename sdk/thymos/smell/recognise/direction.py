"""The direction of a response: what a nose without a shipped model is taught.

With R/R0 = a·c^b concentration moves -ln(R/R0) along a line, and a strong response along its own
direction: the strength is taken out, the pattern over the sensors stays. Distance is Mahalanobis
distance, with a scatter within odours that is pooled over what was taught and shrunk.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
Ints = NDArray[np.int64]

WEAK = 0.05
"""A response this small in all channels has no direction (noise, drift, humidity)."""
PRIOR_SPREAD = 0.04
"""How far sniffs of one odour scatter about their direction, before any were compared. Chosen, like
the quartiles of `known_curve`, on batches 1 and 2 of the UCI drift set."""
PRIOR_SNIFFS = 10.0
"""How many sniffs that assumption counts for."""
ALONE = 3.0
"""While one odour only is known, others begin this many times as far as its own sniffs lie."""
LEAST = 1.0
"""Sniffs that agree better than this were one and the same: the next one will differ more."""
APART = 1.2
SURE = 4.0
"""Logits between the distance of a known and of an unknown odour."""


@dataclass(frozen=True, slots=True)
class Direction:
    """The map from windows to whitened directions.

    Attributes:
        whiten: [channels, channels]; distance after it is in standard deviations of a sniff.
    """

    whiten: F64

    def __call__(self, features: F64) -> F64:
        """Embed [n, 2 · channels]; NaN where the response is too weak; silent channels count 0."""
        level = np.nan_to_num(features[:, : len(self.whiten)], nan=0.0)
        strong = np.abs(level).max(axis=1, keepdims=True) >= WEAK
        length = np.linalg.norm(level, axis=1, keepdims=True)
        unit = np.divide(level, length, out=np.full_like(level, np.nan), where=strong)
        return np.asarray(unit @ self.whiten, dtype=np.float64)


def direction(units: F64, owner: Ints) -> tuple[Direction, float]:
    """A map for directions, and a distance beyond which nothing can be the same odour.

    Beyond it a smell is likelier under any direction at all (normal with variance 1/channels) than
    under its nearest odour (normal with the scatter within).

    Args:
        units: Unit vectors [n, channels] of sniffs.
        owner: Class of each.
    """
    size = units.shape[1]
    classes, place = np.unique(owner, return_inverse=True)
    means = np.stack([units[place == c].mean(axis=0) for c in range(len(classes))])
    rest = units - means[place]
    free = max(0, len(units) - len(classes))
    prior = PRIOR_SNIFFS * PRIOR_SPREAD**2 * np.eye(size)
    within = (rest.T @ rest + prior) / (free + PRIOR_SNIFFS)
    power, axes = np.linalg.eigh(within)
    even = size - float(np.log(power).sum()) - size * math.log(size)
    return Direction(axes / np.sqrt(power)), math.sqrt(max(1.0, even))


def known_curve(points: F64, owner: Ints, sniff: Ints, most: float) -> tuple[float, float, float]:
    """Where known ends, from the taught sniffs themselves: (c0, c1, 0) of `Facts.known`.

    Each sniff is held out and compared with the others of its odour (known) and with the nearest
    other odour (what an unknown one would look like). The curve is even at the geometric mean of
    the upper quartile of the first and the lower quartile of the second.

    Args:
        points: [n, dims].
        owner: Class of each.
        sniff: Number of the sniff each belongs to.
        most: The distance at which it is even at the latest.
    """
    sniffs, place = np.unique(sniff, return_inverse=True)
    means = np.stack([points[place == k].mean(axis=0) for k in range(len(sniffs))])
    first = np.array([owner[place == k][0] for k in range(len(sniffs))])
    own: list[float] = []
    other = np.full(len(sniffs), np.inf)
    for c in np.unique(owner):
        cloud = points[owner == c]
        others = first != c
        other[others] = np.minimum(other[others], _distances(means[others], cloud))
        for k in np.flatnonzero(~others):
            peers = points[(owner == c) & (place != k)]
            if len(peers):
                own.append(float(_distances(means[k : k + 1], peers)[0]))
    known = other[np.isfinite(other)]
    near = max(LEAST, float(np.quantile(own, 0.75))) if own else most / ALONE
    far = float(np.quantile(known, 0.25)) if len(known) else ALONE**2 * near
    far = max(far, APART * near, 1e-9)
    even = min(most, math.sqrt(near * far))
    slope = min(SURE / max(far - near, 1e-9), most)
    return slope * even, slope, 0.0


def _distances(rows: F64, cloud: F64) -> F64:
    """As `OdourModel.clouds`, of several points [n, dims] to one class [m, dims]."""
    nearest = ((rows[:, None] - cloud) ** 2).sum(axis=2).min(axis=1)
    return np.asarray(np.sqrt(0.5 * (nearest + ((rows - cloud.mean(axis=0)) ** 2).sum(axis=1))))
