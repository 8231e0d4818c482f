"""How well scans of a BME688 are recognised, and how well concentrations are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thymos.evaluate.enose_recognition import Progress, RecognitionResult, Row
from thymos.smell.recognise.concentration import LEVEL
from thymos.smell.recognise.scans import FLOOR, ScanModel
from thymos.train.enose_data import Batch, gat3way, later_batches, uci_drift
from thymos.train.enose_extra import BLOCKS, blocks_of, fit_ppm, fit_scans

F64 = NDArray[np.float64]
Ints = NDArray[np.int64]

BOARD = 8
"""Scans of a round: each of the eight sensors of the board once."""
LATER = 0.7


def evaluate_bme688(
    folder: Path, *, seed: int = 0, progress: Progress | None = None
) -> RecognitionResult:
    """Six odours, 1801 scans; every file is one session.

    Shuffled folds put scans of the same minute on both sides and flatter; blocks of time do not;
    the last 30 % after training on the first 70 % is the hardest and the most like use.

    Args:
        folder: gat3way, with `test/ODOUR.csv`.
        seed: Of shuffling and of the network.
        progress: Told the share that is done and what is next.

    Raises:
        MediaError: The data is not there.
        MissingExtraError: scikit-learn is not installed.
    """
    told = progress or (lambda share, what: None)
    scans, owner, labels = gat3way(folder)
    result = RecognitionResult("BME688 scans")
    rng = np.random.default_rng(seed)
    place = np.concatenate([np.arange(n) / n for n in np.bincount(owner)])
    shuffled, timed = rng.integers(0, BLOCKS, len(owner)), blocks_of(owner)
    later = np.where(place >= LATER, 0, -1)
    for i, (name, parts) in enumerate(
        (
            ("shuffled, five folds", shuffled),
            ("five blocks of time", timed),
            ("first 70 % to last 30 %", later),
        )
    ):
        told(i / 3, name)
        one, board, rounds = _scan_answers(scans, owner, parts, labels, seed)
        aim = 0.95 if i < 2 else None
        result.add(f"one scan, {name}", one, kind="target", aim=aim)
        if i:  # shuffled scans have no neighbours in time
            result.add(f"eight scans (a round of the board), {name}", board)
            result.notes.append(f"{name}: {rounds} independent rounds")
    share = float(np.bincount(owner).max() / len(owner))
    result.rows.append(
        Row("always the most frequent odour", share, share, share, len(owner), kind="baseline")
    )
    result.add(
        "nearest scan (1-NN on log resistance), five blocks of time",
        _nearest(scans, owner, timed),
        kind="baseline",
    )
    return result


def _scan_answers(
    scans: F64, owner: Ints, parts: Ints, labels: tuple[str, ...], seed: int
) -> tuple[list[bool], list[bool], int]:
    """Right answers by scan, and by whole rounds of eight scans in a row."""
    one: list[bool] = []
    board: list[bool] = []
    for part in sorted(set(parts[parts >= 0].tolist())):
        model = fit_scans(scans[parts != part], owner[parts != part], labels, seed)
        for c in range(len(labels)):
            rows = np.flatnonzero((parts == part) & (owner == c))
            logs = _floored(model, scans[rows])
            one += (logs.argmax(axis=1) == c).tolist()
            whole = len(rows) // BOARD
            rounds = logs[: whole * BOARD].reshape(whole, BOARD, -1).mean(axis=1)
            board += (rounds.argmax(axis=1) == c).tolist()
    return one, board, len(board)


def _floored(model: ScanModel, scans: F64) -> F64:
    return np.log(np.exp(model.log_probabilities(scans)) + FLOOR)


def _nearest(scans: F64, owner: Ints, parts: Ints) -> list[bool]:
    logs = np.log(np.where(scans > 0, scans, np.nan))
    logs = np.where(np.isfinite(logs), logs, np.nanmedian(logs, axis=0))
    right: list[bool] = []
    for part in sorted(set(parts.tolist())):
        mine, rest = logs[parts == part], logs[parts != part]
        square = (mine**2).sum(1)[:, None] - 2.0 * mine @ rest.T + (rest**2).sum(1)
        said = owner[parts != part][square.argmin(axis=1)]
        right += (said == owner[parts == part]).tolist()
    return right


def evaluate_ppm(
    folder: Path, *, seed: int = 0, progress: Progress | None = None
) -> RecognitionResult:
    """Concentrations: fitted on batches 1 to 3, asked on 4 and later (months after).

    The gas is taken as known: this scores the estimate, not the recognition.

    Args:
        folder: uci_drift, with `batchN.csv`.
        seed: Not used; nothing is drawn.
        progress: Told the share that is done and what is next.

    Raises:
        MediaError: The data is not there.
    """
    told = progress or (lambda share, what: None)
    told(0.0, "batches 1 to 3")
    batches = [uci_drift(folder, n) for n in (1, 2, 3)]
    model = fit_ppm(batches)
    result = RecognitionResult("UCI drift, ppm")
    later = later_batches(folder)
    for gas in sorted({str(g) for b in later for g in b.gas}):
        rows = [(x, p) for b in later for x, p in _rows(b, gas)]
        found = [(model.estimate(gas, x), ppm) for x, ppm in rows]
        given = [(c, ppm) for c, ppm in found if c.ppm is not None]
        result.add(f"{gas}: given at all", [c.ppm is not None for c, _ in found])
        if not given:
            continue
        inside = [c.low <= ppm <= c.high for c, ppm in given]
        result.add(f"{gas}: interval holds the truth", inside, kind="target", aim=LEVEL)
        line = model.gases[gas]
        wide = float(np.exp(line.half))
        result.rows.append(
            Row(f"{gas}: interval, times or divided by", wide, wide, wide, len(given))
        )
        off = np.array([abs(np.log(c.ppm / ppm)) for c, ppm in given if c.ppm])
        middle = float(
            np.exp(
                np.mean(
                    [np.log(b.ppm[b.gas == gas]).mean() for b in batches if (b.gas == gas).any()]
                )
            )
        )
        flat = np.array([abs(np.log(middle / ppm)) for _, ppm in given])
        result.rows.append(_factor(f"{gas}: median error, factor", off))
        result.rows.append(
            _factor(f"{gas}: the same of always the mean of training", flat, "baseline")
        )
    strange = [(x, p) for b in later for x, p in _rows(b, "Ethanol")]
    refused = [model.estimate("Ethanol", 100.0 * x).ppm is None for x, _ in strange]
    result.add("features a hundred times too large: refused", refused)
    return result


def _rows(batch: Batch, gas: str) -> list[tuple[F64, float]]:
    mine = batch.gas == gas
    return list(zip(batch.features[mine], batch.ppm[mine].tolist(), strict=True))


def _factor(name: str, off: F64, kind: str = "score") -> Row:
    low, middle, high = (float(np.exp(q)) for q in np.quantile(off, (0.25, 0.5, 0.75)))
    return Row(f"{name} (quartiles)", middle, low, high, len(off), kind=kind)
