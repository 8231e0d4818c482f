"""Who works: this process, several of this machine, or a Ray cluster. The answers are the same.

Each worker makes its own task (models and all) and gets a few items at a time; answers are kept
as they come in. However many there are, no more than two batches a worker are under way.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from thymos.errors import ConfigError, MissingExtraError, ThymosError
from thymos.evaluate.runs.items import Answer, Item, Task

Make = Callable[[], Task]
"""Makes a task; must be picklable (a partial of a class)."""
UNDER_WAY = 2


@dataclass(frozen=True)
class Crew:
    """How the work is shared out.

    Attributes:
        jobs: Processes, or Ray workers; 1 without Ray is this process.
        ray: Empty, `local`, or the address of a cluster (`auto`, `ray://host:10001`).
    """

    jobs: int = 1
    ray: str = ""


def answers(make: Make, items: Sequence[Item], crew: Crew, batch: int) -> Iterator[list[Answer]]:
    """Answer items, a batch at a time, in the order they get done.

    Args:
        make: Makes the task, once in each worker.
        items: What to ask.
        crew: Who works.
        batch: Items at a time.

    Raises:
        ThymosError: The task cannot be made (no weights), or a worker died.
    """
    batches = [items[i : i + batch] for i in range(0, len(items), batch)]
    if crew.ray:
        yield from _by_ray(make, batches, crew)
    elif crew.jobs == 1 or len(batches) < 2:
        yield from _here(make, batches)
    else:
        yield from _by_processes(make, batches, crew.jobs)


def _here(make: Make, batches: Sequence[Sequence[Item]]) -> Iterator[list[Answer]]:
    task = make()
    try:
        for part in batches:
            yield task.answer(part)
    finally:
        task.close()


_task: Task | None = None


def _begin(make: Make) -> None:
    global _task  # noqa: PLW0603  one task a worker process
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who shares out the work
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _task = make()


def _leave_with_parent() -> None:
    """A parent that was killed cannot tell its workers to stop; their queue stays open."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _go_on(items: Sequence[Item]) -> list[Answer]:
    assert _task is not None  # noqa: S101
    return _task.answer(items)


def _by_processes(
    make: Make, batches: Sequence[Sequence[Item]], jobs: int
) -> Iterator[list[Answer]]:
    from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
    from concurrent.futures.process import BrokenProcessPool

    pool = ProcessPoolExecutor(
        min(jobs, len(batches)), multiprocessing.get_context("spawn"), _begin, (make,)
    )
    try:
        todo = iter(batches)
        running = {pool.submit(_go_on, part) for part in islice(todo, UNDER_WAY * jobs)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
                running |= {pool.submit(_go_on, part) for part in islice(todo, 1)}
    except BrokenProcessPool as err:
        raise ThymosError(
            "a worker process died (out of memory, or a library crashed)",
            hint="run the same command again: it goes on where it stopped; try fewer --jobs",
        ) from err
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _by_ray(make: Make, batches: Sequence[Sequence[Item]], crew: Crew) -> Iterator[list[Answer]]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError as err:
        raise MissingExtraError("ray", "ray") from err

    try:
        if crew.ray == "local":
            ray.init(
                num_cpus=crew.jobs,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="error",
            )
        else:
            ray.init(address=crew.ray, log_to_driver=False, logging_level="error")
    except Exception as err:  # ConnectionError, RuntimeError, ValueError: whatever the address does
        raise ConfigError(f"no Ray at '{crew.ray}': {err}", hint="--ray local needs none") from err
    try:
        yield from _on_cluster(ray, make, batches, crew.jobs)
    except ray.exceptions.RayError as err:
        raise ThymosError(
            f"Ray: {str(err).strip().splitlines()[-1]}",
            hint="run the same command again: it goes on where it stopped",
        ) from err
    finally:
        ray.shutdown()


def _on_cluster(
    ray: Any, make: Make, batches: Sequence[Sequence[Item]], jobs: int
) -> Iterator[list[Answer]]:
    worker = ray.remote(num_cpus=1)(Worker)
    crew = [worker.remote(make) for _ in range(min(jobs, len(batches)))]
    todo = iter(batches)
    running = {
        one.answer.remote(part): one
        for _ in range(UNDER_WAY)
        for one, part in zip(crew, todo, strict=False)  # the last round may be short
    }
    while running:
        (done,), _ = ray.wait(list(running), num_returns=1)
        one = running.pop(done)
        yield ray.get(done)
        running.update({one.answer.remote(part): one for part in islice(todo, 1)})


class Worker:
    """One worker of a Ray cluster: makes the task where it runs."""

    def __init__(self, make: Make) -> None:
        self._task = make()

    def answer(self, items: Sequence[Item]) -> list[Answer]:
        """Answer items, in order."""
        return self._task.answer(items)
