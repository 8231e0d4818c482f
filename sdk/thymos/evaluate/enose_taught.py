"""How well odours are recognised that a nose was taught with a few sniffs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thymos.evaluate.enose_recognition import (
    Progress,
    RecognitionResult,
    answer_of,
    auroc,
    right_of,
)
from thymos.smell.recognise.direction import direction, known_curve
from thymos.smell.recognise.embed import sniff_points, windows
from thymos.smell.recognise.model import Facts, OdourModel
from thymos.smell.recognise.taught import TEMPERATURE
from thymos.train.enose_data import Batch, smellnet, uci_drift
from thymos.train.enose_fit import FOLDS, fit, folds

F64 = NDArray[np.float64]

TAUGHT_OUT = 5
TAUGHT_SPLITS = 20
TAUGHT_WITH = (1, 3, 4)
SENSORS = 16
SNIFFS = (3, 5)
ASKED = 200


def evaluate_few_shot(
    folder: Path, *, seed: int = 0, progress: Progress | None = None
) -> RecognitionResult:
    """Odours left out of the map and then taught with a few recordings of `train`.

    Asked is the recording of `train` that was neither taught nor fitted, of the new substances and
    of the others. The map is not fitted again.

    Args:
        folder: SmellNet, with `train`.
        seed: Of the first split.
        progress: Told the share that is done and what is next.
    """
    told = progress or (lambda share, what: None)
    train = smellnet(folder, "train")
    fold = folds(train)
    names = sorted({s.substance for s in train})
    result = RecognitionResult("SmellNet, taught")
    new: dict[int, list[bool]] = {k: [] for k in TAUGHT_WITH}
    before: list[bool] = []
    after: dict[int, list[bool]] = {k: [] for k in TAUGHT_WITH}
    for split in range(TAUGHT_SPLITS):
        told(split / TAUGHT_SPLITS, "teaching")
        rng = np.random.default_rng(1000 + seed + split)
        out = set(rng.choice(names, TAUGHT_OUT, replace=False).tolist())
        f = split % FOLDS
        pairs = list(zip(train, fold, strict=True))
        base = fit([s for s, k in pairs if k != f and s.substance not in out])
        rest = [s for s, k in pairs if k == f and s.substance not in out]
        before += right_of([answer_of(base, s) for s in rest], "whole")
        for count in TAUGHT_WITH:
            rows: dict[str, list[F64]] = {}
            for sniff, k in pairs:
                if sniff.substance in out and (k - f) % FOLDS in range(1, count + 1):
                    points = base.embedding(windows(sniff.bins))
                    rows.setdefault(sniff.substance, []).append(sniff_points(points))
            model = base.with_taught({n: np.concatenate(r) for n, r in rows.items()})
            asked = [s for s, k in pairs if s.substance in out and k == f]
            new[count] += right_of([answer_of(model, s) for s in asked], "whole")
            after[count] += right_of([answer_of(model, s) for s in rest], "whole")
    for count in TAUGHT_WITH:
        result.add(f"taught with {count} sniffs, among all {len(names)}", new[count])
    result.add("the others before anything was taught", before)
    for count in TAUGHT_WITH:
        result.add(f"the others after teaching with {count} sniffs", after[count])
    return result


def evaluate_taught_gases(
    folder: Path, *, seed: int = 0, progress: Progress | None = None
) -> RecognitionResult:
    """Gases of one batch of the UCI drift set, taught with a few sniffs of any concentration.

    The way of a live nose: nothing but the direction of the response over the 16 sensors, and what
    was taught. In each split one gas is left out as the unknown. Batches 1 and 2 chose the scatter
    assumed beforehand, 3 and 5 did not (4 has too few of three gases).

    Args:
        folder: uci_drift, with `batchN.csv`.
        seed: Of the first split.
        progress: Told the share that is done and what is next.
    """
    told = progress or (lambda share, what: None)
    result = RecognitionResult("UCI drift, taught")
    for i, number in enumerate((1, 2, 3, 5)):
        told(i / 4, f"batch {number}")
        batch = uci_drift(folder, number)
        for count in SNIFFS:
            splits = [_taught_gases(batch, count, seed + k) for k in range(TAUGHT_SPLITS)]
            what = f"batch {number}, {count} sniffs of each gas"
            columns = list(zip(*splits, strict=True))
            result.spread(f"{what}: right among the known", columns[0])
            result.spread(f"{what}: unknown gas, AUROC", columns[1])
            result.spread(f"{what}: right where named", columns[2])
            result.spread(f"{what}: known gas named at all", columns[3])
            result.spread(f"{what}: unknown gas refused", columns[4])
    return result


def _taught_gases(batch: Batch, count: int, seed: int) -> tuple[float, float, float, float, float]:
    """Accuracy, AUROC, right where named, named of the known, refused of the unknown."""
    rng = np.random.default_rng(seed)
    changes = batch.features.reshape(len(batch.gas), SENSORS, -1)[:, :, 1]
    moved = np.log1p(np.maximum(changes, 0.0))  # ln(R max / R min)
    units = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    gases = [g for g in sorted(set(batch.gas.tolist())) if (batch.gas == g).sum() > count + 5]
    out = gases[seed % len(gases)]
    known = [g for g in gases if g != out]
    rows = [rng.choice(np.flatnonzero(batch.gas == g), count, replace=False) for g in known]
    taught = np.concatenate(rows)
    owner = np.repeat(np.arange(len(known)), count)
    embedding, most = direction(units[taught], owner)
    points = units[taught] @ embedding.whiten
    names = tuple(f"s{i}" for i in range(SENSORS))
    curve = known_curve(points, owner, np.arange(len(owner)), most)
    facts = Facts("taught", names, "ohm", (0.0,) * SENSORS, temperature=TEMPERATURE, known=curve)
    model = OdourModel(facts, embedding, tuple(known), points, owner)
    rest = np.setdiff1d(np.flatnonzero(np.isin(batch.gas, [*known, out])), taught)
    asked = rng.choice(rest, min(ASKED, len(rest)), replace=False)
    squared = np.stack([model.distances(units[i] @ embedding.whiten) for i in asked])
    right = np.array(known)[squared.argmin(axis=1)] == batch.gas[asked]
    ours = batch.gas[asked] != out
    shares = [model.probabilities(row, 1) for row in squared]
    named = np.array([float(p.max()) * sure >= 0.5 for p, sure in shares])
    area = auroc(ours, -squared.min(axis=1)) if ours.any() and not ours.all() else float("nan")
    return (
        float(right[ours].mean()),
        area,
        float(right[ours & named].mean()) if (ours & named).any() else float("nan"),
        float(named[ours].mean()),
        float((~named[~ours]).mean()) if (~ours).any() else float("nan"),
    )
