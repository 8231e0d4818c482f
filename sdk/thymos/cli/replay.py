"""`thymos replay`: a recording through the street, the same each time; the team's regression tool.

Exit codes: 0 done (and as expected), 1 something differs, was lost or failed, 2 wrong use.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

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
from thymos.config import Config
from thymos.contract import WindowReport
from thymos.events import Observer
from thymos.golden import CONFIDENCE, MEASURE, Comparison, Tolerance
from thymos.samples import Sample, StreamSpec

EXPECT = "Comparing"
ROS = "Live topics"
_STYLE = {"window": "bold", "expected": "green", "got": "red", "more": "dim", "remark": "yellow"}


def replay(
    bag: Annotated[
        Path,
        typer.Argument(
            metavar="BAG",
            help=".mcap, rosbag2 folder, .db3, ROS 1 .bag, video or sound file.",
            show_default=False,
        ),
    ],
    enose: Annotated[
        Path | None, typer.Option(help="Nose readings (CSV) that begin when BAG does.")
    ] = None,
    rate: Annotated[
        str,
        typer.Option(
            metavar="max|NUMBER",
            help="Seconds of the recording in a second; with max as fast as possible. What"
            " comes out is the same. With --to-ros max is 1.0.",
        ),
    ] = "max",
    out: Annotated[
        Path | None,
        typer.Option(help="Write windows.jsonl, latency.jsonl and report.html here."),
    ] = None,
    backend: BackendOption = None,
    seed: Annotated[int | None, typer.Option(help="Of the language model and the answers.")] = None,
    window: WindowOption = None,
    hop: HopOption = None,
    topic: TopicOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
    expect: Annotated[
        Path | None,
        typer.Option(
            help="Compare with this golden file; exit code 1 if it differs.",
            rich_help_panel=EXPECT,
        ),
    ] = None,
    update: Annotated[
        bool,
        typer.Option("--update", help="Write the golden file of --expect.", rich_help_panel=EXPECT),
    ] = False,
    tolerance: Annotated[
        float,
        typer.Option(
            min=0.0,
            help="How far a measure may be off, in its unit or in share.",
            rich_help_panel=EXPECT,
        ),
    ] = MEASURE,
    confidence: Annotated[
        float,
        typer.Option(
            min=0.0, help="How far a confidence or probability may be off.", rich_help_panel=EXPECT
        ),
    ] = CONFIDENCE,
    ignore_text: Annotated[
        bool,
        typer.Option("--ignore-text", help="Do not compare texts.", rich_help_panel=EXPECT),
    ] = False,
    repeat: Annotated[
        int,
        typer.Option(
            min=1,
            help="Replay so often, each time in a new process, and say whether all are equal.",
            rich_help_panel=EXPECT,
        ),
    ] = 1,
    busy: Annotated[
        int,
        typer.Option(
            min=0,
            max=64,
            help="With --repeat: so many processes that only burn time beside it.",
            rich_help_panel=EXPECT,
        ),
    ] = 0,
    to_ros: Annotated[
        bool,
        typer.Option(
            "--to-ros",
            help="Publish onto live topics with /clock instead (hardware in the loop); exit code 1"
            " if something was lost on the way.",
            rich_help_panel=ROS,
        ),
    ] = False,
    subscribers: Annotated[
        int,
        typer.Option(min=0, help="So many must listen to each stream first.", rich_help_panel=ROS),
    ] = 1,
    wait: Annotated[
        float,
        typer.Option(
            min=0.0, max=600.0, help="How long to wait for them [s].", rich_help_panel=ROS
        ),
    ] = 30.0,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Exit code 1 also if no perception node told what it received.",
            rich_help_panel=ROS,
        ),
    ] = False,
) -> None:
    """Play a recording through the street, step by step: the same recording, the same result.

    With --json, stdout is JSON Lines: one object per window (docs/contract.md), nothing else.
    """
    if update and expect is None:
        raise typer.BadParameter("--update needs --expect GOLDEN", param_hint="--update")
    if to_ros:
        if expect is not None or out is not None or repeat > 1:
            raise typer.BadParameter(
                "goes without --expect, --out and --repeat", param_hint="--to-ros"
            )
        from thymos.cli.replay_ros import to_topics

        raise typer.Exit(to_topics(bag, _rate(rate) or 1.0, subscribers, wait, strict, json=json))
    speed = _rate(rate)
    chosen = settings(
        config,
        sources={"topics": chosen_topics(topic)},
        reason={"backend": backend, "seed": seed},
        window={"length_s": window, "hop_s": hop if hop is not None else window},
        respond={"speak": False},
    )
    if repeat > 1:
        from thymos.cli.replay_repeat import prove

        raise typer.Exit(prove(bag, enose, chosen, rate, repeat, busy))
    allowed = Tolerance(tolerance, tolerance, confidence, not ignore_text)
    if expect is not None and not update:
        from thymos.golden import read_golden

        golden = read_golden(expect)  # before minutes of work
    run = _Run(bag, quiet=expect is not None, json=json)
    reports = run.play(enose, chosen, out, speed)
    if expect is None:
        return
    console = stderr if json else Console(highlight=False)
    if update:
        from thymos.golden import write_golden

        write_golden(expect, reports)
        console.print(f"written: {expect}, {len(reports)} windows", markup=False, soft_wrap=True)
        return
    from thymos.golden import as_json, compare

    found = compare(golden, [as_json(r) for r in reports], allowed)
    show(console, found, expect)
    if not found.same:
        stderr.print(
            f"next: if this is how it should be now, thymos replay {bag} --expect {expect}"
            " --update (with the same options)",
            markup=False,
            soft_wrap=True,
        )
        raise typer.Exit(1)


def _rate(text: str) -> float | None:
    """None for `max`."""
    if text == "max":
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0.01 <= rate <= 1000.0:
        raise typer.BadParameter(
            f"'{text}' is neither max nor a number from 0.01 to 1000", param_hint="--rate"
        )
    return rate


def show(console: Console, found: Comparison, golden: Path) -> None:
    """Print a verdict."""
    verdict = Text("same as " if found.same else "differs from ", "green" if found.same else "red")
    verdict.append(f"{golden}: ", "bold").append(found.summary(), "default")
    console.print(verdict, soft_wrap=True)
    for kind, line in found.lines():
        console.print(Text(line, _STYLE.get(kind, "default")), soft_wrap=True)


class _Counts(Observer):
    """How many samples came of each stream, and over what time."""

    def __init__(self) -> None:
        self.specs: dict[str, StreamSpec] = {}
        self.samples: Counter[str] = Counter()
        self.span: dict[str, tuple[int, int]] = {}

    def on_stream(self, spec: StreamSpec) -> None:
        self.specs[spec.name] = spec

    def on_sample(self, sample: Sample) -> None:
        self.samples[sample.stream] += 1
        first, _ = self.span.get(sample.stream, (sample.t_ns, 0))
        self.span[sample.stream] = (first, sample.t_ns)

    def table(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2))
        table.add_column("stream")
        for name in ("samples", "seconds"):
            table.add_column(name, justify="right")
        table.add_column("from", overflow="fold")
        for name, spec in self.specs.items():
            first, last = self.span.get(name, (0, 0))
            cells = (name, str(self.samples[name]), f"{(last - first) / 1e9:.1f}", spec.device)
            table.add_row(*(Text(cell) for cell in cells))
        return table


class _Run:
    """One replay with what people see of it."""

    def __init__(self, bag: Path, *, quiet: bool, json: bool) -> None:
        self._bag = bag
        self._quiet = quiet
        self._json = json

    def play(
        self, enose: Path | None, config: Config, out: Path | None, rate: float | None
    ) -> list[WindowReport]:
        """Play it; returns the windows if they are to be compared (`quiet`)."""
        from thymos.explainer import explain
        from thymos.report.session import Session

        counts = _Counts()
        kept: list[WindowReport] = []
        windows = 0
        with stop_on_signals() as stop, ExitStack() as stack:
            lines = stack.enter_context(json_lines()) if self._json else None
            watchers: list[Observer] = [counts]
            if out is not None:
                session = Session(out, title=self._bag.name, perceive=config.perceive)
                watchers.append(stack.enter_context(session))
            watchers += self._view(stack)
            for report in explain(
                self._bag, enose=enose, config=config, observers=watchers, stop=stop, rate=rate
            ):
                windows += 1
                if lines is not None:
                    write_line(lines, report)
                if self._quiet:
                    kept.append(report)
            _raise_if(stop)
        self._tell(windows, counts, out)
        return kept

    def _view(self, stack: ExitStack) -> list[Observer]:
        if self._quiet or self._json:
            bar = _Bar(self._bag.name)
            stack.enter_context(bar.shown())
            return [bar]
        from thymos.cli.view import LiveView

        return [stack.enter_context(LiveView(title=f"replay of {self._bag.name}"))]

    def _tell(self, windows: int, counts: _Counts, out: Path | None) -> None:
        stderr.print(counts.table())
        stderr.print(f"{windows} windows")
        if not windows:
            stderr.print(NO_WINDOW)
        if out is not None and windows:
            stderr.print(f"written: {out}/windows.jsonl, latency.jsonl, report.html", markup=False)
            page = (out / "report.html").resolve().as_uri()
            stderr.print(f"next: open {page}", markup=False, soft_wrap=True)


def _raise_if(stop: threading.Event) -> None:
    if stop.is_set():
        raise KeyboardInterrupt


class _Bar(Observer):
    """Progress of long work on stderr; only on a terminal."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._done = 0
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._bar = Progress(
            *columns, console=stderr, transient=True, disable=not stderr.is_terminal
        )
        self._task = self._bar.add_task(f"replaying {name}: loading models", total=None)

    @contextmanager
    def shown(self) -> Iterator[None]:
        with self._bar:
            yield

    def on_report(self, report: WindowReport) -> None:
        self._done += 1
        self._bar.update(self._task, description=f"replaying {self._name}: {self._done} windows")
