"""Recognition while the readings come: causal, in constant memory, the same on every run."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from thymos.samples import NS_PER_S
from thymos.smell.recognise.embed import window_features
from thymos.smell.recognise.guess import CLEAR, OdourGuess, Outcome, decide
from thymos.smell.recognise.model import OdourModel

F64 = NDArray[np.float64]

MEMORY = 120
"""So many windows weigh fully; older ones fade (ten minutes at bins of 5 s)."""
MAX_MISSING = 1 / 3
"""Share of channels that may be silent; with fewer left nothing is said."""
MAX_CONFUSABLE = 3


def read(values: F64, offset: F64) -> F64:
    """Logarithm of raw readings, the scale on which metal oxide answers evenly.

    NaN stays NaN; what lies below the range of the sensor becomes NaN.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        out = np.log(values + offset)
    return np.where(np.isfinite(out), out, np.nan)


class Recogniser:
    """Follows one smell.

    Readings are averaged in bins of `facts.bin_s` seconds of capture time, so that the rate of the
    nose does not matter; `facts.window_bins` in a row make a window, each window a point, and the
    mean of the points is compared with the learnt sniffs.

    Args:
        model: What is known.
        columns: Where the channels of the model are among the values, [channels].
        wants: See below.
        means: Rows of the odour table that labels stand for, as far as a person said so.

    Attributes:
        wants: `raw`: readings as the sensor gives them; `response`: against clean air
            (`thymos.perceive.clean_air.response`).
    """

    def __init__(
        self,
        model: OdourModel,
        columns: tuple[int, ...],
        wants: Literal["raw", "response"] = "raw",
        means: Mapping[str, str] | None = None,
    ) -> None:
        self.model = model
        self._rows = dict(means or {})
        self.wants: Literal["raw", "response"] = wants
        self._columns = list(columns)
        self._offset = np.array(model.facts.offset)
        self._bin_ns = round(model.facts.bin_s * NS_PER_S)
        self._means = model._means()
        self._width = len(columns)
        self.begin(0)

    def begin(self, t_ns: int) -> None:
        """A new smell begins: what was gathered belongs to another one."""
        self._origin_ns: int | None = None
        self._not_before_ns = t_ns
        self._stray_ns: int | None = None
        self._bins: deque[F64] = deque(maxlen=self.model.facts.window_bins)
        self._bin = 0
        self._until_ns = 0
        self._sum = np.zeros(self._width)
        self._count = np.zeros(self._width)
        self._point: F64 | None = None
        self._windows = 0
        self._guess: OdourGuess | None = None

    def update(self, t_ns: int, values: F64) -> None:
        """Take in one reading.

        Args:
            t_ns: Its capture time; a reading older than the one before is left out. Two in a row
                that are older by a whole window are of a clock that went back: the smell is read
                anew from the second.
            values: [channels of the nose], NaN where invalid.
        """
        if t_ns < self._not_before_ns:
            before, self._stray_ns = self._stray_ns, t_ns
            far = self._not_before_ns - t_ns >= self._bin_ns * self.model.facts.window_bins
            if not far or before is None or t_ns < before:
                return
            self.begin(t_ns)
        self._not_before_ns, self._stray_ns = t_ns, None
        if self._origin_ns is None:
            self._origin_ns = t_ns
        place = (t_ns - self._origin_ns) // self._bin_ns
        if place != self._bin:
            self._close(place)
        row = np.asarray(values, dtype=np.float64)[self._columns]
        if self.wants == "raw":
            row = read(row, self._offset)
        known = np.isfinite(row)
        self._sum[known] += row[known]
        self._count += known
        self._until_ns = t_ns

    def guess(self) -> OdourGuess | None:
        """What it may be, on all whole bins so far; None before the first window."""
        if self._guess is None and self._point is not None:
            self._guess = self._decide(self._point)
        return self._guess

    def _close(self, place: int) -> None:
        """A bin is over; if bins without a reading follow, windows begin anew."""
        with np.errstate(invalid="ignore"):
            self._bins.append(self._sum / np.where(self._count > 0, self._count, np.nan))
        if len(self._bins) == self.model.facts.window_bins:
            self._add(np.stack(self._bins))
        if place != self._bin + 1:
            self._bins.clear()
        self._bin = place
        self._sum[:] = 0.0
        self._count[:] = 0.0

    def _add(self, bins: F64) -> None:
        silent = np.isnan(bins).any(axis=0).mean()
        if silent > MAX_MISSING:
            return
        point = self.model.embedding(window_features(bins)[None, :])[0]
        if not np.isfinite(point).all():  # too weak to tell
            return
        self._windows += 1
        if self._point is None:
            self._point = point
        else:
            self._point = self._point + (point - self._point) / min(self._windows, MEMORY)
        self._guess = None

    def _same_meaning(self, ranked: Mapping[str, float]) -> tuple[Outcome, str, float]:
        """Odours that were said to mean the same do not stand in each other's way."""
        best = next(iter(ranked))
        row = self._rows.get(best)
        pooled = sum(p for name, p in ranked.items() if row and self._rows.get(name) == row)
        return ("recognised", best, pooled) if pooled >= CLEAR else decide(ranked)

    def _decide(self, point: F64) -> OdourGuess:
        squared = self.model.clouds(point, self._means)
        ranked = self.model.ranked(squared, self._windows)
        outcome, label, confidence = decide(ranked)
        if outcome == "unclear":
            outcome, label, confidence = self._same_meaning(ranked)
        assert self._origin_ns is not None  # noqa: S101
        return OdourGuess(
            outcome=outcome,
            label=label,
            probabilities=ranked,
            confidence=confidence,
            since_ns=self._origin_ns,
            until_ns=self._until_ns,
            windows=self._windows,
            distance=float(np.sqrt(squared.min())),
            taught=label in self.model.taught,
            confusable=self.model.facts.confusable.get(label, ())[:MAX_CONFUSABLE],
            origin=self.model.facts.origin,
            means=self._rows.get(label, ""),
        )
