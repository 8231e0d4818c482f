"""Robot clock ↔ ROS time: the one place where they meet.

Drivers stamp samples on the robot clock (CLOCK_MONOTONIC); headers carry ROS time, which is the
wall clock, or /clock when `use_sim_time` is set. The difference between the two is measured again
every second, so that corrections of the wall clock (NTP) are followed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from thymos.clock import MonotonicClock, RobotClock
from thymos.samples import NS_PER_S

if TYPE_CHECKING:
    from builtin_interfaces.msg import Time
    from rclpy.clock import Clock

REFRESH_NS = NS_PER_S
STEP_NS = 5_000_000  # a larger change between two measurements is a step, not drift


class RosClock:
    """ROS time as a `RobotClock`: for stages whose samples come from topics."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now_ns(self) -> int:
        """Nanoseconds of ROS time; 0 while `use_sim_time` waits for the first /clock."""
        return int(self._clock.now().nanoseconds)


class RosTime:
    """Brings capture times of the robot clock to ROS time.

    Args:
        ros: ROS time.
        robot: The clock drivers stamp with.
        on_step: Told the size in ns when ROS time jumped against the robot clock.
    """

    def __init__(
        self,
        ros: RobotClock,
        robot: RobotClock | None = None,
        *,
        on_step: Callable[[int], None] | None = None,
    ) -> None:
        self._ros = ros
        self._robot = robot or MonotonicClock()
        self._on_step = on_step
        self._lock = threading.Lock()
        self._offset = 0
        self._measured_at: int | None = None

    def to_ros(self, t_ns: int) -> int:
        """Capture time in ROS time, nanoseconds. Any thread."""
        with self._lock:
            now = self._robot.now_ns()
            if self._measured_at is None or now - self._measured_at >= REFRESH_NS:
                self._measure(now)
            return t_ns + self._offset

    def _measure(self, now: int) -> None:
        # The tightest of a few bracketed readings: a thread switch in between spoils the others.
        offset = min(self._bracket() for _ in range(5))[1]
        step = offset - self._offset
        if self._measured_at is not None and abs(step) > STEP_NS and self._on_step is not None:
            self._on_step(step)
        self._offset, self._measured_at = offset, now

    def _bracket(self) -> tuple[int, int]:
        before = self._robot.now_ns()
        ros = self._ros.now_ns()
        after = self._robot.now_ns()
        return after - before, ros - (before + after) // 2


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
