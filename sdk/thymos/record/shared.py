"""What the streams of one recording share: chunks unpacked last, files unpacked as a whole."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from thymos.errors import MissingExtraError, RecordingError

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
ROOM = 64 << 20
"""Bytes that must stay free where files are unpacked."""


class Shared:
    """Memory and a scratch folder, for as long as any stream of the recording is in use.

    Streams that are read side by side come to a chunk at about the same time: it is unpacked once,
    not once a stream. Streams read one after the other unpack it again; nothing else changes.
    """

    CHUNKS = 6
    BYTES = 48 << 20

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._scratch: Path | None = None
        self._made: dict[Path, Path] = {}

    def chunk(self, key: tuple[str, int], make: Callable[[], bytes]) -> bytes:
        """A chunk, from memory or by `make`."""
        with self._lock:
            data = self._held.get(key)
            if data is None:
                data = self._held[key] = make()
            self._held.move_to_end(key)
            while len(self._held) > 1 and (
                len(self._held) > self.CHUNKS or sum(map(len, self._held.values())) > self.BYTES
            ):
                self._held.popitem(last=False)
            return data

    def unpacked(self, path: Path) -> Path:
        """A file compressed with zstd, unpacked once.

        Raises:
            RecordingError: It is damaged, or there is no room.
            MissingExtraError: zstandard is not installed.
        """
        return self._once(path, path.with_suffix("").name, _unpack)

    def merged(self, path: Path) -> Path:
        """A copy of an sqlite file with what its `-wal` file beside it holds.

        Raises:
            RecordingError: It is damaged, or there is no room.
        """
        return self._once(path, path.name, _merge)

    def alias(self, path: Path) -> Path:
        """A link to a path without the characters that mean something in an sqlite URI."""
        return self._once(path, f"bag{path.suffix}", lambda a, b: b.symlink_to(a.resolve()))

    def _once(self, path: Path, name: str, make: Callable[[Path, Path], None]) -> Path:
        with self._lock:
            if path not in self._made:
                if self._scratch is None:
                    self._scratch = Path(tempfile.mkdtemp(prefix="thymos-"))
                    weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)
                folder = self._scratch / str(len(self._made))
                folder.mkdir()
                try:
                    make(path, folder / name)
                except OSError as err:
                    reason = err.strerror or str(err)
                    raise RecordingError(f"cannot unpack '{path}': {reason}") from err
                self._made[path] = folder / name
            return self._made[path]


def _unpack(packed: Path, out: Path) -> None:
    try:
        import zstandard
    except ImportError as err:
        raise MissingExtraError("zstandard", "record") from err
    with packed.open("rb") as source, out.open("wb") as target:
        size = max(0, zstandard.frame_content_size(source.read(18)))  # -1: it does not say
        source.seek(0)
        _need(out.parent, size, packed)
        try:
            zstandard.ZstdDecompressor().copy_stream(source, target)
        except zstandard.ZstdError as err:
            raise RecordingError(f"'{packed}' is damaged: it cannot be decompressed") from err
        if not target.tell():  # one that is cut off gives what came before
            raise RecordingError(f"'{packed}' is damaged: nothing in it can be decompressed")


def _merge(base: Path, out: Path) -> None:
    log = base.with_name(base.name + "-wal")
    _need(out.parent, base.stat().st_size + log.stat().st_size, base)
    shutil.copyfile(base, out)
    shutil.copyfile(log, out.with_name(out.name + "-wal"))
    try:
        db = sqlite3.connect(out)
        try:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            db.execute("PRAGMA journal_mode=DELETE")
        finally:
            db.close()
    except sqlite3.Error as err:
        raise RecordingError(f"'{base}' is damaged: {err}") from err


def _need(folder: Path, size: int, path: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < size + ROOM:
        raise RecordingError(
            f"'{path}' needs {size >> 20} MiB to be unpacked in '{folder}', {free >> 20} are free",
            hint="free some space or set TMPDIR to a bigger disk",
        )
