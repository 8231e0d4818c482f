"""`thymos models list|pull|verify`: which weights there are, get them, check them."""

from __future__ import annotations

import json as jsonlib
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from thymos.cli.options import JsonOption
from thymos.cli.output import stderr
from thymos.models import ModelStore, Progress, RoleStatus

app = typer.Typer(
    help="Weights by role: what is here, fetch what is missing, check sha256.",
    no_args_is_help=True,
)

_STYLE = {
    "present": "green",
    "installed": "green",
    "missing": "yellow",
    "not installed": "yellow",
    "damaged": "red",
}


@app.command("list")
def list_models(json: JsonOption = False) -> None:
    """List every role: what it is, whether it is here, and how to get it."""
    store = ModelStore()
    found = store.status()
    if json:
        typer.echo(jsonlib.dumps([_plain(status) for status in found], indent=2))
        return
    table = Table("role", "state", "size", "what", "licence", box=None, pad_edge=False)
    for status in found:
        table.add_row(
            Text(status.role),
            Text(status.state, style=_STYLE[status.state]),
            size(status.size),
            Text(status.title),
            Text(status.licence, style="dim"),
        )
    console = Console(highlight=False)
    console.print(table)
    console.print(f"cache: {store.cache}", style="dim", markup=False, soft_wrap=True)
    for hint in dict.fromkeys(s.hint for s in found if s.hint and not _optional(store, s)):
        console.print("next:", hint, markup=False)


@app.command()
def pull(
    role: Annotated[
        str, typer.Argument(help="A role, or all: everything that belongs to the defaults.")
    ] = "all",
    json: JsonOption = False,
) -> None:
    """Fetch what is missing or damaged; nothing enters the cache before its sha256 is right."""
    store = ModelStore()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
        task = bar.add_task("models", total=None)

        def tell(progress: Progress) -> None:
            line = f"{progress.role}: {progress.text}"
            if progress.done:
                bar.console.print(line, markup=False)
            elif stderr.is_terminal:
                bar.update(task, description=line)

        fetched = store.pull(role, tell)
    if json:
        typer.echo(jsonlib.dumps({"fetched": fetched, "cache": str(store.cache)}))
    elif not fetched:
        stderr.print("nothing to fetch, all is here")


@app.command()
def verify(
    role: Annotated[str, typer.Argument(help="A role, or all that is here.")] = "all",
    json: JsonOption = False,
) -> None:
    """Hash what is here and compare; exit code 1 if a file is not what it should be."""
    checks = ModelStore().verify(role)
    if json:
        typer.echo(jsonlib.dumps([asdict(check) for check in checks], indent=2))
    else:
        for check in checks:
            verdict = "ok" if check.ok else f"WRONG, found sha256 {check.found}"
            typer.echo(f"{check.role}/{check.file}: {verdict}")
        if not checks:
            stderr.print("no model is here yet; next: thymos models pull")
    bad = sorted({check.role for check in checks if not check.ok})
    if bad:
        stderr.print(f"next: thymos models pull {bad[0]}", markup=False)
        raise typer.Exit(1)


def size(count: int) -> str:
    """Bytes as people read them; empty for none."""
    if not count:
        return ""
    return f"{count / 2**20:.0f} MiB" if count >= 2**20 else f"{count / 2**10:.0f} KiB"


def _optional(store: ModelStore, status: RoleStatus) -> bool:
    return store.registry.roles[status.role].optional


def _plain(status: RoleStatus) -> dict[str, object]:
    return {**asdict(status), "path": str(status.path) if status.path else None}
