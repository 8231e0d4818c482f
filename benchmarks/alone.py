"""One benchmark in a process of its own."""

from __future__ import annotations

import importlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from thymos.bench.figures import Figure


def alone(name: str, repeats: int, quick: bool) -> list[Figure]:
    """Run one benchmark in a fresh process: no warm caches, no memory of the one before.

    Raises:
        Exception: What the benchmark raised; BrokenProcessPool if its process died.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(_run, name, repeats, quick).result()


def _run(name: str, repeats: int, quick: bool) -> list[Figure]:
    figures: list[Figure] = importlib.import_module(f"benchmarks.{name}").run(repeats, quick)
    return figures
