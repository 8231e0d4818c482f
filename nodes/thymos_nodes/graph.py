"""The table of processes: launch files, `thymos graph` and the tests all start this.

No ROS import here: the table is plain data.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from thymos.errors import ConfigError

PACKAGE = "thymos_nodes"
MODES = ("real", "sim", "bag", "off")
SENSORS = ("camera", "microphone", "enose")
PROFILE_VARIABLE = "FASTRTPS_DEFAULT_PROFILES_FILE"

Value = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the graph.

    Attributes:
        executable: Name for `ros2 run thymos_nodes …`; the module is `thymos_nodes.<executable>`.
        parameters: Set over those of the parameter file.
    """

    executable: str
    parameters: Mapping[str, Value] = field(default_factory=dict)

    @property
    def module(self) -> str:
        """For `python -m`."""
        return f"{PACKAGE}.{self.executable}"


@dataclass(frozen=True, slots=True)
class Options:
    """What people choose when they start the graph. `DESCRIPTIONS` explains each."""

    camera: str = "real"
    microphone: str = "real"
    enose: str = "real"
    bag: str = ""
    bag_rate: float = 1.0
    speaker: bool = True
    namespace: str = ""
    use_sim_time: bool = False
    params_file: str = ""
    autostart: bool = True
    log_level: str = "info"


DESCRIPTIONS = {
    "camera": "Camera: real (device), sim (simulated), bag (from `bag`) or off.",
    "microphone": "Microphone: real, sim, bag or off.",
    "enose": "Electronic nose: real, sim, bag or off.",
    "bag": "Recording that plays where a sensor says bag: rosbag2 folder, .mcap, or a media file.",
    "bag_rate": "Speed of the recording; 1.0 is real time.",
    "speaker": "Speak the answers.",
    "namespace": "Namespace of all nodes and of their relative topics.",
    "use_sim_time": "Take the time from /clock; always so when a sensor says bag.",
    "params_file": "YAML file of parameters; empty takes the one that is installed.",
    "autostart": "Nodes configure and activate themselves.",
    "log_level": "debug, info, warn, error or fatal.",
}


def processes(options: Options) -> list[Process]:
    """The processes for some options, sources first.

    Raises:
        ConfigError: An unknown mode, or a sensor from a bag without a bag.
    """
    modes = {sensor: getattr(options, sensor) for sensor in SENSORS}
    for sensor, mode in modes.items():
        if mode not in MODES:
            raise ConfigError(f"{sensor}:={mode} is not one of {', '.join(MODES)}")
    played = [sensor for sensor, mode in modes.items() if mode == "bag"]
    if played and not options.bag:
        raise ConfigError(
            f"{played[0]}:=bag needs a recording", hint="add bag:=PATH (or --bag PATH)"
        )
    if all(mode == "off" for mode in modes.values()):
        raise ConfigError("every sensor is off", hint="for example camera:=sim")
    common: dict[str, Value] = {
        "use_sim_time": options.use_sim_time or bool(played),
        "autostart": options.autostart,
    }
    table = []
    for sensor, mode in modes.items():
        if mode == "real":
            table.append(Process(sensor, common))
        elif mode == "sim":
            table.append(Process(sensor, {**common, "uri": "sim:"}))
    listen: dict[str, Value] = {sensor: mode != "off" for sensor, mode in modes.items()}
    if len(played) == sum(mode != "off" for mode in modes.values()):
        listen["qos"] = "reliable"  # only the replayer publishes, and it publishes reliably
    table.append(Process("perception", {**common, **listen}))
    table += [Process("reasoner", common), Process("responder", common)]
    if options.speaker:
        table.append(Process("speaker", common))
    if played:
        table.append(Process("replay", _replay(options, played)))
    return table


def _replay(options: Options, played: list[str]) -> dict[str, Value]:
    return {
        "bag": str(Path(options.bag).expanduser().resolve()),
        "rate": options.bag_rate,
        "streams": ",".join(played),
        "wait_for": "perception/window,reasoner/explanation,responder/response",
    }


def share() -> Path:
    """Folder with `launch/` and `config/` of this package, installed or in its repository.

    Raises:
        ConfigError: Neither is there.
    """
    source = Path(__file__).resolve().parents[2] / "launch"
    if (source / "bringup.launch.py").is_file():
        return source
    prefixes = [*os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep), sys.prefix]
    for prefix in filter(None, prefixes):
        place = Path(prefix) / "share" / PACKAGE
        if (place / "launch" / "bringup.launch.py").is_file():
            return place
    raise ConfigError(
        "the launch files of thymos_nodes are not installed", hint="pip install ./nodes"
    )


def config_file(name: str) -> Path:
    """A file of `config/`: `thymos.yaml`, `fastdds.xml` or `foxglove.json`."""
    return share() / "config" / name


def environment() -> dict[str, str]:
    """Variables for the node processes: the shared-memory profile, unless people set their own."""
    if PROFILE_VARIABLE in os.environ:
        return {}
    return {PROFILE_VARIABLE: str(config_file("fastdds.xml"))}


def command(process: Process, options: Options) -> list[str]:
    """The command line that starts one process without ros2 launch."""
    line = [sys.executable, "-m", process.module, "--ros-args"]
    if options.namespace:
        line += ["-r", f"__ns:=/{options.namespace.strip('/')}"]
    line += ["--params-file", options.params_file or str(config_file("thymos.yaml"))]
    for name, value in process.parameters.items():
        # JSON is YAML: a bare `sim:` would be read as a mapping.
        line += ["-p", f"{name}:={json.dumps(value)}"]
    return [*line, "--log-level", options.log_level]
