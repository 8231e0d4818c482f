"""Recordings of `olfaction_msgs/GasSensorArray` (MAPIRlab): rosbag2, MCAP and ROS 1 bags.

The message has no validity, heater step, phase or baseline; what it has is kept, field by field.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from thymos.errors import MediaError, RecordingError
from thymos.smell.formats.base import Damage, FormatError
from thymos.smell.formats.opening import Head
from thymos.smell.frame import Channel, Fault, Nose, SmellFrame, TimeSource

MSGTYPE = "olfaction_msgs/msg/GasSensorArray"
UNITS = {1: "volt", 2: "ampere", 3: "ppm", 4: "ppb", 5: "ohm", 6: "ppm_m", 100: "celsius"}
"""`raw_units` of GasSensor.msg."""
TEMPERATURE, HUMIDITY = 100, 101
"""`technology` of what is no gas sensor."""
_KEPT = ("technology", "manufacturer", "mpn", "raw_units", "raw_air", "calib_a", "calib_b")
_NS = 1_000_000_000
_HINT = "a bag with olfaction_msgs/GasSensorArray is needed"
TOPIC = "/enose"


@dataclass(slots=True)
class GasBag:
    """The messages of one topic.

    Attributes:
        format: Name in `FORMATS`.
        path: The bag.
        topic: The topic that is read; the first of its kind.
        warnings: What a user should know.
        damage: Messages that could not be read.
        strict: A damaged message is an error.
        made: Readings it is to be made of; None if it was read.
    """

    format: str
    path: Path
    topic: str
    warnings: list[str] = field(default_factory=list)
    damage: Damage = field(default_factory=Damage)
    strict: bool = True
    made: Iterable[SmellFrame] | None = None

    def save(self, path: Path) -> None:
        """Write it as a new rosbag2 folder (MCAP).

        Raises:
            RecordingError: The folder is there already, or cannot be written.
            FormatError: The readings do not come from such a bag.
        """
        write_bag(self.frames() if self.made is None else self.made, path, self.topic)

    def frames(self) -> Iterator[SmellFrame]:
        """Its messages as readings, one at a time.

        Raises:
            FormatError: A message is damaged (strict).
        """
        from thymos.record.bags import open_bag

        self.damage.rows, self.damage.places = 0, []
        nose: Nose | None = None
        with_bag = open_bag(self.path)
        try:
            topic = next(t for t in with_bag.topics if t.name == self.topic)
            for n, raw in enumerate(with_bag.messages(topic.name)):
                try:
                    if raw.data is None:
                        raise RecordingError("a part of the file is damaged")
                    message = with_bag.decode(topic, raw.data)
                    made = nose_of(message)
                    nose = made if nose is None or nose != made else nose
                    yield frame_of(message, nose, n, int(raw.log_ns))
                except (RecordingError, ArithmeticError, AttributeError, ValueError) as err:
                    if self.strict:
                        raise FormatError(
                            self.path, f"message {n + 1}: {err}", hint=_HINT, kept=n
                        ) from err
                    self.damage.add(n + 1, str(err))
        finally:
            with_bag.close()


def nose_of(message: Any) -> Nose:
    """The nose behind a message; fields the record has no place for stay in `extra`."""
    gases = [s for s in message.sensors if int(s.technology) not in (TEMPERATURE, HUMIDITY)]
    names = [str(s.header.frame_id) or f"sensor_{i}" for i, s in enumerate(gases)]
    channels = tuple(
        Channel(
            name if names.count(name) == 1 else f"{name}_{i}",
            UNITS.get(int(sensor.raw_units), "unknown"),
            sensor_id=str(sensor.header.frame_id),
        )
        for i, (name, sensor) in enumerate(zip(names, gases, strict=True))
    )
    facts = [
        {key: _plain(getattr(s, key)) for key in _KEPT} | {"frame_id": str(s.header.frame_id)}
        for s in message.sensors
    ]
    kinds = {int(s.technology) for s in message.sensors}
    air = tuple(
        name for name, kind in (("temperature", TEMPERATURE), ("humidity", HUMIDITY))
        if kind in kinds
    )  # fmt: skip
    return Nose(
        "olfaction_msgs/GasSensorArray",
        "",
        channels,
        air=air,
        frame_id=str(message.header.frame_id),
        extra={"file.format": "gas-bag", "sensors": json.dumps(facts)},
    )


def frame_of(message: Any, nose: Nose, n: int, log_ns: int) -> SmellFrame:
    """One message as a reading."""
    t_ns = _ns(message.header.stamp)
    values: list[float] = []
    offsets: list[int] = []
    air: dict[int, float] = {}
    extra: dict[str, str] = {}
    for i, sensor in enumerate(message.sensors):
        raw, kind = float(sensor.raw), int(sensor.technology)
        offset = _ns(sensor.header.stamp) - t_ns
        if kind in (TEMPERATURE, HUMIDITY):
            if kind in air or math.isinf(raw):
                extra[f"sensors.{i}.raw"] = repr(raw)
            else:
                air[kind] = raw
            extra |= {f"sensors.{i}.offset_ns": str(offset)} if offset else {}
            continue
        if math.isinf(raw):
            extra[f"sensors.{i}.raw"] = repr(raw)
        values.append(math.nan if math.isinf(raw) else raw)
        offsets.append(offset)
    return SmellFrame(
        nose=nose,
        seq=n,
        t_ns=t_ns,
        values=np.array(values),
        faults=tuple(Fault.MISSING if math.isnan(v) else Fault.NONE for v in values),
        offset_ns=tuple(offsets) if any(offsets) else (),
        t_recv_ns=log_ns,
        time_source=TimeSource.HOST,
        temperature_celsius=air.get(TEMPERATURE, math.nan),
        humidity_percent=air.get(HUMIDITY, math.nan),
        extra=extra,
    )


def message_of(frame: SmellFrame, store: Any) -> Any:
    """A reading as the message it came from.

    Raises:
        FormatError: It comes from somewhere else.
    """
    types = store.types
    if frame.nose.extra.get("file.format") != "gas-bag":
        raise FormatError(Path("-"), "cannot be a bag of GasSensorArray: not read from one",
                          hint="the ROS node publishes that topic: see docs/ros.md")  # fmt: skip

    def header(t_ns: int, frame_id: str) -> Any:
        stamp = types["builtin_interfaces/msg/Time"](sec=t_ns // _NS, nanosec=t_ns % _NS)
        return types["std_msgs/msg/Header"](stamp=stamp, frame_id=frame_id)

    gases = iter(
        zip(frame.values.tolist(), frame.offset_ns or [0] * frame.values.size, strict=True)
    )
    sensors = []
    for i, fact in enumerate(json.loads(frame.nose.extra["sensors"])):
        kind = fact["technology"]
        if kind in (TEMPERATURE, HUMIDITY):
            raw = frame.temperature_celsius if kind == TEMPERATURE else frame.humidity_percent
            offset = int(frame.extra.get(f"sensors.{i}.offset_ns", "0"))
        else:
            raw, offset = next(gases)
        raw = float(frame.extra.get(f"sensors.{i}.raw", raw))
        kept = {key: float(fact[key]) if key in _KEPT[4:] else int(fact[key]) for key in _KEPT}
        sensors.append(
            types["olfaction_msgs/msg/GasSensor"](
                header=header(frame.t_ns + offset, fact["frame_id"]), raw=raw, **kept
            )
        )
    return types[MSGTYPE](header=header(frame.t_ns, frame.nose.frame_id), sensors=sensors)


def _plain(value: Any) -> int | float | str:
    if isinstance(value, float) or np.issubdtype(type(value), np.floating):
        number = float(value)
        return number if math.isfinite(number) else repr(number)
    return int(value)


def _ns(stamp: Any) -> int:
    return int(stamp.sec) * _NS + int(stamp.nanosec)


class GasBags:
    """Bags of any kind that `thymos.record` reads; a rosbag2 folder (MCAP) is written."""

    name = "gas-bag"
    title = "bag with olfaction_msgs/GasSensorArray"
    suffixes = (".mcap", ".db3", ".bag", "")
    holds = "readings"

    def sniff(self, head: Head) -> bool:
        """A recording of messages, one topic of which is of this type."""
        return head.is_bag and bool(_topics(head.path))

    def read(self, path: Path, *, strict: bool = True, ohms: bool = False) -> GasBag:
        """Open a bag; see `Format.read`."""
        topics = _topics(path)
        if not topics:
            raise FormatError(path, "has no topic of GasSensorArray", hint=_HINT)
        more = [f"topic {name} is not read; {topics[0]} is" for name in topics[1:]]
        return GasBag(self.name, path, topics[0], more, strict=strict)

    def from_frames(self, frames: Iterable[SmellFrame]) -> GasBag:
        """A bag from the readings of one; streams them, once."""
        return GasBag(self.name, Path("-"), TOPIC, made=frames)


def _topics(path: Path) -> list[str]:
    from thymos.record.bags import open_bag

    try:
        bag = open_bag(path)
    except (MediaError, RecordingError):
        return []
    try:
        return [topic.name for topic in bag.topics if topic.msgtype == MSGTYPE]
    finally:
        bag.close()


def write_bag(frames: Iterable[SmellFrame], path: Path, topic: str = TOPIC) -> int:
    """Write readings that came from such a bag to a new rosbag2 folder (MCAP); returns how many.

    Raises:
        RecordingError: The folder is there already, or cannot be written.
        FormatError: The readings come from somewhere else.
    """
    from rosbags.rosbag2 import StoragePlugin, Writer, WriterError

    from thymos.record.definitions import typestore

    store = typestore()
    count = 0
    try:
        with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            connection = writer.add_connection(topic, MSGTYPE, typestore=store)
            for frame in frames:
                data = store.serialize_cdr(message_of(frame, store), MSGTYPE)
                writer.write(connection, frame.t_recv_ns or frame.t_ns, data)
                count += 1
    except (OSError, WriterError) as err:
        raise RecordingError(f"cannot write '{path}': {err}", hint="choose a new folder") from err
    return count
