"""The whole graph over real DDS: a recording in, explanations and answers out, times kept."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ros_testing import Nodes, simulated_recording, wait_until
from thymos.align import Windower, merge
from thymos.config import BufferConfig, WindowConfig
from thymos.record import open_recording

pytestmark = [pytest.mark.ros, pytest.mark.xdist_group("ros")]

SECONDS = 8.0
START_NS = 1_700_000_000_000_000_000
PARAMETERS = """
/**:
  ros__parameters:
    window.length_s: 2.0
    window.hop_s: 2.0
    window.max_wait_s: 20.0    # time never cuts a window short, however slow the machine is
    reason.backend: rules
"""


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 s of picture, sound and smell with absolute capture times, as an MCAP."""
    path = tmp_path_factory.mktemp("bag") / "scene.mcap"
    return simulated_recording(
        path, seconds=SECONDS, start_ns=START_NS, size="320x240", events="smoke@3-6"
    )


def offline_windows(path: Path) -> list[tuple[str, int, int, dict[str, int]]]:
    """What the same recording gives without ROS."""
    sources = list(open_recording(path).sources.values())
    windower = Windower(WindowConfig(length_s=2.0, hop_s=2.0), BufferConfig())
    made = []
    for source in sources:
        source.open()
        windower.add_stream(source.spec)
    for sample in merge(sources):
        windower.push(sample)
        made += windower.ready()
    for source in sources:
        source.close()
    return [
        (w.id, w.t0_ns, w.t1_ns, {n: s.state.samples for n, s in w.streams.items()}) for w in made
    ]


class Listener:
    """Hears everything the graph says."""

    def __init__(self) -> None:
        import rclpy
        from rclpy.node import Node
        from rclpy.qos import QoSProfile
        from sensor_msgs.msg import Image
        from thymos_msgs.msg import AudioFrame, Explanation, PerceptionWindow, Response, SmellFrame

        self.node: Node = rclpy.create_node("listener")
        self.heard: dict[str, list[Any]] = {}
        for topic, kind in {
            "camera/image_raw": Image,
            "microphone/audio": AudioFrame,
            "enose/data": SmellFrame,
            "perception/smell": SmellFrame,
            "perception/estimate": PerceptionWindow,
            "perception/window": PerceptionWindow,
            "reasoner/explanation": Explanation,
            "responder/response": Response,
        }.items():
            self.heard[topic] = []
            qos = QoSProfile(depth=1000)
            self.node.create_subscription(kind, topic, self.heard[topic].append, qos)

        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        from rclpy.executors import SingleThreadedExecutor

        executor = SingleThreadedExecutor()
        executor.add_node(self.node)
        while not self._stop.is_set():
            executor.spin_once(timeout_sec=0.1)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5.0)
        self.node.destroy_node()


@pytest.fixture
def listener(ros: None) -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


def stamp(message: Any) -> int:
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)


def test_a_replayed_recording_is_explained_and_answered_with_its_own_times(
    recording: Path, nodes: Nodes, listener: Listener, tmp_path: Path
) -> None:
    from thymos_nodes import graph

    parameters = tmp_path / "parameters.yaml"
    parameters.write_text(PARAMETERS)
    options = graph.Options(
        camera="bag",
        microphone="bag",
        enose="bag",
        bag=str(recording),
        bag_rate=2.0,
        speaker=False,
        params_file=str(parameters),
    )
    table = {p.executable: p for p in graph.processes(options)}
    assert list(table) == ["perception", "reasoner", "responder", "replay"]
    for name in ("perception", "reasoner", "responder"):
        nodes.start(name, graph.command(table[name], options))
    node = listener.node
    wait_until(lambda: node.count_publishers("responder/response") == 1, "the responder")
    # Subscribers besides the listener: of windows the reasoner and the responder.
    wait_until(lambda: node.count_subscribers("perception/window") == 3, "both to hear windows")
    wait_until(lambda: node.count_subscribers("reasoner/explanation") == 2, "the responder to hear")
    # Perception and the listener must both hear every stream before the first sample.
    process = replace(table["replay"], parameters={**table["replay"].parameters, "subscribers": 2})
    replay = nodes.start("replay", graph.command(process, options))
    wait_until(lambda: replay.poll() is not None, "the end of the recording")
    assert replay.returncode == 0, nodes.said("replay")

    expected = offline_windows(recording)
    assert len(expected) >= 3
    heard = listener.heard
    last = expected[-1][0]
    wait_until(lambda: last in {m.window_id for m in heard["responder/response"]}, "answers")
    codes = {name: nodes.end(name) for name in ("perception", "reasoner", "responder")}
    assert codes == {"perception": 0, "reasoner": 0, "responder": 0}

    from thymos_msgs.msg import SmellFrame

    # Nothing was lost on the way, and headers carry capture times.
    said = re.search(r"replayed (\{.*\})", nodes.said("replay"))
    assert said is not None
    for stream in json.loads(said.group(1))["streams"].values():
        assert stream["received"] == stream["published"] > 0
    sources = open_recording(recording).sources
    for topic, stream_name in (
        ("camera/image_raw", "camera"),
        ("microphone/audio", "microphone"),
        ("enose/data", "enose"),
    ):
        with sources[stream_name] as source:
            times = [s.t_ns for s in merge([source])]
        wait_until(partial(lambda t, n: len(heard[t]) >= n, topic, len(times)), topic)
        assert [stamp(m) for m in heard[topic]] == times
        assert times[0] >= START_NS

    # Each reading goes out again, the same raw values with what perception found out about it.
    smelt = {stamp(m): m for m in heard["perception/smell"]}
    raw = {stamp(m): m for m in heard["enose/data"]}
    assert set(smelt) <= set(raw)
    assert len(smelt) > 5
    for t_ns, message in smelt.items():
        assert message.values == raw[t_ns].values
        assert message.info_id == raw[t_ns].info_id  # enose/info describes both
    newest = smelt[max(smelt)]
    assert len(newest.baseline) == 1
    assert newest.phase != SmellFrame.UNKNOWN
    assert not raw[max(raw)].baseline

    # The same windows as without ROS, sample for sample.
    windows = [w for w in heard["perception/window"] if w.complete]
    assert [
        (
            w.id,
            w.t0.sec * 10**9 + w.t0.nanosec,
            stamp(w),
            {s.name: s.samples for s in w.streams},
        )
        for w in windows[: len(expected)]
    ] == expected
    ends = [t1 for _, _, t1, _ in expected]
    assert [stamp(m) for m in heard["perception/estimate"]][: len(ends)] == ends
    assert {s.origin for w in windows for s in w.streams} == {"simulated"}

    # Windows are explained and answered, each with its own time. Newest wins, so that on a busy
    # machine one may be passed over; the last never is.
    times_of = {name: t1 for name, _, t1, _ in expected}
    for topic in ("reasoner/explanation", "responder/response"):
        found = {m.window_id: stamp(m) for m in heard[topic] if m.window_id in times_of}
        assert last in found
        assert found.items() <= times_of.items()
    assert all(e.backend == "rules" for e in heard["reasoner/explanation"])
    assert all(r.intent and r.gesture for r in heard["responder/response"])
