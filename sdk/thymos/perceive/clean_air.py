"""What a nose reads in clean air: from a calibration file, or estimated while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from thymos.errors import ConfigError
from thymos.samples import NS_PER_S, StreamSpec

F64 = NDArray[np.float64]

SETTLE_NS = 5 * NS_PER_S
"""How long the first readings are taken for clean air when there is no calibration file."""
MIN_READINGS = 5
REZERO_AFTER_NS = 300 * NS_PER_S
"""Clean air needed after a smell before the baseline may follow drift again (false alarms fall
from .36 after 60 s to .054 after 300 s in OpenSmell's interoperability study)."""
DRIFT_TAU_NS = 600 * NS_PER_S


class Channel(BaseModel):
    """One sensor in clean air."""

    model_config = ConfigDict(extra="ignore")

    baseline: float
    noise: float = Field(default=0.0, ge=0.0, description="Standard deviation, same unit.")


class CleanAir(BaseModel):
    """A calibration file of an electronic nose (JSON or YAML), as thymos_calibration writes it."""

    model_config = ConfigDict(extra="ignore")

    unit: str
    channels: dict[str, Channel]
    device: str = ""
    quality: dict[str, Any] = Field(default_factory=dict)
    odours: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="Response of each channel by odour, see `response`."
    )


def load_clean_air(path: Path, spec: StreamSpec) -> CleanAir:
    """Read a calibration file and check that it fits the stream.

    Raises:
        ConfigError: It cannot be read, is wrong, or belongs to another nose.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        clean = CleanAir.model_validate(data)
    except ValidationError as err:
        first = err.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigError(f"nose calibration '{path}': {where}: {first['msg']}") from err
    except Exception as err:  # PyYAML lets out whatever int(), float() and date() make of a value
        raise ConfigError(f"cannot read the nose calibration '{path}': {err}") from err
    silent = clean.quality.get("channels_without_value", ())
    lacking = [n for n in spec.channels if n not in clean.channels and n not in silent]
    if lacking or clean.unit != spec.unit:
        what = f"channel {lacking[0]}" if lacking else f"unit {spec.unit}"
        raise ConfigError(
            f"the nose calibration '{path}' does not fit '{spec.name}': it lacks {what}",
            hint="calibrate this nose, or set perceive.clean_air to its own file",
        )
    return clean


@dataclass(frozen=True, slots=True)
class Prototypes:
    """Odour patterns: unit vectors [classes, channels] of responses."""

    names: tuple[str, ...]
    vectors: F64
    origin: str


def prototypes(clean: CleanAir | None, spec: StreamSpec) -> Prototypes | None:
    """Patterns that may be used on this stream, None if there are none.

    Those of the calibration file come first. The built-in ones belong to the simulated nose.
    """
    if clean is not None and clean.odours:
        rows = {
            name: [row.get(channel, 0.0) for channel in spec.channels]
            for name, row in sorted(clean.odours.items())
        }
        return _unit_rows(rows, "calibrated on this nose")
    text = resources.files("thymos.perceive").joinpath("odours.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.safe_load(text)
    fits = tuple(data["channels"]) == spec.channels and data["unit"] == spec.unit
    if not fits or spec.origin.value == "live":
        return None
    return _unit_rows(data["odours"], "of the simulated nose")


def _unit_rows(rows: dict[str, list[float]], origin: str) -> Prototypes | None:
    vectors = np.array(list(rows.values()), dtype=np.float64)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not len(vectors) or (norms == 0).any():
        return None
    return Prototypes(tuple(rows), vectors / norms, origin)


def response(values: F64, baseline: F64, unit: str) -> F64:
    """How strongly each sensor answers: positive for reducing gases on metal-oxide sensors.

    −ln(R/R0) for resistances (they fall with reducing gases); (x − x0)/x0 for everything that
    rises with the gas, where a baseline near zero is held up so that counts of one or two do not
    become percentages of hundreds.
    """
    if unit == "ohm":
        with np.errstate(divide="ignore", invalid="ignore"):
            out: F64 = -np.log(values / baseline)
        return np.where(np.isfinite(out), out, np.nan)
    floor = {"adc": 20.0, "volt": 0.05, "ppm": 0.5}.get(unit, 1e-9)
    risen: F64 = (values - baseline) / np.maximum(np.abs(baseline), floor)
    return risen


class Baseline:
    """The running estimate of clean air.

    Args:
        spec: The stream.
        clean: Its calibration, None to estimate from the first seconds.
    """

    def __init__(self, spec: StreamSpec, clean: CleanAir | None) -> None:
        self._first: list[F64] = []
        self._begin_ns: int | None = None
        self._last_ns: int | None = None
        self._quiet_since_ns: int | None = None
        self.calibrated = clean is not None
        self.level: F64 | None = None
        self.noise = np.zeros(len(spec.channels))
        if clean is not None:
            silent = Channel(baseline=np.nan)  # gave no value when the nose was calibrated
            rows = [clean.channels.get(name, silent) for name in spec.channels]
            self.level = np.array([row.baseline for row in rows])
            self.noise = np.array([row.noise for row in rows])

    def learn(self, t_ns: int, values: F64) -> None:
        """Take a reading of what is hoped to be clean air, until there are enough."""
        if self._begin_ns is None:
            self._begin_ns = t_ns
        self._first.append(values)
        if t_ns - self._begin_ns < SETTLE_NS or len(self._first) < MIN_READINGS:
            return
        rows = np.array(self._first)
        self._first = []
        # A channel that never gave a number stays unknown (NaN) without a warning.
        known = np.isfinite(rows).any(axis=0)
        level = np.full(rows.shape[1], np.nan)
        level[known] = np.nanmedian(rows[:, known], axis=0)
        noise = np.zeros(rows.shape[1])
        noise[known] = 1.4826 * np.nanmedian(np.abs(rows[:, known] - level[known]), axis=0)
        self.level, self.noise = level, noise

    def follow(self, t_ns: int, values: F64, *, smelling: bool) -> None:
        """Follow slow drift, in clean air only."""
        assert self.level is not None  # noqa: S101
        step_ns = 0 if self._last_ns is None else t_ns - self._last_ns
        self._last_ns = t_ns
        if smelling:
            self._quiet_since_ns = None
            return
        if self._quiet_since_ns is None:
            self._quiet_since_ns = t_ns
        if t_ns - self._quiet_since_ns < REZERO_AFTER_NS:
            return
        weight = -np.expm1(-step_ns / DRIFT_TAU_NS)
        moved = self.level + weight * (values - self.level)
        self.level = np.where(np.isfinite(moved), moved, self.level)
