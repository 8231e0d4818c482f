"""How much of a gas: parts per million with an interval, or a plain refusal.

For each gas a ridge regression of log ppm on the logarithm of the sniff's features (a metal-oxide
resistance follows a power law in the concentration). The interval is a split-conformal one (Lei et
al., "Distribution-free predictive inference for regression", JASA 2018) whose residuals come from
whole batches that were left out: months lie between batches, so it is as wide as drift makes it.

Nothing is extrapolated: an estimate outside the concentrations a gas was learnt at, or a sniff
unlike all that were learnt, is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.smell.recognise import modelfile

F64 = NDArray[np.float64]

SCHEMA = "thymos.ppm/1"
LEVEL = 0.9
"""Share of intervals that hold the truth, on batches left out."""
SHA256 = "b3694f26703e8f41c0cc643d680f9339a9ffd21bf70d104d6896de407dc0d85f"


def log_features(features: F64) -> F64:
    """Signed logarithm of features in the order of the UCI drift set: sign(x) · ln(1 + |x|)."""
    return np.asarray(np.sign(features) * np.log1p(np.abs(features)), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Concentration:
    """An estimate, or why there is none.

    Attributes:
        gas: Which gas it is taken to be.
        ppm: The estimate; None if refused.
        low: Lower end of the interval, ppm.
        high: Upper end.
        level: Share of such intervals that held the truth when whole batches were left out.
        refused: Why there is no estimate; empty if there is one.
    """

    gas: str
    ppm: float | None
    low: float
    high: float
    level: float
    refused: str = ""


@dataclass(frozen=True, slots=True)
class GasLine:
    """The regression of one gas.

    Attributes:
        mean: Of the log features [features].
        spread: Their standard deviation.
        weight: [features].
        bias: Log ppm at the mean.
        half: Half width of the interval, log ppm.
        low: Least ppm learnt from.
        high: Most.
        far: Largest distance of a learnt sniff from the mean, root mean square of its z-scores.
    """

    mean: F64
    spread: F64
    weight: F64
    bias: float
    half: float
    low: float
    high: float
    far: float

    def log_ppm(self, features: F64) -> F64:
        """Log ppm [n] of features [n, features]."""
        z = (log_features(features) - self.mean) / self.spread
        return np.asarray(z @ self.weight + self.bias)


@dataclass(frozen=True, slots=True)
class PpmModel:
    """Regressions by gas."""

    gases: Mapping[str, GasLine]
    trained_on: str = ""

    def estimate(self, gas: str, features: F64) -> Concentration:
        """How much of a gas that was recognised.

        Args:
            gas: Its name.
            features: [128], eight features for each of 16 sensors, as in the UCI drift set.
        """
        line = self.gases.get(gas)
        if line is None:
            return _refusal(gas, f"concentrations of {gas} were never learnt")
        row = np.asarray(features, dtype=np.float64).ravel()
        if row.shape != line.mean.shape or not np.isfinite(row).all():
            return _refusal(gas, "the sniff lacks features")
        z = (log_features(row) - line.mean) / line.spread
        if float(np.sqrt((z**2).mean())) > line.far:
            return _refusal(gas, "the sniff is unlike all that were learnt; recalibrate the nose")
        log_ppm = float(line.log_ppm(row[None, :])[0])
        ppm = float(np.exp(log_ppm))
        if not line.low <= ppm <= line.high:
            side = "below" if ppm < line.low else "above"
            span = f"{line.low:g} to {line.high:g} ppm"
            return _refusal(gas, f"it lies {side} what was learnt ({span})")
        low, high = float(np.exp(log_ppm - line.half)), float(np.exp(log_ppm + line.half))
        return Concentration(gas, ppm, low, high, LEVEL)


def _refusal(gas: str, why: str) -> Concentration:
    return Concentration(gas, None, float("nan"), float("nan"), LEVEL, why)


_ROWS = ("mean", "spread", "weight")
_SCALARS = ("bias", "half", "low", "high", "far")


def save_ppm(model: PpmModel, path: Path) -> str:
    """Write a model (single precision) and return the SHA-256; the same model, the same bytes."""
    names = sorted(model.gases)
    facts = {
        "gases": names,
        "trained_on": model.trained_on,
        **{k: [getattr(model.gases[n], k) for n in names] for k in _SCALARS},
    }
    arrays = {
        k: np.stack([getattr(model.gases[n], k) for n in names]).astype(np.float32) for k in _ROWS
    }
    return modelfile.write(path, SCHEMA, facts, arrays)


def load_ppm(path: Path, sha256: str = "") -> PpmModel:
    """Read a model.

    Raises:
        ModelError: It is missing, damaged, or not the file it should be.
    """
    return modelfile.read(path, SCHEMA, sha256, _build)


def _build(facts: dict[str, Any], arrays: modelfile.Arrays) -> PpmModel:
    rows = {k: arrays[k].astype(np.float64) for k in _ROWS}
    if not all(np.isfinite(a).all() for a in rows.values()) or (rows["spread"] <= 0).any():
        raise ValueError("it holds numbers that are none")
    gases = {
        str(name): GasLine(*(rows[k][i] for k in _ROWS), *(float(facts[k][i]) for k in _SCALARS))
        for i, name in enumerate(facts["gases"])
    }
    return PpmModel(gases, str(facts["trained_on"]))


@lru_cache(maxsize=1)
def shipped_ppm() -> PpmModel:
    """The model that comes with Thymos; for features of the nose it was learnt on only.

    Raises:
        ModelError: Its file is missing or is not the one that was released.
    """
    with as_file(files("thymos.smell.recognise") / "weights" / "uci_ppm.npz") as path:
        return load_ppm(path, SHA256)
