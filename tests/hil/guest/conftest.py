"""Devices of the emulated machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil_guest import VIVID, modprobe, remove, wait_for

sys.path.insert(0, str(Path(__file__).parents[2] / "drivers"))  # the chip of registers


@pytest.fixture
def vivid() -> Iterator[Path]:
    """A camera of the kernel's own test driver: real V4L2, YUYV, 320x180 at 15 frames/s or more."""
    modprobe(*VIVID)
    path = Path("/dev/video0")
    wait_for(path.exists)
    yield path
    remove("vivid")
