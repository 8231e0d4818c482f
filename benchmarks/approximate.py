"""The peer of alignment: ROS 2's message_filters, in Python."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

from benchmarks.streams import PRIMARY, RATES, TOLERANCE_NS, Stamp
from thymos.samples import NS_PER_S

QUEUE = 10  # the tutorial's value, and where it is fastest


class Approximate:
    """`ApproximateTimeSynchronizer` over the three streams; messages are made beforehand.

    The stamps are `rclpy.time.Time` already: in a node it converts every message first. So the
    peer is measured at its best.
    """

    def __init__(self, library: ModuleType, told: list[Stamp]) -> None:
        from rclpy.time import Time

        def message(t_ns: int) -> SimpleNamespace:
            return SimpleNamespace(header=SimpleNamespace(stamp=Time(nanoseconds=t_ns)))

        self._sets: list[tuple[Any, ...]] = []
        inputs = {name: library.SimpleFilter() for name in RATES}
        slop_s = TOLERANCE_NS / NS_PER_S
        self._synchroniser = library.ApproximateTimeSynchronizer(inputs.values(), QUEUE, slop_s)
        self._synchroniser.registerCallback(lambda *messages: self._sets.append(messages))
        self.calls = [(inputs[s.stream].signalMessage, message(s.t_ns)) for s in told]

    def finish(self) -> list[tuple[int, ...]]:
        """The stamps of all sets: nose, camera, microphone."""
        order = [list(RATES).index(name) for name in (PRIMARY, "camera", "microphone")]
        return [tuple(made[n].header.stamp.nanoseconds for n in order) for made in self._sets]
