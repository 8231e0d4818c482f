"""Tells real readings from numbers that stand for none, with the reason.

The one place of these rules: drivers apply them as readings come in, the signal stage to whatever
it is given, readers of files to rows. A value that is refused is NaN afterwards; the raw one is
the business of whoever keeps it (`SmellFrame.values`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from thymos.smell.frame import F64, Fault

RANGE = {"temperature": (-40.0, 85.0), "humidity": (0.0, 100.0), "pressure": (300.0, 1100.0)}
"""What the sensors of air measure at all (BME680 data sheet, table 1); degC, percent, hPa."""
_OHM = {"ohm": 1.0, "kohm": 1e3}
_MOST_NAMED = 6
_LARGE, _MOST = 2e9, 1e12
_FAULTS = (
    Fault.NONE,
    Fault.STUCK,
    Fault.OUT_OF_RANGE,
    Fault.RAIL,
    Fault.RAIL,
    Fault.SENTINEL,
    Fault.MISSING,
    Fault.OUT_OF_RANGE,
    Fault.STUCK,
    Fault.OUT_OF_RANGE,
)
"""What each code means. Of several reasons the one that comes later here is told, except that
the two before the last are about channels of the air, which have no others."""
_STUCK, _NO_RESISTANCE, _END, _OHM_END, _SENTINEL, _MISSING, _AIR, _AIR_STUCK, _HUGE = range(1, 10)


class Validity:
    """Checks the readings of one nose, one after the other.

    * 4294967295 and 2147483647 (minus one of an unsigned or the end of a signed counter), and what
      becomes of them in 32 bit floating point
    * the end of a 10, 12 or 16 bit converter, and 999, where artificial-nose clips, as long as
      nothing higher was seen
    * a resistance of 0 or less, and the rails of BME68x: 12946860 ohm (BME680), 102400000 ohm
      and 5684.846 ohm (converter at 0 and at 1023 in the widest and narrowest range of a BME688)
    * more than 1e12 of any unit
    * a resistance that repeats to the last digit `STUCK` times: the sensor hangs
    * air that no such sensor can measure; 0 and 100 % humidity are what a hanging one says

    Args:
        names: Gas channels.
        unit: Their unit, one for all or one for each; `raw` for counts whose end of range means
            nothing.
        climate: Channels of the air that follow them.

    Attributes:
        codes: Of the last reading, what is wrong with each channel; 0 is nothing.
        invalid_for: For how many readings in a row each channel has been of no use.
    """

    STUCK = 30
    SENTINELS = (4294967295.0, 2147483647.0, 4294967296.0, 2147483648.0)
    RAILS = (999.0, 1023.0, 4095.0, 65535.0)
    OHM_RAILS = (12946860.0, 102400000.0, 32e6 / 5629.0)

    def __init__(
        self, names: tuple[str, ...], unit: str | Sequence[str], climate: tuple[str, ...] = ()
    ) -> None:
        self._names = names + climate
        self._gas = gas = len(names)
        units = [unit] * gas if isinstance(unit, str) else list(unit)
        self._adc = np.array([one == "adc" for one in units], dtype=np.bool_)
        self._ohm = np.array([one in _OHM for one in units], dtype=np.bool_)
        self._to_ohm = np.array([_OHM.get(one, 1.0) for one in units])
        self._any_adc, self._any_ohm = bool(self._adc.any()), bool(self._ohm.any())
        limits = np.array([RANGE[name] for name in climate]).reshape(-1, 2)
        self._low, self._high = limits[:, 0], limits[:, 1]
        self._wet = np.array([name == "humidity" for name in climate], dtype=np.bool_)
        self._top = 0.0
        self._last = np.full(len(self._names), np.nan)
        self._same = np.zeros(len(self._names), dtype=np.int64)
        self.codes = np.zeros(len(self._names), dtype=np.int8)
        self.invalid_for = np.zeros(len(self._names), dtype=np.int64)

    def check(self, values: F64) -> tuple[F64, str]:
        """Return the values with NaN for what may not be used, and why, for people.

        Args:
            values: Raw [gas channels, then those of the air].
        """
        values = np.array(values, dtype=np.float64)
        self._same = np.where(values == self._last, self._same + 1, 0)
        self._last = values
        codes = np.zeros(len(values), dtype=np.int8)
        self._judge_gas(values[: self._gas], codes[: self._gas])
        if len(values) > self._gas:
            self._judge_air(values[self._gas :], codes[self._gas :])
        self.codes = codes
        bad = codes > 0
        self.invalid_for = np.where(bad, self.invalid_for + 1, 0)
        if not bad.any():
            return values.copy(), ""
        return np.where(bad, np.nan, values), self.note()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is wrong with each channel of the last reading."""
        return tuple(_FAULTS[code] for code in self.codes)

    @property
    def clipped(self) -> bool:
        """Whether a value of the last reading sits at the end of its range."""
        return bool(((self.codes == _END) | (self.codes == _OHM_END)).any())

    @property
    def reasons(self) -> dict[str, list[str]]:
        """Channels of the last reading by what is wrong with them, in words."""
        found: dict[str, list[str]] = {}
        for i in np.flatnonzero(self.codes):
            found.setdefault(self._why(int(i)), []).append(self._names[i])
        return found

    def note(self) -> str:
        """Why channels of the last reading are invalid, in words; empty if none is."""
        return "; ".join(f"{_some(who)}: {why}" for why, who in self.reasons.items())

    def useless(self, readings: int) -> str:
        """Gas channels without a value in so many readings, with the present reason; or empty."""
        silent = {self._names[i] for i in range(self._gas) if self.invalid_for[i] >= readings}
        found = {why: [n for n in who if n in silent] for why, who in self.reasons.items()}
        return "; ".join(f"{_some(who)}: {why}" for why, who in found.items() if who)

    def _judge_gas(self, gas: F64, codes: NDArray[np.int8]) -> None:
        """Write a code for each gas channel; the weightier reason is written last."""
        missing = ~np.isfinite(gas)
        sentinel = np.zeros(len(gas), dtype=np.bool_)
        if (gas > _LARGE).any():
            sentinel = np.isin(gas, self.SENTINELS)
        huge = np.abs(gas) > _MOST
        if self._any_ohm:
            ohm = gas * self._to_ohm
            codes[self._ohm & (self._same[: self._gas] >= self.STUCK)] = _STUCK
            codes[self._ohm & (gas <= 0)] = _NO_RESISTANCE
            for rail in self.OHM_RAILS:
                codes[self._ohm & (np.abs(ohm - rail) < 1e-6 * rail)] = _OHM_END
        real = gas[~(missing | sentinel | huge)]
        self._top = max(self._top, float(real.max()) if real.size else 0.0)
        if self._any_adc and self._top in self.RAILS:
            codes[self._adc & (gas == self._top)] = _END
        codes[sentinel] = _SENTINEL
        codes[huge] = _HUGE
        codes[missing] = _MISSING

    def _judge_air(self, air: F64, codes: NDArray[np.int8]) -> None:
        codes[~((air > self._low) & (air < self._high))] = _AIR
        codes[self._wet & ((air == 0.0) | (air == 100.0))] = _AIR_STUCK
        codes[~np.isfinite(air)] = _MISSING

    def _why(self, i: int) -> str:
        code, value = int(self.codes[i]), float(self._last[i])
        return {
            _STUCK: f"stuck at {value:g}",
            _NO_RESISTANCE: "a resistance of 0 is none",
            _END: "at the end of its range",
            _OHM_END: "at the end of its range",
            _SENTINEL: f"{value:.0f} stands for no reading",
            _MISSING: "no value",
            _AIR: f"{value:g} is outside what it can measure",
            _AIR_STUCK: f"{value:g} is outside what it can measure",
            _HUGE: f"{value:g} is more than a sensor can measure",
        }[code]


def _some(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
