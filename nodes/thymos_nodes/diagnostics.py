"""Health on /diagnostics, after the conventions of diagnostic_updater (not on PyPI).

Status names are `<node>: <task>`, hardware_id is filled, values are strings, the period is 1 s.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from thymos.errors import ThymosError
from thymos.samples import NS_PER_S, Counters, Health, HealthReport
from thymos_nodes.ros_time import to_msg

OK = DiagnosticStatus.OK
WARN = DiagnosticStatus.WARN
ERROR = DiagnosticStatus.ERROR
STALE = DiagnosticStatus.STALE

LEVEL = {
    Health.STARTING: WARN,
    Health.OK: OK,
    Health.DEGRADED: WARN,
    Health.STALLED: ERROR,
    Health.LOST: ERROR,
    Health.RECOVERING: ERROR,
}

TOLERANCE = 0.1  # of the nominal rate, as in FrequencyStatus
WINDOW_NS = 5 * NS_PER_S


@dataclass(slots=True)
class Task:
    """One status of a node.

    Attributes:
        name: Task name, for example `capture`.
        level: OK, WARN, ERROR or STALE.
        message: One line: what is the matter.
        values: Numbers and facts.
        remedy: What a person can do about it; becomes the value `remedy`.
    """

    name: str
    level: bytes = OK
    message: str = "ok"
    values: dict[str, str] = field(default_factory=dict)
    remedy: str = ""

    def worsen(self, level: bytes, message: str, remedy: str = "") -> None:
        """Raise the level and say why; a lower level changes nothing."""
        if level > self.level:
            self.level, self.message, self.remedy = level, message, remedy


class Rate:
    """Events a second over the last five seconds. Any thread."""

    def __init__(self) -> None:
        self._times: deque[int] = deque(maxlen=4096)
        self._lock = threading.Lock()
        self.total = 0

    def tick(self, now_ns: int) -> None:
        """Count one event."""
        with self._lock:
            self._times.append(now_ns)
            self.total += 1

    def hz(self, now_ns: int) -> float:
        """Events a second; 0 until there are two."""
        with self._lock:
            while self._times and now_ns - self._times[0] > WINDOW_NS:
                self._times.popleft()
            if len(self._times) < 2:
                return 0.0
            span = self._times[-1] - self._times[0]
            # What has stopped must not go on looking quick: silence counts as part of the span.
            span = max(span, now_ns - self._times[0] - span // (len(self._times) - 1))
            return (len(self._times) - 1) * NS_PER_S / span if span > 0 else 0.0


def of_source(
    health: HealthReport,
    counters: Counters,
    *,
    measured_hz: float,
    nominal_hz: float,
    facts: Mapping[str, str],
) -> Task:
    """The task `capture` of a sensor node: health, rate against its nominal value, losses."""
    task = Task(
        "capture",
        LEVEL[health.health],
        health.reason or health.health.value,
        {
            "health": health.health.value,
            "rate": f"{measured_hz:.2f} Hz",
            "nominal rate": f"{nominal_hz:.2f} Hz",
            "received": str(counters.received),
            "dropped": str(counters.dropped),
            "corrupt": str(counters.corrupt),
            "duplicates": str(counters.duplicates),
            "reconnects": str(counters.reconnects),
            **facts,
        },
        health.remedy,
    )
    if measured_hz <= 0.0:
        task.worsen(WARN, "no samples yet", "look at the device; see `thymos doctor`")
    elif nominal_hz > 0.0 and abs(measured_hz / nominal_hz - 1.0) > TOLERANCE:
        task.worsen(WARN, f"rate is {measured_hz:.1f} Hz instead of {nominal_hz:.1f} Hz")
    return task


def of_lifecycle(label: str, problem: ThymosError | None, *, active: bool) -> Task:
    """The task `lifecycle` of every node: its state, and why a device could not be opened."""
    task = Task("lifecycle", OK, label)
    if problem is not None:
        task.worsen(ERROR, str(problem), problem.hint)
    elif not active:
        task.worsen(WARN, label, "ros2 lifecycle set <node> configure; … activate")
    return task


def array(node: str, hardware_id: str, tasks: Sequence[Task], now_ns: int) -> DiagnosticArray:
    """The message for /diagnostics. `now_ns` is ROS time."""
    made = DiagnosticArray()
    made.header.stamp = to_msg(now_ns)
    made.status = [
        DiagnosticStatus(
            level=task.level,
            name=f"{node}: {task.name}",
            message=task.message,
            hardware_id=hardware_id,
            values=[
                KeyValue(key=key, value=value)
                for key, value in (
                    *task.values.items(),
                    *((("remedy", task.remedy),) if task.remedy else ()),
                )
            ],
        )
        for task in tasks
    ]
    return made
