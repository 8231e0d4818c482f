"""Where calibration results are kept: one dated JSON file each, never overwritten.

    <folder>/<kind>/<device>/2026-11-23T045500Z.json

The file (`schema` thymos.calibration/1) holds what was measured, with which method, by which
version, on which device and how good it is, so that years later it can be told what it is worth.
The values lie at the top level beside these facts: who uses a result reads its keys and need not
know this module (`perceive.clean_air` is such a file).
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from pathlib import Path
from typing import Any

from thymos.errors import CalibrationError, NotCalibratedError
from thymos.samples import StreamSpec, serial_number
from thymos_drivers.camera import camera_serial
from thymos_drivers.listing import port_serial

SCHEMA = "thymos.calibration/1"
_FACTS = {"schema", "kind", "device", "made_at", "thymos_version", "method", "quality"}
_COMMANDS = {"camera-intrinsics": "camera", "enose-clean-air": "enose"}
_MAX_BYTES = 1_000_000
_STAMP = "%Y-%m-%dT%H%M%SZ"


MAX_AGE_DAYS: Mapping[str, float] = {
    "camera-intrinsics": 365,  # a lens stays unless it is refocused or knocked
    "av-sync": 90,  # changes with drivers, sizes and rates
    "clock": 30,  # oscillators age and follow the temperature
    "microphone": 180,
    "enose-clean-air": 7,  # metal oxide drifts for weeks
    "enose-climate": 90,
}
"""After so many days a result is shown as old; other kinds never are."""


def identity(spec: StreamSpec) -> str:
    """Under which name the calibrations of a device are kept: its serial number if it has one.

    A name or a path may belong to another device tomorrow, a serial number does not.
    """
    serial = serial_number(spec)
    if not serial and spec.device.startswith("/dev/video"):
        serial = camera_serial(spec.device)
    if not serial and spec.device.startswith("/dev/tty"):
        serial = port_serial(spec.device)
    return serial or spec.device or spec.name


def _now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc).replace(microsecond=0)


def _version() -> str:
    try:
        return version("thymos")
    except PackageNotFoundError:  # run from a bare checkout
        return "unknown"


@dataclass(frozen=True, slots=True)
class Calibration:
    """One result.

    Attributes:
        kind: What was calibrated, for example `enose-clean-air`.
        device: Of which device: name or serial number, as the stream's spec says.
        values: The result; JSON values, with units in the keys or beside them.
        method: How it was measured, one line.
        quality: Figures that tell how good it is.
        made_at: When, UTC, to the second.
        thymos_version: By which version.
    """

    kind: str
    device: str
    values: Mapping[str, Any]
    method: str
    quality: Mapping[str, Any] = field(default_factory=dict)
    made_at: dt.datetime = field(default_factory=_now)
    thymos_version: str = field(default_factory=_version)

    def age_days(self, now: dt.datetime | None = None) -> float:
        """Days since it was made."""
        return ((now or _now()) - self.made_at).total_seconds() / 86400

    @property
    def old(self) -> bool:
        """Whether it is older than results of its kind are trusted."""
        return self.age_days() > MAX_AGE_DAYS.get(self.kind, float("inf"))

    def to_json(self) -> str:
        """The text of its file.

        Raises:
            CalibrationError: A value is no JSON (a NaN, an array, an object).
        """
        clash = sorted(_FACTS & set(self.values))
        if clash:
            raise CalibrationError(f"a value may not be called '{clash[0]}'")
        data = {
            "schema": SCHEMA,
            "kind": self.kind,
            "device": self.device,
            "made_at": self.made_at.astimezone(dt.timezone.utc).isoformat(),
            "thymos_version": self.thymos_version,
            "method": self.method,
            "quality": dict(self.quality),
            **self.values,
        }
        try:
            return json.dumps(data, indent=2, sort_keys=True, allow_nan=False) + "\n"
        except (TypeError, ValueError) as err:
            raise CalibrationError(f"this calibration cannot be written as JSON: {err}") from err


class CalibrationStore:
    """A folder of calibrations.

    Args:
        folder: Where; None for the user's own (`$THYMOS_CALIBRATION`, else the platform's place).
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        if folder is None:
            folder = os.environ.get("THYMOS_CALIBRATION") or _default_folder()
        self.folder = Path(folder)

    def save(self, result: Calibration) -> Path:
        """Write a result under a new name, whole or not at all; return the file.

        Raises:
            CalibrationError: It cannot be written.
        """
        text = result.to_json()
        place = self._place(result.kind, result.device)
        stamp = result.made_at.astimezone(dt.timezone.utc).strftime(_STAMP)
        try:
            place.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", dir=place, prefix=".new-", encoding="utf-8", delete=False
            ) as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            try:
                return _give_name(Path(file.name), place, stamp)
            finally:
                Path(file.name).unlink()
        except OSError as err:
            raise CalibrationError(
                f"cannot write a calibration to '{place}': {err.strerror}",
                hint="choose another folder: THYMOS_CALIBRATION=…",
            ) from err

    def load(self, kind: str, device: str, *, max_age_days: float | None = None) -> Calibration:
        """Return the newest result of this kind for this device.

        Raises:
            CalibrationError: There is none, it is damaged, or it is older than `max_age_days`.
        """
        files = self.files(kind, device)
        if not files:
            raise NotCalibratedError(
                f"'{device}' has no calibration '{kind}' in {self.folder}",
                hint=f"make one: thymos calibrate {_COMMANDS.get(kind, kind)}",
            )
        result = read(files[-1])
        age = result.age_days()
        if max_age_days is not None and age > max_age_days:
            raise CalibrationError(
                f"the calibration '{kind}' of '{device}' is {age:.0f} days old "
                f"(at most {max_age_days:g})",
                hint="make a new one; the old file is kept",
            )
        return result

    def load_for(
        self, kind: str, *specs: StreamSpec, max_age_days: float | None = None
    ) -> Calibration:
        """Return the newest result for the device of a stream: by serial number, then by name.

        Args:
            kind: What was calibrated.
            specs: Of the device; of several for what is about several (camera, microphone).
            max_age_days: What is older is an error.

        Raises:
            CalibrationError: As `load`.
        """
        each = [dict.fromkeys((identity(s), s.device or s.name)) for s in specs]
        names = ["+".join(parts) for parts in product(*each)]
        there = (name for name in names if self.files(kind, name))
        return self.load(kind, next(there, names[0]), max_age_days=max_age_days)

    def path(self, result: Calibration) -> Path:
        """The file of a result that was loaded from here: the newest of its kind and device."""
        return self.files(result.kind, result.device)[-1]

    def files(self, kind: str, device: str) -> list[Path]:
        """All results of this kind for this device, oldest first."""
        return sorted(self._place(kind, device).glob("[0-9]*.json"), key=_order)

    def newest(self) -> list[Calibration]:
        """The newest result of every kind and device; damaged files are left out."""
        return [result for _, result, count in self.survey() if result is not None and count]

    def survey(self) -> list[tuple[Path, Calibration | None, int]]:
        """For every kind and device: the newest file that can be read, its result, how many.

        Where no file can be read, the newest of them with None.
        """
        out: list[tuple[Path, Calibration | None, int]] = []
        for place in sorted(self.folder.glob("*/*")):
            files = sorted(place.glob("[0-9]*.json"), key=_order, reverse=True)
            found: tuple[Path, Calibration | None] | None = None
            for path in files:
                try:
                    found = (path, read(path))
                except CalibrationError:
                    continue
                break
            if files:
                out.append((*(found or (files[0], None)), len(files)))
        return out

    def _place(self, kind: str, device: str) -> Path:
        return self.folder / _slug(kind) / _slug(device)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a device, for `thymos devices`.

    Attributes:
        device: Name or serial number; `a+b` if it is about two devices.
        kind: What was calibrated.
        age_days: How old the newest result is.
        old: Whether that is too old.
        text: What it says and what becomes of it, in a few words; empty for most kinds.
    """

    device: str
    kind: str
    age_days: float
    old: bool
    text: str = ""


def known() -> list[Known]:
    """The newest calibration of every kind and device in the user's store."""
    newest = CalibrationStore().newest()
    return [Known(c.device, c.kind, c.age_days(), c.old, _in_words(c)) for c in newest]


def _in_words(result: Calibration) -> str:
    """Of what is applied by itself: by how much, how sure, and whether it still is."""
    late_ms, skew_ppm = result.values.get("offset_ms"), result.quality.get("skew_ppm")
    if result.kind == "av-sync" and isinstance(late_ms, (int, float)):
        what = f"sound {-late_ms:+.0f} ms, confidence {result.quality.get('confidence')}"
    elif result.kind == "clock" and isinstance(skew_ppm, (int, float)):
        what = f"skew {skew_ppm:+.1f} ppm"
    else:
        return ""
    return f"{what}, {'not applied any more' if result.old else 'applied by thymos run'}"


def stored(kind: str, *specs: StreamSpec) -> Path:
    """The file of the newest result for the device of a stream, in the user's store.

    Args:
        kind: What was calibrated.
        specs: Of the device, or of several, see `CalibrationStore.load_for`.

    Raises:
        CalibrationError: There is none, it is damaged, or it is too old.
    """
    store = CalibrationStore()
    return store.path(store.load_for(kind, *specs, max_age_days=MAX_AGE_DAYS.get(kind)))


def read(path: Path | str) -> Calibration:
    """Read one file.

    Raises:
        CalibrationError: It is missing or no calibration.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise CalibrationError(f"'{path}' is too large for a calibration")
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise CalibrationError(f"cannot read '{path}': {err.strerror}") from err
    except (ValueError, RecursionError) as err:
        raise CalibrationError(f"'{path}' is not JSON", hint="make the calibration again") from err
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else None
        raise CalibrationError(
            f"'{path}' is not a calibration of this version (schema {found!r}, not {SCHEMA!r})"
        )
    try:
        made_at = dt.datetime.fromisoformat(data["made_at"])
        if made_at.tzinfo is None:
            raise ValueError("made_at names no time zone")
        made_at = made_at.astimezone(dt.timezone.utc)
        return Calibration(
            kind=str(data["kind"]),
            device=str(data["device"]),
            values={key: value for key, value in data.items() if key not in _FACTS},
            method=str(data["method"]),
            quality=dict(data["quality"]),
            made_at=made_at,
            thymos_version=str(data["thymos_version"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as err:
        raise CalibrationError(f"'{path}' lacks something: {err}") from err


def _give_name(new: Path, place: Path, stamp: str) -> Path:
    """Link a finished file to a name that nobody has; two in one second get numbers."""
    for n in range(1, 1000):
        target = place / (f"{stamp}.json" if n == 1 else f"{stamp}-{n:03d}.json")
        try:
            target.hardlink_to(new)
        except FileExistsError:
            continue
        return target
    raise CalibrationError(f"'{place}' has a thousand calibrations of one second")


def _order(path: Path) -> tuple[str, str]:
    """`…Z.json` before `…Z-002.json`."""
    stamp, _, number = path.stem.partition("Z")
    return stamp, number


def _slug(text: str) -> str:
    """A file name that keeps names apart: what is not plain is spelt out.

    With `~`, as it means nothing in a shell's middle, a URI or a YAML file.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]", lambda m: f"~{ord(m[0]):x}", text)[:150]
    return f"~{plain}" if plain.startswith(".") or not plain else plain


def _default_folder() -> Path:
    from platformdirs import user_data_path

    return user_data_path("thymos") / "calibration"
