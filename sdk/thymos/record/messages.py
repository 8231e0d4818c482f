"""A message of a file, its topic, and how it is deserialised."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Protocol

from thymos.errors import RecordingError


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
