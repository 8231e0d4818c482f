"""Smell frames ↔ messages of rclpy, and the climate of a nose as standard messages."""

from __future__ import annotations

import array
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import thymos_msgs.msg
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from sensor_msgs.msg import FluidPressure, RelativeHumidity, Temperature
from std_msgs.msg import Header
from thymos_msgs.msg import SmellFrame, SmellInfo

from thymos.errors import FrameError
from thymos.samples import Sample, StreamSpec
from thymos.smell import message, olfaction
from thymos.smell.frame import NAN, Nose
from thymos.smell.frame import SmellFrame as Frame
from thymos.smell.message import nose_from
from thymos.smell.stream import frame_of, nose_of, sample_of, spec_of

__all__ = [
    "CLIMATE",
    "FrameMessages",
    "SmellMessages",
    "climate_to_msg",
    "nose_from",
    "sample_from",
]

CLIMATE = {"temperature": Temperature, "humidity": RelativeHumidity, "pressure": FluidPressure}
"""The standard message of each quantity of the air."""
_CODES = {"float64": "d", "uint8": "B", "int64": "q"}


class Rclpy:
    """Makes messages of rclpy; see `thymos.smell.message.Make`."""

    _KINDS: ClassVar = {"std_msgs/msg/Header": Header, "builtin_interfaces/msg/Time": Time}

    def message(self, msgtype: str, **fields: Any) -> Any:
        """A message of thymos_msgs, a header or a time."""
        kind = self._KINDS.get(msgtype)
        if kind is None:
            kind = getattr(thymos_msgs.msg, msgtype.rpartition("/")[2])
        return kind(**fields)

    def row(self, values: NDArray[Any]) -> array.array[Any]:
        """Numbers in the one type that rclpy takes without looking at each."""
        made = array.array(_CODES[values.dtype.name])
        made.frombytes(np.ascontiguousarray(values).tobytes())
        return made


MAKE = Rclpy()


class Told(NamedTuple):
    """One reading.

    Attributes:
        frame: In ROS time.
        data: The same as a message.
        info: The description of the nose where it is new: it must be published first.
    """

    frame: Frame
    data: SmellFrame
    info: SmellInfo | None


class SmellMessages:
    """The messages of one nose.

    Args:
        spec: Of its stream.
        frame_id: tf frame of the inlet.
    """

    def __init__(self, spec: StreamSpec, frame_id: str) -> None:
        self._spec, self._frame_id = spec, frame_id
        self._nose = nose_of(spec)
        self._announcer = message.Announcer()

    def of(self, sample: Sample, t_ns: int) -> Told:
        """What is said of a sample captured at `t_ns` in ROS time."""
        moved = replace(sample, t_ns=t_ns, t_recv_ns=sample.t_recv_ns + t_ns - sample.t_ns)
        frame = frame_of(moved, self._spec, self._nose)
        frame, number, new = self._announcer.take(frame, self._frame_id)
        info = message.info_message(MAKE, frame.nose, t_ns) if new else None
        return Told(frame, message.frame_message(MAKE, frame, number), info)


class FrameMessages:
    """Frames as messages, of noses that somebody else describes."""

    def __init__(self) -> None:
        self._announcer = message.Announcer()

    def of(self, frame: Frame) -> SmellFrame:
        """One frame in ROS time."""
        made, number, _ = self._announcer.take(frame, frame.nose.frame_id)
        return message.frame_message(MAKE, made, number)


def sample_from(m: Any, stream: str, noses: dict[int, Nose]) -> tuple[Sample, StreamSpec]:
    """The sample of a SmellFrame or olfaction_msgs/GasSensorArray, and what it tells of its stream.

    Args:
        m: The message.
        stream: Name of the stream.
        noses: What is known of noses; one that is not described is put in.

    Raises:
        FrameError: The message contradicts itself.
    """
    if hasattr(m, "sensors"):
        frame = olfaction.frame_from(m)
    else:
        frame = message.frame_from(m, message.nose_named(m, noses))
    if not 0 < frame.values.size <= message.MAX_CHANNELS:
        raise FrameError(f"a frame of {frame.values.size} channels")
    return sample_of(frame, stream), spec_of(frame.nose, stream)


def climate_to_msg(name: str, m: SmellFrame) -> Temperature | RelativeHumidity | FluidPressure:
    """One quantity of the air as its standard message (°C, 0…1, Pa; variance unknown).

    It is NaN where it may not be used.
    """
    if name == "temperature":
        value = NAN if m.temperature_fault else m.temperature_celsius
        return Temperature(header=m.header, temperature=value)
    if name == "humidity":
        value = NAN if m.humidity_fault else m.humidity_percent / 100.0
        return RelativeHumidity(header=m.header, relative_humidity=value)
    value = NAN if m.pressure_fault else m.pressure_hpa * 100.0
    return FluidPressure(header=m.header, fluid_pressure=value)
