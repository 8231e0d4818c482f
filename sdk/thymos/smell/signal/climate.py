"""What temperature and humidity do to the sensors, taken out again.

    ln R = a + b·(T − T₀) + c·(H − H₀)  [+ d·(T − T₀)² + e·(T − T₀)(H − H₀) + f·(H − H₀)²]

T in °C, H absolute humidity in g/m³ (Magnus formula, constants of O. Alduchov and R. Eskridge, J.
Applied Meteorology 35, 1996). The weights b … f of each channel come from a day in clean air
(`thymos calibrate enose-climate`), or are learnt here while the nose runs (`Learner`). A reading is
brought to the air *in which its baseline was taken*, not to an absolute reference: so weights may
be learnt or change at any time without a step in the response, and an error in them costs only as
much as the air has changed since.

The learner is recursive least squares with forgetting (L. Ljung, System Identification, 2nd ed.,
section 11.2) on means of ten seconds, and is guarded: it takes clean air only (the phase machine
says when), no mean that looks like an odour, and its weights are used only once the climate has
varied enough, in two ways that can be told apart, and once they foretell better than the mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.errors import CalibrationError
from thymos.samples import NS_PER_S
from thymos.smell.frame import F64
from thymos.smell.validity import RANGE

TERMS = 5
MIN_TEMPERATURE_RANGE = 3.0
MIN_HUMIDITY_RANGE = 1.0
"""Absolute [g/m³]."""
MAX_TOGETHER = 0.97
"""Above this correlation of T and H nobody can tell which of the two moved a sensor."""
MIN_GAIN = 0.1
BLOCK_NS = 10 * NS_PER_S
MIN_BLOCKS = 100
FORGET_NS = 24 * 3600 * NS_PER_S
ODD = 0.08
"""A mean this far from what is foretold is no weather (ln R); nothing is learnt from it."""
MAX_WEIGHTS = (0.15, 0.3)
"""Per °C and per g/m³; a sensor that seems to follow more strongly follows something else."""
MAX_TRACE = 1e5
HOLD_NS = 60 * NS_PER_S
"""So old a reading of the climate is still used."""


@dataclass(frozen=True, slots=True)
class Air:
    """The air at a reading, in the units every nose uses.

    Attributes:
        temperature: °C, NaN if not measured.
        humidity: Percent relative, NaN if not measured.
    """

    temperature: float
    humidity: float

    @property
    def known(self) -> bool:
        """Whether both are what such sensors can measure."""
        (cold, hot), (dry, wet) = RANGE["temperature"], RANGE["humidity"]
        return cold < self.temperature < hot and dry < self.humidity < wet


def absolute_humidity(temperature: Any, humidity: Any) -> Any:
    """Water in the air, g/m³, from °C and percent relative humidity; numbers or arrays."""
    pressure = 6.1094 * np.exp(17.625 * temperature / (temperature + 243.04)) * humidity / 100
    return 216.68 * pressure / (temperature + 273.15)


@dataclass(frozen=True, slots=True)
class Weights:
    """How the channels of a nose follow the climate.

    Attributes:
        temperature: T₀ [°C].
        humidity: H₀ [g/m³].
        weights: [channels, 5], b c d e f of each; zeros for a channel that does not follow.
        how: `calibrated` or `learnt`.
        about: Where they are from, in words.
    """

    temperature: float
    humidity: float
    weights: F64
    how: str
    about: str = ""

    def terms(self, air: Air) -> F64:
        """T, H, and their squares against the reference [5]; NaN if the air is not known."""
        warm = air.temperature - self.temperature
        wet = float(absolute_humidity(air.temperature, air.humidity)) - self.humidity
        return np.array([warm, wet, warm * warm, warm * wet, wet * wet])

    def factor(self, terms: F64, reference: F64) -> F64:
        """What a reading is multiplied with to bring it from one air to another [channels]."""
        return np.asarray(np.exp(-(self.weights @ (terms - reference))))


def weights_of(data: Mapping[str, Any], names: Sequence[str]) -> Weights:
    """Read a result of `thymos calibrate enose-climate`.

    Args:
        data: The file.
        names: Gas channels of the nose; those that the file does not name are not corrected.

    Raises:
        CalibrationError: It is something else, or damaged.
    """
    try:
        rows = data["channels"]
        table = np.zeros((len(names), TERMS))
        for i, name in enumerate(names):
            if name in rows:
                own = [float(w) for w in rows[name]["weights"]]
                if len(own) not in (2, TERMS) or not np.isfinite(own).all():
                    raise ValueError("weights are two or five numbers")
                table[i, : len(own)] = own
        return Weights(
            float(data["temperature_degC"]),
            float(data["absolute_humidity_g_m3"]),
            table,
            "calibrated",
            f"of {data.get('made_at', 'unknown date')}"[:60],
        )
    except (AttributeError, KeyError, TypeError, ValueError) as err:
        raise CalibrationError(
            f"the climate compensation is damaged: {err}",
            hint="measure it again: thymos calibrate enose-climate",
        ) from err


_KEPT = ("_theta", "_inverse", "_errors", "_low", "_high", "_moments", "_mean")


@dataclass(slots=True)
class Learner:
    """Learns b and c of each channel in clean air, while the nose runs.

    Args:
        channels: How many.

    Attributes:
        blocks: Means of ten seconds that were learnt from.
    """

    channels: int
    blocks: int = 0
    _origin: tuple[float, float] | None = None
    _sum: F64 | None = None
    _count: int = 0
    _begin_ns: int = 0
    _last_ns: int | None = None
    _theta: F64 = field(init=False)
    _inverse: NDArray[np.float64] = field(init=False)
    _errors: F64 = field(init=False)
    _low: F64 = field(init=False)
    _high: F64 = field(init=False)
    _moments: F64 = field(init=False)

    def __post_init__(self) -> None:
        self._theta = np.zeros((self.channels, 3))
        self._inverse = np.eye(3) * 1e3
        self._errors = np.zeros((2, self.channels))
        self._low, self._high = np.full(2, np.inf), np.full(2, -np.inf)
        self._moments = np.zeros(6)

    def learn(self, t_ns: int, values: F64, air: Air) -> bool:
        """Take a reading of clean air; whether a mean of ten seconds was learnt from.

        A channel without a value keeps the whole mean from being used: the weights of all channels
        share one matrix.
        """
        water = float(absolute_humidity(air.temperature, air.humidity))
        with np.errstate(divide="ignore", invalid="ignore"):
            row = np.concatenate([np.log(values), (air.temperature, water)])
        if self._sum is None or not 0 <= t_ns - self._begin_ns <= 2 * BLOCK_NS:
            self._sum, self._count, self._begin_ns = np.zeros(len(row)), 0, t_ns
        self._sum = self._sum + row
        self._count += 1
        if t_ns - self._begin_ns < BLOCK_NS:
            return False
        mean, self._sum = self._sum / self._count, None
        if not np.isfinite(mean).all():
            return False
        return self._step(t_ns, mean[:-2], float(mean[-2]), float(mean[-1]))

    def weights(self) -> Weights | None:
        """What was learnt; None while it may not be trusted."""
        if self._origin is None or self.blocks < MIN_BLOCKS:
            return None
        spread = self._high - self._low
        if spread[0] < MIN_TEMPERATURE_RANGE or spread[1] < MIN_HUMIDITY_RANGE:
            return None
        n, st, sh, stt, shh, sth = self._moments
        vt, vh = stt / n - (st / n) ** 2, shh / n - (sh / n) ** 2
        if abs(sth / n - st * sh / n**2) > MAX_TOGETHER * float(np.sqrt(vt * vh)):
            return None
        fitted, plain = self._errors
        own = self._theta[:, 1:]
        good = (fitted < (1 - MIN_GAIN) ** 2 * plain) & (np.abs(own) <= MAX_WEIGHTS).all(axis=1)
        if not good.any():
            return None
        table = np.zeros((self.channels, TERMS))
        table[good, :2] = own[good]
        about = f"learnt from {self.blocks * BLOCK_NS / NS_PER_S / 60:.0f} minutes of clean air"
        return Weights(*self._origin, table, "learnt", about)

    def dump(self) -> dict[str, Any]:
        """What was learnt, as plain JSON."""
        return {
            "blocks": self.blocks,
            "origin": None if self._origin is None else list(self._origin),
            **{name: getattr(self, name).tolist() for name in _KEPT if self.blocks},
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Go on from `dump`; time in between is not counted.

        Raises:
            ValueError: It is of another number of channels, or no numbers.
        """
        if not int(data["blocks"]):
            return
        rows = {name: np.array(data[name], dtype=np.float64) for name in _KEPT}
        for name, row in rows.items():
            shape = (self.channels,) if name == "_mean" else getattr(self, name).shape
            if row.shape != shape or not np.isfinite(row).all():
                raise ValueError(f"{name} is not {shape} numbers")
        temperature, water = (float(v) for v in data["origin"])
        self._origin, self.blocks = (temperature, water), int(data["blocks"])
        for name, row in rows.items():
            setattr(self, name, row)

    def _step(self, t_ns: int, log_r: F64, temperature: float, water: float) -> bool:
        if self._origin is None:
            self._origin = (temperature, water)
            self._theta[:, 0] = log_r
        warm, wet = temperature - self._origin[0], water - self._origin[1]
        x = np.array([1.0, warm, wet])
        off = log_r - self._theta @ x
        if self.blocks >= MIN_BLOCKS and bool((np.abs(off) > ODD).any()):
            return False
        since = BLOCK_NS if self._last_ns is None else min(max(0, t_ns - self._last_ns), FORGET_NS)
        self._last_ns = t_ns
        keep = float(np.exp(-since / FORGET_NS))
        self._low = np.minimum(self._low, x[1:])
        self._high = np.maximum(self._high, x[1:])
        self._moments *= keep
        self._moments += (1.0, warm, wet, warm * warm, wet * wet, warm * wet)
        self._judge(off, log_r, keep)
        moved = self._inverse @ x
        gain = moved / (keep + float(x @ moved))
        self._theta += np.outer(off, gain)
        self._inverse = self._inverse - np.outer(gain, moved)
        if float(np.trace(self._inverse)) < MAX_TRACE:  # forgetting without news must not run off
            self._inverse = self._inverse / keep
        self.blocks += 1
        return True

    def _judge(self, off: F64, log_r: F64, keep: float) -> None:
        """Squared errors of what was foretold, and of the mean so far, both before learning."""
        if self.blocks == 0:
            self._mean = log_r.copy()
        plain = log_r - self._mean
        self._errors = keep * self._errors + np.stack([off**2, plain**2])
        self._mean = self._mean + plain * (1.0 / max(1.0, float(self._moments[0])))

    _mean: F64 = field(init=False)
