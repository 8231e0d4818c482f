"""`thymos explain MEDIA`: one call on a recording."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from thymos.cli.options import (
    BackendOption,
    ConfigOption,
    HopOption,
    JsonOption,
    TopicOption,
    WindowOption,
    chosen_topics,
)
from thymos.cli.output import NO_WINDOW, json_lines, stderr, stop_on_signals, write_line
from thymos.cli.settings import settings
from thymos.cli.text import render
from thymos.config import Config
from thymos.contract import WindowReport
from thymos.events import Observer


def explain(
    media: Annotated[
        Path,
        typer.Argument(
            metavar="MEDIA",
            help="Video, sound file, rosbag2 folder, .mcap, .db3 or ROS 1 .bag.",
            show_default=False,
        ),
    ],
    enose: Annotated[
        Path | None, typer.Option(help="Nose readings (CSV) that begin when MEDIA does.")
    ] = None,
    backend: BackendOption = None,
    window: WindowOption = None,
    hop: HopOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Also write windows.jsonl, latency.jsonl, report.html and the spoken answers."
        ),
    ] = None,
    topic: TopicOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Explain what people in a recording may feel, window by window, with the evidence.

    With --json, stdout is JSON Lines: one object per window (docs/contract.md), nothing else.
    """
    chosen = settings(
        config,
        sources={"topics": chosen_topics(topic)},
        reason={"backend": backend},
        window={"length_s": window, "hop_s": hop if hop is not None else window},
        respond={"speak": out is not None},
    )
    with stop_on_signals() as stop:
        reports = _reports(media, enose, chosen, out, stop)
        if json:
            with json_lines() as lines:
                for report in reports:
                    write_line(lines, report)
        else:
            _show(media, reports)


def _reports(
    media: Path,
    enose: Path | None,
    config: Config,
    out: Path | None,
    stop: threading.Event,
) -> Iterator[WindowReport]:
    from thymos.explainer import explain as api
    from thymos.report.session import Session

    late = _LateNotes()
    session = None if out is None else Session(out, title=media.name, perceive=config.perceive)
    with session or nullcontext():
        yield from api(
            media,
            enose=enose,
            config=config,
            observers=[late] if session is None else [late, session],
            answer_dir=out,
            stop=stop,
        )
        if stop.is_set():  # raised here, where nothing native can swallow it
            raise KeyboardInterrupt
    for text in late.notes:
        stderr.print(f"note: {text}", markup=False)
    if out is not None:
        stderr.print(f"written: {out}/report.html, {out}/windows.jsonl", markup=False)


class _LateNotes(Observer):
    """Keeps what came too late for any report: that the file broke off just after a window."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def on_note(self, text: str) -> None:
        self.notes.append(text)

    def on_report(self, report: WindowReport) -> None:
        self.notes = [text for text in self.notes if text not in report.notes]


def _show(media: Path, reports: Iterable[WindowReport]) -> None:
    console = Console(highlight=False)
    origin: int | None = None
    with _progress(media) as advance:
        for report in reports:
            origin = report.window.t0_ns if origin is None else origin
            console.print(render(report, origin))
            advance()
    if origin is None:
        stderr.print(NO_WINDOW)


@contextmanager
def _progress(media: Path) -> Iterator[Callable[[], None]]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
        task = bar.add_task(f"explaining {media.name}: loading models", total=None)
        done = 0

        def advance() -> None:
            nonlocal done
            done += 1
            bar.update(task, description=f"explaining {media.name}: {done} windows")

        yield advance
