"""`thymos recover`: a recording that a crash cut off, made whole again."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from thymos.cli.options import JsonOption
from thymos.cli.output import stderr
from thymos.record.recover import Recovered


def recover(
    file: Annotated[Path, typer.Argument(metavar="FILE.mcap.part", help="Any MCAP, torn or not.")],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="The new file; by default FILE.mcap for FILE.mcap.part."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Make a whole, indexed MCAP of one that was cut off or damaged; the input is only read."""
    from thymos.record.recover import recover as salvage

    found = salvage(file, out)
    if json:
        typer.echo(jsonlib.dumps(_facts(found), sort_keys=True))
        return
    if found.path is None:
        stderr.print(
            f"{file}: nothing to repair, {found.messages} messages", markup=False, soft_wrap=True
        )
        return
    table = Table("topic", "type", "messages", "seconds", title="kept")
    for name, kept in found.kept.items():
        table.add_row(name, kept.msgtype, str(kept.messages), f"{kept.seconds:.2f}")
    Console(highlight=False).print(table)
    for line in found.lost or ["nothing; only the index was missing"]:
        stderr.print(f"lost: {line}", markup=False, soft_wrap=True)
    stderr.print(
        f"wrote {found.path}: {found.messages} messages, {found.seconds:.2f} s",
        markup=False,
        soft_wrap=True,
    )


def _facts(found: Recovered) -> dict[str, object]:
    return {
        "source": str(found.source),
        "path": None if found.path is None else str(found.path),
        "kept": {n: {"messages": k.messages, "seconds": k.seconds} for n, k in found.kept.items()},
        "lost": found.lost,
        "lost_bytes": found.lost_bytes,
    }
