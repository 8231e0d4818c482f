"""Robot clock ↔ ROS time: the one place where they meet.

Drivers stamp samples on the robot clock (CLOCK_MONOTONIC); headers carry ROS time, which is the
wall clock, or /clock when `use_sim_time` is set. How one follows the other is in the SDK
(`thymos.clock.RosTime`); here are the parts that need ROS.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from thymos.clock import RosTime
from thymos.samples import NS_PER_S

if TYPE_CHECKING:
    from builtin_interfaces.msg import Time
    from rclpy.clock import Clock

__all__ = ["RosClock", "RosTime", "to_msg", "to_ns", "wall_ns"]


class RosClock:
    """ROS time as a `RobotClock`: for stages whose samples come from topics."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now_ns(self) -> int:
        """Nanoseconds of ROS time; 0 while `use_sim_time` waits for the first /clock."""
        return int(self._clock.now().nanoseconds)


def to_msg(t_ns: int) -> Time:
    """Nanoseconds as a `builtin_interfaces/Time`. Before 1970 there is no ROS time: 0."""
    from builtin_interfaces.msg import Time

    sec, nanosec = divmod(max(0, t_ns), NS_PER_S)
    return Time(sec=int(sec), nanosec=int(nanosec))


def to_ns(stamp: Time) -> int:
    """A `builtin_interfaces/Time` as nanoseconds."""
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def wall_ns() -> int:
    """Monotonic nanoseconds for measuring rates; never a stamp."""
    return time.monotonic_ns()
