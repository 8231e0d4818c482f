"""Samples between node processes through shared memory: no topic needed, none lost, same result."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ros_testing import Nodes, wait_until
from thymos.errors import ConfigError, ThymosError
from thymos.samples import Kind, Sample, StreamSpec

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
    watcher.wait(
        lambda: watcher.value("perception: camera", "transport") == "shared memory", "the next one"
    )
    watcher.windows.clear()
    watcher.wait(lambda: len(watcher.full()) >= 2, "windows with pictures of the next camera")
    assert watcher.subscribers() == 0
    assert watcher.value("perception: camera", "lost") == "0"
    assert nodes.end("camera2") == 0
    assert nodes.end("perception") == 0
    for name in ("camera2", "perception"):
        assert "Traceback" not in nodes.said(name)


def test_it_changes_over_by_itself_and_takes_nothing_twice(nodes: Nodes, watcher: Watcher) -> None:
    nodes.start("perception", command("perception", *FAST, *DEAF))
    watcher.wait(lambda: watcher.subscribers() == 1, "perception on the topic")
    nodes.start("camera", sensor("camera", CAMERA))
    watcher.wait(watcher.full, "windows with pictures")
    watcher.wait(lambda: watcher.subscribers() == 0, "the end of the subscription")
    nodes.end("camera")
    watcher.wait(lambda: watcher.subscribers() == 1, "perception on the topic again")
    watcher.health.clear()
    nodes.start("camera2", sensor("camera", CAMERA, "-p", "transport:=topic"))
    watcher.wait(lambda: watcher.value("camera: capture", "transport") == "topic", "camera 2")
    watcher.windows.clear()
    watcher.wait(lambda: len(watcher.full()) >= 2, "windows with pictures from the topic")
    assert watcher.subscribers() == 1
    assert all(state.samples <= 21 for state in watcher.full())
    for name in ("camera2", "perception"):
        assert nodes.end(name) == 0
        assert "Traceback" not in nodes.said(name)


def test_without_the_library_topics_do_and_one_line_says_so(
    nodes: Nodes, watcher: Watcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "iceoryx2.py").write_text("raise ImportError('not on this machine')\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ['PYTHONPATH']}")
    nodes.start("perception", command("perception", *FAST, *DEAF))
    nodes.start("camera", sensor("camera", CAMERA))
    watcher.wait(watcher.full, "windows with pictures from the topic")
    for name in ("camera", "perception"):
        assert nodes.end(name) == 0
        assert nodes.said(name).count("pip install 'thymos[shm]'") == 1
    strict = nodes.start("strict", sensor("camera", CAMERA, "-p", "transport:=shm"))
    watcher.wait(lambda: "pip install 'thymos[shm]'" in nodes.said("strict"), "the error")
    assert strict.poll() is None  # tried again every 5 s, as with a device that is not there


SENSORS = {
    "camera": CAMERA,
    "microphone": "sim:",
}


def test_both_ways_bring_the_same_samples(nodes: Nodes, watcher: Watcher) -> None:
    """Real sensor nodes, each heard by topic and in shared memory at the same time."""
    from thymos_msgs.msg import SourceInfo

    from thymos_nodes import convert, qos
    from thymos_nodes.convert_sensors import TopicStream
    from thymos_nodes.perception_node import STREAMS
    from thymos_nodes.ros_time import RosClock, RosTime
    from thymos_nodes.shared import Inlet

    clock = RosClock(watcher.node.get_clock())
    both = {name: STREAMS[name] for name in SENSORS}  # a nose is heard by topic only
    by_topic: dict[str, list[Any]] = {name: [] for name in both}
    shared: dict[str, list[Any]] = {name: [] for name in both}
    streams = {name: TopicStream(name, kind) for name, (kind, *_) in both.items()}
    inlets = []

    def on_source(name: str, message: Any) -> None:
        streams[name].info = convert.source_from_msg(message)

    def on_message(name: str, message: Any) -> None:
        if streams[name].info is not None:
            by_topic[name].append(streams[name].take(message, clock.now_ns()))

    for name, (_, topic, message, _) in both.items():
        watcher.node.create_subscription(
            SourceInfo, f"{name}/source", partial(on_source, name), qos.LATCHED
        )
        watcher.node.create_subscription(
            message, topic, partial(on_message, name), qos.sensor("sensor_data", 100)
        )
        inlet = Inlet(
            name,
            watcher.node.resolve_topic_name(topic),
            time=RosTime(clock),
            now=clock.now_ns,
            take=shared[name].append,
            note=pytest.fail,
        )
        inlet.start()
        inlets.append(inlet)
        nodes.start(name, sensor(name, SENSORS[name]))
    watcher.wait(
        lambda: min(map(len, by_topic.values())) > 15 and min(map(len, shared.values())) > 15,
        "fifteen samples of each stream by both ways",
    )
    for inlet in inlets:
        inlet.close()
    for name in both:
        pairs = 0
        for arrived in shared[name]:
            near = [s for s in by_topic[name] if abs(s.t_ns - arrived.sample.t_ns) < 1_000_000]
            for sample in near:
                pairs += 1
                assert arrived.spec == streams[name].spec
                ours = replace(
                    arrived.sample,
                    payload=sample.payload,
                    t_ns=sample.t_ns,
                    t_recv_ns=sample.t_recv_ns,
                )
                if name == "camera":  # an Image carries neither number nor flags
                    ours = replace(ours, seq=sample.seq, flags=sample.flags, note=sample.note)
                assert ours == sample
                np.testing.assert_array_equal(arrived.sample.payload, sample.payload)
                assert arrived.sample.payload.dtype == sample.payload.dtype
                assert not arrived.sample.payload.flags.writeable
        assert pairs >= 10, name
        assert nodes.end(name) == 0


def test_handover_takes_every_sample_once_whatever_way_it_comes() -> None:
    pytest.importorskip("rclpy")
    from thymos_nodes.shared import Handover

    frames = [Sample("camera", i, i * 33_000_000, 0, np.zeros(1)) for i in range(40)]
    dice = random.Random(3)
    for _ in range(200):
        joined, got = Handover(), []
        # Both ways bring every frame, one up to two frames later than the other; in the end one
        # of them falls silent.
        lag = dice.randrange(3)
        for i in range(len(frames) + lag):
            if i < len(frames):
                got.append(joined.pass_on("topic", replace(frames[i], seq=i + 100)))
            if i - lag >= 0 and dice.random() < 0.7:
                late = frames[i - lag]
                got.append(joined.pass_on("shared", replace(late, t_ns=late.t_ns + 30_000)))
        taken = [s for s in got if s is not None]
        times = [s.t_ns // 33_000_000 for s in taken]
        assert times == sorted(set(times))
        assert times == list(range(40))
        assert [s.seq for s in taken] == list(range(100, 140))


def test_what_shared_memory_cannot_do_is_refused_or_told() -> None:
    pytest.importorskip("rclpy")
    pytest.importorskip("iceoryx2")
    from thymos_nodes import shared

    assert shared.stream_name("/robot/camera/image_raw") == "robot.camera.image_raw"
    assert shared.supports("auto", use_sim_time=False)
    assert not shared.supports("auto", use_sim_time=True)
    assert not shared.supports("topic", use_sim_time=False)
    with pytest.raises(ConfigError, match="simulated time"):
        shared.supports("shm", use_sim_time=True)
    told: list[str] = []
    unknown = StreamSpec("camera", Kind.VIDEO, 30.0, (-1, -1, 3), "rgb8")
    options: dict[str, Any] = {"seconds": 1.0, "max_mb": 10, "readers": 2, "note": told.append}
    outlet = shared.Outlet("auto", "/camera/image_raw", unknown, "lens", **options)
    outlet.write(Sample("camera", 0, 0, 0, np.zeros((2, 2, 3), np.uint8)))
    outlet.close()
    assert len(told) == 1
    assert "does not tell its size" in outlet.state
    small = replace(unknown, shape=(2, 2, 3))
    outlet = shared.Outlet("auto", f"/test{os.getpid()}/image", small, "lens", **options)
    assert outlet.state == "shared memory, topic"
    for size in (2, 4, 2):  # the picture grows: from then on by topic
        outlet.write(Sample("camera", 0, 0, 0, np.zeros((size, size, 3), np.uint8)))
    assert "does not fit" in outlet.state
    assert len(told) == 2
    with pytest.raises(ThymosError):
        shared.Outlet("shm", "/camera/image_raw", unknown, "lens", **options)
