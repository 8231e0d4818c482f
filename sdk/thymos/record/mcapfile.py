"""One MCAP file being written: whole chunks, two a second, renamed when it is whole."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

from thymos.errors import MissingExtraError, RecordingError
from thymos.samples import NS_PER_S

SUMMARY_ROOM = 1 << 20
"""Bytes kept free below a limit for the index at the end of the file."""


class FileFullError(RecordingError):
    """Nothing more may be written; what was written is whole."""


class McapFile:
    """Writes `PATH.part` and renames it to `PATH` when it is closed whole.

    A chunk ends when it is big enough or when `FLUSH_S` of log time have passed since it began, so
    that the same messages give the same bytes. Where messages may stay away (live devices) `tick`
    ends it by the wall clock too.

    Args:
        path: Where the recording shall be.
        max_bytes: Largest size.
        min_free_bytes: How much the file system must have left.
        overwrite: Replace an older recording of that name.
        quick: Compress with LZ4 instead of zstd: for pictures that are not compressed themselves.

    Attributes:
        live: Whether chunks also end by the wall clock.
        torn: Whether a write failed: the messages of the chunk that was open are lost.

    Raises:
        RecordingError: The folder does not exist or cannot be written, or the name is taken.
        MissingExtraError: mcap is not installed.
    """

    FLUSH_S = 0.5
    """No message stays in memory for longer; a crash loses at most this and what is queued."""
    CHUNK_BYTES = 1 << 20

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int,
        min_free_bytes: int,
        overwrite: bool = False,
        quick: bool = False,
    ) -> None:
        try:
            from mcap.writer import CompressionType, Writer
        except ImportError as err:
            raise MissingExtraError("mcap", "record") from err
        self.path = path
        self.part = path.with_name(path.name + ".part")
        self._max_bytes = max_bytes
        self._min_free = min_free_bytes
        self._out = _Output(self._create(overwrite))
        self._writer: Any = Writer(
            self._out,
            chunk_size=self.CHUNK_BYTES,
            compression=CompressionType.LZ4 if quick else CompressionType.ZSTD,
        )
        self.live = self.torn = False
        self._flushed_at = self._synced_at = time.monotonic()
        self._pending = 0
        self._chunk_log: int | None = None  # log time of the first message of the open chunk
        self._schemas: dict[str, int] = {}
        self._guard(self._writer.start, profile="ros2", library="thymos")

    def _create(self, overwrite: bool) -> Any:
        if self.path.is_dir():
            raise RecordingError(
                f"'{self.path}' is a folder; a recording is one file",
                hint=f"write to {self.path / 'session.mcap'}",
            )
        for taken in (self.path, self.part):
            if not overwrite and taken.exists():
                raise RecordingError(
                    f"'{taken}' exists and is not overwritten",
                    hint="choose another name, or move that file away first",
                )
        try:
            free = shutil.disk_usage(self.path.parent).free
            if free < self._min_free:
                raise RecordingError(
                    f"only {free >> 20} MiB are free where '{self.path}' should go, "
                    f"{self._min_free >> 20} must stay free",
                    hint="free some space or set record.min_free_bytes",
                )
            return self.part.open("wb", buffering=0)
        except OSError as err:
            raise RecordingError(
                f"cannot record to '{self.path}': {err.strerror or err}",
                hint="give a file in a folder that exists and that you may write to",
            ) from err

    @property
    def nbytes(self) -> int:
        """Size of the file so far."""
        return self._out.tell()

    @property
    def pending(self) -> bool:
        """Whether there are messages that are not in the file yet."""
        return self._pending > 0

    def add_channel(
        self, topic: str, msgtype: str, definition: tuple[str, str], metadata: dict[str, str]
    ) -> int:
        """Announce a topic of CDR messages; returns its number."""
        text, digest = definition
        if msgtype not in self._schemas:
            self._schemas[msgtype] = self._guard(
                self._writer.register_schema, msgtype, "ros2msg", text.encode()
            )
        number: int = self._guard(
            self._writer.register_channel,
            topic,
            "cdr",
            self._schemas[msgtype],
            {"offered_qos_profiles": "", "topic_type_hash": digest, **metadata},
        )
        return number

    def add_message(
        self, channel: int, data: bytes, *, log_ns: int, publish_ns: int, sequence: int = 0
    ) -> None:
        """Write one message.

        Raises:
            FileFullError: A limit is reached or the disk is full.
        """
        self.tick()
        if self._out.tell() + self._pending + len(data) > self._max_bytes - SUMMARY_ROOM:
            raise FileFullError(f"the recording reached its limit of {self._max_bytes >> 20} MiB")
        if self._chunk_log is None:
            self._chunk_log = log_ns
        self._pending += len(data)
        written = self._out.tell()
        self._guard(
            self._writer.add_message,
            channel,
            log_time=max(0, log_ns),
            data=data,
            publish_time=max(0, publish_ns),
            sequence=sequence & 0xFFFFFFFF,
        )
        if self._out.tell() > written:  # the chunk was full
            self._pending, self._chunk_log = 0, None
        elif abs(log_ns - self._chunk_log) >= self.FLUSH_S * NS_PER_S:
            self._end_chunk()

    def tick(self) -> None:
        """Bring what is pending to the disk if it is time, and look how much room there is.

        Raises:
            FileFullError: As above.
        """
        now = time.monotonic()
        if self.live and now - self._flushed_at >= self.FLUSH_S:
            self._end_chunk()
        if now - self._synced_at < self.FLUSH_S:
            return
        self._synced_at = now
        self._guard(self._out.sync)
        free = shutil.disk_usage(self.part.parent).free
        if free < self._min_free:
            raise FileFullError(
                f"only {free >> 20} MiB are free on the disk ({self._min_free >> 20} must stay)"
            )

    def _end_chunk(self) -> None:
        self._guard(self._writer.flush)
        self._flushed_at = time.monotonic()
        self._pending, self._chunk_log = 0, None

    def close(self) -> Path:
        """Write the index and give the file its name; returns where it is.

        Raises:
            RecordingError: The index cannot be written. All messages are in the `.part` file,
                which can be read as it is.
        """
        try:
            self._guard(self._writer.finish)
            self._guard(self._out.sync)
            self._out.close()
            self.part.replace(self.path)
        except OSError as err:
            raise RecordingError(f"cannot finish '{self.part}': {err.strerror or err}") from err
        finally:
            self._out.close()
        return self.path

    def discard(self) -> None:
        """Take the file away: nothing was written to it."""
        self._out.close()
        self.part.unlink(missing_ok=True)

    def _guard(self, call: Any, *args: Any, **named: Any) -> Any:
        """Run a step of the writer; after a failed write the file ends before that write."""
        try:
            return call(*args, **named)
        except OSError as err:
            self.torn = True
            self._out.rewind()
            reason = err.strerror or str(err)
            raise FileFullError(f"the disk does not take more: {reason}") from err


class _Output:
    """Unbuffered file for the writer: a record is written whole or cut off again."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._good = 0

    def write(self, data: bytes) -> int:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) or 0 :]
        self._good += len(data)
        return len(data)

    def tell(self) -> int:
        return self._good

    def flush(self) -> None:
        """Nothing to do: writes are not buffered."""

    def sync(self) -> None:
        os.fsync(self._file.fileno())

    def rewind(self) -> None:
        """Cut off what a failed write left."""
        self._file.seek(self._good)
        self._file.truncate(self._good)

    def close(self) -> None:
        self._file.close()
