"""Clocks: what time it is for the robot, and what a device's own clock means in that time.

Drivers may import this package; it needs numpy and the standard library only.

    RobotClock, MonotonicClock, ManualClock    now, in nanoseconds
    realtime_to_monotonic                      a CLOCK_REALTIME stamp on the robot clock
    ClockModel                                 device ticks → robot time, from pairs seen so far
    ClockCalibration                           what to remember of a device, for a warm start
    SampleCounter                              capture time of sound blocks, by counting frames
"""

from thymos.clock.calibration import ClockCalibration
from thymos.clock.model import ClockModel, Stamp
from thymos.clock.robot import ManualClock, MonotonicClock, RobotClock, realtime_to_monotonic
from thymos.clock.sound import SampleCounter

__all__ = [
    "ClockCalibration",
    "ClockModel",
    "ManualClock",
    "MonotonicClock",
    "RobotClock",
    "SampleCounter",
    "Stamp",
    "realtime_to_monotonic",
]
