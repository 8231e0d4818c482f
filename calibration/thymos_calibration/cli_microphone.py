"""`thymos calibrate microphone`."""

from __future__ import annotations

from typing import Annotated

import typer

from thymos.errors import ConfigError
from thymos_calibration.cli_common import JsonOption, progress, refusals, save, source, stderr
from thymos_calibration.microphone import (
    as_calibration,
    latency,
    listen,
    noise_floor,
    sensitivity,
)
from thymos_calibration.speaker import PortAudioSpeaker


def microphone(
    uri: Annotated[str, typer.Argument(help="portaudio:NAME, or a recording.", metavar="URI")],
    seconds: Annotated[float, typer.Option(help="How long to listen to silence.", min=2)] = 10.0,
    spl: Annotated[
        float | None, typer.Option(help="Then hear a sound calibrator of so many dB SPL (94).")
    ] = None,
    loopback: Annotated[
        bool, typer.Option("--loopback", help="Then play chirps and hear them: latency.")
    ] = False,
    speaker: Annotated[str, typer.Option(help="Output device by name.")] = "",
    json: JsonOption = False,
) -> None:
    """Measure noise floor and clipping in silence; gain and latency if asked for."""
    with refusals(json):
        with source("microphone", uri) as mic:
            if loopback and not mic.live:
                raise ConfigError(
                    "a recording hears no loudspeaker", hint="--loopback needs a live microphone"
                )
            stderr.print("silence, please …")
            with progress("listening") as told:
                heard = listen(mic, seconds, told)
            values = noise_floor(heard)
            if spl is not None:
                typer.confirm("calibrator on and over the microphone?", abort=True, err=True)
                values |= sensitivity(listen(mic, 3.0), spl)
            if loopback:
                with PortAudioSpeaker(speaker, heard.rate) as out, progress("chirps") as told:
                    values |= latency(mic, out, progress=told)
            result = as_calibration(mic, values, heard)
        late = values.get("loop_latency_ms")
        use = f"noise floor {values['noise_dbfs']} dBFS"
        use += f", latency of the whole loop {late} ms" if late is not None else ""
        save(result, json=json, use=use)
