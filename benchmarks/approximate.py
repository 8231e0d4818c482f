"""The peer of alignment: ROS 2's message_filters, in Python."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

from benchmarks.streams import RATES, TOLERANCE_NS, Stamp
from thymos.samples import NS_PER_S

QUEUE = 10  # the tutorial's value, and where it is fastest


class Approximate:
    """`ApproximateTimeSynchronizer` over the three streams; messages are made beforehand.

    The stamps are `rclpy.time.Time` already: in a node it converts every message first. So the
    peer is measured at its best.
    """

    def __init__(self, library: ModuleType) -> None:
        self.sets: list[tuple[int, ...]] = []
        self._inputs = {name: library.SimpleFilter() for name in RATES}
        self._order = list(RATES)
        made = library.ApproximateTimeSynchronizer(
            list(self._inputs.values()), QUEUE, TOLERANCE_NS / NS_PER_S
        )
        made.registerCallback(self._take)

    def messages(self, samples: list[Stamp]) -> list[tuple[Any, Any]]:
        """What to call with what, for each sample."""
        from rclpy.time import Time

        def message(t_ns: int) -> SimpleNamespace:
            return SimpleNamespace(header=SimpleNamespace(stamp=Time(nanoseconds=t_ns)))

        return [(self._inputs[s.stream].signalMessage, message(s.t_ns)) for s in samples]

    def _take(self, *messages: Any) -> None:
        stamps = {n: m.header.stamp.nanoseconds for n, m in zip(self._order, messages, strict=True)}
        self.sets.append((stamps["enose"], stamps["camera"], stamps["microphone"]))
