"""Clean air, and readings compared with it.

Four ways to compare x with its clean-air value x0 (`Mode`); which of them drift leaves alone:

| mode | formula | takes out |
|---|---|---|
| difference | x − x0 | what is added to every reading |
| relative | x / x0 | what multiplies every reading (supply, load) |
| fractional | (x − x0) / x0 | both; noisy where x0 is small |
| log | −ln(x / x0) | as relative; a power law R = a·C^b becomes a straight line in ln C |

Clean air is found three ways (`BaselineAir.how`): measured beforehand (`calibrated`, `file`), the
first still stretch of a stream (`first_seconds`), and either of them followed slowly while the air
is known to be clean (`followed`; who decides that is `thymos.smell.signal.phase`).
"""

from __future__ import annotations

import enum

import numpy as np

from thymos.samples import NS_PER_S
from thymos.smell.frame import F64, BaselineAir

SETTLE_NS = 5 * NS_PER_S
"""Length of a stretch that may be taken for clean air when nothing is known."""
MIN_READINGS = 5
MAX_CV = 0.05
"""A stretch whose coefficient of variation is larger is not still (a rule of public MOX noses)."""
PARTS = (1.0, 0.8, 0.6, 0.4)
"""Of a stretch: where a smell comes towards its end, what was before it is clean air. A part must
be as much stiller as it is shorter."""
GIVE_UP_NS = 60 * NS_PER_S
"""After so long the stillest stretch is taken, and called restless."""
MAX_ROWS = 4096
DRIFT_TAU_NS = 600 * NS_PER_S
"""Time constant with which drift is followed: hours of drift pass, minutes of odour do not."""
_FLOOR = {"adc": 20.0, "volt": 0.05, "ppm": 0.5}
"""Baselines nearer to zero are held up: counts of one or two are no percentages of hundreds."""


_Stretch = tuple[float, F64, F64, int, int]
"""Coefficient of variation, level, noise, middle [ns], readings."""


class Mode(str, enum.Enum):
    """How a reading is compared with clean air, see the module."""

    DIFFERENCE = "difference"
    RELATIVE = "relative"
    FRACTIONAL = "fractional"
    LOG = "log"


def mode_of(unit: str) -> Mode:
    """What is used where nobody chose: log for resistances, fractional for all that rises."""
    return Mode.LOG if unit in ("ohm", "kohm") else Mode.FRACTIONAL


def scale(baseline: F64, unit: str) -> F64:
    """What a change is divided by: |x0|, held up where it is near zero [channels]."""
    return np.maximum(np.abs(baseline), _FLOOR.get(unit, 1e-9))


def response(values: F64, baseline: F64, unit: str, mode: Mode | None = None) -> F64:
    """How strongly each sensor answers [channels]; NaN where that cannot be said.

    Args:
        values: Readings [channels], or [readings, channels].
        baseline: Clean air [channels].
        unit: Of both.
        mode: None for `mode_of(unit)`: then it is positive for reducing gases on metal oxide.
    """
    mode = mode or mode_of(unit)
    if mode is Mode.DIFFERENCE:
        return np.asarray(values - baseline)
    if mode is Mode.FRACTIONAL:
        return np.asarray((values - baseline) / scale(baseline, unit))
    with np.errstate(divide="ignore", invalid="ignore"):
        out = values / baseline if mode is Mode.RELATIVE else -np.log(values / baseline)
    out[~np.isfinite(out)] = np.nan
    return out


class Baseline:
    """The running estimate of clean air of one nose.

    Args:
        channels: How many.
        unit: Of the readings.
        known: Clean air that was measured beforehand; None to find it in the stream.

    Attributes:
        level: R0 [channels], None while it is not known; NaN where a channel gave nothing.
        noise: Standard deviation in clean air [channels].
        how: As `BaselineAir.how`.
        measured: It rests on a calibration, whatever was followed since.
        restless: No still stretch was found; the stillest had to do.
    """

    def __init__(self, channels: int, unit: str, known: BaselineAir | None = None) -> None:
        self._channels, self._unit = channels, unit
        self.level: F64 | None = None
        self.noise: F64 = np.zeros(channels)
        self.how, self.restless = "", False
        self.measured = known is not None and known.how != "first_seconds"
        self._taken_ns: float | None = None
        self._readings = 0
        self._air: BaselineAir | None = None
        self.forget()
        if known is not None:
            self.level = np.array(known.values, dtype=np.float64)
            self.noise = np.nan_to_num(np.array(known.spread, dtype=np.float64), nan=0.0)
            self.how, self._taken_ns = known.how, known.taken_ns
            self._readings = known.readings

    def forget(self) -> None:
        """Drop the stretch that is being gathered."""
        self._rows: list[F64] = []
        self._begin_ns: int | None = None
        self._first_ns: int | None = None
        self._best: _Stretch | None = None

    @property
    def learnt(self) -> float:
        """How far the search for clean air has come, 0 to 1."""
        if self.level is not None:
            return 1.0
        return min(0.99, len(self._rows) / MIN_READINGS)

    @property
    def air(self) -> BaselineAir | None:
        """Clean air with its provenance; None while it is not known."""
        if self.level is None:
            return None
        if self._air is None:
            when = None if self._taken_ns is None else round(self._taken_ns)
            self._air = BaselineAir(self.level, self.noise, when, self.how, self._readings)
        return self._air

    def threshold_noise(self) -> F64:
        """Noise in clean air as a share of R0 [channels]; 0 where it is not known."""
        if self.level is None:
            return np.zeros(self._channels)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = self.noise / np.abs(self.level)
        return np.nan_to_num(share, nan=0.0, posinf=0.0)

    def learn(self, t_ns: int, values: F64) -> bool:
        """Take a reading of what is hoped to be clean air; whether that was enough.

        Stretches of `SETTLE_NS` are tried one after the other until one is still.
        """
        if self._begin_ns is None or t_ns < self._begin_ns:
            self._rows, self._begin_ns = [], t_ns
        if self._first_ns is None or t_ns < self._first_ns:
            self._first_ns = t_ns
        if len(self._rows) < MAX_ROWS:
            self._rows.append(values)
        if t_ns - self._begin_ns < SETTLE_NS or len(self._rows) < MIN_READINGS:
            return False
        found = cv, *_ = self._stillest(np.array(self._rows), self._begin_ns, t_ns)
        if self._best is None or cv < self._best[0]:
            self._best = found
        self._rows, self._begin_ns = [], None
        if cv > MAX_CV and t_ns - self._first_ns < GIVE_UP_NS:
            return False
        cv, self.level, self.noise, self._taken_ns, self._readings = self._best
        self.how, self.restless, self._air = "first_seconds", cv > MAX_CV, None
        self.forget()
        return True

    def _stillest(self, rows: F64, begin_ns: int, end_ns: int) -> _Stretch:
        """The longest part of a stretch, from its beginning, that is still; else the whole."""
        made: list[_Stretch] = []
        for part in PARTS:
            count = int(len(rows) * part)
            if count < MIN_READINGS and made:
                break
            level, noise, cv = _middle(rows[:count], self._unit)
            taken_ns = begin_ns + round((end_ns - begin_ns) * part / 2)
            made.append((cv / part, level, noise, taken_ns, count))
            if cv <= MAX_CV * part:
                return made[-1]
        return made[0]

    def follow(self, t_ns: int, values: F64, step_ns: int) -> float:
        """Follow slow drift with a reading of clean air; returns the weight it was given.

        Args:
            t_ns: Its time.
            values: Readings [channels]; NaN leaves a channel as it is.
            step_ns: Since the reading before.
        """
        assert self.level is not None  # noqa: S101  who follows has learnt
        weight = float(-np.expm1(-step_ns / DRIFT_TAU_NS))
        moved = self.level + weight * (values - self.level)
        self.level = np.where(np.isfinite(moved), moved, self.level)
        before = t_ns if self._taken_ns is None else self._taken_ns
        self._taken_ns = before + weight * (t_ns - before)
        self._readings += 1
        self.how, self._air = "followed", None
        return weight


def _middle(rows: F64, unit: str) -> tuple[F64, F64, float]:
    """Median and noise of each channel [channels], and the largest coefficient of variation.

    A channel that never gave a number stays unknown (NaN) without a warning.
    """
    known = np.isfinite(rows).any(axis=0)
    level, noise = np.full(rows.shape[1], np.nan), np.zeros(rows.shape[1])
    if not known.any():
        return level, noise, 0.0
    some = rows[:, known]
    level[known] = np.nanmedian(some, axis=0)
    noise[known] = 1.4826 * np.nanmedian(np.abs(some - level[known]), axis=0)
    cv = np.nanstd(some, axis=0) / scale(level[known], unit)
    return level, noise, float(cv.max())
