"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thymos.errors import ConfigError

JsonOption = Annotated[
    bool, typer.Option("--json", help="JSON on stdout; everything else goes to stderr.")
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Settings file (YAML), see docs/configuration.md.")
]
BackendOption = Annotated[
    str | None,
    typer.Option(help="Reasoning: auto, llama, transformers, openai or rules (docs/backends.md)."),
]
WindowOption = Annotated[float | None, typer.Option(help="Window length in seconds.")]
HopOption = Annotated[float | None, typer.Option(help="Seconds between windows.")]
TopicOption = Annotated[
    list[str] | None,
    typer.Option(
        "--topic",
        metavar="STREAM=TOPIC",
        help="Which topic of a recording is which stream, camera=/front/image_raw; repeat it.",
    ),
]
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


def chosen_topics(given: list[str] | None) -> dict[str, str] | None:
    """`--topic STREAM=TOPIC` as a mapping; None if there is none.

    Raises:
        ConfigError: One is not of that form, or a stream is given twice.
    """
    if not given:
        return None
    found: dict[str, str] = {}
    for text in given:
        stream, _, topic = text.partition("=")
        if not stream.strip() or not topic.strip() or stream.strip() in found:
            raise ConfigError(
                f"--topic {text}: one topic for each stream, as STREAM=TOPIC",
                hint="for example: --topic camera=/front/image_raw",
            )
        found[stream.strip()] = topic.strip()
    return found
