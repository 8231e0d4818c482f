"""Reads the encoder weights of a Whisper model in CTranslate2's `model.bin`.

The file (CTranslate2, `model_spec.py`, binary version 6): version, name, revision, number of
tensors; then for each a name, rank, sizes, type, bytes. All numbers are little-endian.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.errors import ModelError

_TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)

Array = NDArray[np.float32]


class _Reader:
    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def number(self, form: str) -> int:
        (value,) = struct.unpack_from("<" + form, self.content, self.at)
        self.at += struct.calcsize("<" + form)
        return int(value)

    def text(self) -> str:
        length = self.number("H")
        raw = self.content[self.at : self.at + length - 1]  # a zero byte ends it
        self.at += length
        return raw.decode()

    def tensor(self) -> NDArray[Any]:
        shape = [self.number("I") for _ in range(self.number("B"))]
        kind = np.dtype(_TYPES[self.number("B")])
        size = self.number("I")
        values = np.frombuffer(self.content, kind, size // kind.itemsize, self.at)
        self.at += size
        return values.reshape(shape)


def read_encoder(path: Path) -> dict[str, Array]:
    """Return the encoder's tensors in float32 by CTranslate2's names, `encoder/` left off.

    Raises:
        ModelError: The file is missing, of another format, or quantised to integers.
    """
    try:
        reader = _Reader(path.read_bytes())
        reader.number("I")
        name = reader.text()
        reader.number("I")
        tensors = {}
        for _ in range(reader.number("I")):
            key = reader.text()
            tensors[key] = reader.tensor()
    except (OSError, struct.error, IndexError, ValueError, UnicodeDecodeError) as err:
        raise ModelError(
            f"{path} is not a Whisper model in CTranslate2 format",
            hint="thymos models pull speech_encoder",
        ) from err
    weights = {k[8:]: v for k, v in tensors.items() if k.startswith("encoder/")}
    if name != "WhisperSpec" or weights["conv1/weight"].dtype.kind != "f":
        raise ModelError(f"{path} holds {name}, not a float Whisper model")
    return {k: v.astype(np.float32) for k, v in weights.items()}


def write_encoder(path: Path, weights: dict[str, Array], layers: int) -> None:
    """Save the first layers of an encoder as float16 `.npz`, to carry it somewhere."""
    keep: dict[str, Any] = {
        k: v.astype(np.float16)
        for k, v in weights.items()
        if not k.startswith("layer_") or k.startswith("layer_norm")
        or int(k.split("/")[0].split("_")[1]) < layers
    }  # fmt: skip
    np.savez_compressed(path, **keep)


def load_encoder(path: Path) -> dict[str, Array]:
    """Read encoder tensors from a CTranslate2 `model.bin` or from `write_encoder`'s `.npz`."""
    if path.suffix == ".npz":
        with np.load(path) as saved:
            return {k: saved[k].astype(np.float32) for k in saved}
    return read_encoder(path)
