"""Node processes: they start, tell their health, refuse wrong parameters, and end cleanly."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ros_testing import ROOT, Nodes, wait_until

pytestmark = [pytest.mark.ros, pytest.mark.xdist_group("ros")]

INT, TERM = signal.SIGINT, signal.SIGTERM
ARGUMENTS = {
    "camera": ["-p", 'uri:="sim:?size=64x48&rate=10"'],
    "microphone": ["-p", 'uri:="sim:"'],
    "enose": ["-p", 'uri:="sim:"'],
    "reasoner": ["-p", "reason.backend:=rules"],
    "speaker": ["-p", "play:=false"],
}
NODES = ("camera", "microphone", "enose", "perception", "reasoner", "responder", "speaker")


def command(name: str, *more: str) -> list[str]:
    arguments = [*ARGUMENTS.get(name, []), *more]
    return [sys.executable, "-m", f"thymos_nodes.{name}", "--ros-args", *arguments]


class Health:
    """Listens to /diagnostics and offers the services of other nodes."""

    def __init__(self) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray

        self.node = rclpy.create_node("health_listener")
        self.seen: dict[str, Any] = {}
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on, 100)

    def _on(self, message: Any) -> None:
        for status in message.status:
            self.seen[status.name] = status

    def message(self, name: str) -> str:
        """What a status says now; empty before the first."""
        import rclpy

        rclpy.spin_once(self.node, timeout_sec=0.02)
        return str(self.seen[name].message) if name in self.seen else ""

    def values(self, name: str) -> dict[str, str]:
        return {v.key: v.value for v in self.seen[name].values}

    def call(self, kind: Any, service: str, request: Any) -> Any:
        import rclpy

        client = self.node.create_client(kind, service)
        assert client.wait_for_service(60.0), service
        future = client.call_async(request)
        rclpy.spin_until_future_complete(self.node, future, timeout_sec=60.0)
        assert future.done(), service
        return future.result()


@pytest.fixture
def health(ros: None) -> Health:
    return Health()


def clean(nodes: Nodes, name: str) -> None:
    said = nodes.said(name)
    assert "Traceback" not in said
    assert "Exception" not in said


def test_all_nodes_start_tell_their_health_and_end_on_one_or_two_signals(
    nodes: Nodes, health: Health
) -> None:
    for name in NODES:
        nodes.start(name, command(name))
    for name in NODES:
        wait_until(lambda n=name: health.message(f"{n}: lifecycle") == "active", f"{name} active")  # type: ignore[misc]
    capture = "camera: capture"
    wait_until(lambda: health.message(capture) == "ok", "a steady camera")
    assert health.seen[capture].hardware_id == "simulated camera"
    values = health.values(capture)
    assert float(values["rate"].split()[0]) > 5
    assert (values["nominal rate"], values["origin"]) == ("10.00 Hz", "simulated")
    wait_until(lambda: health.message("perception: camera") == "ok", "pictures in perception")
    signals = {
        "camera": (INT,),
        "microphone": (INT, INT),
        "enose": (TERM,),
        "perception": (INT, INT),
        "reasoner": (TERM,),
        "responder": (INT, INT, INT),
        "speaker": (INT, TERM),
    }
    codes = {name: nodes.end(name, *signals[name]) for name in NODES}
    assert codes == dict.fromkeys(NODES, 0)
    for name in NODES:
        clean(nodes, name)


@pytest.mark.parametrize("name", ["reasoner", "perception"])
@pytest.mark.parametrize("number", [INT, TERM])
def test_a_signal_while_it_starts_ends_it_at_once(
    nodes: Nodes, name: str, number: signal.Signals
) -> None:
    child = nodes.start(name, command(name))
    both = 1 << (INT - 1) | 1 << (TERM - 1)

    def blocked() -> bool:
        """The node's own threads have both signals blocked once the main one waits for them."""
        for status in Path(f"/proc/{child.pid}/task").glob("*/status"):
            lines = status.read_text().splitlines()
            mask = next(int(x.split()[1], 16) for x in lines if x.startswith("SigBlk"))
            if mask & both == both:
                return True
        return False

    wait_until(blocked, "the process to wait for signals")
    time.sleep(0.3)  # somewhere in the midst of imports, models and DDS; any moment must do
    assert nodes.end(name, number, number) == 0
    clean(nodes, name)


def test_a_missing_device_is_told_with_its_remedy_and_tried_again(
    nodes: Nodes, health: Health
) -> None:
    nodes.start("enose", command("enose", "-p", 'uri:="file:/nowhere/nose.csv"'))
    wait_until(lambda: "/nowhere/nose.csv" in health.message("enose: lifecycle"), "the reason")
    assert health.seen["enose: lifecycle"].level == b"\x02"
    assert nodes.all["enose"].poll() is None
    assert nodes.end("enose") == 0
    assert nodes.said("enose").count("/nowhere/nose.csv") == 1
    clean(nodes, "enose")


@pytest.mark.parametrize(
    ("name", "parameter", "words"),
    [
        ("perception", "window.length_s:=99.0", "out of range"),
        ("perception", "perceive.face_hz:=often", "perceive.face_hz"),
        ("camera", "qos:=wild", "qos must be one of: sensor_data, reliable"),
    ],
)
def test_a_wrong_parameter_ends_the_node_with_one_line(
    nodes: Nodes, name: str, parameter: str, words: str
) -> None:
    child = nodes.start(name, command(name, "-p", parameter))
    assert child.wait(60) == 1
    said = nodes.said(name)
    assert "error: parameter" in said
    assert words in said
    clean(nodes, name)


def test_parameters_and_lifecycle_over_services(nodes: Nodes, health: Health) -> None:
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState, GetState
    from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
    from rcl_interfaces.srv import DescribeParameters, SetParameters

    nodes.start("perception", command("perception", "-p", "autostart:=false"))

    def state() -> str:
        made = health.call(GetState, "/perception/get_state", GetState.Request())
        return str(made.current_state.label)

    def change(transition: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        return bool(health.call(ChangeState, "/perception/change_state", request).success)

    def put(name: str, **value: Any) -> Any:
        parameter = Parameter(name=name, value=ParameterValue(**value))
        request = SetParameters.Request(parameters=[parameter])
        return health.call(SetParameters, "/perception/set_parameters", request).results[0]

    double, text = ParameterType.PARAMETER_DOUBLE, ParameterType.PARAMETER_STRING
    assert state() == "unconfigured"
    request = DescribeParameters.Request(names=["window.length_s", "qos"])
    described = health.call(DescribeParameters, "/perception/describe_parameters", request)
    length, qos = described.descriptors
    assert length.description == "Length of a window [s]."
    assert length.floating_point_range[0].to_value == 60.0
    assert qos.additional_constraints == "one of: sensor_data, reliable"

    assert put("window.length_s", type=double, double_value=2.0).successful
    assert not put("window.length_s", type=double, double_value=99.0).successful
    refused = put("qos", type=text, string_value="wild")
    assert not refused.successful
    assert "one of" in refused.reason

    assert change(Transition.TRANSITION_CONFIGURE)
    assert "clean up first" in put("window.length_s", type=double, double_value=3.0).reason
    for _ in range(2):  # there and back, twice
        assert change(Transition.TRANSITION_ACTIVATE)
        assert state() == "active"
        assert change(Transition.TRANSITION_DEACTIVATE)
        assert state() == "inactive"
    assert change(Transition.TRANSITION_CLEANUP)
    assert state() == "unconfigured"
    assert put("window.length_s", type=double, double_value=3.0).successful
    assert change(Transition.TRANSITION_CONFIGURE)
    assert nodes.end("perception") == 0
    clean(nodes, "perception")


def test_graph_up_starts_the_table_and_ends_it(nodes: Nodes, health: Health) -> None:
    up = "import sys; from thymos_nodes.cli import app; app(sys.argv[1:])"
    arguments = ["up", "--camera", "off", "--microphone", "off", "--enose", "sim", "--no-speaker"]
    nodes.start("graph", [sys.executable, "-c", up, *arguments, "--namespace", "robot"])
    wait_until(
        lambda: health.message("robot/enose: lifecycle") == "active", "the nose of the graph"
    )
    wait_until(lambda: health.message("robot/responder: lifecycle") == "active", "the responder")
    assert nodes.end("graph", INT) == 0
    clean(nodes, "graph")


def test_the_replayer_says_what_it_cannot_play(nodes: Nodes, tmp_path: Path) -> None:
    child = nodes.start("replay", command("replay", "-p", f'bag:="{tmp_path / "none.mcap"}"'))
    assert child.wait(60) == 1
    assert "none.mcap" in nodes.said("replay")
    clean(nodes, "replay")


def test_stubs_that_launch_files_find_do_run(nodes: Nodes) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    stub = str(ROOT / "nodes" / "libexec" / "camera")
    nodes.start("camera", ["env", f"PATH={path}", stub, "--ros-args", *ARGUMENTS["camera"]])
    wait_until(lambda: "simulated camera" in nodes.said("camera"), "the camera")
    assert nodes.end("camera") == 0


def test_no_shared_memory_stays_behind(nodes: Nodes, health: Health) -> None:
    child = nodes.start("responder", command("responder"))
    wait_until(lambda: health.message("responder: lifecycle") == "active", "the responder")

    def segments(pid: int) -> set[str]:
        maps = Path(f"/proc/{pid}/maps").read_text()
        return set(re.findall(r"/dev/shm/fastrtps_[0-9a-f]{16}\b", maps))

    mine = segments(child.pid) - segments(os.getpid())  # it also maps those of its partners
    assert mine
    assert nodes.end("responder") == 0
    assert [path for path in mine if Path(path).exists()] == []
