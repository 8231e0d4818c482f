"""`thymos doctor`: is everything here that a robot needs, and what to type if not."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from thymos.cli import checks
from thymos.cli.checks import Finding, Machine
from thymos.cli.devices import find_devices
from thymos.cli.options import JsonOption
from thymos.errors import ThymosError
from thymos.models import ModelStore

_STYLE = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def examine(*, verify: bool = False) -> list[Finding]:
    """Look at this computer.

    Args:
        verify: Hash all weights (seconds) instead of trusting sizes.
    """
    try:
        store: ModelStore | None = ModelStore()
        models = list(_models(store, verify=verify)) if store else []
    except ThymosError as err:
        store = None
        models = [Finding("models", "registry", "fail", str(err), err.hint)]
    folders = {"here": Path.cwd()}
    if store is not None:
        folders["models"] = store.cache
    machine = Machine.here(folders)
    return [
        *checks.check_python(machine),
        *checks.check_libraries(machine),
        *models,
        *checks.check_devices(find_devices()),
        *checks.check_permissions(machine),
        *checks.check_ros(machine),
        *checks.check_resources(machine),
    ]


def _models(store: ModelStore, *, verify: bool) -> Iterator[Finding]:
    optional = frozenset(name for name, role in store.registry.roles.items() if role.optional)
    hashed = store.verify() if verify else []
    yield from checks.check_models(store.status(), optional, hashed)


def doctor(
    verify: Annotated[bool, typer.Option("--verify", help="Hash all weights, not sizes.")] = False,
    json: JsonOption = False,
) -> None:
    """Check Python, libraries, models, devices, permissions, ROS, memory; say what to do.

    Exit code 1 if something fails; what is only missing (a warning) leaves it 0.
    """
    findings = examine(verify=verify)
    failed = any(finding.level == "fail" for finding in findings)
    if json:
        body = {"ok": not failed, "findings": [asdict(finding) for finding in findings]}
        typer.echo(jsonlib.dumps(body, indent=2))
    else:
        show(Console(highlight=False), findings)
    raise typer.Exit(1 if failed else 0)


def show(console: Console, findings: Sequence[Finding]) -> None:
    """Print findings by area, each with its remedy."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    area = ""
    for finding in findings:
        if finding.area != area:
            area = finding.area
            table.add_row(Text(area, style="bold"), "", "")
        text = Text(finding.text)
        if finding.remedy and finding.level != "ok":
            text.append(f"\n→ {finding.remedy}", style="bold")
        mark = Text(f"  {finding.level}", style=_STYLE[finding.level])
        table.add_row(mark, Text(finding.name), text)
    console.print(table)
    count = {level: sum(f.level == level for f in findings) for level in ("warn", "fail")}
    if count["fail"]:
        console.print(f"{count['fail']} must be put right, {count['warn']} missing", style="red")
    elif count["warn"]:
        console.print(f"works; missing or worth a look: {count['warn']} (see →)", style="yellow")
    else:
        console.print("all is well", style="green")
