"""What a nose knows of its clean air, kept over a restart.

A JSON file with a version, written whole or not at all. Kept are the baseline with its provenance,
the air it was taken in, and what was learnt of the climate. Not kept is the phase: nobody knows
what the air did in between, so the 300 s of clean air before a re-zero begin anew, and stamps of
the old run, whose clock may have been another, are dropped.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from thymos.errors import CalibrationError
from thymos.smell.frame import F64, BaselineAir
from thymos.smell.signal.baseline import Baseline
from thymos.smell.signal.chain import SmellSignal
from thymos.smell.signal.climate import Air

SCHEMA = "thymos.smell-state/1"
MAX_BYTES = 1_000_000
_HINT = "delete the file: the nose then finds clean air anew"


def save(signal: SmellSignal, path: Path | str) -> bool:
    """Write what a nose knows; False if it knows nothing yet.

    Raises:
        CalibrationError: The file cannot be written; the old one is whole.
    """
    if signal.baseline.level is None:
        return False
    path = Path(path)
    text = json.dumps(_data(signal), indent=1, allow_nan=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as err:
        raise CalibrationError(
            f"cannot keep the state of the nose in '{path}': {err.strerror}",
            hint="choose another file",
        ) from err
    return True


def load(signal: SmellSignal, path: Path | str) -> None:
    """Give a nose that has just been started what it knew before.

    Raises:
        CalibrationError: The file cannot be read, is damaged, of another version or another nose.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CalibrationError(f"'{path}' is too large for the state of a nose", hint=_HINT)
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as err:
        raise CalibrationError(f"cannot read '{path}': {err.strerror}") from err
    except (ValueError, RecursionError) as err:
        raise CalibrationError(f"'{path}' is no state of a nose", hint=_HINT) from err
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else None
        raise CalibrationError(
            f"'{path}' is no state of this version (schema {found!r}, not {SCHEMA!r})", hint=_HINT
        )
    if data.get("channels") != list(signal.names) or data.get("unit") != signal.unit:
        raise CalibrationError(f"'{path}' is the state of another nose", hint=_HINT)
    try:
        _restore(signal, data)
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as err:
        raise CalibrationError(f"'{path}' is damaged: {err}", hint=_HINT) from err


def _data(signal: SmellSignal) -> dict[str, Any]:
    base, learner, air = signal.baseline, signal.learner, signal.reference
    assert base.level is not None  # noqa: S101
    known = base.air
    return {
        "schema": SCHEMA,
        "channels": list(signal.names),
        "unit": signal.unit,
        "baseline": {
            "values": _plain(base.level),
            "spread": _plain(base.noise),
            "how": base.how,
            "measured": base.measured,
            "readings": known.readings if known is not None else 0,
        },
        "air": None if air is None else [air.temperature, air.humidity],
        "climate": None if learner is None else learner.dump(),
    }


def _restore(signal: SmellSignal, data: dict[str, Any]) -> None:
    row, width = data["baseline"], len(signal.names)
    values, spread = _array(row["values"], width), _array(row["spread"], width)
    known = BaselineAir(values, spread, None, str(row["how"]), int(row["readings"]))
    base = Baseline(width, signal.unit, known)
    base.measured = bool(row["measured"])
    air = data["air"]
    reference = None if air is None else Air(*(_number(v) for v in air))
    if signal.learner is not None and data["climate"] is not None:
        signal.learner.restore(data["climate"])
    signal.take_baseline(base, reference)


def _plain(values: F64) -> list[float | None]:
    return [float(v) if math.isfinite(v) else None for v in values]


def _array(values: Any, width: int) -> F64:
    row = np.array([np.nan if v is None else _number(v) for v in values], dtype=np.float64)
    if row.shape != (width,):
        raise ValueError(f"{len(row)} values for {width} channels")
    return row


def _number(value: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(float(value)):
        raise ValueError(f"{value!r} is no number")
    return float(value)
