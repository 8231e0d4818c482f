"""From the table of processes to launch actions. Imported by launch files only.

Public API of launch and launch_ros; the same in Humble, Jazzy and Kilted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from launch.action import Action
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchContext
from thymos_nodes import graph
from thymos_nodes.graph import DESCRIPTIONS, MODES, SENSORS, Options, Process

COMMON = ("namespace", "use_sim_time", "params_file", "autostart", "log_level")
_CHOICES = {sensor: list(MODES) for sensor in SENSORS}
_CHOICES["log_level"] = ["debug", "info", "warn", "error", "fatal"]


def declare(names: Iterable[str]) -> list[Action]:
    """Described launch arguments for some fields of `Options`."""
    defaults = {f.name: f.default for f in dataclasses.fields(Options)}
    return [
        DeclareLaunchArgument(
            name,
            default_value=_text(defaults[name]),
            description=DESCRIPTIONS[name],
            choices=_CHOICES.get(name, ["true", "false"] if _is_bool(defaults[name]) else None),
        )
        for name in names
    ]


def options(context: LaunchContext, names: Iterable[str]) -> Options:
    """What people chose."""
    defaults = Options()
    chosen: dict[str, Any] = {}
    for name in names:
        text = LaunchConfiguration(name).perform(context)
        default = getattr(defaults, name)
        if _is_bool(default):
            chosen[name] = text == "true"
        else:
            chosen[name] = type(default)(text)
    return dataclasses.replace(defaults, **chosen)


def node(process: Process, chosen: Options) -> Action:
    """The launch action of one process."""
    return Node(
        package=graph.PACKAGE,
        executable=process.executable,
        name=process.executable,
        namespace=chosen.namespace,
        parameters=[
            chosen.params_file or str(graph.config_file("thymos.yaml")),
            dict(process.parameters),
        ],
        ros_arguments=["--log-level", chosen.log_level],
        additional_env=graph.environment(),
        output="screen",
        sigterm_timeout="8",
    )


def include(sensor: str, mode: str, chosen: Options, process: Process) -> Action:
    """Include the launch file of one sensor."""
    arguments: Mapping[str, str] = {
        sensor: mode,
        **{name: _text(getattr(chosen, name)) for name in COMMON},
        "use_sim_time": _text(process.parameters["use_sim_time"]),
    }
    path = launch_file(f"{sensor}.launch.py")
    return IncludeLaunchDescription(
        PythonLaunchDescriptionSource(path), launch_arguments=arguments.items()
    )


def launch_file(name: str) -> str:
    """Path of a launch file of this package."""
    place = graph.share()
    inner = place / "launch" / name
    return str(inner if inner.is_file() else place / name)


def start_sensor(context: LaunchContext, sensor: str) -> list[Action]:
    """The actions of `<sensor>.launch.py`."""
    chosen = options(context, (*COMMON, sensor, "bag"))
    others: dict[str, Any] = {name: "off" for name in SENSORS if name != sensor}
    table = graph.processes(dataclasses.replace(chosen, **others))
    return [node(p, chosen) for p in table if p.executable in (sensor, "replay")]


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
