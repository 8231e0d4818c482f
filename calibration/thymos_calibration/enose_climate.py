"""How temperature and humidity move the sensors of a nose, and how to take that out again.

Metal-oxide sensors answer to water as they do to gases, and their resistance falls with
temperature. In clean air over hours of changing weather, for each channel,

    ln R = a + b·(T − T₀) + c·(H − H₀)  [+ d·(T − T₀)² + e·(T − T₀)(H − H₀) + f·(H − H₀)²]

by least squares, T in °C and H the absolute humidity in g/m³ (relative humidity alone follows the
temperature; the formula is in `thymos.smell.signal.climate`). The square terms are taken only if
they foretell hours left out clearly better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.errors import CalibrationError
from thymos.samples import NS_PER_S, Kind, Sample, StreamSpec, gas_channels
from thymos.smell.signal.climate import absolute_humidity
from thymos_calibration.enose import channel_names, readings
from thymos_calibration.store import Calibration, identity

F64 = NDArray[np.float64]

KIND = "enose-climate"
MIN_READINGS = 100
MIN_SECONDS = 1800.0
MIN_TEMPERATURE_RANGE = 3.0
MIN_HUMIDITY_RANGE = 8.0
"""Percent relative humidity."""
MAX_TOGETHER = 0.97
"""Above this correlation of T and H nobody can tell which of the two moved a sensor."""
MIN_GAIN = 0.1
"""A channel is compensated only if that explains this share of its spread in hours left out."""
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Compensation:
    """What was learnt of one channel.

    Attributes:
        weights: b c, or b c d e f (see the module).
        residual: Deviation of ln R from the model in hours left out; .05 is 5 %.
        uncompensated: The same of ln R itself.
    """

    weights: tuple[float, ...]
    residual: float
    uncompensated: float

    @property
    def used(self) -> bool:
        """Whether it foretells hours left out better than the mean does."""
        return self.residual < (1 - MIN_GAIN) * self.uncompensated


@dataclass(frozen=True, slots=True)
class Climate:
    """Compensation of a nose.

    Attributes:
        temperature: T₀, °C.
        humidity: H₀, g/m³.
        channels: By name; a channel that does not follow the climate is not among them.
    """

    temperature: float
    humidity: float
    channels: Mapping[str, Compensation]

    def apply(self, name: str, values: F64, temperature: F64, humidity: F64) -> F64:
        """What a channel would read in the reference air.

        Args:
            name: Channel; unknown ones come back unchanged.
            values: Readings [n], above zero.
            temperature: °C [n].
            humidity: Percent relative [n].
        """
        known = self.channels.get(name)
        if known is None:
            return values
        water = absolute_humidity(temperature, humidity)
        terms = _terms(temperature - self.temperature, water - self.humidity, len(known.weights))
        return np.asarray(values * np.exp(-terms @ np.array(known.weights)))


def fit(spec: StreamSpec, samples: Sequence[Sample]) -> Calibration:
    """Learn from hours of clean air.

    Args:
        spec: A nose with the channels `temperature` and `humidity`.
        samples: Readings in order of time.

    Raises:
        CalibrationError: No climate channels, too little, or the climate did not change.
    """
    table, temperature, humidity = _table(spec, samples)
    _refuse_unless_varied(temperature, humidity)
    water = absolute_humidity(temperature, humidity)
    t0, h0 = float(np.median(temperature)), float(np.median(water))
    names = channel_names(spec, table.shape[1])
    found = {}
    silent = []
    for i in gas_channels(spec):
        good = np.isfinite(table[:, i]) & (table[:, i] > 0)
        if good.mean() < 0.8:
            silent.append(names[i])
            continue
        found[names[i]] = _fit(np.log(table[good, i]), temperature[good] - t0, water[good] - h0)
    used = {name: one for name, one in found.items() if one.used}
    if not used:
        raise CalibrationError(
            "no channel follows temperature or humidity well enough to be compensated",
            hint="was the air clean all the time? record longer, or go without",
        )
    return Calibration(
        kind=KIND,
        device=identity(spec),
        values={
            "temperature_degC": round(t0, 3),
            "absolute_humidity_g_m3": round(h0, 3),
            "channels": {name: {"weights": list(one.weights)} for name, one in used.items()},
        },
        method="ln R by least squares on temperature and absolute humidity, held-out fifths",
        quality={
            "residual": {name: round(one.residual, 5) for name, one in found.items()},
            "uncompensated": {name: round(one.uncompensated, 5) for name, one in found.items()},
            "left_out": sorted(set(found) - set(used)),
            "channels_without_value": silent,
            "temperature_range": _range(temperature),
            "humidity_range": _range(humidity),
            "readings": len(table),
            "hours": round((samples[-1].t_ns - samples[0].t_ns) / NS_PER_S / 3600, 2),
            "origin": spec.origin.value,
        },
    )


def load(result: Calibration) -> Climate:
    """The compensation out of a stored result.

    Raises:
        CalibrationError: It is of another kind, or damaged.
    """
    if result.kind != KIND:
        raise CalibrationError(f"a calibration '{result.kind}' is no climate compensation")
    try:
        rows: Mapping[str, Any] = result.values["channels"]
        channels = {
            str(name): Compensation(
                tuple(float(w) for w in row["weights"]),
                float(result.quality["residual"][name]),
                float(result.quality["uncompensated"][name]),
            )
            for name, row in rows.items()
        }
        if any(len(one.weights) not in (2, 5) for one in channels.values()):
            raise ValueError("weights are two or five numbers")
        return Climate(
            float(result.values["temperature_degC"]),
            float(result.values["absolute_humidity_g_m3"]),
            channels,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as err:
        raise CalibrationError(f"the climate compensation is damaged: {err}") from err


def _table(spec: StreamSpec, samples: Sequence[Sample]) -> tuple[F64, F64, F64]:
    """Readings with their temperature and humidity, those without left out."""
    if spec.kind is not Kind.GAS:
        raise CalibrationError(f"'{spec.name}' is no electronic nose ({spec.kind.value})")
    places = {name.strip().lower(): i for i, name in enumerate(spec.channels)}
    lacking = [name for name in ("temperature", "humidity") if name not in places]
    if lacking:
        raise CalibrationError(
            f"the nose does not measure {' and '.join(lacking)}",
            hint="a nose with a climate sensor is needed (BME688, SHT4x beside the MOX sensors)",
        )
    lasted = (samples[-1].t_ns - samples[0].t_ns) / NS_PER_S if samples else 0.0
    if len(samples) < MIN_READINGS or lasted < MIN_SECONDS:
        raise CalibrationError(
            f"{len(samples)} readings over {lasted / 60:.0f} minutes are too few "
            f"(at least {MIN_READINGS} over {MIN_SECONDS / 60:.0f})",
            hint="record the nose in clean air over a day: thymos record",
        )
    table = readings(samples)
    temperature, humidity = table[:, places["temperature"]], table[:, places["humidity"]]
    good = np.isfinite(temperature) & np.isfinite(humidity) & (humidity > 0) & (humidity < 100)
    if good.sum() < MIN_READINGS:
        raise CalibrationError("temperature and humidity are hardly ever valid")
    return table[good], temperature[good], humidity[good]


def _refuse_unless_varied(temperature: F64, humidity: F64) -> None:
    hint = "record by day and night, with the heating or the window changing the air"
    for name, unit, values, least in (
        ("temperature", "°C", temperature, MIN_TEMPERATURE_RANGE),
        ("humidity", "%", humidity, MIN_HUMIDITY_RANGE),
    ):
        low, high = _range(values)
        if high - low < least:
            raise CalibrationError(
                f"the {name} hardly changed: {low:.1f} to {high:.1f} {unit} (at least {least:g})",
                hint=hint,
            )
    together = float(np.corrcoef(temperature, absolute_humidity(temperature, humidity))[0, 1])
    if abs(together) > MAX_TOGETHER:
        raise CalibrationError(
            f"temperature and water rose and fell together (correlation {together:.2f}); nobody "
            "can tell which of them moved the sensors",
            hint=hint,
        )


def _fit(log_r: F64, warm: F64, wet: F64) -> Compensation:
    plain = _held_out(log_r, np.zeros((len(log_r), 0)))
    line, square = (_terms(warm, wet, k) for k in (2, 5))
    errors = [_held_out(log_r, line), _held_out(log_r, square)]
    best = 1 if errors[1] < (1 - MIN_GAIN) * errors[0] else 0
    terms = (line, square)[best]
    weights = _solve(terms, log_r)[1:]
    return Compensation(tuple(float(round(w, 9)) for w in weights), errors[best], plain)


def _terms(warm: F64, wet: F64, count: int) -> F64:
    both = [warm, wet] if count == 2 else [warm, wet, warm**2, warm * wet, wet**2]
    return np.stack(both, axis=1)


def _solve(terms: F64, log_r: F64) -> F64:
    matrix = np.column_stack([np.ones(len(terms)), terms])
    return np.asarray(np.linalg.lstsq(matrix, log_r, rcond=None)[0])


def _held_out(log_r: F64, terms: F64) -> float:
    """Root mean square error on fifths of the time, each foretold from the other four."""
    fold = np.arange(len(log_r)) * FOLDS // len(log_r)
    off = np.zeros(len(log_r))
    for k in range(FOLDS):
        weights = _solve(terms[fold != k], log_r[fold != k])
        off[fold == k] = log_r[fold == k] - weights[0] - terms[fold == k] @ weights[1:]
    return float(np.sqrt((off**2).mean()))


def _range(values: F64) -> list[float]:
    low, high = np.percentile(values, (5, 95))
    return [round(float(low), 2), round(float(high), 2)]
