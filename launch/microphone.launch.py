"""The microphone: microphone/audio.

ros2 launch thymos_nodes microphone.launch.py microphone:=sim
"""

from launch.actions import OpaqueFunction

from launch import LaunchDescription
from thymos_nodes import launching


def generate_launch_description():
    return LaunchDescription(
        [
            *launching.declare([*launching.COMMON, "microphone", "bag"]),
            OpaqueFunction(function=launching.start_sensor, args=["microphone"]),
        ]
    )
