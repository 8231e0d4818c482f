"""`thymos calibrate enose` and `enose-climate`."""

from __future__ import annotations

from typing import Annotated

import typer

from thymos_calibration.cli_common import JsonOption, progress, refusals, save, source, stderr
from thymos_calibration.enose import gather, measure
from thymos_calibration.enose_climate import fit


def enose(
    uri: Annotated[
        str, typer.Argument(help="The nose: serial:/dev/ttyUSB0, file:PATH, sim:", metavar="URI")
    ],
    seconds: Annotated[float, typer.Option(help="Length of the stretch of clean air.")] = 60.0,
    warm_up: Annotated[float, typer.Option(help="Seconds to leave out at the beginning.")] = 300.0,
    since_odour: Annotated[
        float | None, typer.Option(help="Seconds since the last odour, if there was one.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Measure the baseline of a nose in clean air (R0 of each channel).

    Refuses if the nose is not warm or not still, or if the last odour is less than 300 s ago.
    """
    with refusals(json):
        nose = source("enose", uri)
        with nose, progress("clean air") as told:
            result = measure(
                nose,
                seconds=seconds,
                warm_up_s=warm_up,
                since_exposure_s=since_odour,
                progress=told,
            )
        save(result, json=json, use="to use it, set perceive.clean_air: stored (or to this file)")


def enose_climate(
    uri: Annotated[
        str, typer.Argument(help="A recording of hours in clean air, or the nose.", metavar="URI")
    ],
    hours: Annotated[float, typer.Option(help="How long to watch a live nose.", min=0.5)] = 24.0,
    json: JsonOption = False,
) -> None:
    """Learn how temperature and humidity move each channel, and show what is left of it."""
    with refusals(json):
        with source("enose", uri) as nose, progress("changing air") as told:
            result = fit(nose.spec, gather(nose, hours * 3600, told))
        residual, before = result.quality["residual"], result.quality["uncompensated"]
        for name in result.values["channels"]:
            line = f"{name}: {before[name]:.1%} without, {residual[name]:.1%} with compensation"
            stderr.print(line, markup=False)
        for name in result.quality["left_out"]:
            stderr.print(f"{name}: does not follow the climate, left out", markup=False)
        save(result, json=json, use="from fifths of the time that were left out of the fit")
