"""Model of a small array of metal-oxide (MOX) gas sensors.

Steady state: R = R0 · (1 + K·c)^(−β), the power law of D. K. Clifford and D. T. Tuma,
"Characteristics of semiconductor gas sensors I. Steady state gas response", Sensors and Actuators
3 (1982/83). An oxidising gas (NO2) raises the resistance: its β is negative. Dynamics: first order
with separate time constants for rise and decay, as in J. Monroy et al., "Overcoming the slow
recovery of MOX gas sensors through a system modeling approach", Sensors 12 (2012), and the sensor
model of GADEN (Sensors 17, 2017). Here the constants are at the fast end of what is measured (rise
2 to 5 s, decay 12 to 25 s) so that a demonstration does not take minutes.

Left out: temperature and humidity, transport of the gas (the odour is there at once), interaction
of gases, poisoning, the bi-exponential tail of recovery, quantisation. Odour patterns are invented
to be distinct; they are not measurements and no classifier may be judged by them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thymos.errors import ConfigError
from thymos_drivers.base import number

CHANNELS = ("NO2", "C2H5OH", "VOC", "CO", "NH3", "CH4")
"""Target gas of each sensor, as on multichannel boards."""

ODOURS: dict[str, tuple[float, ...]] = {
    #            NO2  EtOH  VOC   CO    NH3   CH4   concentrations, relative
    "coffee": (0.2, 2.0, 4.0, 1.0, 0.6, 0.3),
    "smoke": (3.0, 1.0, 3.0, 9.0, 1.0, 1.5),
    "alcohol": (0.0, 12.0, 5.0, 0.8, 0.4, 0.6),
    "gas": (0.0, 0.5, 1.5, 1.0, 0.2, 12.0),
    "solvent": (0.1, 5.0, 12.0, 0.6, 0.8, 0.8),
    "ammonia": (0.0, 0.6, 1.2, 0.3, 10.0, 0.2),
    "orange": (0.1, 1.5, 6.0, 0.2, 0.2, 0.1),
}

_R0_OHM = np.array([24e3, 61e3, 48e3, 95e3, 37e3, 52e3])
_K = np.array([0.9, 0.7, 0.8, 0.6, 0.7, 0.8])
_BETA = np.array([-0.6, 0.55, 0.5, 0.45, 0.5, 0.4])
_RISE_S = np.array([2.0, 3.0, 2.5, 5.0, 3.5, 2.0])
_DECAY_S = np.array([15.0, 20.0, 18.0, 25.0, 22.0, 12.0])
_NOISE = 0.003
_DRIFT_PER_SQRT_S = 0.0002


@dataclass(frozen=True, slots=True)
class Event:
    """An odour that is in the air from `begin_s` to `end_s` after the start."""

    odour: str
    begin_s: float
    end_s: float


def parse_events(text: str) -> tuple[Event, ...]:
    """Read `coffee@10-20,smoke@30-40`.

    Raises:
        ConfigError: Unknown odour, or not in this form.
    """
    events = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        odour, at, span = part.partition("@")
        begin, dash, end = span.partition("-")
        if odour not in ODOURS or not at or not dash:
            raise ConfigError(
                f"'{part}' is not an odour event",
                hint=f"write coffee@10-20 (seconds); odours: {', '.join(ODOURS)}",
            )
        begin_s = number("events", begin, low=0)
        events.append(Event(odour, begin_s, number("events", end, low=begin_s)))
    return tuple(events)


class MoxArray:
    """The sensors of one nose, stepped through time.

    Args:
        events: What is in the air, when.
        seed: Of noise, drift and unit-to-unit spread of R0.
    """

    def __init__(self, events: tuple[Event, ...], seed: int) -> None:
        self._events = events
        self._rng = np.random.default_rng(seed)
        self._r0 = _R0_OHM * np.exp(self._rng.normal(0, 0.05, len(CHANNELS)))
        self._felt = np.zeros(len(CHANNELS))
        self._drift = np.zeros(len(CHANNELS))
        self._n = 0

    def step(self, dt_s: float) -> NDArray[np.float64]:
        """Return the resistances now, ohm [channels], and go `dt_s` further."""
        now = self._n * dt_s
        air = np.zeros(len(CHANNELS))
        for event in self._events:
            if event.begin_s <= now < event.end_s:
                air += np.array(ODOURS[event.odour])
        tau = np.where(air > self._felt, _RISE_S, _DECAY_S)
        self._felt += (air - self._felt) * -np.expm1(-dt_s / tau)
        self._drift += self._rng.normal(0, _DRIFT_PER_SQRT_S * np.sqrt(dt_s), len(CHANNELS))
        noise = self._rng.normal(0, _NOISE, len(CHANNELS))
        self._n += 1
        level = (1.0 + _K * self._felt) ** -_BETA * np.exp(self._drift + noise)
        return np.asarray(self._r0 * level, dtype=np.float64)
