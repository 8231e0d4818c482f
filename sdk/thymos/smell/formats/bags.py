"""Recordings of messages: `olfaction_msgs/GasSensorArray` of others, and our smell frames.

What a message means is told by `thymos.smell.olfaction` and `thymos.smell.message`; files of any
kind (MCAP, rosbag2, ROS 1) are read by `thymos.record`. What is written is one MCAP file.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from thymos.errors import FrameError, MediaError, RecordingError
from thymos.smell.formats.base import SALVAGE, Damage, FormatError
from thymos.smell.formats.opening import Head
from thymos.smell.frame import Nose, SmellFrame

ARRAY = "olfaction_msgs/msg/GasSensorArray"
TOPIC = "/enose"
_HINT = "a bag with olfaction_msgs/GasSensorArray is needed"
_MOST_BYTES = 1 << 40
_FREE_BYTES = 64 << 20


@dataclass(slots=True)
class GasBag:
    """The readings of a bag.

    Attributes:
        format: Name in `FORMATS`.
        source: Its readings, from the beginning at every call.
        path: The bag; None if it is to be made.
        warnings: What a user should know.
        damage: Messages that could not be read.
    """

    format: str
    source: Callable[[], Iterator[SmellFrame]]
    path: Path | None = None
    warnings: list[str] = field(default_factory=list)
    damage: Damage = field(default_factory=Damage)

    def frames(self) -> Iterator[SmellFrame]:
        """Its messages as readings, one at a time.

        Raises:
            FormatError: A message is damaged (strict).
        """
        return self.source()

    def save(self, path: Path) -> None:
        """Write it as MCAP.

        Raises:
            RecordingError: It cannot be written.
        """
        write_arrays(path, self.source())


class GasBags:
    """Bags of any kind that `thymos.record` reads; MCAP is written."""

    name = "gas-bag"
    title = "bag with olfaction_msgs/GasSensorArray"
    suffixes = (".mcap", ".db3", ".bag")
    holds = "readings"

    def sniff(self, head: Head) -> bool:
        """A recording of messages, one topic of which is of this type."""
        return head.is_bag and bool(topics_of(head.path, ARRAY))

    def read(self, path: Path, *, strict: bool = True, ohms: bool = False) -> GasBag:
        """Open a bag; see `Format.read`."""
        topics = topics_of(path, ARRAY)
        if not topics:
            raise FormatError(path, "has no topic of GasSensorArray", hint=_HINT)
        damage = Damage()
        made = GasBag(
            self.name, lambda: _arrays(path, topics[0], strict, damage), path, damage=damage
        )
        made.warnings = [f"topic {name} is not read; {topics[0]} is" for name in topics[1:]]
        return made

    def from_frames(self, frames: Iterable[SmellFrame]) -> GasBag:
        """A bag from readings, once; what the message cannot hold is left out."""
        return GasBag(self.name, lambda: iter(frames))


def topics_of(path: Path, msgtype: str) -> list[str]:
    """Topics of a type in a recording; none if it is no recording."""
    from thymos.record.bags import open_bag

    try:
        bag = open_bag(path)
    except (MediaError, RecordingError):
        return []
    try:
        return [topic.name for topic in bag.topics if topic.msgtype == msgtype]
    finally:
        bag.close()


def _messages(path: Path, name: str) -> Iterator[tuple[int, int, Any]]:
    """Log time, place (from 0) and message, or the error, of one topic."""
    from thymos.record.bags import open_bag

    bag = open_bag(path)
    try:
        topic = next(topic for topic in bag.topics if topic.name == name)
        for n, raw in enumerate(bag.messages(name)):
            try:
                if raw.data is None:
                    raise RecordingError("a part of the file is damaged")
                yield raw.log_ns, n, bag.decode(topic, raw.data)
            except RecordingError as err:
                yield raw.log_ns, n, err
    finally:
        bag.close()


def _arrays(path: Path, topic: str, strict: bool, damage: Damage) -> Iterator[SmellFrame]:
    from thymos.smell.olfaction import frame_from

    damage.rows, damage.places = 0, []
    nose: Nose | None = None
    for log_ns, n, message in _messages(path, topic):
        try:
            if isinstance(message, RecordingError):
                raise message
            frame = frame_from(message, n)
        except (RecordingError, FrameError) as err:
            if strict:
                why = f"message {n + 1}: {err}"
                raise FormatError(path, why, hint=SALVAGE, kept=n) from err
            damage.add(n + 1, str(err))
            continue
        nose = nose if nose is not None and nose == frame.nose else frame.nose
        yield replace(frame, nose=nose, t_recv_ns=log_ns)


def read_frames(path: Path) -> Iterator[SmellFrame]:
    """The smell frames of a recording of ours, in the order of their log times.

    Raises:
        MediaError, RecordingError: It cannot be read.
        FormatError: A message is damaged.
    """
    from thymos.smell.message import FRAME, INFO, bare_nose, frame_from, nose_from

    noses: dict[int, Nose] = {}
    for topic in topics_of(path, INFO):
        for _, n, message in _messages(path, topic):
            try:
                if not isinstance(message, RecordingError):
                    nose = nose_from(message)
                    noses[int(message.id)] = nose
            except FrameError as err:
                raise FormatError(path, f"{topic}, message {n + 1}: {err}", hint="") from err
    streams = [_messages(path, topic) for topic in topics_of(path, FRAME)]
    for _, n, message in heapq.merge(*streams, key=lambda one: one[0]):
        try:
            if isinstance(message, RecordingError):
                raise message
            number = int(message.info_id)
            if number not in noses:  # its SmellInfo is not in the recording
                noses[number] = bare_nose(message)
            yield frame_from(message, noses[number])
        except (RecordingError, FrameError) as err:
            why = f"message {n + 1}: {err}"
            raise FormatError(path, why, hint="thymos recover", kept=n) from err


def write_frames(path: Path, frames: Iterable[SmellFrame]) -> int:
    """Write smell frames as MCAP, each nose once before its first frame; returns how many.

    Raises:
        RecordingError: It cannot be written.
    """
    from thymos.record.definitions import typestore
    from thymos.record.encode import Rosbags
    from thymos.smell.message import FRAME, INFO, Announcer, frame_message, info_message

    store = typestore()
    make, announcer = Rosbags(store.types), Announcer()

    def messages() -> Iterator[tuple[str, str, int, Any]]:
        for frame in frames:
            told, number, new = announcer.take(frame, frame.nose.frame_id)
            if new:
                yield f"{TOPIC}/info", INFO, frame.t_ns, info_message(make, told.nose, frame.t_ns)
            yield f"{TOPIC}/data", FRAME, frame.t_ns, frame_message(make, told, number)

    return _write(path, messages(), store, FRAME)


def write_arrays(path: Path, frames: Iterable[SmellFrame]) -> int:
    """Write readings as GasSensorArray in MCAP; returns how many.

    Raises:
        RecordingError: It cannot be written.
    """
    from thymos.record.definitions import typestore
    from thymos.record.encode import Rosbags
    from thymos.smell.olfaction import array_message

    store = typestore()
    make = Rosbags(store.types)
    made = (
        (TOPIC, ARRAY, frame.t_recv_ns or frame.t_ns, array_message(make, frame))
        for frame in frames
    )
    return _write(path, made, store, ARRAY)


def _write(
    path: Path, messages: Iterable[tuple[str, str, int, Any]], store: Any, counted: str
) -> int:
    from thymos.record.mcapfile import McapFile

    file = McapFile(path, max_bytes=_MOST_BYTES, min_free_bytes=_FREE_BYTES, overwrite=True)
    channels: dict[str, int] = {}
    count = 0
    try:
        for topic, msgtype, t_ns, message in messages:
            if topic not in channels:
                definition = store.generate_msgdef(msgtype, ros_version=2)
                channels[topic] = file.add_channel(topic, msgtype, definition, {})
            data = bytes(store.serialize_cdr(message, msgtype))
            file.add_message(channels[topic], data, log_ns=t_ns, publish_ns=t_ns, sequence=count)
            count += msgtype == counted
    except BaseException:
        file.discard()
        raise
    file.close()
    return count
