"""Arrays over shared memory that keep it alive."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np


class Chunk:
    """Memory as numpy sees it: the base of every array made from it, and of the views of those.

    When the last of them is gone, the chunk is given back. An array made of a chunk that is not
    writable can never be made writable.

    Args:
        owner: What holds the memory.
        address: Of the first byte.
        shape: Of the array.
        dtype: Of the array.
        held: Has one entry for each chunk that is held.
    """

    __slots__ = ("__array_interface__", "_held", "_owner")

    def __init__(
        self,
        owner: Any,
        address: int,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        *,
        writable: bool = False,
        held: deque[None] | None = None,
    ) -> None:
        self._owner = owner
        self._held = held
        self.__array_interface__ = {
            "shape": shape,
            "typestr": dtype.str,
            "data": (address, not writable),
            "version": 3,
        }
        if held is not None:
            held.append(None)

    def __del__(self) -> None:
        # Runs in any thread, perhaps within a garbage collection: no lock here, and `pop` of a
        # deque is atomic.
        self._owner = None
        if self._held is not None:
            self._held.pop()
