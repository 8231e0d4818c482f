"""A danger goes from the nose to the answer without a window: sensor, perception, responder."""

from __future__ import annotations

from typing import Any

import pytest

from ros_testing import Nodes, wait_until

pytestmark = [pytest.mark.ros, pytest.mark.xdist_group("ros")]

LONG = ("-p", "window.length_s:=60.0", "-p", "window.hop_s:=60.0", "-p", "window.max_wait_s:=1.0")
"""No window ends while the test runs."""


def test_it_is_answered_while_no_window_has_ended(nodes: Nodes, ros: None) -> None:
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from thymos_msgs.msg import Cue, PerceptionWindow, Response

    from thymos_nodes import convert, qos
    from thymos_nodes.graph import Options, Process, command

    heard: dict[str, list[Any]] = {"danger": [], "response": [], "window": []}
    node = rclpy.create_node("listener")
    for name, kind, topic in (
        ("danger", Cue, "perception/danger"),
        ("response", Response, "responder/response"),
        ("window", PerceptionWindow, "perception/window"),
    ):
        node.create_subscription(kind, topic, heard[name].append, qos.RESULT)
    executor = SingleThreadedExecutor()
    executor.add_node(node)

    def heard_all() -> bool:
        executor.spin_once(timeout_sec=0.1)
        return bool(heard["danger"] and heard["response"])

    def run(executable: str, *more: str) -> None:
        line = command(Process(executable), Options())
        nodes.start(executable, [*line, *more])

    run("responder", "-p", "reason.backend:=rules")
    deaf = ("-p", "camera:=false", "-p", "microphone:=false")
    run("perception", *deaf, *LONG)
    wait_until(lambda: node.count_subscribers("perception/danger") == 2, "the responder to hear")
    run("enose", "-p", "uri:='sim:?events=smoke@7-600'")
    wait_until(heard_all, "the warning")

    cue = convert.cue_from_msg(heard["danger"][0])
    assert (cue.name, cue.value) == ("danger", "smoke")
    assert cue.began_ns is not None
    assert cue.began_ns[0] <= cue.began_ns[1] <= cue.t1_ns
    (response,) = heard["response"]
    assert (response.guard_action, response.danger) == (Response.GUARD_WARNED, "smoke")
    assert (response.text_source, response.gesture, response.window_id) == ("guard", "alert", "")
    assert "smoke" in response.text
    stamp = response.header.stamp.sec * 10**9 + response.header.stamp.nanosec
    assert stamp == cue.t1_ns  # capture time of the sample that showed it
    assert heard["window"] == []
    for name in ("enose", "perception", "responder"):
        assert nodes.end(name) == 0, nodes.said(name)
    node.destroy_node()
