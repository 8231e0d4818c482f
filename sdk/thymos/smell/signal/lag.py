"""How late a metal-oxide sensor is, and when the air did what its readings show.

A sensor answers a step of gas with y(t) = A·(1 − exp(−(t − t₀)/τ)), τ of 5 to 60 s, often through a
chamber that is filled first (second order), and forgets with τ of 60 to 300 s; recovery has two
parts, τ of 15 to 25 s and of 45 to 60 s, in 97 % of fitted tails (OpenSmell). The threshold θ is
crossed at t₀ − τ·ln(1 − θ/A): seconds late, more for a weak smell.

While the response rises, `Rise` fits y = a + b·exp(−t/τ) to every channel for each τ of a grid, by
running sums (constant memory, no past is kept), and goes back to where y was zero. Each τ is
weighed with its likelihood, so that a rise that does not tell τ yet gives a wide answer. Until
there are enough readings, or where nothing fits, what is known without them has to do (`onset`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from thymos.samples import NS_PER_S
from thymos.smell.frame import F64
from thymos.smell.signal.phase import FADING, HIGH, SMOOTH_NS, Odour

RISE_TAU_S = (5.0, 60.0)
TAU_GRID_S = np.geomspace(0.5, 120.0, 24)
MIN_READINGS = 8
ENOUGH_READINGS = 16
LEARN_NS, LONGEST_NS = 4 * NS_PER_S, 20 * NS_PER_S
"""So much of the rise is looked at, the second where `ENOUGH_READINGS` need longer: later readings
tell of A and of other gases, not of t₀, and the model fits them less."""
STEP_NS = NS_PER_S // 20
"""Readings that come faster are thinned out: the rise takes seconds."""
FARTHEST_NS = 60 * NS_PER_S
MISFIT = 0.02
"""Of the response: by so much rises leave the model, whatever the noise is."""
MODEL_SHARE, CHAMBER_S = 0.25, 0.8
"""How wrong the model may be: a share of the lag (mixtures, power law), and seconds (a chamber or
tube before the sensors, of which the readings do not tell). Chosen so that simulated noses behind
a chamber of 3 s are covered as well, see docs/smell-signal.md."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happened in the air at the nose.

    Attributes:
        t_ns: Best estimate.
        spread_ns: One standard deviation.
        how: `fitted` to the readings; `bracketed` by the last reading that showed nothing and the
            first that showed it; or `prior`: from what is known of such sensors.
    """

    t_ns: int
    spread_ns: int
    how: str

    def interval(self, latest_ns: int, deviations: int = 1) -> tuple[int, int]:
        """Earliest and latest capture time, so many deviations away, never after a reading."""
        far_ns = deviations * self.spread_ns
        return min(self.t_ns - far_ns, latest_ns), min(self.t_ns + far_ns, latest_ns)


@lru_cache(maxsize=256)
def _prior_onset_s(tenths: int) -> tuple[float, float]:
    """Mean and deviation of the lag at the threshold, peak so far in tenths of thresholds."""
    tau = np.geomspace(*RISE_TAU_S, 32)
    final = max(1.2, tenths / 10) * np.geomspace(1.0, 4.0, 16)
    lags = -tau[:, None] * np.log1p(-1.0 / final)
    return float(lags.mean()), float(lags.std())


def prior_onset(odour: Odour) -> Moment:
    """When a smell reached the nose, from what is known of such sensors.

    τ even in log over `RISE_TAU_S`, the final response one to four times what was seen so far.
    """
    mean, deviation = _prior_onset_s(round(min(odour.peak, 25.0) * 10))
    return Moment(
        odour.onset_ns - round(mean * NS_PER_S),
        round(deviation * NS_PER_S),
        "prior",
    )


def onset(odour: Odour, fitted: Moment | None) -> Moment:
    """When a smell reached the nose, by all that is known.

    A response that rises ever more slowly (first order) is below half of the threshold for at most
    half of its way there: it began no longer before the last such reading than that one lies before
    the onset; twice as long is allowed for slow starts behind a chamber. A fit that contradicts
    this (a sensor quicker than the readings, a model that does not hold) is dropped, and so is a
    prior that does.
    """
    if odour.flat_ns is None:
        return fitted or prior_onset(odour)
    high, low = odour.onset_ns, 3 * odour.flat_ns - 2 * odour.onset_ns
    if fitted is not None and low <= fitted.t_ns <= high:
        return Moment(fitted.t_ns, min(fitted.spread_ns, (high - low) // 2), fitted.how)
    prior = prior_onset(odour)
    if fitted is None and prior.t_ns - prior.spread_ns >= low:
        return prior
    return Moment((low + high) // 2, max(1, round((high - low) / 12**0.5)), "bracketed")


def offset(odour: Odour) -> Moment | None:
    """When a smell left the nose; None while it does not fade.

    A first-order response falls as soon as the gas goes. The level was last near the peak
    (`HIGH` of it) at one reading and clearly lower (`FADING`) at another; the exponential through
    both is followed back to the peak, and the time that smoothing took is taken off.
    """
    if odour.fading_ns is None:
        return None
    fall = max(0, odour.fading_ns - odour.high_ns)
    back = np.log(1 / HIGH) / np.log(HIGH / FADING)
    ended = odour.high_ns - SMOOTH_NS - round(back * fall)
    return Moment(ended, max(NS_PER_S // 10, (odour.fading_ns - ended) // 4), "fitted")


class Rise:
    """The rising edge of one smell.

    Args:
        begin_ns: First reading above the threshold.
        channels: How many.
    """

    def __init__(self, begin_ns: int, channels: int) -> None:
        self._begin_ns = begin_ns
        self._last_ns: int | None = None
        self._step_ns = self._taken = 0
        self._grid = TAU_GRID_S[:, None]
        shape = (len(TAU_GRID_S), channels)
        self._n, self._y, self._yy = np.zeros((3, channels))
        self._e, self._ee, self._ye = np.zeros((3, *shape))

    def take(self, t_ns: int, response: F64) -> bool:
        """Take a reading of the rise in; False if it is of no use: too late, or too soon."""
        since = t_ns - self._begin_ns
        enough = self._taken >= ENOUGH_READINGS
        if not 0 <= since <= (LEARN_NS if enough else LONGEST_NS):
            return False
        if self._last_ns is not None:
            if t_ns - self._last_ns < STEP_NS:
                return False
            self._step_ns = max(self._step_ns, t_ns - self._last_ns)
        self._last_ns = t_ns
        self._taken += 1
        known = np.isfinite(response)
        y = np.where(known, response, 0.0)
        e = np.exp(-(since / NS_PER_S) / self._grid) * known
        self._n += known
        self._y += y
        self._yy += y * y
        self._e += e
        self._ee += e * e
        self._ye += e * y
        return True

    def fit(self, noise: F64, response: F64) -> Moment | None:
        """When the rise began in the air; None if the readings do not tell.

        Args:
            noise: Of the response in clean air [channels].
            response: Newest [channels]: channels that hardly answer are left out.
        """
        found = self._fit(np.abs(response), noise)
        if found is None:
            return None
        t0, variance = found
        weight = 1.0 / variance
        mean = float((t0 * weight).sum() / weight.sum())
        own = 1.0 / weight.sum()
        between = float(((t0 - mean) ** 2 * weight).sum() / weight.sum()) / max(1, len(t0) - 1)
        sampled = (self._step_ns / NS_PER_S) ** 2 / 12
        model = (MODEL_SHARE * mean) ** 2 + CHAMBER_S**2
        spread = float(np.sqrt(own + between + sampled + model))
        if mean < -FARTHEST_NS / NS_PER_S:
            return None
        return Moment(self._begin_ns + round(mean * NS_PER_S), round(spread * NS_PER_S), "fitted")

    def _fit(self, size: F64, noise: F64) -> tuple[F64, F64] | None:
        """t₀ of each usable channel [s after `begin_ns`] and its variance."""
        usable = (self._n >= MIN_READINGS) & (size >= 0.5 * np.nanmax(size, initial=0.0))
        if not usable.any():
            return None
        n, y, yy = self._n[usable], self._y[usable], self._yy[usable]
        e, ee, ye = self._e[:, usable], self._ee[:, usable], self._ye[:, usable]
        with np.errstate(divide="ignore", invalid="ignore"):
            see, sye = ee - e * e / n, ye - e * y / n
            b = sye / see
            a = (y - b * e) / n
            left = np.maximum(yy - y * y / n - b * sye, 0.0)
            t0 = -self._grid * np.log(-a / b)
            slope = a / self._grid
        fits = np.isfinite(t0) & (t0 <= 0.0)
        if not fits.any(axis=0).any():
            return None
        sigma2 = np.maximum(noise[usable], MISFIT * size[usable]) ** 2
        sigma2 = np.maximum(sigma2, np.where(fits, left, np.inf).min(axis=0) / n)
        cost = np.where(fits, left / sigma2, np.inf)
        some = fits.any(axis=0)
        cost, t0, slope, sigma2 = cost[:, some], t0[:, some], slope[:, some], sigma2[some]
        fits, n = fits[:, some], n[some]
        weight = np.exp(-0.5 * (cost - cost.min(axis=0)))
        weight /= weight.sum(axis=0)
        safe = np.where(fits, t0, 0.0)
        mean = (weight * safe).sum(axis=0)
        variance = (weight * (safe - mean) ** 2).sum(axis=0)
        steep = (weight * np.where(fits, slope, 0.0)).sum(axis=0)
        variance = variance + sigma2 / np.maximum(steep**2, 1e-12) / n
        return mean, np.maximum(variance, 1e-4)
