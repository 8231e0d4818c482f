"""What the commands of `thymos calibrate` share: progress, saving, refusing."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from thymos.devices import StreamRole, open_uri
from thymos.errors import ConfigError, ThymosError
from thymos.record.recording import open_recording
from thymos.samples import Kind, Source
from thymos_calibration.store import Calibration, CalibrationStore

JsonOption = Annotated[
    bool, typer.Option("--json", help="The result, or why there is none, as JSON on stdout.")
]
stderr = Console(stderr=True, highlight=False)

_KIND: dict[StreamRole, Kind] = {
    "camera": Kind.VIDEO,
    "microphone": Kind.AUDIO,
    "enose": Kind.GAS,
}
_RECORDINGS = (".mcap", ".db3", ".bag")


@contextmanager
def progress(title: str) -> Iterator[Callable[[float], None]]:
    """A bar on stderr; gives a function that takes the share done, 0 to 1."""
    with Progress(console=stderr, transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda share: bar.update(task, completed=share)


@contextmanager
def refusals(json: bool) -> Iterator[None]:
    """With `--json` an error goes to stdout too, as `{"refused": …, "hint": …}`."""
    try:
        yield
    except ThymosError as err:
        if json:
            typer.echo(jsonlib.dumps({"refused": str(err), "hint": err.hint}))
        raise


def save(result: Calibration, *, json: bool, use: str) -> Path:
    """Store a result, print where (or all of it), and say on stderr how to use it."""
    path = CalibrationStore().save(result)
    if json:
        typer.echo(jsonlib.dumps(as_json(path, result), indent=2))
    else:
        typer.echo(str(path))
    stderr.print(use, markup=False, soft_wrap=True)
    return path


def as_json(path: Path, result: Calibration) -> dict[str, Any]:
    """A result with its file and age."""
    text: dict[str, Any] = jsonlib.loads(result.to_json())
    return {"file": str(path), "age_days": round(result.age_days(), 2), "old": result.old, **text}


def source(role: StreamRole, text: str, *, stream: str | None = None) -> Source:
    """The source of a URI, of a media file, or of a recording's stream of this kind.

    Raises:
        ConfigError: It is off, or a recording has no such stream.
        MediaError: A file cannot be read.
    """
    path = Path(text.removeprefix("file:"))
    if path.is_dir() or (path.suffix in _RECORDINGS and path.exists()):
        for one in open_recording(path).sources.values():
            if one.spec.kind is _KIND[role]:
                return one
        raise ConfigError(f"the recording '{path}' has no {role}", hint=f"thymos replay {path}")
    if ":" not in text and path.exists():
        text = f"file:{text}"
    found = open_uri(role, text, stream=stream)
    if found is None:
        raise ConfigError(f"there is no {role} at 'off'", hint="thymos devices")
    return found
