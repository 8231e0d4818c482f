"""Fixtures that all rooms share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from thymos.models import ModelStore

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The shared data (real recordings), never copied into the project."""
    place = Path(os.environ.get("THYMOS_DATA", ROOT.parent / "shared" / "data"))
    if not (place / "README.md").is_file():
        pytest.skip(f"the shared data is not at {place} (set THYMOS_DATA)")
    return place


@pytest.fixture(scope="session")
def model_store() -> ModelStore:
    """The model cache, with everything `make` fetches."""
    store = ModelStore()
    wanted = [s for s in store.status() if not store.registry.roles[s.role].optional]
    lacking = [s.role for s in wanted if s.state not in ("present", "installed")]
    if lacking:
        pytest.skip(f"models are missing: {', '.join(lacking)} (thymos models pull)")
    return store
