"""Tells real readings from numbers that stand for none, with the reason."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_RANGE = {"temperature": (-40.0, 85.0), "humidity": (0.0, 100.0), "pressure": (300.0, 1100.0)}
"""What the sensors of air measure at all (BME680 data sheet, table 1); degC, percent, hPa."""
_AT_END = "at the end of its range"
_MOST_NAMED = 6


class Validity:
    """Checks the readings of one nose, one after the other.

    * 4294967295 and 2147483647 (minus one of an unsigned or the end of a signed counter)
    * the end of a 10, 12 or 16 bit converter, and 999, where artificial-nose clips, as long as
      nothing higher was seen
    * a resistance of 0 or less, and the rails of BME68x: 12946860 ohm (BME680), 102400000 ohm
      and 5684.846 ohm (converter at 0 and at 1023 in the widest and narrowest range of a BME688)
    * a resistance that repeats to the last digit `STUCK` times: the sensor hangs
    * air that no such sensor can measure; 0 and 100 % humidity are what a hanging one says

    Args:
        names: Gas channels.
        unit: Their unit; `raw` for counts whose end of range means nothing.
        climate: Channels of the air that follow them.
    """

    STUCK = 30
    SENTINELS = (4294967295.0, 2147483647.0)
    RAILS = (999.0, 1023.0, 4095.0, 65535.0)
    OHM_RAILS = (12946860.0, 102400000.0, 32e6 / 5629.0)

    def __init__(self, names: tuple[str, ...], unit: str, climate: tuple[str, ...] = ()) -> None:
        self._names = names + climate
        self._gas = len(names)
        self._unit = unit
        self._top = 0.0
        self._last = np.full(len(self._names), np.nan)
        self._same = np.zeros(len(self._names), dtype=np.int64)
        self.invalid_for = np.zeros(len(self._names), dtype=np.int64)
        self.reasons: dict[str, list[str]] = {}

    def check(self, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], str]:
        """Return the values with NaN for what may not be used, and why, for people.

        Afterwards `reasons` tells the channels of each reason, and `invalid_for` for how many
        readings in a row each channel has been of no use.
        """
        out = values.astype(np.float64)
        self._same = np.where(values == self._last, self._same + 1, 0)
        self._last = values.copy()
        self.reasons = {}
        gas = values[: self._gas]
        real = [v for v in gas if math.isfinite(v) and v not in self.SENTINELS]
        self._top = max([self._top, *real])
        for i, value in enumerate(values):
            why = self._why(i, float(value)) if i < self._gas else self._air(i, float(value))
            if why:
                out[i] = np.nan
                self.reasons.setdefault(why, []).append(self._names[i])
        self.invalid_for = np.where(np.isnan(out), self.invalid_for + 1, 0)
        return out, self.note()

    @property
    def clipped(self) -> bool:
        """Whether a value of the last reading sits at the end of its range."""
        return _AT_END in self.reasons

    def note(self) -> str:
        """Why channels of the last reading are invalid, in words; empty if none is."""
        return "; ".join(f"{_some(who)}: {why}" for why, who in self.reasons.items())

    def useless(self, readings: int) -> str:
        """Gas channels without a value in so many readings, with the present reason; or empty."""
        silent = {self._names[i] for i in range(self._gas) if self.invalid_for[i] >= readings}
        found = {why: [n for n in who if n in silent] for why, who in self.reasons.items()}
        return "; ".join(f"{_some(who)}: {why}" for why, who in found.items() if who)

    def _why(self, i: int, value: float) -> str:
        adc, ohm = self._unit == "adc", self._unit == "ohm"
        reasons = (
            (not math.isfinite(value), "no value"),
            (value in self.SENTINELS, f"{value:.0f} stands for no reading"),
            (adc and value in self.RAILS and value >= self._top, _AT_END),
            (ohm and any(abs(value - rail) < 1e-6 * rail for rail in self.OHM_RAILS), _AT_END),
            (ohm and value <= 0, "a resistance of 0 is none"),
            (ohm and self._same[i] >= self.STUCK, f"stuck at {value:g}"),
        )
        return next((why for wrong, why in reasons if wrong), "")

    def _air(self, i: int, value: float) -> str:
        low, high = _RANGE[self._names[i]]
        if not math.isfinite(value):
            return "no value"
        return "" if low < value < high else f"{value:g} is outside what it can measure"


def _some(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
