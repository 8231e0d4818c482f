"""Samples between node processes through shared memory: no topic needed, none lost, same result."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from ros_testing import Nodes, wait_until

pytestmark = [pytest.mark.ros, pytest.mark.xdist_group("ros")]

FAST = ["-p", "window.length_s:=1.0", "-p", "window.hop_s:=1.0", "-p", "window.max_wait_s:=2.0"]
DEAF = ["-p", "microphone:=false", "-p", "enose:=false"]


def command(name: str, *more: str) -> list[str]:
    return [sys.executable, "-m", f"thymos_nodes.{name}", "--ros-args", *more]


def sensor(name: str, uri: str, *more: str) -> list[str]:
    return command(name, "-p", f'uri:="{uri}"', *more)


CAMERA = "sim:?size=64x48&rate=20"


class Watcher:
    """Hears windows and health, and sees who is subscribed."""

    def __init__(self) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from thymos_msgs.msg import PerceptionWindow

        self.node = rclpy.create_node("watcher")
        self.windows: list[Any] = []
        self.health: dict[str, Any] = {}
        self.node.create_subscription(
            PerceptionWindow, "perception/window", self.windows.append, 100
        )
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on, 100)

    def _on(self, message: Any) -> None:
        self.health.update({status.name: status for status in message.status})

    def spin(self) -> None:
        import rclpy

        rclpy.spin_once(self.node, timeout_sec=0.02)

    def value(self, task: str, key: str) -> str:
        if task not in self.health:
            return ""
        return {v.key: v.value for v in self.health[task].values}.get(key, "")

    def subscribers(self, topic: str = "/camera/image_raw") -> int:
        return int(self.node.count_subscribers(topic))

    def full(self, stream: str = "camera", samples: int = 15) -> list[Any]:
        """Windows in which a stream is present with most of its samples."""
        return [
            state
            for window in self.windows
            for state in window.streams
            if state.name == stream and state.state == "present" and state.samples >= samples
        ]

    def wait(self, true: Any, what: str) -> None:
        def check() -> Any:
            self.spin()
            return true()

        wait_until(check, what)


@pytest.fixture
def watcher(ros: None) -> Iterator[Watcher]:
    pytest.importorskip("iceoryx2", reason="iceoryx2 is not installed (pip install 'thymos[shm]')")
    made = Watcher()
    yield made
    made.node.destroy_node()


def test_perception_reads_shared_memory_and_outlives_its_camera(
    nodes: Nodes, watcher: Watcher
) -> None:
    nodes.start("perception", command("perception", *FAST, *DEAF, "-p", "transport:=shm"))
    nodes.start("camera", sensor("camera", CAMERA, "-p", "transport:=shm"))
    watcher.wait(lambda: len(watcher.full()) >= 2, "windows with pictures")
    assert watcher.subscribers() == 0
    assert watcher.value("perception: camera", "transport") == "shared memory"
    nodes.end("camera", signal.SIGKILL)
    watcher.wait(
        lambda: watcher.value("perception: camera", "transport") == "topic", "the end of the camera"
    )
    nodes.start("camera2", sensor("camera", CAMERA, "-p", "transport:=shm"))
    watcher.windows.clear()
    watcher.wait(lambda: len(watcher.full()) >= 2, "windows with pictures of the next camera")
    assert watcher.subscribers() == 0
    assert watcher.value("perception: camera", "lost") == "0"
    assert nodes.end("camera2") == 0
    assert nodes.end("perception") == 0
    for name in ("camera2", "perception"):
        assert "Traceback" not in nodes.said(name)
