"""Fits of the scan network (BME688) and of the concentration lines (UCI drift)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from thymos.errors import MissingExtraError
from thymos.evaluate.classification import fit_temperature
from thymos.smell.recognise.concentration import LEVEL, GasLine, PpmModel, log_features
from thymos.smell.recognise.scans import ScanModel, scan_features
from thymos.train.enose_data import Batch

F64 = NDArray[np.float64]
Ints = NDArray[np.int64]

HIDDEN = 64
STEPS_OF_FIT = 300
RIDGE = 10.0
LEAST_ROWS = 20
"""A gas needs so many rows in two batches at least."""
SLACK = 1.1
"""Sniffs this much further from the mean than any learnt one are still taken."""
BLOCKS = 5


def fit_scans(scans: F64, owner: Ints, labels: Sequence[str], seed: int = 0) -> ScanModel:
    """Fit the network on scans [n, 50] in ohm; not yet calibrated.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPClassifier
    except ImportError as err:
        raise MissingExtraError("scikit-learn", "train") from err
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.where(scans > 0, np.log(scans), np.nan)
    fill = np.nanmedian(logs, axis=0)
    table = scan_features(scans, fill)
    mean, spread = table.mean(axis=0), table.std(axis=0) + 1e-9
    net = MLPClassifier(
        (HIDDEN,), solver="lbfgs", alpha=1.0, max_iter=STEPS_OF_FIT, random_state=seed
    )
    with warnings.catch_warnings():  # that it would go on: so many steps are the recipe
        warnings.simplefilter("ignore", ConvergenceWarning)
        net.fit((table - mean) / spread, owner)
    (w1, w2), (b1, b2) = net.coefs_, net.intercepts_
    arrays = {"mean": mean, "spread": spread, "fill": fill, "w1": w1, "b1": b1, "w2": w2, "b2": b2}
    return ScanModel(tuple(labels), arrays)


def blocks_of(owner: Ints, count: int = BLOCKS) -> Ints:
    """Number of the block of time of each row: every class is cut into `count` equal stretches."""
    out = np.empty(len(owner), dtype=np.int64)
    for c in np.unique(owner):
        rows = np.flatnonzero(owner == c)
        out[rows] = np.arange(len(rows)) * count // len(rows)
    return out


def scans_calibrated(scans: F64, owner: Ints, labels: Sequence[str]) -> ScanModel:
    """The network on all scans; its temperature from blocks of time that were left out."""
    block = blocks_of(owner)
    logs = np.empty((len(owner), len(labels)))
    for k in range(BLOCKS):
        model = fit_scans(scans[block != k], owner[block != k], labels)
        logs[block == k] = model.log_probabilities(scans[block == k])
    final = fit_scans(scans, owner, labels)
    return ScanModel(final.labels, final.arrays, fit_temperature(logs, owner))


def _line(features: F64, log_ppm: F64) -> tuple[F64, F64, F64, float]:
    """Ridge regression: mean, spread, weight, bias."""
    logs = log_features(features)
    mean, spread = logs.mean(axis=0), logs.std(axis=0) + 1e-9
    z, bias = (logs - mean) / spread, float(log_ppm.mean())
    weight = np.linalg.solve(z.T @ z + RIDGE * np.eye(z.shape[1]), z.T @ (log_ppm - bias))
    return mean, spread, weight, bias


def fit_ppm(batches: Sequence[Batch]) -> PpmModel:
    """Lines of all gases; half widths from batches left out.

    The conformal quantile is taken over the residuals of all left-out batches together, each batch
    with the same weight, so that a large one does not speak for all.
    """
    gases = {}
    for gas in sorted({str(g) for b in batches for g in b.gas}):
        parts = [(b.features[b.gas == gas], np.log(b.ppm[b.gas == gas])) for b in batches]
        parts = [(x, y) for x, y in parts if len(y) >= LEAST_ROWS]
        if len(parts) < 2:
            continue
        rest, weight = [], []
        for k, (x, y) in enumerate(parts):
            others = [p for j, p in enumerate(parts) if j != k]
            m, s, w, b = _line(
                np.concatenate([o[0] for o in others]), np.concatenate([o[1] for o in others])
            )
            rest.append(np.abs((log_features(x) - m) / s @ w + b - y))
            weight.append(np.full(len(y), 1.0 / len(y)))
        x, y = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
        mean, spread, slope, bias = _line(x, y)
        z = (log_features(x) - mean) / spread
        gases[gas] = GasLine(
            mean,
            spread,
            slope,
            bias,
            half=_quantile(np.concatenate(rest), np.concatenate(weight), LEVEL),
            low=float(np.exp(y.min())),
            high=float(np.exp(y.max())),
            far=SLACK * float(np.sqrt((z**2).mean(axis=1)).max()),
        )
    return PpmModel(gases)


def _quantile(values: F64, weights: F64, level: float) -> float:
    """The smallest value that at least `level` of the weight does not exceed."""
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(len(values) - 1, int(np.searchsorted(share, level)))])
