"""Robot clock ↔ ROS time, in plain Python: steps, `/clock` jumps, pauses and other rates."""

from __future__ import annotations

import threading
from collections.abc import Callable

from thymos.clock.robot import MonotonicClock, RobotClock

REFRESH_NS = 1_000_000_000
STEP_NS = 5_000_000
"""A larger unexpected change between two measurements is a step, not drift."""


class RosTime:
    """Brings capture times of the robot clock to ROS time.

    ROS time is the wall clock, or `/clock` with `use_sim_time`: it may not have begun (0), jump
    forward, begin again (a bag that loops), pause, or run at another rate. The difference to the
    robot clock is measured again every second and followed; a rate other than 1 is taken over
    when it has held for two measurements. Any thread may call.

    Args:
        ros: ROS time, ns; 0 while it has not begun.
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
        self._drift = 0.0  # rate of ROS time minus 1
        self._next_drift = 0.0
        self._measured_at: int | None = None

    def to_ros(self, t_ns: int) -> int:
        """Capture time in ROS time, nanoseconds; negative while ROS time has not begun."""
        step = 0
        with self._lock:
            now = self._robot.now_ns()
            if self._measured_at is None or now - self._measured_at >= REFRESH_NS:
                step = self._measure(now)
            since = t_ns - (now if self._measured_at is None else self._measured_at)
            ros_ns = t_ns + self._offset + round(self._drift * since)
        if step and self._on_step is not None:
            self._on_step(step)
        return ros_ns

    def _measure(self, now: int) -> int:
        """Measure the difference; return the size of a step, or 0."""
        # The tightest of a few bracketed readings: a thread switch in between spoils the others.
        _, offset, ros = min(self._bracket() for _ in range(5))
        last = self._measured_at
        if ros == 0 and last is not None:
            return 0  # /clock is lost for the moment: go on as before
        change, self._offset = offset - self._offset, offset
        self._measured_at = now if ros else None
        if last is None or ros == 0:
            return 0
        rate = change / (now - last)
        if abs(change - self._drift * (now - last)) <= STEP_NS:
            return 0
        if abs(rate - self._next_drift) * (now - last) <= STEP_NS:
            self._drift = self._next_drift
            return 0
        self._next_drift = rate
        return change

    def _bracket(self) -> tuple[int, int, int]:
        before = self._robot.now_ns()
        ros = self._ros.now_ns()
        after = self._robot.now_ns()
        return after - before, ros - (before + after) // 2, ros
