"""The last minute of each channel, in bins: what the lines of the live view are drawn from."""

from __future__ import annotations

import numpy as np

from thymos.samples import NS_PER_S
from thymos.smell.frame import F64
from thymos.smell.view import PAST_BINS


class Past:
    """Means of the last `PAST_BINS` bins of each channel; memory does not grow.

    Args:
        width: Channels.
        bin_s: Length of a bin.
    """

    def __init__(self, width: int, bin_s: int) -> None:
        self.bin_s = bin_s
        self._sum = np.zeros((PAST_BINS, width))
        self._count = np.zeros((PAST_BINS, width))
        self._newest: int | None = None

    def take(self, t_ns: int, values: F64) -> None:
        """Add the values of one moment; those that are NaN are left out."""
        at = t_ns // (self.bin_s * NS_PER_S)
        self._forget(at)
        known = np.isfinite(values)
        self._sum[at % PAST_BINS, known] += values[known]
        self._count[at % PAST_BINS, known] += 1

    def _forget(self, at: int) -> None:
        """Empty the bins between the newest one and this one."""
        if self._newest is None or not 0 <= at - self._newest < PAST_BINS:
            self._sum[:], self._count[:] = 0.0, 0.0
        else:
            for gone in range(self._newest + 1, at + 1):
                self._sum[gone % PAST_BINS], self._count[gone % PAST_BINS] = 0.0, 0.0
        self._newest = at

    def rows(self) -> list[list[float]]:
        """Of each channel, oldest bin first."""
        end = self._newest or 0
        order = [(end - back) % PAST_BINS for back in range(PAST_BINS - 1, -1, -1)]
        with np.errstate(invalid="ignore"):
            means = self._sum[order] / self._count[order]
        rows: list[list[float]] = means.T.tolist()
        return rows
