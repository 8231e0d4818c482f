"""A domain of shared memory for each test, looked over when it ends."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator

import pytest

from thymos.buffer.place import SHM, Place


@pytest.fixture
def domain() -> Iterator[str]:
    """A domain of its own; whatever it leaves in /dev/shm is removed."""
    pytest.importorskip("iceoryx2", reason="iceoryx2 is not installed (pip install 'thymos[shm]')")
    name = f"t{os.getpid()}-{secrets.token_hex(3)}"
    yield name
    place = Place.of(name)
    shutil.rmtree(place.root, ignore_errors=True)
    for file in SHM.glob(f"{place.prefix}*"):
        file.unlink(missing_ok=True)
