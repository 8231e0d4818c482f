"""`thymos calibrate …`, found by the command line through the group `thymos.commands`."""

from __future__ import annotations

import typer

from thymos_calibration import (
    cli_av,
    cli_camera,
    cli_clock,
    cli_microphone,
    cli_nose,
    cli_show,
)

app = typer.Typer(help="Measure once, save as a dated file, use by name.", no_args_is_help=True)


@app.callback()
def calibrate() -> None:
    """Measure once, save as a dated file, use by name."""


app.command("list")(cli_show.list_all)
app.command("show")(cli_show.show)
app.command("camera")(cli_camera.camera)
app.command("av-sync")(cli_av.av_sync)
app.command("clock")(cli_clock.clock)
app.command("microphone")(cli_microphone.microphone)
app.command("enose")(cli_nose.enose)
app.command("enose-climate")(cli_nose.enose_climate)
