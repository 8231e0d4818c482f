"""What goes to which stream: results to stdout, everything for people beside them to stderr."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console

from thymos.contract import WindowReport

stderr = Console(stderr=True, highlight=False)
NO_WINDOW = "no window: shorter than half a second, or no speech ends (window.anchor: speech)"


@contextmanager
def json_lines() -> Iterator[TextIO]:
    """Give a stream for JSON Lines on stdout and send all other writing to stdout to stderr.

    Libraries with native code write to file descriptor 1 directly; here nothing but JSON may.
    """
    sys.stdout.flush()
    keep = os.dup(1)
    os.dup2(2, 1)
    out = os.fdopen(os.dup(keep), "w", encoding="utf-8")
    try:
        yield out
        out.flush()
    finally:
        try:
            out.close()
        finally:
            sys.stdout.flush()
            os.dup2(keep, 1)
            os.close(keep)


def write_line(out: TextIO, report: WindowReport, *, timed: bool = False) -> None:
    """Write one report as one line, at once; wall times only of a live run."""
    out.write(report.model_dump_json() + "\n" if timed else report.line())
    out.flush()


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Give an event that the first Ctrl-C or SIGTERM sets; a second one ends the process.

    Nothing is raised from the handler: an exception inside the callback of a native library (a
    language model at work) would be lost or leave the library stuck.
    """
    stop = threading.Event()

    def handle(number: int, _frame: object) -> None:
        if stop.is_set():
            os._exit(1)
        stop.set()
        os.write(2, b"stopping ... (once more to stop at once)\n")

    before = {s: signal.signal(s, handle) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far a long run is, on a terminal only; gives what tells it (done, total)."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
        line = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(line, completed=done, total=total)
