"""A message of a file, its topic, how it is deserialised, and what is found in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Protocol

from numpy.typing import NDArray

from thymos.errors import RecordingError
from thymos.samples import NS_PER_S, Flag
from thymos.smell.frame import SmellFrame


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
    """One serialised message with the times of its file; no data where a part is damaged."""

    log_ns: int
    publish_ns: int
    sequence: int
    data: bytes | memoryview | None


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one message holds.

    Attributes:
        payload: As `Kind` says.
        t_ns: Stamp of the message; None if it has none.
        frame_id: tf frame.
        unit: Unit of the payload.
        rate_hz: Frames per second for sound, else 0.
        channels: Names of the last axis.
        seq: Number given by the device; None if the message has none.
        flags: Validity.
        note: Remark.
        device: Name of the device, if the message tells.
        smell: All that a nose said, of which the payload is a part.
        film: The payload is a piece of H.264 (uint8 [bytes]), or a frame decoded from it;
            `MessageReader` makes a picture of it.
    """

    payload: NDArray[Any]
    t_ns: int | None = None
    frame_id: str = ""
    unit: str = ""
    rate_hz: float = 0.0
    channels: tuple[str, ...] = ()
    seq: int | None = None
    flags: Flag = Flag.OK
    note: str = ""
    device: str = ""
    smell: SmellFrame | None = None
    film: bool = False


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """Format of sound whose messages do not tell it."""

    rate_hz: float = 16_000.0
    channels: int = 1
    assumed: bool = True


class Bag(Protocol):
    """A file of messages, open for reading."""

    topics: list[Topic]
    notes: list[str]

    def messages(self, topic: str) -> Iterator[Raw]:
        """Messages of one topic in the order of the file, holding one chunk at a time."""

    def decode(self, topic: Topic, data: bytes | memoryview) -> Any:
        """Deserialise one message."""

    def close(self) -> None:
        """Close the file; twice is once."""


def ros2_name(name: str) -> str:
    """`pkg/Name` and `pkg/msg/Name` to `pkg/msg/Name`; foxglove's own schema names too."""
    parts = name.replace("::", "/").replace(".", "/").split("/")
    if parts[0] == "foxglove":
        parts[0] = "foxglove_msgs"
    return f"{parts[0]}/msg/{parts[-1]}" if len(parts) >= 2 else name


def deserialise(store: Any, data: bytes | memoryview, msgtype: str) -> Any:
    """A message from CDR; arrays are views of `data`.

    Raises:
        RecordingError: It is damaged.
    """
    try:
        return store.deserialize_cdr(data, msgtype)
    except Exception as err:
        raise RecordingError(f"a message of {msgtype} is damaged: {words(err)}") from err


def from_json(data: bytes) -> Any:
    """A message of a foxglove schema in JSON: bytes are base64, a time is {sec, nsec}.

    Raises:
        RecordingError: It is damaged.
    """
    try:
        fields = json.loads(data)
        stamp = fields["timestamp"]
        fields["timestamp"] = SimpleNamespace(sec=int(stamp["sec"]), nanosec=int(stamp["nsec"]))
        fields["data"] = base64.b64decode(fields["data"], validate=True)
        return SimpleNamespace(**fields)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as err:
        raise RecordingError(f"a JSON message is damaged: {words(err)}") from err


def words(err: BaseException) -> str:
    """A foreign error in one line."""
    text = str(err).strip().split("\n")[0]
    return text or type(err).__name__


def stamp_of(header: Any) -> int | None:
    """Nanoseconds of a header; None if it was never filled."""
    t_ns = int(header.stamp.sec) * NS_PER_S + int(header.stamp.nanosec)
    return t_ns or None
