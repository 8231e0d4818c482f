"""Regression tests of a robot in three lines: a pytest plugin, found by its entry point.

    def test_robot(thymos_replay):
        thymos_replay("session.mcap").matches("golden.jsonl")

`docs/replay.md` tells how to work with it. The plugin is loaded in every pytest run of an
environment that has Thymos, so this package imports nothing before it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thymos.golden import Tolerance
    from thymos.testing.replayed import Replayed, Replayer

__all__ = ["Replayed", "Replayer", "Tolerance"]

_HOME = {
    "Replayed": "thymos.testing.replayed",
    "Replayer": "thymos.testing.replayed",
    "Tolerance": "thymos.golden",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'thymos.testing' has no attribute '{name}'")
