"""Clocks: what time it is for the robot, and what a device's own clock means in that time.

Drivers may import this package; it needs numpy and the standard library only.

    RobotClock, MonotonicClock, ManualClock    now, in nanoseconds
    ClockModel                                 device ticks → robot time, from pairs seen so far
    ClockCalibration                           what to remember of a device, for a warm start
    SampleCounter                              capture time of sound blocks, by counting frames
    RosTime                                    robot time → ROS time, `/clock` jumps included
    host_stamp_ns, realtime_to_monotonic       stamps of this machine's other clocks
    portaudio_ns, serial_ns, midpoint          converter time, bytes on a line, question and answer

Which one for which device: docs/clocks.md.
"""

from thymos.clock.calibration import ClockCalibration
from thymos.clock.model import ClockModel, Stamp
from thymos.clock.robot import ManualClock, MonotonicClock, RobotClock
from thymos.clock.ros import RosTime
from thymos.clock.sound import SampleCounter
from thymos.clock.sources import (
    host_stamp_ns,
    midpoint,
    portaudio_ns,
    realtime_to_monotonic,
    serial_ns,
)

__all__ = [
    "ClockCalibration",
    "ClockModel",
    "ManualClock",
    "MonotonicClock",
    "RobotClock",
    "RosTime",
    "SampleCounter",
    "Stamp",
    "host_stamp_ns",
    "midpoint",
    "portaudio_ns",
    "realtime_to_monotonic",
    "serial_ns",
]
