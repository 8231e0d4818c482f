"""`thymos run` and `thymos record`: sources in real time."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from thymos.cli.options import (
    BackendOption,
    CameraOption,
    ConfigOption,
    EnoseOption,
    HopOption,
    JsonOption,
    MicrophoneOption,
    WindowOption,
)
from thymos.cli.output import json_lines, stderr, stop_on_signals, write_line
from thymos.cli.settings import settings
from thymos.config import Config, SourcesConfig
from thymos.contract import WindowReport
from thymos.devices import ROLES, open_uri
from thymos.errors import ConfigError, RecordingError
from thymos.events import Observer
from thymos.samples import Counters, Sample, Source

if TYPE_CHECKING:
    from thymos.record import Recorder


def run(
    camera: CameraOption = None,
    microphone: MicrophoneOption = None,
    enose: EnoseOption = None,
    record: Annotated[
        Path | None, typer.Option(help="Also record all streams and results to this .mcap.")
    ] = None,
    backend: BackendOption = None,
    window: WindowOption = None,
    hop: HopOption = None,
    mute: Annotated[bool, typer.Option("--mute", help="Do not speak the answers.")] = False,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Run live: see, hear, smell, explain and answer until Ctrl-C."""
    chosen = settings(
        config,
        sources={"camera": camera, "microphone": microphone, "enose": enose},
        reason={"backend": backend},
        window={"length_s": window, "hop_s": hop if hop is not None else window},
        record={"path": str(record) if record else None},
        respond={"speak": False if mute else None},
    )
    sources = _open(chosen.sources)
    _live(sources, chosen, json=json, play=not mute)


def record(
    out: Annotated[Path, typer.Argument(metavar="OUT.mcap", help="File to write.")],
    camera: CameraOption = None,
    microphone: MicrophoneOption = None,
    enose: EnoseOption = None,
    seconds: Annotated[float | None, typer.Option(help="Stop after so many seconds.")] = None,
    no_faces: Annotated[bool, typer.Option("--no-faces", help="Leave the picture out.")] = False,
    no_voices: Annotated[bool, typer.Option("--no-voices", help="Leave the sound out.")] = False,
    video: Annotated[
        str | None, typer.Option(help="Pictures as raw (exact), mjpeg or h264 (smallest).")
    ] = None,
    audio: Annotated[str | None, typer.Option(help="Sound as pcm or flac; both exact.")] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Record sensors with their capture times to MCAP; no perception, no models."""
    from thymos.record import Recorder
    from thymos.runner import run_capture
    from thymos.sync import synced
    from thymos.warm import warm_clocks

    chosen = settings(
        config,
        sources={"camera": camera, "microphone": microphone, "enose": enose},
        record={
            "path": str(out),
            "faces": False if no_faces else None,
            "voices": False if no_voices else None,
            "video": video,
            "audio": audio,
        },
    )
    sources = _open(chosen.sources)
    notes = _Notes()
    with (
        stop_on_signals() as stop,
        Recorder(out, chosen.record, on_note=notes.on_note) as recorder,
    ):
        if seconds is not None:
            timer = threading.Timer(seconds, stop.set)
            timer.daemon = True
            timer.start()
        stderr.print(f"recording to {out}; Ctrl-C ends it")
        warm_clocks(sources, notes.on_note)
        sources = synced(sources, chosen.sources.offset_ms, notes.on_note)
        counters = run_capture(sources, [recorder, _StopWhenFull(recorder, stop), notes], stop=stop)
    _summary(counters, {}, json=json)
    if recorder.full:
        raise RecordingError(
            f"the recording ended before it was told to; what was recorded is in '{recorder.path}'",
            hint="free some space, or see record.max_bytes and record.min_free_bytes",
        )


def _open(uris: SourcesConfig) -> list[Source]:
    made = [open_uri(role, getattr(uris, role)) for role in ROLES]
    sources = [source for source in made if source is not None]
    if not sources:
        raise ConfigError(
            "no source is given, there is nothing to run",
            hint="try: thymos run --camera v4l2:/dev/video0 --microphone portaudio:default"
            " (thymos devices lists what there is)",
        )
    return sources


def _live(sources: list[Source], config: Config, *, json: bool, play: bool) -> None:
    from thymos.pipeline import Pipeline
    from thymos.record import Recorder
    from thymos.runner import run_live

    with stop_on_signals() as stop, _printer(json) as printer, ExitStack() as stack:
        pipeline = Pipeline(config, observers=[printer], play=play)
        if config.record.path:
            note = pipeline.remarks.note
            recorder = Recorder(Path(config.record.path), config.record, on_note=note)
            pipeline.tell.add(stack.enter_context(recorder))
        stack.callback(pipeline.close)
        summary = run_live(sources, pipeline, stop=stop)
    _summary(
        summary.counters,
        {
            "windows": summary.windows,
            "reasoned": summary.reasoned,
            "skipped": summary.skipped,
            **{f"late ({k})": v for k, v in summary.late.items()},
            **{f"not perceived ({k})": v for k, v in summary.unobserved.items()},
        },
        json=json,
    )


class _Notes(Observer):
    def on_note(self, text: str) -> None:
        stderr.print(f"note: {text}", markup=False)


class _StopWhenFull(Observer):
    """Ends a run whose only purpose is a recording when nothing more can be recorded."""

    def __init__(self, recorder: Recorder, stop: threading.Event) -> None:
        self._recorder = recorder
        self._stop = stop

    def on_sample(self, sample: Sample) -> None:
        if self._recorder.full:
            self._stop.set()


class _JsonPrinter(_Notes):
    """Reports to stdout as JSON Lines."""

    def __init__(self) -> None:
        self._lines = json_lines()

    def __enter__(self) -> _JsonPrinter:
        self._out = self._lines.__enter__()
        return self

    def __exit__(self, *details: Any) -> None:
        self._lines.__exit__(*details)

    def on_report(self, report: WindowReport) -> None:
        write_line(self._out, report, timed=True)


def _printer(json: bool) -> Any:
    if json:
        return _JsonPrinter()
    from thymos.cli.view import LiveView

    return LiveView()


def _summary(counters: dict[str, Counters], facts: dict[str, int], *, json: bool) -> None:
    table = Table("stream", "received", "dropped", "corrupt", "reconnects", title="summary")
    for name, c in counters.items():
        table.add_row(name, *(str(n) for n in (c.received, c.dropped, c.corrupt, c.reconnects)))
    console = stderr if json else Console(highlight=False)
    console.print(table)
    if facts:
        console.print(", ".join(f"{name} {value}" for name, value in facts.items()))
