"""`thymos demo`: a scene without any device through the same street as a live robot."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console
from rich.text import Text

from thymos.cli.options import BackendOption, ConfigOption, JsonOption
from thymos.cli.output import json_lines, stderr, stop_on_signals, write_line
from thymos.cli.settings import settings
from thymos.cli.view import LiveView
from thymos.config import Config, RecordConfig
from thymos.contract import WindowReport
from thymos.errors import ConfigError, ThymosError
from thymos.events import Observer
from thymos.report.session import unwritable
from thymos.respond.base import Speaker

TITLE = "Thymos demo: a scene without any device"
STOPPED = "Stopped early by a person: what follows is complete up to there."


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("thymos-demo"),
    rate: Annotated[
        str, typer.Option(help="1.0: in real time, as on a robot; max: as fast as possible.")
    ] = "1.0",
    backend: BackendOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """See it work without any device: a recorded face, a synthesised voice, a simulated nose.

    Plays 28 s through the same pipeline as a live robot and writes OUT/session.mcap,
    windows.jsonl, latency.jsonl, the spoken answers (answer-*.wav) and report.html.
    """
    if rate not in ("1.0", "max"):
        raise ConfigError(f"--rate {rate} is not known", hint="use --rate 1.0 or --rate max")
    chosen = settings(config, reason={"backend": backend})
    with stop_on_signals() as stop:
        windows = _play(out, chosen, stop, live=rate == "1.0", json=json)
    if stop.is_set():
        stderr.print(f"stopped after {windows} windows; {out} holds what came before")
        raise typer.Exit(1)
    console = stderr if json else Console(highlight=False)
    console.print(f"{windows} windows. Open the report:", style="bold")
    console.print(f"  {(out / 'report.html').resolve().as_uri()}", soft_wrap=True)
    console.print(
        f"  {out}/session.mcap opens in Foxglove and ros2 bag; {out}/windows.jsonl has one JSON"
        " object a window",
        markup=False,
        soft_wrap=True,
    )


def _play(out: Path, config: Config, stop: threading.Event, *, live: bool, json: bool) -> int:
    """Run the scene; returns how many windows were answered."""
    from thymos.demo import build_scene
    from thymos.models import ModelStore
    from thymos.pipeline import Pipeline
    from thymos.record import Recorder
    from thymos.report import Session
    from thymos.runner import run_live, run_offline

    console = stderr if json else Console(highlight=False)
    with ExitStack() as stack:
        lines = stack.enter_context(json_lines()) if json else None
        session = stack.enter_context(
            Session(out, title=TITLE, faces=True, perceive=config.perceive)
        )
        console.print(Text("preparing the scene …", style="dim"))
        speaker, lack = _speaker(config)
        scene = build_scene(out / "scene", ModelStore(), speaker)
        _go_on(stop)
        session.statements += scene.statements
        view = LiveView(console, title=TITLE, statements=scene.statements)
        watchers: list[Observer] = [session, view]
        if lines is not None:
            watchers.append(_Lines(lines))
        pipeline = Pipeline(config, speaker=speaker, observers=watchers, answer_dir=out)
        recorder = Recorder(
            _fresh(out / "session.mcap"), RecordConfig(), on_note=pipeline.remarks.note
        )
        pipeline.tell.add(stack.enter_context(recorder))
        stack.enter_context(view)
        stack.callback(pipeline.close)
        for stream, reason in scene.absent.items():
            pipeline.state_absent(stream, reason)
        if lack:
            pipeline.remarks.note(lack)
        if live:
            run_live(scene.sources, pipeline, stop=stop)
        else:
            for _ in run_offline(scene.sources, pipeline):
                if stop.is_set():
                    break
        if not session.windows:
            _go_on(stop)
        if stop.is_set():
            session.statements.insert(0, STOPPED)
        return session.windows


def _fresh(path: Path) -> Path:
    """Take the recording of an earlier demo away: a recorder never writes over a file."""
    try:
        path.unlink(missing_ok=True)
    except OSError as err:
        raise unwritable(path.parent, err) from err
    return path


def _go_on(stop: threading.Event) -> None:
    """Leave at once if somebody stopped the run before it had a result."""
    if stop.is_set():
        stderr.print("stopped before the first window; there are no results")
        raise typer.Exit(1)


def _speaker(config: Config) -> tuple[Speaker | None, str]:
    """The voice of scene and robot; None and the reason if there is none."""
    from thymos.respond import build_speaker

    try:
        return build_speaker(config), ""
    except ThymosError as err:
        return None, f"answers are not spoken: {err} ({err.hint})"


class _Lines(Observer):
    """Reports to stdout as JSON Lines."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def on_report(self, report: WindowReport) -> None:
        write_line(self._out, report)
