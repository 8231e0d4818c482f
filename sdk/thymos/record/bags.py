"""Files with messages: MCAP (whole or torn), rosbag2 folders and files, ROS 1 bags.

Nothing is ever written beside the input: sqlite files are opened immutable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from thymos.errors import MediaError, MissingExtraError, RecordingError
from thymos.record.definitions import typestore
from thymos.record.mcapbag import McapBag
from thymos.record.mcapfmt import MCAP_MAGIC
from thymos.record.messages import Bag, Raw, Topic, words
from thymos.record.shared import ZSTD_MAGIC, Shared

BAG_MAGIC = b"#ROSBAG V2.0"
SQLITE_MAGIC = b"SQLite format 3\x00"
LFS_MAGIC = b"version https://git-lfs"
MGONZS13 = ("audio_common_msgs/msg/AudioStamped", "audio_common_msgs/msg/Audio")


def open_bag(path: Path, shared: Shared | None = None) -> Bag:
    """Open a recording of any kind.

    Args:
        path: File or folder.
        shared: What other readers of the same recording unpacked.

    Raises:
        MediaError: The path is missing, empty, or not a recording.
        RecordingError: It is a recording and cannot be read.
    """
    shared = shared or Shared()
    try:
        if path.is_dir():
            return _folder(path, shared)
    except OSError as err:
        raise MediaError(f"cannot read '{path}': {err.strerror or err}") from err
    file, head = open_file(path)
    file.close()
    if head.startswith(ZSTD_MAGIC):
        return open_bag(shared.unpacked(path), shared)
    refuse_impostors(path, head)
    if head.startswith(MCAP_MAGIC):
        return McapBag(path, shared)
    return RosBag(path, shared)


def open_file(path: Path) -> tuple[BinaryIO, bytes]:
    """Open a file; also returns how it begins.

    Raises:
        MediaError: It is missing or cannot be read.
    """
    try:
        file = path.open("rb")
        return file, file.read(64)
    except FileNotFoundError as err:
        raise MediaError(f"there is no file '{path}'", hint="check the path") from err
    except OSError as err:
        raise MediaError(f"cannot read '{path}': {err.strerror or err}") from err


def refuse_impostors(path: Path, head: bytes) -> None:
    """Refuse what is no recording, by its first bytes.

    Raises:
        MediaError: It is empty, a Git LFS pointer, or something else.
    """
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


def _folder(path: Path, shared: Shared) -> Bag:
    """A rosbag2 folder: one file, or several of one recording in order.

    The files are read one by one, so that one definition that cannot be parsed or one torn file
    does not hide the others; metadata.yaml is only asked whether messages are compressed.
    """
    files = sorted((p for p in path.iterdir() if _is_part(p)), key=_natural)
    if not files:
        raise MediaError(
            f"'{path}' is a folder without a recording (no .mcap or .db3 in it)",
            hint="give a recording: a rosbag2 folder, an .mcap, .db3 or .bag",
        )
    meta = path / "metadata.yaml"
    if not meta.is_file() and len({_recording_of(p) for p in files}) > 1:
        names = ", ".join(p.name for p in files[:4]) + (" …" if len(files) > 4 else "")
        raise MediaError(
            f"'{path}' holds several recordings and no metadata.yaml that joins them: {names}",
            hint=f"choose one: {files[0]}",
        )
    zstd = _message_compression(meta)
    if zstd and all(p.suffix == ".db3" for p in files):
        return RosBag(path, shared)
    bags: list[Bag] = []
    try:
        for file in files:
            mcap = zstd and file.suffix == ".mcap"
            bags.append(McapBag(file, shared, zstd=True) if mcap else open_bag(file, shared))
    except BaseException:
        for bag in bags:
            bag.close()
        raise
    return bags[0] if len(bags) == 1 else ChainBag(bags)


def _recording_of(path: Path) -> str:
    """What the names of all parts of one recording have in common: `bag` of `bag_3.mcap`."""
    return re.sub(r"(_\d+)?\.(mcap|db3)(\.part|\.zstd)?$", "", path.name)


def _is_part(path: Path) -> bool:
    """Whether a file of a folder belongs to a rosbag2 recording."""
    name = path.name.removesuffix(".zstd")
    return path.is_file() and name.endswith((".mcap", ".db3", ".mcap.part"))


def _message_compression(meta: Path) -> bool:
    """Whether metadata.yaml says that messages are compressed one by one.

    Raises:
        RecordingError: They are, with something else than zstd.
    """
    try:
        info = yaml.safe_load(meta.read_text("utf-8"))["rosbag2_bagfile_information"]
        mode = str(info.get("compression_mode") or "").lower()
        how = str(info.get("compression_format") or "").lower()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return False  # missing or odd: the files speak for themselves
    if mode == "message" and how != "zstd":
        raise RecordingError(f"'{meta.parent}': messages compressed with '{how}' are not read")
    return mode == "message"


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

    def decode(self, topic: Topic, data: bytes | memoryview) -> Any:
        """See `Bag`."""
        owner = next(p for p in self._parts if any(t.name == topic.name for t in p.topics))
        return owner.decode(topic, data)

    def close(self) -> None:
        """See `Bag`."""
        for part in self._parts:
            part.close()


class RosBag:
    """A .db3 file, a rosbag2 folder of them or a ROS 1 .bag, through rosbags."""

    def __init__(self, path: Path, shared: Shared) -> None:
        try:
            from rosbags.highlevel import AnyReader
        except ImportError as err:
            raise MissingExtraError("rosbags", "record") from err
        self.notes: list[str] = []
        self._path = path
        self._shared = shared  # keeps what it unpacked
        wal = path.with_name(path.name + "-wal")
        if path.is_file() and wal.is_file() and wal.stat().st_size:
            self.notes.append(
                f"'{path.name}' was not closed properly (a crash?): it was completed "
                f"from '{wal.name}'"
            )
            path = shared.merged(path)
        if set("?#%") & set(str(path)):  # rosbags puts the path into an sqlite URI as it is
            path = shared.alias(path)
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
            raise RecordingError(f"cannot open '{self._path}': {words(err)}") from err
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
            raise RecordingError(f"'{self._path.name}' is damaged: {words(err)}") from err

    def decode(self, topic: Topic, data: bytes | memoryview) -> Any:
        """See `Bag`."""
        try:
            return self._reader.deserialize(data, topic.msgtype)
        except Exception as err:
            raise RecordingError(f"a message of {topic.msgtype} is damaged: {words(err)}") from err

    def close(self) -> None:
        """See `Bag`."""
        if self._reader.stack is not None:
            self._reader.close()
