"""From a stretch of readings to a point in a space where the same odour lies close together.

Each feature is written as a piecewise linear code: how far it has come through each of the bins
that quantiles of the training data cut (Gorishniy, Rubachev, Babenko, "On embeddings for numerical
features in tabular deep learning", NeurIPS 2022, section 3.2). The code lets a linear map bend. The
map is that of Fisher's discriminant analysis: it whitens the scatter within an odour and keeps the
directions in which odours differ, so that plain Euclidean distance is Mahalanobis distance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

BIN_S = 5.0
"""Readings are averaged over so many seconds, so that the rate of a nose does not matter."""
WINDOW_BINS = 3
EARLY_WINDOWS = 9
"""Windows that are over before the first minute is: the last bin ends with the next reading."""


def bin_length(rate_hz: float) -> float:
    """Seconds of a bin: `BIN_S`, or as long as two readings of a nose that scans its heaters."""
    return BIN_S if rate_hz <= 0 or rate_hz * BIN_S >= 2 else float(math.ceil(2.0 / rate_hz))


@dataclass(frozen=True, slots=True)
class Embedding:
    """A fitted map.

    Attributes:
        edges: [features, bins + 1], rising; padded with inf where a feature has fewer bins.
        centre: [features · bins], the mean code of the training data.
        project: [features · bins, dims].
    """

    edges: F64
    centre: F64
    project: F64

    def __call__(self, features: F64) -> F64:
        """Embed [n, features] into [n, dims]; a missing feature (NaN) counts as the average."""
        shifted = code(features, self.edges) - self.centre
        return np.asarray(np.nan_to_num(shifted, nan=0.0) @ self.project, dtype=np.float64)


def code(features: F64, edges: F64) -> F64:
    """Piecewise linear code [n, features · bins] of [n, features], NaN where a feature is NaN."""
    high = edges[:, 1:]
    there = np.isfinite(high)  # padding codes nothing
    low = np.where(there, edges[:, :-1], 0.0)
    width = np.where(there, high, 1.0) - low
    raw = np.where(there, (features[:, :, None] - low) / width, 0.0)
    return np.clip(raw, 0.0, 1.0).reshape(len(features), -1)


def quantile_edges(features: F64, bins: int) -> F64:
    """Edges [features, bins + 1] at the quantiles of [n, features]; equal ones are merged."""
    out = np.full((features.shape[1], bins + 1), np.inf)
    for row, column in zip(out, features.T, strict=True):
        cuts = np.unique(np.nanquantile(column, np.linspace(0.0, 1.0, bins + 1)))
        row[: len(cuts)] = cuts
    return out


def window_features(bins: F64) -> F64:
    """Level and slope of each channel over a window: [2 · channels] from [bins, channels].

    Level is the mean, slope the last bin minus the first, in the unit of the bins.
    """
    return np.concatenate([bins.mean(axis=0), bins[-1] - bins[0]])


def windows(bins: F64, length: int = WINDOW_BINS) -> F64:
    """Features [windows, 2 · channels] of all windows of [bins, channels], a bin apart."""
    count = max(0, len(bins) - length + 1)
    parts = np.stack([bins[i : i + count] for i in range(length)])
    return np.concatenate([parts.mean(axis=0), parts[-1] - parts[0]], axis=1)


def sniff_points(points: F64) -> F64:
    """What is kept of one sniff [4, dims]: mean, mean of the first minute, of both halves."""
    half = max(1, len(points) // 2)
    parts = (points, points[:EARLY_WINDOWS], points[:half], points[-half:])
    return np.stack([part.mean(axis=0) for part in parts])
