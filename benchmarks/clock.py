"""How far capture times are from the truth after a clock that drifts and a queue that delays.

Simulated (see `clock_model`), so the figures are the same on every machine; the seeds take the
place of repeats, and each figure is that of the worst seed. The peers are the simpler ways: the
time of arrival, and a base taken once.
"""

from __future__ import annotations

import time

import numpy as np

from benchmarks.clock_model import WARM_UP_S, Floats, base_once, model, simulate
from thymos.bench.figures import Figure

RATES = (10.0, 30.0, 100.0)


def run(repeats: int, quick: bool) -> list[Figure]:
    seconds, seeds = (60.0, 1) if quick else (3600.0, min(repeats, 3))
    figures = []
    for rate in RATES:
        ours, once, arrival, held, spent = [], [], [], [], []
        for seed in range(seeds):
            link = simulate(seconds, rate, seed)
            late = link.seconds >= WARM_UP_S
            start = time.process_time()
            error, bound = model(link)
            spent.append((time.process_time() - start) / len(error) * 1e6)
            ours.append(np.abs(error[late]))
            once.append(np.abs(base_once(link)[late]))
            arrival.append((link.arrived - link.truth)[late] / 1e6)
            held.append(100 * float(np.mean(np.abs(error) <= bound)))
        figures += [
            worst(f"clock error at {rate:g} Hz, p95", 95, ours, "<= 1", "arrival time", arrival),
            worst(
                f"clock error at {rate:g} Hz, greatest", 100, ours, "<= 3", "base taken once", once
            ),
            Figure(f"clock at {rate:g} Hz: stated uncertainty held", min(held), "%", {}),
            Figure(f"clock at {rate:g} Hz: one reading", float(np.median(spent)), "µs", {}),
        ]
    return figures


def worst(
    name: str, q: float, ours: list[Floats], target: str, peer: str, theirs: list[Floats]
) -> Figure:
    """The percentile in the worst seed, ours and the peer's."""
    mine = [float(np.percentile(e, q)) for e in ours]
    other = max(float(np.percentile(e, q)) for e in theirs)
    spread = {"min": min(mine), "max": max(mine), "n": len(mine)}
    return Figure(name, max(mine), "ms", spread, target, peer, other, max(mine) / other)
