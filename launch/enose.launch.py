"""The electronic nose: enose/data and what it measures of the air.

ros2 launch thymos_nodes enose.launch.py enose:=sim
"""

from launch.actions import OpaqueFunction

from launch import LaunchDescription
from thymos_nodes import launching


def generate_launch_description():
    return LaunchDescription(
        [
            *launching.declare([*launching.COMMON, "enose", "bag"]),
            OpaqueFunction(function=launching.start_sensor, args=["enose"]),
        ]
    )
