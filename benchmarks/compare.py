"""Two ways of one job, measured in turn."""

from __future__ import annotations

import gc
import importlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType

import numpy as np

from thymos.bench.figures import Figure

Measured = Callable[[], float]


def in_turn(repeats: int, ours: Measured, peer: Measured | None) -> tuple[list[float], list[float]]:
    """Measure A B A B …, so that a change of the machine's load meets both alike."""
    mine: list[float] = []
    theirs: list[float] = []
    for _ in range(repeats):
        mine.append(ours())
        if peer is not None:
            theirs.append(peer())
    return mine, theirs


def percentiles(
    name: str,
    values: Sequence[float],
    unit: str,
    targets: Mapping[int, str],
    *,
    peer: str = "",
    peer_values: Sequence[float] = (),
) -> list[Figure]:
    """One figure for each percentile of single events.

    Args:
        name: Of the figures, "p99" is added.
        values: Of the single events of all repeats.
        unit: Of the values.
        targets: Percentile to target, `{99: "<= 50"}`.
        peer: See `Figure`.
        peer_values: Of the peer's events; empty if it was not measured.
    """
    data = np.asarray(values, dtype=np.float64)
    spread = {"p50": float(np.median(data)), "max": float(data.max()), "n": len(data)}
    made = []
    for q, target in targets.items():
        value = float(np.percentile(data, q))
        theirs = float(np.percentile(peer_values, q)) if len(peer_values) else None
        ratio = value / theirs if theirs else None
        made.append(Figure(f"{name}, p{q}", value, unit, spread, target, peer, theirs, ratio))
    return made


def peer_module(name: str) -> tuple[ModuleType | None, str]:
    """A peer's library and what to call it: with a reason where it cannot be measured."""
    try:
        return importlib.import_module(name), name
    except ImportError as err:
        return None, f"{name}: not measured ({err})"


@contextmanager
def own_garbage() -> Iterator[None]:
    """The garbage collector looks at nothing that was there before: only at the job's own."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def timed(job: Callable[[], object]) -> float:
    """Seconds a job takes."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start
