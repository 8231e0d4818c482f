"""Tasks for tests of `thymos.evaluate.runs.work`: importable, so workers can make them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from thymos.evaluate.runs.items import Answer, Item


class Reads:
    """Answers with what stands in the file of an item."""

    def __init__(self) -> None:
        self.identity: Mapping[str, Any] = {"task": "reads"}

    def answer(self, items: Sequence[Item]) -> list[Answer]:
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Answer:
        try:
            return Answer(item.key, {Path(item.path).read_text("utf-8"): 1.0})
        except OSError as err:
            return Answer(item.key, error=str(err))

    def close(self) -> None:
        """Nothing to let go."""


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
