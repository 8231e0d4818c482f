"""How the odour models are fitted: closed form, numpy only, the same on every run.

Settings were chosen by leave-one-recording-out inside SmellNet's `train` folder
(docs/models/smell.md says which and how many).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from thymos.smell.recognise.embed import (
    EARLY_WINDOWS,
    Embedding,
    code,
    quantile_edges,
    sniff_points,
    windows,
)
from thymos.smell.recognise.model import Facts, OdourModel
from thymos.train.enose_data import GASES, OFFSET, ROWS_A_BIN, Sniff

F64 = NDArray[np.float64]

BINS = 10
SHRINK = 0.1
DIMS = 32
EARLY_WEIGHT = 4
FOLDS = 5
PREFIXES = (1, 3, EARLY_WINDOWS, 20, 50, 1000)
LEFT_OUT = 10
"""Substances that are left out to learn what unknown looks like, of 50."""
SPLITS = 10

Progress = Callable[[float, str], None]


def discriminant(features: F64, owner: NDArray[np.int64], dims: int = DIMS) -> Embedding:
    """Fisher's discriminant analysis on the code of features, within-scatter shrunk.

    Args:
        features: [n, features].
        owner: Class of each row.
        dims: Most dimensions to keep.
    """
    edges = quantile_edges(features, BINS)
    coded = np.nan_to_num(code(features, edges), nan=0.0)
    classes, place = np.unique(owner, return_inverse=True)
    means = np.stack([coded[place == c].mean(axis=0) for c in range(len(classes))])
    centre = means.mean(axis=0)
    rest = coded - means[place]
    within = rest.T @ rest / len(rest)
    within = (1 - SHRINK) * within + SHRINK * np.diag(np.diag(within))
    within += 1e-4 * np.trace(within) / len(within) * np.eye(len(within))
    power, axes = np.linalg.eigh(within)
    white = axes / np.sqrt(power)
    _, _, directions = np.linalg.svd((means - centre) @ white, full_matrices=False)
    kept = directions[: min(dims, len(classes) - 1)]
    return Embedding(edges, centre, white @ kept.T)


def fit(sniffs: Sequence[Sniff]) -> OdourModel:
    """A model of recordings, not yet calibrated."""
    labels = tuple(sorted({s.substance for s in sniffs}))
    tables = [windows(s.bins) for s in sniffs]
    weighed = [np.concatenate([t, *([t[:EARLY_WINDOWS]] * (EARLY_WEIGHT - 1))]) for t in tables]
    number = [labels.index(s.substance) for s in sniffs]
    owner = np.repeat(number, [len(t) for t in weighed])
    embedding = discriminant(np.concatenate(weighed), owner)
    points = [sniff_points(embedding(t)) for t in tables]
    return OdourModel(
        Facts("smellnet", GASES, "adc", OFFSET, bin_s=float(ROWS_A_BIN)),
        embedding,
        labels,
        np.concatenate(points),
        np.repeat(np.array(number, dtype=np.int64), [len(p) for p in points]),
    )


def prefix_distances(model: OdourModel, sniff: Sniff) -> list[tuple[int, F64]]:
    """Number of windows and squared distances to the classes after each of `PREFIXES`."""
    points = model.embedding(windows(sniff.bins))
    lengths = sorted({min(n, len(points)) for n in PREFIXES})
    return [(n, model.distances(points[:n].mean(axis=0))) for n in lengths]


def folds(sniffs: Sequence[Sniff]) -> NDArray[np.int64]:
    """Fold of each recording: the k-th of its substance is in fold k mod 5."""
    seen: dict[str, int] = {}
    out = []
    for sniff in sniffs:
        seen[sniff.substance] = seen.get(sniff.substance, -1) + 1
        out.append(seen[sniff.substance] % FOLDS)
    return np.array(out, dtype=np.int64)


def leave_out(substances: Sequence[str], seed: int) -> set[str]:
    """A fifth of the substances, drawn with a seed: they play the unknown."""
    rng = np.random.default_rng(seed)
    count = max(1, round(len(substances) * LEFT_OUT / 50))
    return set(rng.choice(sorted(substances), count, replace=False).tolist())


def calibrated(sniffs: Sequence[Sniff], progress: Progress | None = None) -> OdourModel:
    """A model of all recordings, with temperature and unknown fitted on ones held out.

    Temperature: recordings left out in five folds. Unknown: in ten seeded splits a fifth of the
    substances is left out, beside one fold of recordings of the others.
    """
    told = progress or (lambda share, what: None)
    fold = folds(sniffs)
    shares: list[tuple[int, F64, int]] = []
    confused: dict[tuple[str, str], int] = {}
    for f in range(FOLDS):
        told(f / (FOLDS + SPLITS), "recordings left out")
        model = fit([s for s, k in zip(sniffs, fold, strict=True) if k != f])
        for sniff in (s for s, k in zip(sniffs, fold, strict=True) if k == f):
            truth = model.labels.index(sniff.substance)
            for n, squared in prefix_distances(model, sniff):
                shares.append((n, squared, truth))
                said = model.labels[int(squared.argmin())]
                if said != sniff.substance and n >= EARLY_WINDOWS:
                    confused[sniff.substance, said] = confused.get((sniff.substance, said), 0) + 1
    known: list[tuple[float, int, bool]] = []
    names = sorted({s.substance for s in sniffs})
    for split in range(SPLITS):
        told((FOLDS + split) / (FOLDS + SPLITS), "substances left out")
        out, f = leave_out(names, split), split % FOLDS
        pairs = list(zip(sniffs, fold, strict=True))
        model = fit([s for s, k in pairs if k != f and s.substance not in out])
        for sniff in (s for s, k in pairs if k == f or s.substance in out):
            for n, squared in prefix_distances(model, sniff):
                known.append((float(np.sqrt(squared.min())), n, sniff.substance not in out))
    model = fit(sniffs)
    facts = replace(
        model.facts,
        temperature=fit_temperature(shares),
        known=fit_known(known),
        confusable=_worst(confused),
    )
    return replace(model, facts=facts)


def fit_temperature(shares: Sequence[tuple[int, F64, int]]) -> tuple[float, float]:
    """(t0, t1) that make the log loss smallest, on a grid (Guo et al., ICML 2017, section 4.2)."""
    log_n = np.log([n for n, _, _ in shares])
    squared = np.stack([d for _, d, _ in shares])
    rows, truth = np.arange(len(shares)), np.array([t for _, _, t in shares])
    best, found = np.inf, (0.0, 0.0)
    for t0 in np.linspace(0.0, 5.0, 26):
        for t1 in np.linspace(-1.0, 0.5, 16):
            logits = -0.5 * squared / np.exp(t0 + t1 * log_n)[:, None]
            top = logits.max(axis=1)
            loss = top + np.log(np.exp(logits - top[:, None]).sum(axis=1)) - logits[rows, truth]
            if loss.mean() < best:
                best, found = float(loss.mean()), (round(float(t0), 3), round(float(t1), 3))
    return found


def fit_known(rows: Sequence[tuple[float, int, bool]]) -> tuple[float, float, float]:
    """(c0, c1, c2) of the logistic curve; known and unknown weigh the same, whatever their number.

    Newton's method on the log loss with a small ridge.
    """
    truth = np.array([k for _, _, k in rows], dtype=np.float64)
    table = np.array([(1.0, -d, np.log(n)) for d, n, _ in rows])
    weight = np.where(truth == 1.0, 0.5 / truth.mean(), 0.5 / (1.0 - truth.mean()))
    ridge = 1e-3 * np.eye(3)
    found = np.zeros(3)
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-np.clip(table @ found, -30, 30)))
        slope = table.T @ (weight * (truth - p)) - ridge @ found
        curve = (table * (weight * p * (1 - p))[:, None]).T @ table + ridge
        found = found + np.linalg.solve(curve, slope)
    return tuple(round(float(c), 4) for c in found)  # type: ignore[return-value]


def _worst(confused: dict[tuple[str, str], int]) -> dict[str, tuple[str, ...]]:
    """For each class what it was said to be, most often first."""
    order = sorted(confused.items(), key=lambda item: (-item[1], item[0]))
    out: dict[str, tuple[str, ...]] = {}
    for (true, said), _ in order:
        out[true] = (*out.get(true, ()), said)[:3]
    return out
