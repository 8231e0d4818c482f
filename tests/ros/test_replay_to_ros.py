"""`thymos replay --to-ros` over real DDS: nothing is lost, the windows are those of the file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ros_testing import Nodes, simulated_recording, wait_until
from thymos.config import Config, PerceiveConfig, ReasonConfig, RespondConfig, WindowConfig
from thymos.explainer import explain
from thymos.golden import Tolerance, as_json, compare

pytestmark = [pytest.mark.ros, pytest.mark.xdist_group("ros")]

START_NS = 1_700_000_000_000_000_000
CONFIG = Config(
    window=WindowConfig(length_s=2.0, hop_s=2.0),
    perceive=PerceiveConfig(words=False),
    reason=ReasonConfig(backend="rules"),
    respond=RespondConfig(speak=False),
)
PERCEPTION = (
    "use_sim_time:=true",
    "qos:=reliable",
    "window.length_s:=2.0",
    "window.hop_s:=2.0",
    "window.max_wait_s:=20.0",
    "perceive.words:=false",
)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """7 s of picture, sound and smell with absolute capture times."""
    path = tmp_path_factory.mktemp("bag") / "scene.mcap"
    return simulated_recording(
        path, seconds=7, start_ns=START_NS, size="160x120", events="smoke@2-5"
    )


def to_ros(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """What people type."""
    line = [sys.executable, "-m", "thymos", "replay", str(path), "--to-ros", "--rate", "2"]
    return subprocess.run(
        [*line, *options], capture_output=True, text=True, check=False, timeout=180
    )


@pytest.fixture
def perception(nodes: Nodes) -> None:
    parameters = [part for p in PERCEPTION for part in ("-p", p)]
    line = [sys.executable, "-m", "thymos_nodes.perception", "--ros-args", *parameters]
    nodes.start("perception", line)


@pytest.fixture
def heard(ros: None) -> Callable[[], list[Any]]:
    """Complete windows that perception published so far."""
    import rclpy
    from rclpy.qos import QoSProfile
    from thymos_msgs.msg import PerceptionWindow

    node = rclpy.create_node("listener")
    found: list[Any] = []
    node.create_subscription(
        PerceptionWindow, "perception/window", found.append, QoSProfile(depth=100)
    )

    def so_far() -> list[Any]:
        for _ in range(20):
            rclpy.spin_once(node, timeout_sec=0.01)
        return found

    return so_far


def seen(message: Any) -> dict[str, Any]:
    """What a window message and a window of a file both hold."""
    from thymos_nodes import convert

    evidence = convert.window_from_msg(message)
    return {
        "window": evidence.window.model_dump(mode="json"),
        "cues": [cue.model_dump(mode="json") for cue in evidence.cues],
        "explanation": {"backend": "", "model": ""},
    }


def test_nothing_is_lost_and_the_windows_are_those_of_the_file(
    recording: Path, nodes: Nodes, perception: None, heard: Callable[[], list[Any]]
) -> None:
    expected = []
    for report in explain(recording, config=CONFIG):
        window = as_json(report)
        kept = {key: window[key] for key in ("window", "cues")}
        expected.append({**kept, "explanation": {"backend": "", "model": ""}})
    assert len(expected) == 4
    assert {cue["modality"] for w in expected for cue in w["cues"]} == {"voice", "smell"}

    for run in (1, 2):  # perception counts on: the second report is about the second run only
        done = to_ros(recording, "--json", "--strict")
        assert done.returncode == 0, done.stderr + nodes.said("perception")
        streams = json.loads(done.stdout)["streams"]
        assert set(streams) == {"camera", "microphone", "enose"}
        for row in streams.values():
            assert row["received"] == row["published"] > 0, (run, streams)
        assert streams["camera"]["published"] == 105
        assert streams["camera"]["topic"] == "camera/image_raw"
        if run == 1:
            wait_until(lambda: len(heard()) >= 3, "windows")
            first = [seen(m) for m in heard()[:3]]

    # Only the last window differs: on live topics nobody says that the recording is over.
    found = compare(expected[:3], first, Tolerance())
    assert found.same, found.text()
    assert nodes.end("perception") == 0


def test_the_table_says_when_nobody_told(recording: Path, ros_environment: object) -> None:
    done = to_ros(recording, "--subscribers", "0", "--strict", "--rate", "10")
    assert done.returncode == 1
    assert "not told" in done.stdout
    assert "no perception node" in " ".join(done.stderr.split())
