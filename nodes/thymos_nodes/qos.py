"""The three qualities of service, after common ROS practice."""

from __future__ import annotations

from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSProfile,
    ReliabilityPolicy,
)

CHOICES = ("sensor_data", "reliable")
DEEPER = 12  # a reliable subscriber must survive seconds without a callback (models load)


def sensor(choice: str = "sensor_data", depth: int = 5) -> QoSProfile:
    """Raw streams: best effort unless `choice` is `reliable` (replay, lossless recording).

    A best-effort subscriber hears both kinds of publisher; a reliable one only a reliable one.
    """
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=(
            ReliabilityPolicy.RELIABLE if choice == "reliable" else ReliabilityPolicy.BEST_EFFORT
        ),
        durability=DurabilityPolicy.VOLATILE,
    )


RESULT = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=10,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.VOLATILE,
)
"""Windows, explanations, responses: reliable, depth 10."""

LATCHED = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""What a late comer must still hear: where a stream comes from, calibration, ids."""
