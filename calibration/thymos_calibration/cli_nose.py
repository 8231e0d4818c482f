"""`thymos calibrate enose`: clean air."""

from __future__ import annotations

from typing import Annotated

import typer

from thymos_calibration.cli_common import JsonOption, progress, refusals, save, source
from thymos_calibration.enose import measure


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
        save(result, json=json, use="to use it, set perceive.clean_air to this file")
