"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

JsonOption = Annotated[
    bool, typer.Option("--json", help="JSON on stdout; everything else goes to stderr.")
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Settings file (YAML), see docs/configuration.md.")
]
BackendOption = Annotated[
    str | None,
    typer.Option(help="Reasoning: auto, llama (local language model) or rules (no model)."),
]
WindowOption = Annotated[float | None, typer.Option(help="Window length in seconds.")]
HopOption = Annotated[float | None, typer.Option(help="Seconds between windows.")]
CameraOption = Annotated[
    str | None,
    typer.Option(help="v4l2:/dev/video0, realsense:, file:PATH, sim:, off.", metavar="URI"),
]
MicrophoneOption = Annotated[
    str | None, typer.Option(help="portaudio:default, file:PATH, sim:, off.", metavar="URI")
]
EnoseOption = Annotated[
    str | None, typer.Option(help="serial:/dev/ttyUSB0, file:PATH, sim:, off.", metavar="URI")
]
