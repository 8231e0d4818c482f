"""Where taught odours are kept: a small JSON file beside the calibrations of each nose.

    <calibrations>/enose-taught/<device>/odours.json      schema thymos.taught/2

The file is written anew as a whole and then renamed, so that a power cut leaves the old one or the
new one; `forget` leaves no trace. Files of version 1 know of no meanings; they are read, and
rewritten when something is taught.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from thymos.errors import CalibrationError, ThymosError
from thymos.samples import StreamSpec, serial_number
from thymos.smell.frame import F64
from thymos.smell.meaning.table import row_of
from thymos.smell.recognise.embed import WINDOW_BINS
from thymos.smell.recognise.guess import odour_name
from thymos.smell.recognise.taught import (
    MAX_BINS,
    MAX_ODOURS,
    MAX_SNIFFS,
    Taught,
    TaughtOdour,
    TaughtSniff,
)

SCHEMA = "thymos.taught/2"
_READS = ("thymos.taught/1", SCHEMA)
MAX_BIN_S = 3600.0
MAX_BYTES = 64_000_000


class TaughtStore:
    """The files of taught odours.

    Args:
        folder: Of the calibrations; None for the user's own (`$THYMOS_CALIBRATION`, else the
            platform's place), where those of `thymos calibrate` lie too.
    """

    def __init__(self, folder: Path | str | None = None) -> None:
        self.folder = Path(folder or os.environ.get("THYMOS_CALIBRATION") or _default_folder())

    def path(self, device: str) -> Path:
        """The file of a nose."""
        plain = re.sub(r"[^A-Za-z0-9._-]", lambda m: f"~{ord(m[0]):x}", device)[:150]
        plain = f"~{plain}" if plain.startswith(".") or not plain else plain
        return self.folder / "enose-taught" / plain / "odours.json"

    def load(self, nose: StreamSpec | str) -> Taught:
        """What a nose was taught; nothing if there is no file.

        Raises:
            CalibrationError: The file is damaged or of another version.
        """
        device = nose if isinstance(nose, str) else device_of(nose)
        return _read(self.path(device), device)

    def all(self, tell: Callable[[CalibrationError], None] | None = None) -> list[Taught]:
        """What every nose was taught; damaged files are left out, and told of."""
        found = []
        for path in sorted(self.folder.glob("enose-taught/*/odours.json")):
            try:
                found.append(_read(path, ""))
            except CalibrationError as err:
                if tell is not None:
                    tell(err)
        return found

    def teach(self, device: str, odour: TaughtOdour) -> Path:
        """Add an odour, or sniffs to one; return the file.

        Raises:
            CalibrationError: It cannot be written, there are too many, or it was taught with other
                channels.
        """
        with self._alone(device) as path:
            _write(path, _read(path, device).with_odour(odour))
        return path

    def mean(self, device: str, name: str, means: str) -> Path:
        """Say which row of the odour table an odour stands for; return the file.

        Raises:
            CalibrationError: It was never taught, or the file cannot be written.
        """
        self.load(device).check(name)  # before a folder is made for it
        with self._alone(device) as path:
            _write(path, _read(path, device).meaning(name, means))
        return path

    def forget(self, device: str, name: str) -> Path:
        """Erase an odour with all its sniffs; return the file.

        Raises:
            CalibrationError: It was never taught, or the file cannot be written.
        """
        self.load(device).check(name)  # before a folder is made for it
        with self._alone(device) as path:
            _write(path, _read(path, device).without(name))
        return path

    @contextlib.contextmanager
    def _alone(self, device: str) -> Iterator[Path]:
        """One writer at a time; what a killed writer left half written is swept up."""
        path = self.path(device)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with (path.parent / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                for left in path.parent.glob(".new-*"):
                    left.unlink(missing_ok=True)
                yield path
        except ThymosError:
            raise
        except OSError as err:
            raise CalibrationError(
                f"cannot write '{path}': {err.strerror}",
                hint="choose another folder: THYMOS_CALIBRATION=…",
            ) from err


def device_of(spec: StreamSpec) -> str:
    """Under which name the odours of a nose are kept: its serial number if it has one."""
    return serial_number(spec) or spec.device or spec.name


def now() -> str:
    """The date of teaching, UTC, to the second."""
    return dt.datetime.now(dt.timezone.utc).replace(microsecond=0).isoformat()


def _default_folder() -> Path:
    from platformdirs import user_data_path

    return user_data_path("thymos") / "calibration"


def _write(path: Path, taught: Taught) -> None:
    text = json.dumps(_as_json(taught), sort_keys=True) + "\n"  # ASCII: a name may be no text
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=".new-", encoding="utf-8", delete=False
    ) as file:
        new = Path(file.name)
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _as_json(taught: Taught) -> dict[str, Any]:
    def numbers(values: F64) -> list[float | None]:
        return [float(f"{v:.7g}") if np.isfinite(v) else None for v in values]

    odours = {
        o.name: {
            "channels": list(o.channels),
            "unit": o.unit,
            "taught_at": o.taught_at,
            "bin_s": o.bin_s,
            "means": o.means,
            "sniffs": [
                {
                    "air": None if s.air is None else numbers(s.air),
                    "bins": [numbers(row) for row in s.bins],
                }
                for s in o.sniffs
            ],
        }
        for o in taught.odours
    }
    return {"schema": SCHEMA, "device": taught.device, "odours": odours}


def _read(path: Path, device: str) -> Taught:
    hint = f"move '{path}' away and teach the odours again"
    try:
        if not path.exists():
            return Taught(device)
        if path.stat().st_size > MAX_BYTES:
            raise CalibrationError(f"'{path}' is too large for taught odours", hint=hint)
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict) or data.get("schema") not in _READS:
            raise CalibrationError(f"'{path}' holds no odours of this version", hint=hint)
        odours = [_odour(name, row) for name, row in sorted(data["odours"].items())]
        return Taught(str(data["device"]), tuple(odours[:MAX_ODOURS]))
    except CalibrationError:
        raise
    except OSError as err:
        raise CalibrationError(f"cannot read '{path}': {err.strerror}", hint=hint) from err
    except (ThymosError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as err:
        raise CalibrationError(f"'{path}' is damaged: {err}", hint=hint) from err


def _odour(name: str, row: dict[str, Any]) -> TaughtOdour:
    """One odour of the file; its name is text that anybody may have edited."""
    channels = tuple(str(c)[:80] for c in row["channels"])

    def numbers(values: list[float | None]) -> F64:
        out = np.array([np.nan if v is None else float(v) for v in values], dtype=np.float64)
        if out.shape != (len(channels),) or np.isinf(out).any():
            raise ValueError("a sniff has other channels than its odour")
        return out

    sniffs = []
    for sniff in row["sniffs"][:MAX_SNIFFS]:
        bins = np.array([numbers(r) for r in sniff["bins"][:MAX_BINS]])
        if len(bins) < WINDOW_BINS:
            raise ValueError("a sniff is too short")
        sniffs.append(TaughtSniff(bins, None if sniff["air"] is None else numbers(sniff["air"])))
    if not channels or not sniffs:
        raise ValueError("an odour has no sniffs")
    bin_s, when = float(row["bin_s"]), str(row["taught_at"])[:40]
    if not 0.0 < bin_s <= MAX_BIN_S:
        raise ValueError("its stretches have no length")
    if odour_name(name) != name:
        raise ValueError("the name of an odour is none")
    means = row_of(str(row["means"])).name if row.get("means") else ""
    return TaughtOdour(name, channels, str(row["unit"]), tuple(sniffs), when, bin_s, means)
