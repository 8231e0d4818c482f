"""Who uses a domain of shared memory now, and what the dead left there.

iceoryx2 cleans up after a process that died, but not after one that died while it was starting: a
folder without an owner stays, or a half-made file that nobody can open any more. Therefore
processes start one after the other, and the first of them clears everything away.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from thymos.buffer.place import SEE, SHM, Place, lock_file
from thymos.errors import SharedMemoryError

START_S = 5.0
PAUSE_S = 0.005


class Presence:
    """Says that somebody uses the domain, for as long as it is referred to.

    Attributes:
        alone: Whether nobody else did when it began.
    """

    def __init__(self, place: Place) -> None:
        self._fd = _open(place, ".alive.lock")
        self.alone = lock_file(self._fd, fcntl.F_WRLCK)
        if not self.alone:
            lock_file(self._fd, fcntl.F_RDLCK)

    def settle(self) -> None:
        """Others may be there as well from now on."""
        lock_file(self._fd, fcntl.F_RDLCK)

    def __del__(self) -> None:
        fd, self._fd = getattr(self, "_fd", -1), -1
        if fd >= 0:
            os.close(fd)


@contextmanager
def starting(place: Place) -> Iterator[Presence]:
    """While no other process starts: clear away what the dead left, and make a node within.

    Raises:
        SharedMemoryError: Another process has been starting for five seconds.
    """
    fd = _open(place, ".start.lock")
    try:
        deadline = time.monotonic() + START_S
        while not lock_file(fd, fcntl.F_WRLCK):
            if time.monotonic() > deadline:
                raise SharedMemoryError(
                    "another process has been starting to use shared memory for too long",
                    hint=f"find it with `fuser {place.root}/.start.lock`, and end it",
                )
            time.sleep(PAUSE_S)
        presence = Presence(place)
        if presence.alone:
            _sweep(place)
        else:
            _drop_orphans(place)
        yield presence
        presence.settle()
    finally:
        os.close(fd)


def _open(place: Place, name: str) -> int:
    path = place.root / name
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as err:
        raise SharedMemoryError(f"cannot make {path}: {err.strerror}", hint=SEE) from err


def _sweep(place: Place) -> None:
    """Nobody is there: whatever is, is left over."""
    for file in (*SHM.glob(f"{place.prefix}*"), *place.root.iterdir()):
        if file.suffix == ".lock":
            continue
        with suppress(OSError):
            shutil.rmtree(file) if file.is_dir() else file.unlink()


def _drop_orphans(place: Place) -> None:
    """Folders of nodes that died before they were complete: nothing watches over them."""
    for folder in place.root.glob("nodes/*"):
        watch = Path(folder.parent, f"{place.prefix}{folder.name}.node_monitor")
        if folder.is_dir() and not watch.exists():
            shutil.rmtree(folder, ignore_errors=True)
