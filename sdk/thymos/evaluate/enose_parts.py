"""The rows of the drift protocol: what was smelled, with which features, in which part.

A *part* is what drift or another device separates: a batch of months, a session, a board.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thymos.errors import MediaError
from thymos.train.enose_data import uci_drift

F64 = NDArray[np.float64]
Labels = NDArray[np.str_]
BATCHES = range(1, 11)


@dataclass(frozen=True)
class Part:
    """One batch, session or device.

    Attributes:
        name: As it is shown.
        x: Features [n, p], as they were measured.
        y: Labels [n].
        air: Temperature, humidity, pressure and the like [n, q]; no columns if there are none.
        ppm: How much there was [n]; empty if nobody tells.
        sessions: How many parts it was joined of.
    """

    name: str
    x: F64
    y: Labels
    air: F64 = field(default_factory=lambda: np.zeros((0, 0)))
    ppm: F64 = field(default_factory=lambda: np.zeros(0))
    sessions: int = 1


def join(parts: Sequence[Part]) -> Part:
    """Several parts as one."""
    if len(parts) == 1:
        return parts[0]
    return Part(
        " + ".join(p.name for p in parts),
        np.concatenate([p.x for p in parts]),
        np.concatenate([p.y for p in parts]),
        np.concatenate([p.air for p in parts]),
        sessions=len(parts),
    )


def read_uci(folder: Path) -> list[Part]:
    """The batches of the UCI drift set that are there: `batchN.csv`, or `batchN.dat` (libsvm).

    Raises:
        MediaError: Batch 1 or all others are missing, or a file is damaged.
    """
    found = []
    for number in BATCHES:
        names = (folder / f"batch{number}.csv", folder / f"batch{number}.dat")
        path = next((p for p in names if p.is_file()), None)
        if path is not None:
            batch = uci_drift(folder, number)
            found.append(Part(str(number), batch.features, batch.gas, ppm=batch.ppm))
    if len(found) < 2 or found[0].name != "1":
        raise MediaError(
            f"'{folder}' does not hold batch1 and a later batch of the UCI drift set",
            hint="give the folder of batch1.csv … batch10.csv (or .dat)",
        )
    return found
