"""Files with messages: MCAP (whole or torn), rosbag2 folders and files, ROS 1 bags.

Nothing is ever written beside the input: sqlite files are opened immutable.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, BinaryIO, Protocol

from thymos.errors import MediaError, MissingExtraError, RecordingError
from thymos.record.definitions import typestore

MCAP_MAGIC = b"\x89MCAP0\r\n"
BAG_MAGIC = b"#ROSBAG V2.0"
SQLITE_MAGIC = b"SQLite format 3\x00"
LFS_MAGIC = b"version https://git-lfs"
MGONZS13 = ("audio_common_msgs/msg/AudioStamped", "audio_common_msgs/msg/Audio")


@dataclass(slots=True)
class Topic:
    """A topic of a file.

    Attributes:
        name: Topic.
        msgtype: ROS type name, `pkg/msg/Name`.
        encoding: Of the messages: `cdr`, `ros1`, `json` …
        metadata: Of the channel (MCAP).
    """

    name: str
    msgtype: str
    encoding: str
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raw:
    """One serialised message with the times of its file."""

    log_ns: int
    publish_ns: int
    sequence: int
    data: bytes


class Bag(Protocol):
    """A file of messages, open for reading."""

    topics: list[Topic]
    notes: list[str]

    def messages(self, topic: str) -> Iterator[Raw]:
        """Messages of one topic in the order of the file, holding one chunk at a time."""

    def decode(self, topic: Topic, data: bytes) -> Any:
        """Deserialise one message."""

    def close(self) -> None:
        """Close the file; twice is once."""


def open_bag(path: Path) -> Bag:
    """Open a recording of any kind.

    Raises:
        MediaError: The path is missing, empty, or not a recording.
        RecordingError: It is a recording and cannot be read.
    """
    try:
        if path.is_dir():
            return _folder(path)
        with path.open("rb") as file:
            head = file.read(64)
    except FileNotFoundError as err:
        raise MediaError(f"there is no file '{path}'", hint="check the path") from err
    except OSError as err:
        raise MediaError(f"cannot read '{path}': {err.strerror or err}") from err
    _refuse_impostors(path, head)
    return McapBag(path) if head.startswith(MCAP_MAGIC) else RosBag(path)


def _refuse_impostors(path: Path, head: bytes) -> None:
    if not head:
        raise MediaError(f"'{path}' is empty (0 bytes)", hint="record or copy it again")
    if head.startswith(LFS_MAGIC):
        raise MediaError(
            f"'{path}' is a Git LFS pointer, not the recording itself", hint="git lfs pull"
        )
    if not head.startswith((MCAP_MAGIC, BAG_MAGIC, SQLITE_MAGIC)):
        raise MediaError(
            f"'{path}' is not a recording (no MCAP, rosbag2 or ROS 1 bag)",
            hint="for a video or sound file: thymos explain FILE with its own extension",
        )


def _folder(path: Path) -> Bag:
    """A rosbag2 folder: one file, or several of one recording in order.

    Plain MCAP files are read one by one, so that one definition that cannot be parsed or one torn
    file does not hide the others; metadata.yaml is only needed for what is compressed as a whole.
    """
    files = sorted((p for p in path.iterdir() if p.suffix in (".mcap", ".db3")), key=_natural)
    meta = path / "metadata.yaml"
    if files and (not meta.is_file() or all(p.suffix == ".mcap" for p in files)):
        bags: list[Bag] = []
        try:
            bags.extend(open_bag(file) for file in files)
        except BaseException:
            for bag in bags:
                bag.close()
            raise
        return bags[0] if len(bags) == 1 else ChainBag(bags)
    if not meta.is_file():
        raise MediaError(
            f"'{path}' is a folder without a recording (no metadata.yaml, .mcap or .db3 in it)",
            hint="give a recording: a rosbag2 folder, an .mcap, .db3 or .bag",
        )
    return RosBag(path)


def _natural(path: Path) -> list[tuple[int, str]]:
    """`bag_2` before `bag_10`."""
    return [(int(p), "") if p.isdigit() else (-1, p) for p in re.split(r"(\d+)", path.name)]


class ChainBag:
    """The parts of a split recording, one after the other."""

    def __init__(self, parts: list[Bag]) -> None:
        self._parts = parts
        self.notes = [note for part in parts for note in part.notes]
        self.topics: list[Topic] = []
        for topic in (t for part in parts for t in part.topics):
            if all(t.name != topic.name for t in self.topics):
                self.topics.append(topic)

    def messages(self, topic: str) -> Iterator[Raw]:
        """See `Bag`."""
        for part in self._parts:
            yield from part.messages(topic)

    def decode(self, topic: Topic, data: bytes) -> Any:
        """See `Bag`."""
        owner = next(p for p in self._parts if any(t.name == topic.name for t in p.topics))
        return owner.decode(topic, data)

    def close(self) -> None:
        """See `Bag`."""
        for part in self._parts:
            part.close()


class McapBag:
    """One MCAP file. A torn one (no index: a crash, a `.part`) is read up to where it is whole."""

    def __init__(self, path: Path) -> None:
        try:
            from mcap.reader import make_reader
            from mcap.stream_reader import StreamReader
        except ImportError as err:
            raise MissingExtraError("mcap", "record") from err
        self._path = path
        self._stream_reader = StreamReader
        self._file: BinaryIO = path.open("rb")
        self.notes: list[str] = []
        self._chunks: list[Any] = []
        self._channels: dict[str, set[int]] = {}
        self._schemas: dict[str, str] = {}
        self.topics: list[Topic] = []
        self._torn = False
        try:
            summary = make_reader(self._file).get_summary()
        except Exception:  # noqa: BLE001  the library raises what it likes on torn files
            summary, self._torn = None, True
        if summary is not None and summary.chunk_indexes and summary.channels:
            self._chunks = sorted(summary.chunk_indexes, key=lambda c: c.chunk_start_offset)
            for channel in summary.channels.values():
                self._meet(channel, summary.schemas.get(channel.schema_id))
        else:
            self._scan()
        self._store = _store_of(self._schemas)

    def _scan(self) -> None:
        """Find the topics by reading everything once (no index)."""
        schemas: dict[int, Any] = {}
        for record in self._records():
            kind = type(record).__name__
            if kind == "Schema":
                schemas[record.id] = record
            elif kind == "Channel" and record.id not in self._channels.get(record.topic, ()):
                self._meet(record, schemas.get(record.schema_id))
        if self._torn:
            self.notes.append(
                f"'{self._path.name}' was not finished (a crash?): read up to where it is whole"
            )

    def _meet(self, channel: Any, schema: Any) -> None:
        msgtype = _ros2_name(schema.name if schema is not None else "")
        if channel.topic not in self._channels:
            self.topics.append(
                Topic(channel.topic, msgtype, channel.message_encoding, dict(channel.metadata))
            )
        self._channels.setdefault(channel.topic, set()).add(channel.id)
        if schema is not None and schema.encoding == "ros2msg":
            self._schemas[msgtype] = schema.data.decode("utf-8", "replace")

    def _records(self) -> Iterator[Any]:
        """All records in order; a torn tail ends them."""
        self._file.seek(0)
        try:
            yield from self._stream_reader(self._file).records
        except Exception:  # noqa: BLE001  as above
            self._torn = True

    def messages(self, topic: str) -> Iterator[Raw]:
        """See `Bag`."""
        wanted = self._channels.get(topic, set())
        try:
            for m in self._all(wanted):
                if m.channel_id in wanted:
                    yield Raw(m.log_time, m.publish_time, m.sequence, m.data)
        except (RecordingError, GeneratorExit):
            raise
        except Exception as err:
            raise RecordingError(f"'{self._path}' is damaged: {_words(err)}") from err

    def _all(self, wanted: set[int]) -> Iterator[Any]:
        """Messages chunk by chunk (the library's own iterator holds the whole file)."""
        from mcap.data_stream import ReadDataStream
        from mcap.records import Chunk, Message
        from mcap.stream_reader import breakup_chunk

        if not self._chunks:
            yield from (r for r in self._records() if isinstance(r, Message))
            return
        for index in self._chunks:
            offsets = index.message_index_offsets
            if offsets and wanted.isdisjoint(offsets):
                continue
            self._file.seek(index.chunk_start_offset + 1 + 8)  # opcode and length
            chunk = Chunk.read(ReadDataStream(self._file))
            yield from (r for r in breakup_chunk(chunk, True) if isinstance(r, Message))

    def decode(self, topic: Topic, data: bytes) -> Any:
        """See `Bag`."""
        if topic.encoding == "json" and topic.msgtype.startswith("foxglove_msgs/"):
            return _from_json(data)
        if topic.encoding != "cdr":
            raise RecordingError(f"messages of encoding '{topic.encoding}' are not read")
        return _deserialise(self._store, data, topic.msgtype)

    def close(self) -> None:
        """See `Bag`."""
        self._file.close()


class RosBag:
    """A rosbag2 folder, a .db3 file or a ROS 1 .bag, through rosbags."""

    def __init__(self, path: Path) -> None:
        try:
            from rosbags.highlevel import AnyReader
        except ImportError as err:
            raise MissingExtraError("rosbags", "record") from err
        self.notes: list[str] = []
        self._path = path
        self._alias: TemporaryDirectory[str] | None = None
        wal = path.with_name(path.name + "-wal")
        if path.is_file() and wal.is_file() and wal.stat().st_size:
            self.notes.append(f"'{wal.name}' beside it is not read: it was not closed properly")
        if set("?#%") & set(str(path)):  # rosbags puts the path into an sqlite URI as it is
            self._alias = TemporaryDirectory(prefix="thymos-")
            link = Path(self._alias.name) / f"bag{path.suffix}"
            link.symlink_to(path.resolve())
            path = link
        try:
            self._reader: Any = AnyReader([path], default_typestore=typestore())
            self._reader.open()
            if any(c.msgtype in MGONZS13 for c in self._reader.connections) and not any(
                name in self._reader.typestore.fielddefs for name in MGONZS13
            ):  # no definitions inside, and the topics tell which package of that name it was
                self._reader.close()
                self._reader = AnyReader([path], default_typestore=typestore(mgonzs13=True))
                self._reader.open()
        except Exception as err:
            self._drop_alias()
            raise RecordingError(f"cannot open '{self._path}': {_words(err)}") from err
        encoding = "cdr" if self._reader.is2 else "ros1"
        self.topics: list[Topic] = []
        for c in sorted(self._reader.connections, key=lambda c: c.topic):
            if all(t.name != c.topic for t in self.topics):
                self.topics.append(Topic(c.topic, c.msgtype, encoding))

    def messages(self, topic: str) -> Iterator[Raw]:
        """See `Bag`."""
        wanted = [c for c in self._reader.connections if c.topic == topic]
        try:
            for i, (_, log_ns, data) in enumerate(self._reader.messages(wanted) if wanted else ()):
                yield Raw(log_ns, log_ns, i, data)
        except (RecordingError, GeneratorExit):
            raise
        except Exception as err:
            raise RecordingError(f"'{self._path}' is damaged: {_words(err)}") from err

    def decode(self, topic: Topic, data: bytes) -> Any:
        """See `Bag`."""
        try:
            return self._reader.deserialize(data, topic.msgtype)
        except Exception as err:
            raise RecordingError(f"a message of {topic.msgtype} is damaged: {_words(err)}") from err

    def close(self) -> None:
        """See `Bag`."""
        if self._reader.stack is not None:
            self._reader.close()
        self._drop_alias()

    def _drop_alias(self) -> None:
        if self._alias is not None:
            self._alias.cleanup()
            self._alias = None


def _ros2_name(name: str) -> str:
    """`pkg/Name` and `pkg/msg/Name` to `pkg/msg/Name`; foxglove's own schema names too."""
    parts = name.replace("::", "/").replace(".", "/").split("/")
    if parts[0] == "foxglove":
        parts[0] = "foxglove_msgs"
    return f"{parts[0]}/msg/{parts[-1]}" if len(parts) >= 2 else name


def _store_of(definitions: dict[str, str]) -> Any:
    """A type store with the definitions a file carries; the known ones if it carries none."""
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    types: dict[str, Any] = {}
    for name, text in definitions.items():
        try:
            types.update(get_types_from_msg(text, name))
        except Exception:  # noqa: BLE001, S112  perhaps of a topic nobody reads; decoding tells
            continue
    if not types:
        return typestore()
    store = get_typestore(Stores.EMPTY)
    store.register(types)
    return store


def _deserialise(store: Any, data: bytes, msgtype: str) -> Any:
    try:
        return store.deserialize_cdr(data, msgtype)
    except Exception as err:
        raise RecordingError(f"a message of {msgtype} is damaged: {_words(err)}") from err


def _from_json(data: bytes) -> Any:
    """A message of a foxglove schema in JSON: bytes are base64, a time is {sec, nsec}."""
    try:
        fields = json.loads(data)
        stamp = fields["timestamp"]
        fields["timestamp"] = SimpleNamespace(sec=int(stamp["sec"]), nanosec=int(stamp["nsec"]))
        fields["data"] = base64.b64decode(fields["data"], validate=True)
        return SimpleNamespace(**fields)
    except (ValueError, KeyError, TypeError) as err:
        raise RecordingError(f"a JSON message is damaged: {_words(err)}") from err


def _words(err: BaseException) -> str:
    """A foreign error in one line."""
    text = str(err).strip().split("\n")[0]
    return text or type(err).__name__
