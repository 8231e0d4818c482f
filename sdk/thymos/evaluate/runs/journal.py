"""Answers on disk, one JSON line each: a run that was killed goes on where it stopped."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from thymos.errors import ConfigError
from thymos.evaluate.runs.items import Answer


class Journal:
    """A file of answers that only grows, a whole line at a time.

    The first line says what made the answers. A line that a crash cut short is dropped when the
    file is opened again; its item is asked again.

    Args:
        path: The file; made if it is not there.
        identity: What the answers depend on.

    Raises:
        ConfigError: The file holds answers of something else, or another run is writing it.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        self.path = path
        self.answers: dict[str, Answer] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            self._lock()
            self._read(json.loads(json.dumps(identity)))
        except BaseException:
            os.close(self._fd)
            raise

    def _lock(self) -> None:
        """The lock goes with the process, however it ends."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise ConfigError(
                f"another run is writing '{self.path}'", hint="wait for it, or give another --out"
            ) from err

    def _read(self, identity: Mapping[str, Any]) -> None:
        data = self.path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.ftruncate(self._fd, whole)
        lines = data[:whole].splitlines()
        if not lines:
            self._write([{"made by": identity}])
            return
        hint = "give another --out, or --fresh to begin anew"
        try:
            rows = [json.loads(line) for line in lines]
            before = rows[0]["made by"]
            read = (Answer(**{**row, "found": tuple(row["found"])}) for row in rows[1:])
            self.answers = {answer.key: answer for answer in read}
        except (ValueError, KeyError, TypeError) as err:
            raise ConfigError(f"'{self.path}' is no file of answers: {err}", hint=hint) from err
        if before != identity:
            other = sorted(k for k in {*before, *identity} if before.get(k) != identity.get(k))
            raise ConfigError(
                f"'{self.path}' holds answers made with another {', '.join(other)}", hint=hint
            )

    def append(self, answers: Sequence[Answer]) -> None:
        """Keep answers; they are on the disk when this returns."""
        self._write([asdict(answer) for answer in answers])
        self.answers.update({answer.key: answer for answer in answers})

    def _write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        rest = memoryview(text.encode())
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        os.fsync(self._fd)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
