"""One benchmark in a process of its own."""

from __future__ import annotations

import importlib
import multiprocessing
import traceback
from multiprocessing.connection import Connection

from thymos.bench.figures import Figure
from thymos.errors import ThymosError

END_S = 5.0


def alone(name: str, repeats: int, quick: bool) -> list[Figure]:
    """Run one benchmark in a fresh process: no warm caches, no memory of the one before.

    Raises:
        ThymosError: It failed, or its process died.
    """
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_run, args=(theirs, name, repeats, quick))
    process.start()
    theirs.close()
    try:
        made, error, hint = ours.recv()
    except EOFError:
        process.join(END_S)
        raise ThymosError(f"its process died (exit code {process.exitcode})") from None
    finally:
        process.join(END_S)
        process.kill()
    if error:
        raise ThymosError(error, hint=hint)
    figures: list[Figure] = made
    return figures


def _run(answer: Connection, name: str, repeats: int, quick: bool) -> None:
    try:
        figures = importlib.import_module(f"benchmarks.{name}").run(repeats, quick)
    except Exception as err:  # noqa: BLE001  (as text: not every error survives the way)
        traceback.print_exc()
        answer.send(([], f"{type(err).__name__}: {err}", getattr(err, "hint", "")))
    else:
        answer.send((figures, "", ""))
