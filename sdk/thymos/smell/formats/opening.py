"""The first look at a file: what it cannot be is refused here, in words."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from thymos.errors import MediaError
from thymos.smell.formats.base import FormatError

HEAD_BYTES = 65536
MAX_LINE = 1 << 20
"""Longer than any line of a nose; a file without line ends must not fill the memory."""
BAGS = (b"\x89MCAP0\r\n", b"#ROSBAG V2.0", b"SQLite format 3\x00")
_PACKED = {
    b"\x1f\x8b": ("gzip", "gunzip"),
    b"PK\x03\x04": ("zip", "unzip"),
    b"\x28\xb5\x2f\xfd": ("zstd", "unzstd"),
    b"\xfd7zXZ": ("xz", "unxz"),
    b"BZh": ("bzip2", "bunzip2"),
}
_LFS = b"version https://git-lfs"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Head:
    """How a file begins.

    Attributes:
        path: The file, or the folder of a bag.
        data: Its first bytes; none of a folder.
        text: The same as text, whole lines, without a byte order mark.
    """

    path: Path
    data: bytes
    text: str

    @property
    def first(self) -> str:
        """The first line with something in it that is no remark."""
        return next((line for line in self.text.split("\n") if is_told(line)), "").rstrip("\r")

    @property
    def is_bag(self) -> bool:
        """Whether it is a recording of messages (MCAP, rosbag2, ROS 1)."""
        return not self.data or self.data.startswith(BAGS)


def is_told(line: str) -> bool:
    """Whether a line is neither empty nor a remark."""
    return bool(line.strip()) and not line.startswith("#")


def look(path: Path) -> Head:
    """Look at the beginning of a file.

    Raises:
        MediaError: It is missing, cannot be read, is empty, packed, a Git LFS pointer, or binary.
    """
    try:
        if path.is_dir():
            return Head(path, b"", "")
        with path.open("rb") as file:
            data = file.read(HEAD_BYTES)
    except FileNotFoundError as err:
        raise MediaError(f"there is no file '{path}'", hint="check the path") from err
    except (OSError, ValueError) as err:
        why = getattr(err, "strerror", None) or str(err)
        raise MediaError(f"cannot read '{path}': {why}", hint=f"ls -l '{path}'") from err
    head = Head(path, data, _text(data))
    if not head.is_bag or not data:
        _refuse(path, data)
    return head


def _refuse(path: Path, data: bytes) -> None:
    if not data:
        raise FormatError(
            path,
            "is empty (0 bytes): the nose was switched off before it wrote anything",
            hint="copy it again, or record again",
        )
    for magic, (kind, tool) in _PACKED.items():
        if data.startswith(magic):
            raise FormatError(path, f"is packed ({kind})", hint=f"{tool} '{path}'")
    if data.startswith(_LFS):
        raise FormatError(
            path, "is a Git LFS pointer, not the recording itself", hint="git lfs pull"
        )
    if data.startswith(_UTF16):
        why, hint = "is UTF-16", f"iconv -f UTF-16 -t UTF-8 '{path}' > new.csv"
        raise FormatError(path, why, hint=hint)
    if b"\x00" in data:
        line = data.count(b"\n", 0, data.index(b"\x00")) + 1
        raise FormatError(
            path,
            "a NUL byte: this is a binary file, or one whose disk was full",
            hint="copy it again from the device",
            line=line,
        )
    if b"\r" in data and b"\n" not in data:
        why = "has single carriage returns as line ends"
        raise FormatError(path, why, hint=f"tr '\\r' '\\n' < '{path}' > new.csv")


def _text(data: bytes) -> str:
    text = data.decode("utf-8", errors="surrogateescape").removeprefix("\ufeff")
    if len(data) < HEAD_BYTES:
        return text
    whole, _, _ = text.rpartition("\n")
    return whole or text


def lines(path: Path, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    """Lines of a text file with their ends and numbers, one at a time.

    Raises:
        MediaError: It cannot be read.
        FormatError: A line is longer than `MAX_LINE`.
    """
    try:
        with path.open(encoding=encoding, errors="surrogateescape", newline="\n") as file:
            n = 0
            while line := file.readline(MAX_LINE):
                n += 1
                if len(line) == MAX_LINE:
                    why = f"longer than {MAX_LINE} characters"
                    raise FormatError(path, why, hint="this is no table of a nose", line=n)
                yield n, line
    except OSError as err:
        raise MediaError(f"cannot read '{path}': {err.strerror}", hint=f"ls -l '{path}'") from err


def save(path: Path, texts: Iterable[str], encoding: str = "utf-8") -> None:
    """Write a text file, whole or not at all.

    Raises:
        MediaError: It cannot be written.
    """
    name = ""
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=f".{path.name[:80]}.", delete=False, newline="",
            encoding=encoding, errors="surrogateescape",
        ) as file:  # fmt: skip
            name = file.name
            for text in texts:
                file.write(text)
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except OSError as err:
        raise MediaError(
            f"cannot write '{path}': {err.strerror or err}", hint="choose another folder"
        ) from err
    finally:
        if name:
            Path(name).unlink(missing_ok=True)
