"""Launch files. What needs ROS's `launch` skips where that is not installed (it is not on PyPI)."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from thymos_nodes import graph

ROOT = Path(__file__).resolve().parents[2]

LAUNCH = ROOT / "launch"
FILES = sorted(LAUNCH.glob("*.launch.py"))
SENSORS = ("camera", "microphone", "enose")
RUNNER = """
import sys, launch
from launch.launch_description_sources import AnyLaunchDescriptionSource
service = launch.LaunchService(argv=sys.argv[2:], noninteractive=True)
service.include_launch_description(launch.LaunchDescription([
    launch.actions.IncludeLaunchDescription(
        AnyLaunchDescriptionSource(sys.argv[1]),
        launch_arguments=[tuple(a.split(":=", 1)) for a in sys.argv[2:]])]))
sys.exit(service.run())
"""


def test_one_file_for_each_sensor_and_one_for_all() -> None:
    assert [f.name for f in FILES] == [
        "bringup.launch.py",
        "camera.launch.py",
        "enose.launch.py",
        "microphone.launch.py",
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_launch_files_use_public_modules_only(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    modules = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    allowed = {
        "launch",
        "launch.actions",
        "launch.conditions",
        "launch.substitutions",
        "launch_ros.actions",
        "thymos_nodes",
    }
    assert modules <= allowed
    assert any(getattr(n, "name", "") == "generate_launch_description" for n in tree.body)


def test_profile_gives_pictures_room() -> None:
    text = graph.config_file("fastdds.xml").read_text(encoding="utf-8")
    root = ET.fromstring(text)
    spaces = {"d": "http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles"}
    size = root.find(".//d:segment_size", spaces)
    assert size is not None
    assert int(size.text or 0) == 32 * 1024 * 1024
    used = {t.text for t in root.findall(".//d:userTransports/d:transport_id", spaces)}
    made = {t.text for t in root.findall(".//d:transport_descriptor/d:transport_id", spaces)}
    assert used == made


def test_foxglove_layout_shows_topics_that_exist() -> None:
    data = json.loads(graph.config_file("foxglove.json").read_text(encoding="utf-8"))

    def panels(part: object) -> set[str]:
        if isinstance(part, str):
            return {part}
        assert isinstance(part, dict)
        return panels(part["first"]) | panels(part["second"])

    assert panels(data["layout"]) == set(data["configById"])
    text = json.dumps(data["configById"])
    for topic in (
        "/camera/image_raw",
        "/enose/data",
        "/reasoner/explanation",
        "/responder/response",
        "/diagnostics",
    ):
        assert topic in text


@pytest.fixture(scope="module")
def launch_environment() -> dict[str, str]:
    """Variables under which `launch` and the nodes of the source tree are found."""
    pytest.importorskip(
        "launch", reason="ROS's launch is not installed (it is not on PyPI; see docs/ros2.md)"
    )
    pytest.importorskip("launch_ros", reason="ROS's launch_ros is not installed")
    prefix = Path(sys.prefix)
    if not (prefix / "lib" / "thymos_nodes" / "camera").is_file():
        pytest.skip("thymos_nodes is not installed (pip install ./nodes)")
    path = [str(ROOT / "nodes"), *sys.path]
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(prefix / "bin"), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        "AMENT_PREFIX_PATH": str(prefix),
        "ROS_DOMAIN_ID": "19",
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
    }


@pytest.mark.ros
@pytest.mark.parametrize("file", FILES, ids=lambda f: f.name)
def test_every_argument_is_described(file: Path, launch_environment: dict[str, str]) -> None:
    show = """
import sys, json
from launch.launch_description_sources import get_launch_description_from_python_launch_file
d = get_launch_description_from_python_launch_file(sys.argv[1])
print(json.dumps({a.name: a.description for a in d.get_launch_arguments()}))
"""
    done = subprocess.run(
        [sys.executable, "-c", show, str(file)],
        env=launch_environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    said = json.loads(done.stdout)
    assert all(len(text) > 10 for text in said.values())
    common = {"namespace", "use_sim_time", "params_file", "autostart", "log_level"}
    assert common <= set(said)
    if file.name.startswith("bringup"):
        assert set(graph.DESCRIPTIONS) | {"foxglove"} == set(said)


@pytest.mark.ros
@pytest.mark.xdist_group("ros")
def test_bringup_starts_the_table_and_ends_cleanly(
    launch_environment: dict[str, str], tmp_path: Path
) -> None:
    arguments = ["camera:=off", "microphone:=off", "enose:=sim", "speaker:=false", "namespace:=bot"]
    log = tmp_path / "log"
    with log.open("wb") as file:
        child = subprocess.Popen(
            [sys.executable, "-c", RUNNER, str(LAUNCH / "bringup.launch.py"), *arguments],
            env={**launch_environment, "ROS_LOG_DIR": str(tmp_path)},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            while "simulated electronic nose" not in log.read_text() and child.poll() is None:
                try:
                    child.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
            child.send_signal(signal.SIGINT)
            assert child.wait(60) == 0, log.read_text()
        finally:
            if child.poll() is None:
                child.kill()
    said = log.read_text()
    started = [line for line in said.splitlines() if "process started" in line]
    options = graph.Options(camera="off", microphone="off", enose="sim", speaker=False)
    assert len(started) == len(graph.processes(options)) == 4
    assert said.count("process has finished cleanly") == 4
    assert "[bot.enose]" in said


@pytest.mark.ros
def test_a_wrong_mode_is_refused(launch_environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, str(LAUNCH / "bringup.launch.py"), "camera:=wild"],
        env=launch_environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "wild" in done.stderr + done.stdout
