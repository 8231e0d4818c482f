"""Virtual hardware: collected by `make hil` only, which says where it runs (THYMOS_HIL)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

WHERE = os.environ.get("THYMOS_HIL", "")
collect_ignore = [name for name in ("host", "guest") if name != WHERE]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is marked `hil`."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.hil)
