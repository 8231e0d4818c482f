"""A torn or damaged MCAP made whole again: everything that can be read, with an index."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from thymos.errors import MissingExtraError, RecordingError
from thymos.record.bags import open_file, refuse_impostors
from thymos.record.mcapfmt import (
    MCAP_MAGIC,
    Op,
    Packed,
    Place,
    chunk_times,
    content,
    inside,
    message,
    parse,
    read_summary,
    unpack,
    walk,
)
from thymos.samples import NS_PER_S

ROOM = 16 << 20
"""Bytes that must stay free beside the new file."""


@dataclass(slots=True)
class Kept:
    """What was kept of one topic."""

    msgtype: str = ""
    messages: int = 0
    first_ns: int = 0
    last_ns: int = 0

    @property
    def seconds(self) -> float:
        """From the first message to the last."""
        return (self.last_ns - self.first_ns) / NS_PER_S

    def add(self, log_ns: int) -> None:
        """Count one message."""
        self.first_ns = min(self.first_ns, log_ns) if self.messages else log_ns
        self.last_ns = max(self.last_ns, log_ns) if self.messages else log_ns
        self.messages += 1


@dataclass(slots=True)
class Recovered:
    """What `recover` found.

    Attributes:
        source: The file that was read.
        path: The new file; None if nothing had to be repaired.
        kept: By topic, in order of name.
        lost: What could not be kept, one line each; empty if only the index was missing.
        lost_bytes: Bytes of the file that could not be used.
    """

    source: Path
    path: Path | None = None
    kept: dict[str, Kept] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    lost_bytes: int = 0

    @property
    def messages(self) -> int:
        """Of all topics."""
        return sum(k.messages for k in self.kept.values())

    @property
    def seconds(self) -> float:
        """From the first message of all to the last."""
        kept = [k for k in self.kept.values() if k.messages]
        if not kept:
            return 0.0
        return (max(k.last_ns for k in kept) - min(k.first_ns for k in kept)) / NS_PER_S


def recover(source: Path | str, out: Path | str | None = None) -> Recovered:
    """Write what can be read of an MCAP to a new, whole, indexed MCAP.

    The source is only read. The new file appears under its name when it is whole and on the disk,
    never before, and never in the place of another one. The same source gives the same bytes.

    Args:
        source: Any MCAP: `.part` of a crash, cut off by a full disk, damaged in the middle.
        out: The new file; by default `X.mcap` for `X.mcap.part`, else `X.recovered.mcap`.

    Returns:
        What was kept and lost; `path` is None if the file is whole, and nothing is written then.

    Raises:
        MediaError: The source is missing or no recording.
        RecordingError: It is a recording but no MCAP, nothing in it can be read, the new file
            exists or cannot be written, or the disk is too full.
        MissingExtraError: A library that reads it is not installed.
    """
    source = Path(source)
    with _open(source) as file:
        salvage = _Salvage(file)
        if salvage.whole():
            return Recovered(source, None, salvage.kept)
        target = Path(out) if out is not None else default_output(source)
        _check_target(target, source)
        if not salvage.found():
            raise RecordingError(
                f"'{source}' holds no whole message: nothing can be recovered",
                hint="it was cut off within its first second, or is damaged from the beginning",
            )
        result = Recovered(source, target)
        _write(salvage, target)
    result.kept = dict(sorted(salvage.kept.items()))
    result.lost, result.lost_bytes = salvage.lost, salvage.lost_bytes
    return result


def default_output(source: Path) -> Path:
    """`X.mcap` for `X.mcap.part`, else `X.recovered.mcap`."""
    if source.name.endswith(".mcap.part"):
        return source.with_suffix("")
    return source.with_name(f"{source.name.removesuffix('.mcap')}.recovered.mcap")


def _open(source: Path) -> BinaryIO:
    file, head = open_file(source)
    try:
        refuse_impostors(source, head)
        if not head.startswith(MCAP_MAGIC):
            raise RecordingError(
                f"'{source}' is no MCAP; only MCAP files can be recovered",
                hint="rosbag2 and ROS 1 bags: ros2 bag reindex, rosbag reindex",
            )
    except BaseException:
        file.close()
        raise
    return file


def _check_target(target: Path, source: Path) -> None:
    if target.exists() or target.is_symlink():
        raise RecordingError(
            f"'{target}' exists and is not overwritten", hint="choose another name: -o OTHER.mcap"
        )
    try:
        free = shutil.disk_usage(target.parent).free
    except OSError as err:
        raise RecordingError(
            f"cannot write '{target}': {err.strerror}", hint="give a file in a folder that exists"
        ) from err
    need = source.stat().st_size + ROOM
    if free < need:
        raise RecordingError(
            f"only {free >> 20} MiB are free where '{target}' should go, {need >> 20} are needed",
            hint="free some space, or give another disk: -o /elsewhere/NAME.mcap",
        )


def _write(salvage: _Salvage, target: Path) -> None:
    """Write beside the target, then give it its name: it appears whole or not at all."""
    try:
        number, name = tempfile.mkstemp(".recovering", f"{target.name}.", target.parent)
        part = Path(name)
        try:
            with os.fdopen(number, "wb") as file:
                salvage.write(file)
                file.flush()
                os.fsync(file.fileno())
            part.chmod(0o666 & ~_umask())
            _name(part, target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as err:
        raise RecordingError(f"cannot write '{target}': {err.strerror or err}") from err


def _name(part: Path, target: Path) -> None:
    """Give a file its name unless another has it by now."""
    try:
        os.link(part, target)
    except FileExistsError as err:
        raise RecordingError(f"'{target}' exists and is not overwritten") from err
    except OSError:  # a file system without hard links
        if target.exists():
            raise RecordingError(f"'{target}' exists and is not overwritten") from None
        part.replace(target)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


class _Salvage:
    """Reads an MCAP record by record, past what is damaged."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.kept: dict[str, Kept] = {}
        self.lost: list[str] = []
        self.lost_bytes = 0
        self._reset()

    def _reset(self) -> None:
        self.kept.clear()
        self.lost.clear()
        self.lost_bytes = 0
        self._orphans = 0
        self._schemas: dict[int, Any] = {}
        self._channels: dict[int, Any] = {}
        for op, record in self._summary():  # definitions whose chunk may be damaged
            (self._schemas if op == Op.SCHEMA else self._channels)[record.id] = record

    def whole(self) -> bool:
        """Whether nothing has to be repaired: every part readable, an index, the end in place."""
        ends = False
        for place in walk(self._file):
            ends = ends or place.op == Op.DATA_END
        if not ends or not self._indexed():
            return False
        for _ in self._messages():
            pass
        return not self.lost

    def found(self) -> bool:
        """Whether there is any message."""
        self._reset()
        return next(self._messages(), None) is not None

    def _indexed(self) -> bool:
        summary, _ = read_summary(self._file)
        chunks = sum(p.op == Op.CHUNK for p in walk(self._file))
        return summary is not None and len(summary.chunk_indexes) == chunks > 0

    def _summary(self) -> list[tuple[int, Any]]:
        """Schemas and channels of the summary, if the file has one."""
        summary, _ = read_summary(self._file)
        if summary is None:
            return []
        schemas = [(Op.SCHEMA, s) for s in summary.schemas.values()]
        return [*schemas, *((Op.CHANNEL, c) for c in summary.channels.values())]

    def write(self, file: BinaryIO) -> None:
        """Write everything that can be read to a new file."""
        try:
            from mcap.writer import CompressionType, Writer
        except ImportError as err:
            raise MissingExtraError("mcap", "record") from err
        self._reset()
        writer = Writer(file, compression=CompressionType.ZSTD)
        writer.start(profile=self._profile(), library="thymos recover")
        schemas: dict[int, int] = {}
        channels: dict[int, int] = {}
        for item in self._messages():
            if not isinstance(item, Packed):
                _copy(writer, item)
                continue
            if item.channel not in channels:
                channel = self._channels[item.channel]
                schema = self._schemas.get(channel.schema_id)
                if schema is not None and schema.id not in schemas:
                    schemas[schema.id] = writer.register_schema(
                        schema.name, schema.encoding, schema.data
                    )
                channels[item.channel] = writer.register_channel(
                    channel.topic,
                    channel.message_encoding,
                    schemas.get(channel.schema_id, 0),
                    channel.metadata,
                )
            writer.add_message(
                channels[item.channel],
                item.log_ns,
                bytes(item.data),
                item.publish_ns,
                item.sequence,
            )
        writer.finish()

    def _profile(self) -> str:
        for place in walk(self._file):
            if place.op == Op.HEADER and not place.torn:
                try:
                    return str(parse(Op.HEADER, content(self._file, place)).profile)
                except Exception:  # noqa: BLE001  the library raises what it likes
                    break
            break
        return "ros2"

    def _messages(self) -> Iterator[Any]:
        """Messages (`Packed`), attachments and metadata, in the order of the file."""
        ended = False
        for place in walk(self._file):
            if place.torn:
                self._lose(place)
            elif place.op == Op.CHUNK:
                yield from self._chunk(place)
            else:
                yield from self._record(place.op, memoryview(content(self._file, place)))
            ended = place.op == Op.DATA_END
        if not ended:
            self.lost.append(
                "what was not on the disk yet when it broke off (Thymos: at most the last second)"
            )
        if self._orphans:
            self.lost.append(f"{self._orphans} messages whose topic is not described any more")

    def _chunk(self, place: Place) -> Iterator[Any]:
        try:
            records = list(inside(unpack(self._file, place)))
        except RecordingError as err:
            self._lose(place, str(err))
            return
        for op, data in records:
            yield from self._record(op, data)

    def _record(self, op: int, data: memoryview) -> Iterator[Any]:
        if op == Op.MESSAGE:
            found = message(data)
            channel = self._channels.get(found.channel)
            if channel is None:
                self._orphans += 1
                return
            self._kept_of(channel).add(found.log_ns)
            yield found
            return
        if op not in (Op.SCHEMA, Op.CHANNEL, Op.ATTACHMENT, Op.METADATA):
            return
        try:
            record = parse(op, bytes(data))
        except Exception as err:  # noqa: BLE001  as above
            self.lost.append(f"a record of kind {op}: {type(err).__name__}")
            self.lost_bytes += len(data)
            return
        if op in (Op.SCHEMA, Op.CHANNEL):
            (self._schemas if op == Op.SCHEMA else self._channels)[record.id] = record
        else:
            yield record

    def _kept_of(self, channel: Any) -> Kept:
        schema = self._schemas.get(channel.schema_id)
        return self.kept.setdefault(channel.topic, Kept(schema.name if schema else ""))

    def _lose(self, place: Place, why: str = "") -> None:
        self.lost_bytes += place.length
        if place.op == Op.CHUNK and (times := chunk_times(self._file, place)) is not None:
            first, last = times
            span = (
                f"{(last - first) / NS_PER_S:.2f} s of recording from {first / NS_PER_S:.2f} s on"
            )
            self.lost.append(f"{span}: {why or 'the last chunk was not finished'}")
        else:
            self.lost.append(f"{place.length} bytes that are no whole record")


def _copy(writer: Any, record: Any) -> None:
    """An attachment or metadata record as it was."""
    if hasattr(record, "media_type"):
        writer.add_attachment(
            record.create_time, record.log_time, record.name, record.media_type, record.data
        )
    else:
        writer.add_metadata(record.name, record.metadata)
