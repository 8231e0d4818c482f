"""`thymos smell guard AIR FILE`: learn what clean air of a nose looks like, to notice drift."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from thymos.cli.options import JsonOption
from thymos.cli.output import stderr, stop_on_signals
from thymos.samples import EndOfStream

if TYPE_CHECKING:
    from thymos.samples import Source
    from thymos.smell.signal import SmellState

POLL_S = 0.2


def guard(
    air: Annotated[str, typer.Argument(metavar="AIR", help="Recording of clean air, or a URI.")],
    out: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write: guard.npz.")],
    json: JsonOption = False,
) -> None:
    """Learn what a nose reads in clean air, so that it can tell when it needs calibration.

    Give a recording of hours in which nothing was wrong and the weather changed; a live nose is
    listened to until Ctrl-C. Then set perceive.drift_guard to the file: each window says so when
    clean air has left what it was.
    """
    from thymos.cli.smell_live import open_nose
    from thymos.perceive.smell_guard import learn_air
    from thymos.samples import gas_channels

    with stop_on_signals() as stop, open_nose(air if ":" in air else f"file:{air}") as source:
        spec = source.spec
        names = tuple(spec.channels[i] for i in gas_channels(spec))
        if source.live:
            stderr.print("learning from the air there is; Ctrl-C when it was long enough")
        made, rows = learn_air(_states(source, stop), names)
    made.save(out)
    if json:
        typer.echo(jsonlib.dumps({"file": str(out), "seconds_of_clean_air": rows}))
    else:
        typer.echo(f"{out}: from {rows} seconds of clean air; set perceive.drift_guard: {out}")


def _states(source: Source, stop: Event) -> Iterator[SmellState]:
    """What is known after each reading, until the end or Ctrl-C."""
    from thymos.config import PerceiveConfig
    from thymos.perceive.smell import SmellPerceiver

    nose = SmellPerceiver(PerceiveConfig(), keep=False)
    nose.start(source.spec)
    while not stop.is_set():
        try:
            sample = source.read(POLL_S)
        except EndOfStream:
            return
        if sample is None:
            continue
        nose.observe(sample)
        if nose.state is not None:
            yield nose.state
