"""The camera: camera/image_raw, and camera/camera_info if it is calibrated.

ros2 launch thymos_nodes camera.launch.py camera:=sim
"""

from launch.actions import OpaqueFunction

from launch import LaunchDescription
from thymos_nodes import launching


def generate_launch_description():
    return LaunchDescription(
        [
            *launching.declare([*launching.COMMON, "camera", "bag"]),
            OpaqueFunction(function=launching.start_sensor, args=["camera"]),
        ]
    )
