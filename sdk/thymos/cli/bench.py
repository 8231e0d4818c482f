"""`thymos bench path`: how fast and how lossless the street is on this machine."""

from __future__ import annotations

import json as jsonlib
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from thymos.cli.options import BackendOption, ConfigOption, JsonOption
from thymos.cli.output import json_lines, stderr
from thymos.cli.settings import settings

app = typer.Typer(help="Measure the street on this machine.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure the street on this machine."""


@app.command()
def path(
    seconds: Annotated[int, typer.Option(min=8, help="How long to run live.")] = 60,
    folder: Annotated[Path | None, typer.Option(help="For the input files (reused).")] = None,
    backend: BackendOption = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """VGA 30 fps, 16 kHz sound and a 10 Hz nose in real time: latency, loss, memory.

    Exit code 0 whatever is reached: the table says what was promised.
    """
    import platformdirs

    from thymos.bench.figures import table
    from thymos.bench.path import measure

    chosen = settings(config, reason={"backend": backend})
    place = folder or platformdirs.user_cache_path("thymos") / "bench"

    def say(text: str) -> None:
        stderr.print(text, style="dim")

    if json:
        with json_lines() as out:
            figures = measure(place, seconds, chosen, say)
            out.write(jsonlib.dumps([asdict(figure) for figure in figures], indent=2) + "\n")
        return
    figures = measure(place, seconds, chosen, say)
    Console(highlight=False).print(table(figures, f"the path, {seconds} s in real time"))
