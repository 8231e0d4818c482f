"""`thymos smell …`: look at a nose, teach it, convert its files. One file a command."""

from __future__ import annotations

import typer

from thymos.cli import (
    smell_dataset,
    smell_files,
    smell_guard,
    smell_live,
    smell_memory,
    smell_teach,
)

app = typer.Typer(
    help="Electronic noses: watch one live, teach it an odour, check and convert recordings.",
    no_args_is_help=True,
)


@app.callback()
def smell() -> None:
    """Electronic noses: watch one live, teach it an odour, check and convert recordings."""


app.command()(smell_live.live)
app.command()(smell_memory.memory)
app.command()(smell_files.check)
app.command()(smell_files.convert)
app.command()(smell_dataset.dataset)
app.command()(smell_teach.teach)
app.command()(smell_teach.taught)
app.command()(smell_teach.forget)
app.command()(smell_guard.guard)
