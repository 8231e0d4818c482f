"""One MCAP file open for reading: whole, without an index, or torn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from thymos.errors import RecordingError
from thymos.record.definitions import store_of
from thymos.record.mcapfmt import (
    Op,
    Packed,
    Place,
    content,
    inside,
    message,
    parse,
    read_summary,
    unpack,
    walk,
)
from thymos.record.messages import Raw, Topic, deserialise, from_json, ros2_name
from thymos.record.shared import Shared


class McapBag:
    """One MCAP file. A torn one (no index: a crash, a `.part`) is read up to where it is whole.

    A damaged chunk is left out; the messages after it are read.

    Args:
        path: The file.
        shared: What other readers of it unpacked.
        zstd: Messages are compressed one by one (a mode of rosbag2).
    """

    def __init__(self, path: Path, shared: Shared | None = None, *, zstd: bool = False) -> None:
        self._path = path
        self._shared = shared or Shared()
        self._zstd = zstd
        self._file: BinaryIO = path.open("rb")
        self.notes: list[str] = []
        self.topics: list[Topic] = []
        self._chunks: list[tuple[Place, set[int] | None]] = []  # with the channels inside
        self._loose: list[Place] = []  # messages outside of chunks
        self._channels: dict[str, set[int]] = {}
        self._schemas: dict[str, str] = {}
        summary, sound = read_summary(self._file)
        if summary is not None and summary.chunk_indexes and summary.channels:
            self._take(summary)
        else:
            self._scan(sound)
        self._store = store_of(self._schemas)

    def _take(self, summary: Any) -> None:
        for index in sorted(summary.chunk_indexes, key=lambda c: c.chunk_start_offset):
            place = Place(Op.CHUNK, index.chunk_start_offset + 9, index.chunk_length - 9)
            channels = set(index.message_index_offsets)
            self._chunks.append((place, channels or None))
        for channel in summary.channels.values():
            self._meet(channel, summary.schemas.get(channel.schema_id))

    def _scan(self, sound: bool) -> None:
        """Find topics and chunks by reading everything once (no index)."""
        schemas: dict[int, Any] = {}
        ended = False
        gap: Place | None = None
        for place in walk(self._file):
            if place.torn:
                gap = place
            elif place.op == Op.CHUNK:
                if gap is not None:  # something follows: it is a gap, not the end
                    self._chunks.append((gap, None))
                    gap = None
                self._scan_chunk(place, schemas)
            elif place.op in (Op.SCHEMA, Op.CHANNEL):
                self._define(place.op, content(self._file, place), schemas)
            elif place.op == Op.MESSAGE:
                self._loose.append(place)
            ended = ended or place.op == Op.DATA_END
        if not (sound and ended):
            self.notes.append(
                f"'{self._path.name}' was not finished (a crash?): read up to where it is whole; "
                "thymos recover makes a whole file of it"
            )

    def _scan_chunk(self, place: Place, schemas: dict[int, Any]) -> None:
        channels: set[int] = set()
        try:
            for op, data in inside(unpack(self._file, place)):
                if op == Op.MESSAGE:
                    channels.add(data[0] | data[1] << 8)
                else:
                    self._define(op, bytes(data), schemas)
        except RecordingError:
            channels = set()  # told when a topic comes to it
        self._chunks.append((place, channels or None))

    def _define(self, op: int, data: bytes, schemas: dict[int, Any]) -> None:
        try:
            if op == Op.SCHEMA:
                record = parse(op, data)
                schemas[record.id] = record
            elif op == Op.CHANNEL:
                record = parse(op, data)
                if record.id not in self._channels.get(record.topic, ()):
                    self._meet(record, schemas.get(record.schema_id))
        except Exception:  # noqa: BLE001  a damaged definition: its topic is not known
            return

    def _meet(self, channel: Any, schema: Any) -> None:
        msgtype = ros2_name(schema.name if schema is not None else "")
        if channel.topic not in self._channels:
            self.topics.append(
                Topic(channel.topic, msgtype, channel.message_encoding, dict(channel.metadata))
            )
        self._channels.setdefault(channel.topic, set()).add(channel.id)
        if schema is not None and schema.encoding == "ros2msg":
            self._schemas[msgtype] = schema.data.decode("utf-8", "replace")

    def messages(self, topic: str) -> Iterator[Raw]:
        """See `Bag`."""
        wanted = self._channels.get(topic, set())
        for packed in self._all(wanted):
            if packed is None:
                yield Raw(0, 0, 0, None)
            elif packed.channel in wanted:
                data = self._expand(packed.data) if self._zstd else packed.data
                yield Raw(packed.log_ns, packed.publish_ns, packed.sequence, data)

    def _all(self, wanted: set[int]) -> Iterator[Packed | None]:
        """Messages chunk by chunk; None where a chunk is damaged."""
        name = str(self._path)
        for place, channels in self._chunks:
            if channels is not None and wanted.isdisjoint(channels):
                continue
            try:
                chunk = self._shared.chunk((name, place.start), lambda: unpack(self._file, place))  # noqa: B023  called at once
                found = [message(data) for op, data in inside(chunk) if op == Op.MESSAGE]
            except RecordingError:
                yield None
                continue
            except OSError as err:
                raise RecordingError(f"'{self._path.name}' cannot be read: {err.strerror}") from err
            yield from found
        for place in self._loose:
            yield message(memoryview(content(self._file, place)))

    def _expand(self, data: memoryview) -> bytes | None:
        import zstandard

        try:
            return bytes(zstandard.ZstdDecompressor().decompress(data))
        except zstandard.ZstdError:
            return None

    def decode(self, topic: Topic, data: bytes | memoryview) -> Any:
        """See `Bag`."""
        if topic.encoding == "json" and topic.msgtype.startswith("foxglove_msgs/"):
            return from_json(bytes(data))
        if topic.encoding != "cdr":
            raise RecordingError(f"messages of encoding '{topic.encoding}' are not read")
        return deserialise(self._store, data, topic.msgtype)

    def close(self) -> None:
        """See `Bag`."""
        self._file.close()
