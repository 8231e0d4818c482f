"""Files of fitted models: arrays with their facts, small, checked, without pickle.

The same model gives the same bytes, so that a SHA-256 tells whether a file is the released one.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from thymos.errors import ModelError

M = TypeVar("M")
Arrays = dict[str, NDArray[Any]]

MAX_BYTES = 2_000_000
HINT = "thymos train enose DATA --out DIR makes it anew"


def write(path: Path, schema: str, facts: Mapping[str, Any], arrays: Mapping[str, Any]) -> str:
    """Write a model and return the SHA-256 of its file.

    Args:
        path: The file.
        schema: What kind of model it is, with its version: `thymos.odours/1`.
        facts: Whatever JSON holds.
        arrays: By name, in the order of the file, each in the precision that is kept.
    """
    text = json.dumps({"schema": schema, **facts}, sort_keys=True, ensure_ascii=False).encode()
    data = io.BytesIO()
    np.savez_compressed(data, facts=np.frombuffer(text, dtype=np.uint8), **arrays)
    path.write_bytes(data.getvalue())
    return hashlib.sha256(data.getvalue()).hexdigest()


def read(path: Path, schema: str, sha256: str, build: Callable[[dict[str, Any], Arrays], M]) -> M:
    """Read a model.

    Args:
        path: The file.
        schema: What it must say it is.
        sha256: What it must be; empty for a file of one's own.
        build: Makes the model of facts and arrays; whatever it raises means a damaged file.

    Raises:
        ModelError: It is missing, damaged, not the file it should be, or of another version.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(f"'{path}' is too large for such a model", hint=HINT)
        data = path.read_bytes()
        if sha256 and hashlib.sha256(data).hexdigest() != sha256:
            raise ModelError(f"'{path}' is not the model that was released", hint=HINT)
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        facts = json.loads(bytes(arrays.pop("facts")))
        if facts.pop("schema") != schema:
            raise ValueError(f"its schema is not {schema}")
        return build(facts, arrays)
    except OSError as err:
        raise ModelError(f"cannot read '{path}': {err.strerror}", hint=HINT) from err
    except ModelError:
        raise
    except Exception as err:  # zip and npy let out a dozen kinds for damaged files
        raise ModelError(f"'{path}' is damaged: {err}", hint=HINT) from err
