"""Tasks for tests of `thymos.evaluate.runs.work`: importable, so workers can make them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from thymos.evaluate.runs.items import Answer, Item


class Fragile:
    """Answers every item; at `bad` its process dies as from a crash in native code."""

    def __init__(self, bad: str) -> None:
        self._bad = bad
        self.identity: Mapping[str, Any] = {"task": "fragile"}

    def answer(self, items: Sequence[Item]) -> list[Answer]:
        if any(item.key == self._bad for item in items):
            os._exit(9)
        return [Answer(item.key, {"joy": 1.0}) for item in items]

    def close(self) -> None:
        """Nothing to let go."""
