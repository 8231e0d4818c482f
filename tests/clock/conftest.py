"""The simulated link of the clock benchmark, for tests."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def links() -> Any:
    """The module `benchmarks.clock_model`."""
    root = str(Path(__file__).resolve().parents[2])
    sys.path.insert(0, root)
    try:
        return importlib.import_module("benchmarks.clock_model")
    finally:
        sys.path.remove(root)
