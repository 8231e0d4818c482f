"""`thymos calibrate list` and `show`."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from thymos.errors import CalibrationError
from thymos.report.html import clean
from thymos_calibration.cli_common import JsonOption, as_json, refusals
from thymos_calibration.store import MAX_AGE_DAYS, CalibrationStore, read


def list_all(json: JsonOption = False) -> None:
    """List the newest calibration of every device, with its age."""
    store = CalibrationStore()
    found = store.survey()
    if json:
        rows = [
            {"file": str(path), "versions": count, "damaged": True}
            if result is None
            else as_json(path, result) | {"versions": count}
            for path, result, count in found
        ]
        typer.echo(jsonlib.dumps(rows, indent=2))
        return
    console = Console(highlight=False)
    if not found:
        console.print(f"no calibrations in {store.folder}", markup=False, soft_wrap=True)
        return
    table = Table("kind", "device", "age", "versions", "file", box=None, pad_edge=False)
    for path, result, count in found:
        if result is None:
            row = (path.parent.parent.name, path.parent.name, "damaged", str(count), path.name)
        else:
            age = f"{result.age_days():.0f} days{', old' if result.old else ''}"
            row = (result.kind, result.device, age, str(count), path.name)
        style = "yellow" if result is None or result.old else ""
        table.add_row(*(Text(clean(cell), style=style) for cell in row))
    console.print(table)
    console.print(f"in {store.folder}", markup=False, style="dim", soft_wrap=True)


def show(
    kind: Annotated[str, typer.Argument(help="Kind, for example av-sync; or a file.")],
    device: Annotated[str | None, typer.Argument(help="Name or serial number.")] = None,
    json: JsonOption = False,
) -> None:
    """Show one calibration: the newest of a kind and device, or a file."""
    with refusals(json):
        store = CalibrationStore()
        path = Path(kind) if Path(kind).is_file() else _newest(store, kind, device)
        result = read(path)
    if json:
        typer.echo(jsonlib.dumps(as_json(path, result), indent=2))
        return
    limit = MAX_AGE_DAYS.get(result.kind)
    until = f" (trusted for {limit:.0f} days)" if limit else ""
    old = ", OLD: make a new one" if result.old else ""
    typer.echo(f"{clean(result.kind)} of {clean(result.device)}")
    typer.echo(f"file     {path}")
    typer.echo(f"made     {result.made_at.isoformat()} by Thymos {clean(result.thymos_version)}")
    typer.echo(f"age      {result.age_days():.1f} days{until}{old}")
    typer.echo(f"method   {clean(result.method)}")
    typer.echo(f"values   {clean(jsonlib.dumps(dict(result.values), sort_keys=True))}")
    typer.echo(f"quality  {clean(jsonlib.dumps(dict(result.quality), sort_keys=True))}")


def _newest(store: CalibrationStore, kind: str, device: str | None) -> Path:
    if device is not None:
        files = store.files(kind, device)
        if not files:
            store.load(kind, device)  # says what is missing and how to make it
        return files[-1]
    found = [path for path, result, _ in store.survey() if result and result.kind == kind]
    if len(found) != 1:
        kinds = "no calibration" if not found else f"{len(found)} devices have a calibration"
        raise CalibrationError(f"{kinds} '{kind}'", hint="thymos calibrate list")
    return found[0]
