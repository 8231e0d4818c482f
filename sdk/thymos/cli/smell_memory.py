"""`thymos smell memory`: what the robot remembers of smells, and how to make it forget."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from thymos.cli.options import ConfigOption, JsonOption
from thymos.cli.settings import settings
from thymos.errors import ConfigError


def memory(
    name: Annotated[
        str | None, typer.Argument(help="One odour only, by its name in the odour table.")
    ] = None,
    erase: Annotated[
        bool, typer.Option("--erase", help="Forget NAME; without a name, everything.")
    ] = False,
    file: Annotated[
        Path | None, typer.Option(help="The memory; without it that of the settings.")
    ] = None,
    config: ConfigOption = None,
    json: JsonOption = False,
) -> None:
    """Show what usually accompanies a smell here, or erase it.

    Only counts are kept, and only if `smell.remember` is set: no faces, voices, words or names.
    """
    from thymos.smell.meaning.memory import OdourMemory, default_file, shown
    from thymos.smell.meaning.table import meaning_of

    chosen = settings(config).smell
    path = file or (Path(chosen.memory).expanduser() if chosen.memory else default_file())
    if erase and name is None:
        _erase_all(path, json=json)
        return
    held = OdourMemory(path)
    if name is not None:
        odour = meaning_of(name).name or name
        if odour not in held.odours:
            raise ConfigError(
                f"nothing is remembered of '{name}'", hint="see what is: thymos smell memory"
            )
        if erase:
            held.erase(odour)
            _say({"erased": [odour]}, f"forgotten: {odour}", json=json)
            return
        held.odours = {odour: held.odours[odour]}
    rows = shown(held)
    if json:
        told = [
            {"odour": odour, "episodes": round(n, 2), "came_with": dict(kinds)}
            for odour, n, kinds in rows
        ]
        typer.echo(jsonlib.dumps({"file": str(path), "remember": chosen.remember, "odours": told}))
        return
    state = "on" if chosen.remember else "off (set smell.remember: true to switch it on)"
    typer.echo(f"remembering is {state}; {path}")
    if not rows:
        typer.echo("nothing is remembered")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("odour", "episodes that count", "came with"):
        table.add_column(heading)
    for odour, n, kinds in rows:
        table.add_row(odour, f"{n:.1f}", ", ".join(f"{k} {share:.0%}" for k, share in kinds))
    Console().print(table)


def _erase_all(path: Path, *, json: bool) -> None:
    """Works on a damaged file too: it is removed unread."""
    from thymos.smell.meaning.memory import erase_file

    there = erase_file(path)
    done = "all is forgotten" if there else "there was nothing to forget"
    _say({"erased": "all" if there else "nothing", "file": str(path)}, done, json=json)


def _say(data: dict[str, object], text: str, *, json: bool) -> None:
    typer.echo(jsonlib.dumps(data) if json else text)
