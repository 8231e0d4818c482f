"""`thymos calibrate …`, found by the command line through the group `thymos.commands`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from thymos.devices import open_uri
from thymos.errors import ConfigError
from thymos_calibration.enose import measure
from thymos_calibration.store import CalibrationStore

app = typer.Typer(help="Measure once, save as a dated file, use by name.", no_args_is_help=True)


@app.callback()
def calibrate() -> None:
    """Measure once, save as a dated file, use by name."""


@app.command()
def enose(
    uri: Annotated[
        str, typer.Argument(help="The nose: serial:/dev/ttyUSB0, file:PATH, sim:", metavar="URI")
    ],
    seconds: Annotated[float, typer.Option(help="Length of the stretch of clean air.")] = 60.0,
    warm_up: Annotated[float, typer.Option(help="Seconds to leave out at the beginning.")] = 300.0,
    since_odour: Annotated[
        float | None, typer.Option(help="Seconds since the last odour, if there was one.")
    ] = None,
) -> None:
    """Measure the baseline of a nose in clean air (R0 of each channel).

    Refuses if the nose is not warm or not still, or if the last odour is less than 300 s ago.
    """
    stderr = Console(stderr=True, highlight=False)
    source = open_uri("enose", uri)
    if source is None:
        raise ConfigError("there is no nose at 'off'", hint="thymos devices")
    with source, Progress(console=stderr, transient=True) as bar:
        task = bar.add_task("clean air", total=1.0)
        result = measure(
            source,
            seconds=seconds,
            warm_up_s=warm_up,
            since_exposure_s=since_odour,
            progress=lambda share: bar.update(task, completed=share),
        )
    path = CalibrationStore().save(result)
    typer.echo(str(path))
    stderr.print(f"to use it, set perceive.clean_air: {path}", markup=False, soft_wrap=True)
