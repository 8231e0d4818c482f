"""Recognition of one heater scan of a BME688: ten temperature steps, five runs.

What counts is by how much the resistance changes from one heater step to the next (logarithm):
that takes out how large the resistance of this sensor is. A small network, averaged over as many
scans as one likes: eight sensors of a board smell the same air.
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

from thymos.errors import ModelError
from thymos.smell.recognise import modelfile

F64 = NDArray[np.float64]

RUNS, STEPS = 5, 10
SCHEMA = "thymos.scans/1"
_ARRAYS = ("mean", "spread", "fill", "w1", "b1", "w2", "b2")
FLOOR = 1e-3
"""Least probability of a scan: one bad scan of eight does not overrule the others."""
SHA256 = "196ee6801ab83fe8d2b784a859e5bd09bafb0e68c49936e8b5828bdc67b4cd9a"


def scan_features(scans: F64, fill: F64) -> F64:
    """Changes of log resistance between heater steps [n, 45] of [n, 50] in ohm.

    A missing value (NaN, 0, negative) is taken from the same step of the other runs, and if none
    has one from `fill` [50], the log resistance of the training data.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.where(scans > 0, np.log(scans), np.nan).reshape(-1, RUNS, STEPS)
    logs[~np.isfinite(logs)] = np.nan
    seen = np.isfinite(logs)
    count = seen.sum(axis=1, keepdims=True)
    total = np.where(seen, logs, 0.0).sum(axis=1, keepdims=True)
    other = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    logs = np.where(seen, logs, other)
    logs = np.where(np.isfinite(logs), logs, fill.reshape(RUNS, STEPS))
    return np.asarray(np.diff(logs, axis=2).reshape(len(scans), -1))


@dataclass(frozen=True, slots=True)
class ScanModel:
    """A fitted network.

    Attributes:
        labels: Names of the odours.
        arrays: mean, spread [45], fill [50], w1 [45, h], b1 [h], w2 [h, classes], b2 [classes].
        temperature: The logits are divided by it.
        trained_on: Data, one line.
    """

    labels: tuple[str, ...]
    arrays: Mapping[str, F64]
    temperature: float = 1.0
    trained_on: str = ""

    def log_probabilities(self, scans: F64) -> F64:
        """Log probability of each odour [n, classes] for each scan [n, 50] in ohm."""
        a = self.arrays
        x = (scan_features(np.asarray(scans, dtype=np.float64), a["fill"]) - a["mean"]) / a[
            "spread"
        ]
        logits = (np.maximum(x @ a["w1"] + a["b1"], 0.0) @ a["w2"] + a["b2"]) / self.temperature
        top = logits.max(axis=1, keepdims=True)
        return np.asarray(logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True)))

    def predict(self, scans: F64) -> dict[str, float]:
        """Probability of each odour on scans [n, 50] of the same air, most likely first.

        Log probabilities are averaged, not added: the scans of a board are not independent.

        Raises:
            ModelError: There is no scan with a number in it, or it has not 50 values.
        """
        scans = np.atleast_2d(np.asarray(scans, dtype=np.float64))
        if scans.ndim != 2 or scans.shape[1] != RUNS * STEPS:
            raise ModelError(f"a scan has {RUNS * STEPS} values, not {scans.shape[-1]}")
        usable = scans[(np.isfinite(scans) & (scans > 0)).mean(axis=1) > 0.5]
        if not len(usable):
            raise ModelError("no scan holds enough valid resistances", hint="check the sensor")
        mean = np.log(np.exp(self.log_probabilities(usable)) + FLOOR).mean(axis=0)
        share = np.exp(mean - mean.max())
        share /= share.sum()
        order = np.argsort(-share, kind="stable")
        return {self.labels[i]: float(share[i]) for i in order}


def save_scans(model: ScanModel, path: Path) -> str:
    """Write a model (single precision) and return the SHA-256; the same model, the same bytes."""
    facts = {
        "labels": model.labels,
        "temperature": model.temperature,
        "trained_on": model.trained_on,
    }
    arrays = {k: v.astype(np.float32) for k, v in sorted(model.arrays.items())}
    return modelfile.write(path, SCHEMA, facts, arrays)


def load_scans(path: Path, sha256: str = "") -> ScanModel:
    """Read a model.

    Raises:
        ModelError: It is missing, damaged, or not the file it should be.
    """
    return modelfile.read(path, SCHEMA, sha256, _build)


def _build(facts: dict[str, Any], arrays: modelfile.Arrays) -> ScanModel:
    kept = {name: arrays[name].astype(np.float64) for name in _ARRAYS}
    labels = tuple(str(name) for name in facts["labels"])
    model = ScanModel(labels, kept, float(facts["temperature"]), str(facts["trained_on"]))
    _try(model)
    return model


def _try(model: ScanModel) -> None:
    """Refuse arrays that do not fit each other or give no numbers."""
    answer = model.log_probabilities(np.full((1, RUNS * STEPS), 1e5))
    if answer.shape != (1, len(model.labels)) or not np.isfinite(answer).all():
        raise ValueError("it gives no numbers")


@lru_cache(maxsize=1)
def shipped_scans() -> ScanModel:
    """The model that comes with Thymos; for scans of the board it was learnt on only.

    Raises:
        ModelError: Its file is missing or is not the one that was released.
    """
    with as_file(files("thymos.smell.recognise") / "weights" / "bme688.npz") as path:
        return load_scans(path, SHA256)
