"""`thymos calibrate av-sync`."""

from __future__ import annotations

import json as jsonlib
from dataclasses import asdict
from enum import Enum
from typing import Annotated

import typer

from thymos.errors import CalibrationError, ConfigError
from thymos_calibration.av_observe import observe
from thymos_calibration.av_sync import AvOffset, calibration, offset
from thymos_calibration.cli_common import JsonOption, progress, refusals, save, source, stderr


class By(str, Enum):
    """What to go by."""

    AUTO = "auto"
    TALKING = "talking"
    EVENTS = "events"


def av_sync(
    recording: Annotated[
        str | None,
        typer.Argument(help="Film or recording with picture and sound; none for live devices."),
    ] = None,
    camera: Annotated[str | None, typer.Option(help="Camera URI, live.", metavar="URI")] = None,
    microphone: Annotated[
        str | None, typer.Option(help="Microphone URI, live.", metavar="URI")
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long to watch live devices.", min=5)] = 20.0,
    by: Annotated[By, typer.Option(help="Claps or flashes, a talking face, or either.")] = By.AUTO,
    max_offset: Annotated[
        float, typer.Option(help="Largest offset looked for, ms.", min=50, max=2000)
    ] = 800.0,
    json: JsonOption = False,
) -> None:
    """Measure how much later the sound is stamped than the picture.

    From a person talking to the camera for 15 s, or from eight uneven claps (or flashes with a
    click) in view. Gives no answer rather than a doubtful one.
    """
    with refusals(json):
        if (recording is None) == (camera is None and microphone is None):
            raise ConfigError(
                "name a recording, or a camera and a microphone",
                hint="thymos calibrate av-sync talk.mp4",
            )
        if recording is None and (camera is None or microphone is None):
            raise ConfigError("both --camera and --microphone are needed", hint="thymos devices")
        picture = source("camera", recording or camera or "")
        sound = source("microphone", recording or microphone or "")
        live = recording is None
        if live:
            stderr.print("talk to the camera, or clap eight times, unevenly …")
        with progress("watching and listening") as told:
            seen = observe(
                picture,
                sound,
                faces=by is not By.EVENTS,
                seconds=seconds if live else None,
                progress=told,
            )
        found = offset(seen, method=by.value, max_offset_s=max_offset / 1000)
    if not found.answered:
        if json:
            typer.echo(jsonlib.dumps(asdict(found)))
        raise CalibrationError(f"no offset: {found.reason}", hint=found.hint)
    result = calibration(seen, found)
    save(result, json=json, use=_told(found))


def _told(found: AvOffset) -> str:
    assert found.offset_ms is not None  # noqa: S101
    way = "after" if found.offset_ms >= 0 else "before"
    return (
        f"the sound comes {abs(found.offset_ms):.0f} ± {found.uncertainty_ms:.0f} ms {way} the "
        f"picture (by {found.method}, confidence {found.confidence:.2f}); "
        "thymos run applies it to this camera and microphone, unless sources.offset_ms names one"
    )
