"""`thymos smell live`: watch a nose on the terminal while it smells."""

from __future__ import annotations

import json as jsonlib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from thymos.cli.options import ConfigOption, JsonOption
from thymos.cli.output import json_lines, stderr, stop_on_signals
from thymos.cli.settings import settings
from thymos.cli.smell_show import event_line, line, render
from thymos.clock import MonotonicClock
from thymos.config import PerceiveConfig
from thymos.devices import open_uri
from thymos.errors import ConfigError
from thymos.events import Observer
from thymos.fanout import Fanout
from thymos.report.html import clean
from thymos.samples import NS_PER_S, Kind, Sample, Source, StreamSpec, each
from thymos.smell.view import as_json

if TYPE_CHECKING:
    from thymos.smell.watch import SmellWatch

REFRESH_HZ = 4
POLL_S = 0.1
LINE_S = 5
_BAGS = {".mcap", ".bag", ".db3"}


def live(
    enose: Annotated[
        str | None,
        typer.Option(
            "--enose",
            metavar="URI",
            help="serial:/dev/ttyUSB0, i2c:1, sim:, file:PATH, or a recording (.mcap). Without it"
            " that of the settings, else the only USB serial port.",
        ),
    ] = None,
    clean_air: Annotated[
        str | None,
        typer.Option(help="Calibration file of this nose; 'stored': its newest one."),
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="Play a recording as fast as it can be read.")
    ] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Watch a nose: channels, baseline, phase, what it may smell, drift, dangers.

    Ends with q or Ctrl-C. Without a terminal it writes a line every five seconds of capture time
    and one for each event; with --json one object a second.
    """
    chosen = settings(config, sources={"enose": enose}, perceive={"clean_air": clean_air})
    source = open_nose(chosen.sources.enose)
    try:
        _show(source, chosen.perceive, fast=fast, json=json)
    except BrokenPipeError as err:  # `… | head`; with its number it would be taken for a failure
        raise BrokenPipeError from err


def _show(source: Source, config: PerceiveConfig, *, fast: bool, json: bool) -> None:
    from thymos.smell.watch import SmellWatch

    watch = SmellWatch(config, keep=True)
    with stop_on_signals() as stop, ExitStack() as stack:
        shown: Observer
        if json:
            shown = _JsonLines(watch, stack.enter_context(json_lines()), stop)
        elif sys.stdout.isatty() and not fast:
            stack.enter_context(_keys(stop))
            shown = stack.enter_context(_Screen(watch, Console(highlight=False)))
        else:
            shown = _Lines(watch, sys.stdout, stop)
        if fast:
            _play(source, watch, shown, stop)
        else:
            _follow(source, watch, shown, stop)
        if isinstance(shown, _Printer) and shown.gone:
            raise BrokenPipeError


def _follow(source: Source, watch: SmellWatch, shown: Observer, stop: threading.Event) -> None:
    """In real time, until `stop` or the end of a recording; a lost device is opened again."""
    from thymos.reading import Readers

    tell, end = Fanout([watch, shown]), threading.Event()
    with Readers([source], MonotonicClock()) as readers:
        spec = readers.specs[0]
        watch.on_stream(spec)  # not through Fanout: what is wrong here ends the command
        tell.on_stream(spec)

        def ended(stream: str, reason: str) -> None:
            if reason and not end.is_set():  # a recording that breaks off
                tell.on_note(f"{stream}: {reason}")

        readers.start(end, take=tell.on_sample, ended=ended, note=tell.on_note)
        try:
            while not stop.wait(POLL_S) and readers.alive:
                watch.link(readers.health[spec.name], readers.counters[spec.name])
        finally:
            end.set()
            readers.join()
            watch.link(readers.health[spec.name], readers.counters[spec.name])
            tell.on_end()


def open_nose(uri: str) -> Source:
    """The source of a nose: a device, a file, or the nose of a recording; not yet open.

    Args:
        uri: See `thymos.devices`, or the path of a file; `off` is the only USB serial port.

    Raises:
        ConfigError: There is no such driver, or the recording has no nose.
        RecordingError: The recording cannot be read.
    """
    path = Path(uri.removeprefix("file:"))
    if path.suffix in _BAGS or path.is_dir():
        return _recorded(path)
    if uri == "off":
        uri = "serial:"
    source = open_uri("enose", uri if ":" in uri else f"file:{uri}")
    if source is None:
        raise ConfigError("no nose is given", hint="try: thymos smell live --enose sim:")
    return source


def _recorded(path: Path) -> Source:
    from thymos.record.recording import open_recording

    found = open_recording(path)
    for note in found.notes:
        stderr.print(f"note: {note}", markup=False, soft_wrap=True)
    noses = [s for _, s in sorted(found.sources.items()) if s.spec.kind is Kind.GAS]
    if not noses:
        raise ConfigError(
            f"'{path}' holds no electronic nose", hint=f"thymos replay {path} shows what it holds"
        )
    return noses[0]


def _play(source: Source, watch: SmellWatch, shown: Observer, stop: threading.Event) -> None:
    """A recording as fast as it can be read.

    Raises:
        ConfigError: The source is a device.
    """
    with source:
        if source.live:
            raise ConfigError(
                "--fast is for recordings; a device goes at its own speed",
                hint="leave --fast out (a simulation: sim:?pace=0&seconds=60)",
            )
        watch.on_stream(source.spec)
        shown.on_stream(source.spec)
        for sample in each(source):
            if stop.is_set():
                break
            watch.on_sample(sample)
            shown.on_sample(sample)
        watch.link(source.health, source.counters)
        shown.on_end()
        watch.on_end()


class _Screen(Observer):
    """The whole view, drawn anew four times a second."""

    def __init__(self, watch: SmellWatch, console: Console) -> None:
        self._watch = watch
        self._console = console
        self._clock = MonotonicClock()
        self._live: Live | None = None

    def __enter__(self) -> _Screen:
        self._live = Live(
            console=self._console,
            get_renderable=self._draw,
            refresh_per_second=REFRESH_HZ,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()
        return self

    def __exit__(self, *_details: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _draw(self) -> RenderableType:
        if self._watch.spec is None:
            return Text(" listening for a nose …", style="dim")
        view = self._watch.view(self._clock.now_ns())
        return render(view, min(160, self._console.width), self._console.height)


class _Printer(Observer):
    """Writes lines to a stream until nobody reads them any more (`… | head`).

    It runs on the thread that reads the nose, where an error would end nothing: so it tells the run
    to stop.

    Attributes:
        gone: Nobody reads any more.
    """

    def __init__(self, watch: SmellWatch, out: TextIO, stop: threading.Event) -> None:
        self._watch = watch
        self._out = out
        self._stop = stop
        self._due_ns: int | None = None
        self._seen = 0
        self._last = ""
        self.gone = False

    def _say(self, text: str) -> None:
        if self.gone:
            return
        try:
            self._out.write(text + "\n")
            self._out.flush()
        except BrokenPipeError:
            self.gone = True
            self._stop.set()


class _Lines(_Printer):
    """Plain lines: one for each event, one every few seconds of capture time."""

    def on_stream(self, spec: StreamSpec) -> None:
        self._say(clean(f"{spec.name}: {spec.origin.value}, {spec.device}"))

    def on_sample(self, sample: Sample) -> None:
        self._events()
        if self._due_ns is None:
            self._due_ns = sample.t_ns + LINE_S * NS_PER_S
        if sample.t_ns >= self._due_ns or sample.t_ns < self._due_ns - 2 * LINE_S * NS_PER_S:
            self._due_ns = sample.t_ns + LINE_S * NS_PER_S
            self._last = line(self._watch.view())
            self._say(self._last)

    def on_note(self, text: str) -> None:
        self._events()

    def on_end(self) -> None:
        if self._watch.spec is not None:
            self._events()
            if (text := line(self._watch.view())) != self._last:
                self._say(text)

    def _events(self) -> None:
        self._seen, fresh = self._watch.fresh(self._seen)
        for event in fresh:
            self._say(event_line(self._watch.view(), event))


class _JsonLines(_Printer):
    """One object a second of capture time; each event stands in one of them."""

    def on_sample(self, sample: Sample) -> None:
        if self._due_ns is None or not 0 < self._due_ns - sample.t_ns <= NS_PER_S:
            self._due_ns = sample.t_ns + NS_PER_S
            self._write()

    def on_note(self, text: str) -> None:
        stderr.print(f"note: {text}", markup=False)

    def on_end(self) -> None:
        if self._watch.spec is not None:
            self._write()

    def _write(self) -> None:
        self._seen, fresh = self._watch.fresh(self._seen)
        told = as_json(replace(self._watch.view(), events=fresh))
        self._say(jsonlib.dumps(told, ensure_ascii=False))


@contextmanager
def _keys(stop: threading.Event) -> Iterator[None]:
    """Let q and Escape end the view; the terminal is left as it was found."""
    try:
        import termios
        import tty
    except ImportError:  # not a POSIX system: Ctrl-C remains
        yield
        return
    if not sys.stdin.isatty():
        yield
        return
    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    tty.setcbreak(keyboard)
    done = threading.Event()
    reader = threading.Thread(target=_read_keys, args=(keyboard, stop, done), daemon=True)
    reader.start()
    try:
        yield
    finally:
        done.set()
        reader.join(1.0)
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _read_keys(keyboard: int, stop: threading.Event, done: threading.Event) -> None:
    import select

    while not done.is_set() and not stop.is_set():
        ready, _, _ = select.select([keyboard], [], [], 0.2)
        if ready and os.read(keyboard, 8) in (b"q", b"Q", b"\x1b", b"\x04", b""):
            stop.set()
