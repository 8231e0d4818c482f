"""Features of a sniff, in the order of the UCI gas-sensor drift data.

After A. Vergara et al., Sensors and Actuators B 166-167, 2012. For each channel

    ΔR, |ΔR|, rise .001, rise .01, rise .1, decay .001, decay .01, decay .1

ΔR = max r − min r and |ΔR| = (max r − min r) / min r over the sniff (steady state), and the largest
(rise) and smallest (decay) value of y[k] = (1 − α)·y[k−1] + α·(r[k] − r[k−1]) (transients).

α is per *sample* at 100 Hz, the rate of that data, so y means nothing without a rate. At any other
step of dt seconds m = 100·dt samples lie between two readings; with r drawn straight between them
the recursion has the closed form

    y' = (1 − α)^m · y + (1 − (1 − α)^m) · (r' − r) / m

which for m = 1 is the original. Between two readings y moves in one direction, so its extremes are
at readings and nothing is missed. What a slow nose cannot have it does not get: at 1 Hz the filter
of α = .1 (0.1 s) sees nothing but the slope between two readings.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence

import numpy as np

from thymos.samples import NS_PER_S
from thymos.smell.frame import F64

ALPHAS = np.array([0.001, 0.01, 0.1])
RATE_HZ = 100.0
"""At which the α are stated."""
NAMES = (
    "dR",
    "dR_norm",
    *(f"ema_rise_{a:g}" for a in ALPHAS),
    *(f"ema_decay_{a:g}" for a in ALPHAS),
)
_STEP = re.compile(r"^(.*?)_?h(\d+)$")


class Sniff:
    """Features of one sniff while it goes on; memory does not grow.

    Args:
        channels: How many.
        rate_hz: At which the α are stated.
    """

    def __init__(self, channels: int, rate_hz: float = RATE_HZ) -> None:
        self._rate = rate_hz
        self._low, self._high = np.full(channels, np.nan), np.full(channels, np.nan)
        self._ema = np.zeros((len(ALPHAS), channels))
        self._rise = np.full((len(ALPHAS), channels), -np.inf)
        self._decay = np.full((len(ALPHAS), channels), np.inf)
        self._last: F64 | None = None
        self._seen_ns = np.zeros(channels, dtype=np.int64)
        self._t_ns = 0
        self.readings = 0

    def update(self, t_ns: int, values: F64) -> None:
        """Take a reading in; one that is not later than the last is left out.

        Args:
            t_ns: Its time.
            values: [channels]; NaN leaves a channel as it is, its next value bridges the hole.
        """
        if self._last is None:
            self._last = values.copy()
            self._low, self._high = values.copy(), values.copy()
            self._seen_ns[:] = t_ns
        elif t_ns <= self._t_ns:
            return
        else:
            self._low = np.fmin(self._low, values)
            self._high = np.fmax(self._high, values)
            self._filter(t_ns, values)
        self._t_ns = t_ns
        self.readings += 1

    def vector(self) -> F64:
        """The features now [channels, 8]; NaN where a channel has not given two readings."""
        span = self._high - self._low
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(self._low != 0, span / self._low, np.nan)
        rise = np.where(np.isfinite(self._rise), self._rise, np.nan)
        decay = np.where(np.isfinite(self._decay), self._decay, np.nan)
        return np.concatenate([span[None], share[None], rise, decay]).T

    def _filter(self, t_ns: int, values: F64) -> None:
        assert self._last is not None  # noqa: S101
        known = np.isfinite(values)
        first = known & ~np.isfinite(self._last)
        fresh = known & ~first
        samples = np.maximum((t_ns - self._seen_ns) * (self._rate / NS_PER_S), 1e-9)
        left = (1.0 - ALPHAS)[:, None] ** samples
        moved = left * self._ema + (1.0 - left) * ((values - self._last) / samples)
        self._ema = np.where(fresh, moved, self._ema)
        self._rise = np.where(fresh, np.maximum(self._rise, self._ema), self._rise)
        self._decay = np.where(fresh, np.minimum(self._decay, self._ema), self._decay)
        self._last = np.where(known, values, self._last)
        self._seen_ns[known] = t_ns


def sniff_features(t_ns: Sequence[int], values: F64, rate_hz: float = RATE_HZ) -> F64:
    """The features of a whole sniff at once [channels, 8], as `Sniff` gives them.

    Args:
        t_ns: Times [readings].
        values: [readings, channels], all valid.
        rate_hz: At which the α are stated.
    """
    times = np.asarray(t_ns, dtype=np.int64)
    samples = np.maximum(np.diff(times) * (rate_hz / NS_PER_S), 1e-9)
    steps = np.diff(values, axis=0)
    span = values.max(axis=0) - values.min(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        low = values.min(axis=0)
        rows = [span, np.where(low != 0, span / low, np.nan)]
    rises, decays = [], []
    for alpha in ALPHAS:
        left = (1.0 - alpha) ** samples
        y, high, least = np.zeros(values.shape[1]), -np.inf, np.inf
        for k, step in enumerate(steps):
            y = left[k] * y + (1.0 - left[k]) * (step / samples[k])
            high, least = np.maximum(high, y), np.minimum(least, y)
        rises.append(high)
        decays.append(least)
    return np.stack([*rows, *rises, *decays], axis=1)


class Differences:
    """First-order temporal differences: the value now less that of so long ago, a second.

    Args:
        period_s: How far back; the newest reading at least so old is taken.
    """

    MAX = 4096

    def __init__(self, period_s: float = 1.0) -> None:
        self._period_ns = round(period_s * NS_PER_S)
        self._past: deque[tuple[int, F64]] = deque(maxlen=self.MAX)

    def update(self, t_ns: int, values: F64) -> F64:
        """Take a reading; return its slope a second [channels], NaN while it is not known."""
        past = self._past
        if past and t_ns <= past[-1][0]:
            past.clear()
        while len(past) > 1 and t_ns - past[1][0] >= self._period_ns:
            past.popleft()
        slope = np.full(len(values), np.nan)
        if past and t_ns - past[0][0] >= self._period_ns:
            slope = (values - past[0][1]) * (NS_PER_S / (t_ns - past[0][0]))
        past.append((t_ns, values))
        return slope


def heater_groups(names: Sequence[str]) -> tuple[tuple[int, ...], ...]:
    """Positions of the heater steps of each sensor (`s0_h0`, `s0_h1` …), steps in order.

    Sensors with fewer than three steps have no shape and are left out.
    """
    found: dict[str, list[tuple[int, int]]] = {}
    for i, name in enumerate(names):
        match = _STEP.match(name)
        if match:
            found.setdefault(match[1], []).append((int(match[2]), i))
    groups = (tuple(i for _, i in sorted(steps)) for steps in found.values())
    return tuple(group for group in groups if len(group) >= 3)


def heater_shape(values: F64, groups: Sequence[Sequence[int]]) -> F64:
    """Shape of each sensor's heater cycle: ln R of each step less the mean over its cycle.

    What scales the whole cycle (concentration, ageing, R0 of the unit) falls out; what is left is
    how the sensor answers at one temperature against another.

    Args:
        values: Resistances [channels], above zero.
        groups: Of `heater_groups`.

    Returns:
        [channels]; NaN for channels of no group, and for a cycle with a step that is missing.
    """
    out = np.full(len(values), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(values)
    logs[~np.isfinite(logs)] = np.nan
    for group in groups:
        own = logs[list(group)]
        out[list(group)] = own - own.mean()
    return out
