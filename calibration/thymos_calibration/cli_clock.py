"""`thymos calibrate clock`."""

from __future__ import annotations

from typing import Annotated

import typer

from thymos.devices import StreamRole
from thymos.errors import ConfigError
from thymos_calibration.cli_common import JsonOption, progress, refusals, save, source
from thymos_calibration.clock import measure

_ROLES: tuple[StreamRole, ...] = ("microphone", "enose", "camera")


def clock(
    role: Annotated[str, typer.Argument(help="microphone or enose")],
    uri: Annotated[
        str, typer.Argument(help="The device, or a recording of it.", metavar="URI|RECORDING")
    ],
    seconds: Annotated[float, typer.Option(help="How long to watch it.", min=1)] = 120.0,
    json: JsonOption = False,
) -> None:
    """Measure how fast a device's own clock runs, so that its stamps are good from the start."""
    with refusals(json):
        found = next((one for one in _ROLES if one == role), None)
        if found is None:
            raise ConfigError(f"'{role}' is no kind of device", hint=f"one of {', '.join(_ROLES)}")
        with source(found, uri) as device, progress("watching the clock") as told:
            result = measure(device, seconds=seconds, progress=told)
        quality = result.quality
        use = (
            f"skew {quality['skew_ppm']:+.1f} ± {quality['skew_uncertainty_ppm']:.1f} ppm, "
            f"offset to {quality['offset_uncertainty_ms']:.1f} ms; live runs begin with it"
        )
        save(result, json=json, use=use)
