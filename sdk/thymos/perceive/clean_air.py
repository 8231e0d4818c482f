"""Calibration files of a nose: what it reads in clean air, what the climate does to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from thymos.errors import CalibrationError, ConfigError
from thymos.samples import StreamSpec
from thymos.smell.frame import BaselineAir
from thymos.smell.signal.climate import Air, Weights, weights_of


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
    air: dict[str, float] = Field(
        default_factory=dict, description="Temperature [degC] and humidity [%] at the time."
    )
    odours: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="Response of each channel by odour."
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
        told = f"nose calibration '{path}': {where}: {first['msg']}"
        raise ConfigError(told, hint="make a new one: thymos calibrate enose") from err
    except Exception as err:  # PyYAML lets out whatever int(), float() and date() make of a value
        raise ConfigError(
            f"cannot read the nose calibration '{path}': {_why(err)}",
            hint="make a new one: thymos calibrate enose",
        ) from err
    silent = clean.quality.get("channels_without_value", ())
    lacking = [n for n in spec.channels if n not in clean.channels and n not in silent]
    if lacking or clean.unit != spec.unit:
        what = f"channel {lacking[0]}" if lacking else f"unit {spec.unit}"
        raise ConfigError(
            f"the nose calibration '{path}' does not fit '{spec.name}': it lacks {what}",
            hint="calibrate this nose, or set perceive.clean_air to its own file",
        )
    return clean


def known_air(clean: CleanAir, names: Sequence[str]) -> tuple[BaselineAir, Air | None]:
    """Clean air of a calibration for the signal stage, and the air it was measured in.

    Args:
        clean: The calibration.
        names: Gas channels of the nose; those that gave no value when it was calibrated are NaN.
    """
    silent = Channel(baseline=np.nan)
    rows = [clean.channels.get(name, silent) for name in names]
    values = np.array([row.baseline for row in rows])
    spread = np.array([row.noise for row in rows])
    told = clean.air.get("temperature"), clean.air.get("humidity")
    air = None if told[0] is None or told[1] is None else Air(told[0], told[1])
    count = clean.quality.get("readings", 0)
    readings = count if isinstance(count, int) else 0
    return BaselineAir(values, spread, None, "calibrated", readings), air


def _why(err: Exception) -> str:
    """What is wrong, in one line: PyYAML tells it in several."""
    if isinstance(err, OSError) and err.strerror:
        return err.strerror
    return " ".join(str(err).split())


def load_climate(path: Path, names: Sequence[str]) -> Weights:
    """Read what temperature and humidity do to the channels of a nose.

    Raises:
        ConfigError: It cannot be read, or is something else.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        return weights_of(data, names)
    except CalibrationError as err:
        raise ConfigError(f"nose climate '{path}': {err}", hint=err.hint) from err
    except Exception as err:
        raise ConfigError(
            f"cannot read the nose climate '{path}': {_why(err)}",
            hint="make a new one: thymos calibrate enose-climate",
        ) from err
