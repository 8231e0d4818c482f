"""The parts of an MCAP file, found without its index: for torn files, and for reading fast.

Records are parsed by the `mcap` library; here is only the walk from one to the next (an operation
code, eight bytes of length, the record) and the loop over the messages of a chunk, which makes no
object and copies no byte of what nobody asked for.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO, NamedTuple

from thymos.errors import MissingExtraError, RecordingError

MCAP_MAGIC = b"\x89MCAP0\r\n"
MAX_CHUNK = 1 << 30
"""A chunk that claims to hold more is not unpacked."""


class Op:
    """Operation codes that are looked at."""

    HEADER, FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK = 1, 2, 3, 4, 5, 6
    ATTACHMENT, METADATA, DATA_END = 9, 12, 15


class Place(NamedTuple):
    """Where a record lies.

    Attributes:
        op: Operation code.
        start: Offset of its content.
        length: Bytes of its content; those that are there if it is `torn`.
        torn: Whether the file ends before the record does.
    """

    op: int
    start: int
    length: int
    torn: bool = False

    @property
    def end(self) -> int:
        """Offset of what follows."""
        return self.start + self.length


def walk(file: BinaryIO) -> Iterator[Place]:
    """All records of the data section in order, without reading their contents.

    Where the way is lost (bytes that are no record, a record longer than the file) a torn place is
    given and the walk goes on at the next chunk, if there is one. It ends after the record that
    ends the data or at the end of the file.
    """
    size = file.seek(0, 2)
    at = known = len(MCAP_MAGIC)
    while at < size:
        file.seek(at)
        head = file.read(9)
        length = int.from_bytes(head[1:], "little")
        if len(head) == 9 and _is_op(head[0]) and at + 9 + length <= size:
            yield Place(head[0], at + 9, length)
            if head[0] == Op.DATA_END:
                return
            known, at = at + 9, at + 9 + length
            continue
        op = head[0] if len(head) == 9 and _is_op(head[0]) else 0
        start = at + 9 if op else at
        # The length of the last record may be what is damaged: look from its content on.
        found = _next_chunk(file, known)
        yield Place(op, start, max(0, (found or size) - start), torn=True)
        if found is None:
            return
        at = found
        known = at + 9


def _is_op(op: int) -> bool:
    return Op.HEADER <= op <= Op.DATA_END or op >= 0x80  # from there on records are private


_SIGNATURES = (b"\x04\0\0\0zstd", b"\x03\0\0\0lz4")
_BEFORE = 9 + 8 + 8 + 8 + 4  # operation code, length, first, last, size, checksum
_BLOCK = 1 << 20


def _next_chunk(file: BinaryIO, at: int) -> int | None:
    """Where the next compressed chunk begins, told by the name of its compression."""
    size = file.seek(0, 2)
    while at < size:
        file.seek(at)
        block = file.read(_BLOCK + 64)
        places = sorted(p for s in _SIGNATURES for p in _all(block, s))
        for place in places:
            begin = at + place - _BEFORE
            if place >= _BEFORE and block[place - _BEFORE] == Op.CHUNK:
                head = block[place - _BEFORE + 1 : place - _BEFORE + 9]
                if begin + 9 + int.from_bytes(head, "little") <= size:
                    return begin
        at += _BLOCK
    return None


def _all(block: bytes, what: bytes) -> Iterator[int]:
    at = block.find(what)
    while at >= 0:
        yield at
        at = block.find(what, at + 1)


def read_summary(file: BinaryIO) -> tuple[Any, bool]:
    """The index at the end of a file.

    Returns:
        The summary, None if there is none; and whether the end of the file is sound.

    Raises:
        MissingExtraError: mcap is not installed.
    """
    try:
        from mcap.reader import make_reader
    except ImportError as err:
        raise MissingExtraError("mcap", "record") from err
    file.seek(0)
    try:
        return make_reader(file).get_summary(), True
    except Exception:  # noqa: BLE001  the library raises what it likes on torn files
        return None, False


def content(file: BinaryIO, place: Place) -> bytes:
    """The bytes of a record."""
    file.seek(place.start)
    return file.read(place.length)


def parse(op: int, data: bytes) -> Any:
    """One record, by the library. Raises whatever it raises on damaged ones."""
    from mcap import records
    from mcap.data_stream import ReadDataStream

    kinds = {
        Op.HEADER: records.Header,
        Op.SCHEMA: records.Schema,
        Op.CHANNEL: records.Channel,
        Op.CHUNK: records.Chunk,
        Op.ATTACHMENT: records.Attachment,
        Op.METADATA: records.Metadata,
        Op.FOOTER: records.Footer,
    }
    return kinds[op].read(ReadDataStream(BytesIO(data)))


def unpack(file: BinaryIO, place: Place) -> bytes:
    """The records inside a chunk, decompressed and checked.

    Raises:
        RecordingError: The chunk is torn, damaged or too big.
        MissingExtraError: The library that decompresses it is not installed.
    """
    if place.torn:
        raise RecordingError("a chunk was not finished")
    try:
        chunk = parse(Op.CHUNK, content(file, place))
        if chunk.uncompressed_size > MAX_CHUNK:
            raise RecordingError(f"a chunk claims to hold {chunk.uncompressed_size} bytes")
        data = _decompressed(chunk)
    except (RecordingError, MissingExtraError):
        raise
    except Exception as err:  # libraries raise what they like on damaged data
        raise RecordingError("a chunk is damaged") from err
    if len(data) != chunk.uncompressed_size or (
        chunk.uncompressed_crc and zlib.crc32(data) != chunk.uncompressed_crc
    ):
        raise RecordingError("a chunk is damaged (its checksum is wrong)")
    return data


def _decompressed(chunk: Any) -> bytes:
    if chunk.compression == "":
        return bytes(chunk.data)
    if chunk.compression == "zstd":
        try:
            import zstandard
        except ImportError as err:
            raise MissingExtraError("zstandard", "record") from err
        data: bytes = zstandard.decompress(chunk.data, chunk.uncompressed_size)
        return data
    if chunk.compression == "lz4":
        try:
            from lz4 import frame as lz4  # type: ignore[import-untyped]
        except ImportError as err:
            raise MissingExtraError("lz4", "record") from err
        return bytes(lz4.decompress(chunk.data))
    raise RecordingError(f"chunks compressed with '{chunk.compression}' are not read")


class Packed(NamedTuple):
    """A message as it stands in the file; `data` is a view."""

    channel: int
    sequence: int
    log_ns: int
    publish_ns: int
    data: memoryview


def chunk_times(file: BinaryIO, place: Place) -> tuple[int, int] | None:
    """First and last log time that a chunk says it holds, also of a torn one."""
    file.seek(place.start)
    head = file.read(min(16, place.length))
    if len(head) < 16:
        return None
    first, last = struct.unpack("<QQ", head)
    return (first, last) if first <= last else None


_MESSAGE = struct.Struct("<HIQQ")
_HEAD = struct.Struct("<BQ")


def message(data: memoryview) -> Packed:
    """Parse the content of a message record."""
    channel, sequence, log_ns, publish_ns = _MESSAGE.unpack_from(data)
    return Packed(channel, sequence, log_ns, publish_ns, data[_MESSAGE.size :])


def inside(data: bytes) -> Iterator[tuple[int, memoryview]]:
    """Operation code and content of each record inside a chunk.

    Raises:
        RecordingError: A record reaches beyond the chunk.
    """
    view, at, end = memoryview(data), 0, len(data)
    while at + _HEAD.size <= end:
        op, length = _HEAD.unpack_from(view, at)
        at += _HEAD.size
        if at + length > end or (op == Op.MESSAGE and length < _MESSAGE.size):
            raise RecordingError("a chunk is damaged")
        yield op, view[at : at + length]
        at += length
