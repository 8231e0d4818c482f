"""All of Thymos: sensors, perception, reasoner, responder, speaker.

    ros2 launch thymos_nodes bringup.launch.py camera:=sim microphone:=sim enose:=sim
    ros2 launch thymos_nodes bringup.launch.py --show-args

Each node is a process of its own: Python nodes cannot be composed into one.
"""

import dataclasses

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription
from thymos_nodes import graph, launching

NAMES = [field.name for field in dataclasses.fields(graph.Options)]


def start(context):
    chosen = launching.options(context, NAMES)
    actions = []
    for process in graph.processes(chosen):
        if process.executable in graph.SENSORS:
            mode = getattr(chosen, process.executable)
            actions.append(launching.include(process.executable, mode, chosen, process))
        else:
            actions.append(launching.node(process, chosen))
    return actions


def generate_launch_description():
    return LaunchDescription(
        [
            *launching.declare(NAMES),
            DeclareLaunchArgument(
                "foxglove",
                default_value="false",
                choices=["true", "false"],
                description="Start foxglove_bridge (must be installed) on port 8765.",
            ),
            OpaqueFunction(function=start),
            Node(
                package="foxglove_bridge",
                executable="foxglove_bridge",
                namespace=LaunchConfiguration("namespace"),
                condition=IfCondition(LaunchConfiguration("foxglove")),
            ),
        ]
    )
