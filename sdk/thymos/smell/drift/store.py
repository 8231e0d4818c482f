"""Learnt state on disk: one npz with a version, written whole or not at all."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.errors import CalibrationError

VERSION = 1
_MAX_BYTES = 256 << 20


def save_state(
    path: Path, kind: str, about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    """Write arrays and JSON facts beside each other.

    Raises:
        CalibrationError: It cannot be written there.
    """
    meta = json.dumps({"kind": kind, "version": VERSION, **about}, sort_keys=True)
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, meta=np.array(meta), **arrays)
    beside = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(content.getvalue())
        beside.replace(path)
    except OSError as err:
        raise CalibrationError(
            f"{path}: cannot be written ({err.strerror})",
            hint="choose another path, or make room (df shows how much there is)",
        ) from err
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)  # half written, if it is still there


def load_state(
    path: Path, kind: str, names: Sequence[str]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read what `save_state` wrote: facts and arrays.

    Raises:
        CalibrationError: It is missing, damaged, too large, or of another kind or version.
    """
    again = "learn it again, or restore the file from a copy"
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise CalibrationError(f"{path}: too large for a learnt state", hint=again)
        with np.load(path, allow_pickle=False) as stored:
            about = json.loads(str(stored["meta"]))
            arrays = {name: stored[name] for name in names}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as err:
        why = (isinstance(err, OSError) and err.strerror) or "it is damaged"
        raise CalibrationError(f"{path}: not a learnt state ({why})", hint=again) from err
    if not isinstance(about, dict) or about.get("kind") != kind or about.get("version") != VERSION:
        raise CalibrationError(f"{path}: not a {kind} of version {VERSION}", hint=again)
    if not all(np.isfinite(a).all() for a in arrays.values() if a.dtype.kind == "f"):
        raise CalibrationError(f"{path}: holds values that are no numbers", hint=again)
    return about, arrays
