"""`thymos devices`: what is plugged in, as URIs that `thymos run` takes."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from thymos.cli.options import JsonOption
from thymos.cli.output import stderr
from thymos.devices import ROLES, schemes
from thymos.errors import ThymosError
from thymos.report.html import clean

GROUP = "thymos.listing"
"""Entry points named `camera`, `microphone`, `enose` (or anything that begins so and a dot)."""
CALIBRATIONS = "thymos.calibrations"
"""Entry points that tell what was calibrated: functions that return a list of `Known`."""


class Listed(Protocol):
    """What a listing function returns for each device."""

    uri: str
    name: str
    detail: str
    usable: bool
    remedy: str


class Known(Protocol):
    """One calibration; `device` is a name or serial number, `a+b` if it is about two devices."""

    device: str
    kind: str
    age_days: float
    old: bool
    text: str


@dataclass(frozen=True, slots=True)
class Device:
    """One device, or one driver that could not look.

    Attributes:
        role: `camera`, `microphone` or `enose`.
        uri: What to give to `thymos run`; empty if a driver could not look.
        name: What people call it.
        detail: Sizes, rates, serial number …
        usable: Whether this user can open it now.
        remedy: What to do if not.
        calibrations: What was calibrated and how old that is: `clock 40 d, old`,
            `av-sync 3 d (sound -170 ms, confidence 0.89, applied by thymos run)`.
        controls: What may be changed while it runs: `gain 10 (0 to 255)`.
    """

    role: str
    uri: str
    name: str
    detail: str = ""
    usable: bool = True
    remedy: str = ""
    calibrations: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()


def find_devices(points: Sequence[EntryPoint] | None = None) -> list[Device]:
    """Ask every listing; one that fails is told as a row and hides no other."""
    found: list[Device] = []
    listings = entry_points(group=GROUP) if points is None else points
    for point in sorted(listings, key=lambda p: (_role_order(p.name), p.name)):
        role = point.name.partition(".")[0]
        try:
            look: Callable[[], Sequence[Listed]] = point.load()
            found += [_device(role, one) for one in look()]
        except ThymosError as err:
            found.append(Device(role, "", point.name, clean(str(err)), False, clean(err.hint)))
        except Exception as err:  # noqa: BLE001  a broken driver must not hide the other devices
            why = f"cannot look: {type(err).__name__}: {err}"
            found.append(Device(role, "", point.name, clean(why), False, "thymos doctor"))
    known = _calibrations()
    return [replace(device, calibrations=_of(device, known)) for device in found]


def _calibrations() -> list[Known]:
    """All that is known; a store that cannot be read hides no device."""
    out: list[Known] = []
    for point in entry_points(group=CALIBRATIONS):
        try:
            out += point.load()()
        except Exception as err:  # noqa: BLE001
            stderr.print(f"calibrations: {type(err).__name__}: {err}", markup=False)
    return out


def _of(device: Device, known: Sequence[Known]) -> tuple[str, ...]:
    """What is known of one device, by its name, path or serial number."""
    path = device.uri.partition(":")[2].partition("?")[0]
    serial = device.detail.partition("serial ")[2].partition(",")[0]
    names = {device.name, path, serial} - {""}
    return tuple(
        f"{clean(one.kind)} {one.age_days:.0f} d{', old' if one.old else ''}"
        + (f" ({clean(one.text)})" if one.text else "")
        for one in known
        if names & {one.device, *one.device.split("+")}
    )


def _role_order(name: str) -> int:
    role = name.partition(".")[0]
    return list(ROLES).index(role) if role in ROLES else len(ROLES)


def _device(role: str, one: Listed) -> Device:
    uri, name, detail, remedy = (clean(t) for t in (one.uri, one.name, one.detail, one.remedy))
    controls = tuple(clean(text) for text in getattr(one, "controls", ()))
    return Device(role, uri, name, detail, bool(one.usable), remedy, controls=controls)


def devices(json: JsonOption = False) -> None:
    """List cameras, microphones and electronic noses as URIs for `thymos run`."""
    found = find_devices()
    if json:
        keys = ("role", "uri", "name", "detail", "usable", "remedy", "calibrations", "controls")
        typer.echo(jsonlib.dumps([{k: getattr(d, k) for k in keys} for d in found], indent=2))
        return
    console = Console(highlight=False)
    table = Table("", "URI", "name", "detail", "calibrated", box=None, pad_edge=False)
    for device in found:
        style = "" if device.usable else "yellow"
        calibrated = "; ".join(device.calibrations) or ("no" if device.uri else "")
        cells = (device.role, device.uri, device.name, device.detail, calibrated)
        table.add_row(*(Text(cell, style=style) for cell in cells))
    if found:
        console.print(table)
    for device in found:
        if device.controls:
            text = f"{device.uri}?set=…: {'; '.join(device.controls)}"
            console.print(text, markup=False, style="dim")
    for device in found:
        if device.remedy:
            console.print(f"{device.uri or device.name}: {device.remedy}", markup=False)
    for role in ROLES:
        if not any(d.role == role and d.uri for d in found):
            always = [s for s in ("file", "sim") if s in schemes(role)]
            instead = " or ".join(f"{s}:PATH" if s == "file" else f"{s}:" for s in always)
            console.print(f"no {role} is plugged in; without one: {instead or 'off'}", style="dim")
