"""Perception: sensor topics in, aligned and perceived windows out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from thymos_msgs.msg import AudioFrame, GasArray, PerceptionWindow, SourceInfo

from thymos.config import BufferConfig, Config, PerceiveConfig, RespondConfig, WindowConfig
from thymos.events import Observer
from thymos.pipeline import Pipeline
from thymos.samples import Kind, Origin
from thymos_nodes import bridges, convert, diagnostics, qos
from thymos_nodes.convert_sensors import TopicStream
from thymos_nodes.diagnostics import Rate, Task
from thymos_nodes.lifecycle import ThymosNode
from thymos_nodes.params import Param, of_section, section_of
from thymos_nodes.perceiving import Perceiving
from thymos_nodes.ros_time import wall_ns

STREAMS: dict[str, tuple[Kind, str, type, int]] = {
    "camera": (Kind.VIDEO, "camera/image_raw", Image, 5),
    "microphone": (Kind.AUDIO, "microphone/audio", AudioFrame, 100),
    "enose": (Kind.GAS, "enose/data", GasArray, 20),
}
"""Kind, topic, type and depth of the subscription (blocks of sound come in bursts)."""


class _Log(Observer):
    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say

    def on_note(self, text: str) -> None:
        self._say(text)


class PerceptionNode(ThymosNode):
    """Publishes `perception/estimate` (at once, no words) and `perception/window` (complete)."""

    PARAMS = (
        Param("camera", True, "Listen to camera/image_raw."),
        Param("microphone", True, "Listen to microphone/audio."),
        Param("enose", True, "Listen to enose/data."),
        Param(
            "qos",
            "sensor_data",
            "sensor_data hears every publisher; reliable loses nothing and hears reliable ones only"
            " (replay).",
            choices=qos.CHOICES,
        ),
        *of_section(
            "window",
            WindowConfig,
            {
                "length_s": "Length of a window [s].",
                "hop_s": "From the start of one window to the next [s].",
                "max_wait_s": "How long a window waits for late samples [s].",
                "stale_after_s": "A slow stream older than this is stale [s].",
            },
        ),
        *of_section("buffer", BufferConfig, {"seconds": "How much of the past is kept [s]."}),
        *of_section(
            "perceive",
            PerceiveConfig,
            {
                "face_hz": "Frames looked at each second [Hz].",
                "words": "Recognise speech.",
                "language": "Language of the speech, IETF code.",
                "clean_air": "Calibration file of the electronic nose; empty for none.",
            },
        ),
    )

    def __init__(self) -> None:
        super().__init__("perception")
        self._run: Perceiving | None = None
        self._pipeline: Pipeline | None = None
        self._streams: dict[str, TopicStream] = {}
        self._rates: dict[str, Rate] = {}
        self._bad: dict[str, int] = {}
        self._hri: bridges.Hri | None = None
        self._entities: list[Any] = []

    # -- lifecycle

    def setup(self) -> None:
        """Make publishers and the pipeline; models load when their stream begins."""
        values = self.values()
        config = Config(
            window=section_of(WindowConfig, "window", values),
            buffer=section_of(BufferConfig, "buffer", values),
            perceive=section_of(PerceiveConfig, "perceive", values),
            respond=RespondConfig(speak=False),
        )
        self._config = config
        self._estimate = self.announce(PerceptionWindow, "perception/estimate", qos.RESULT)
        self._window = self.announce(PerceptionWindow, "perception/window", qos.RESULT)
        self._hri = bridges.Hri.of(self, config.perceive.language)

    def start(self) -> None:
        """Subscribe and begin."""
        self._pipeline = Pipeline(
            self._config, observers=[_Log(lambda t: self.get_logger().warning(t))]
        )
        self._run = Perceiving(
            self._pipeline, self.ros_clock, self._estimate.publish, self._publish_window
        )
        self._run.start()
        choice = self.value("qos")
        deeper = qos.DEEPER if choice == "reliable" else 1
        for name, (kind, topic, message, depth) in STREAMS.items():
            if not self.value(name):
                self._pipeline.state_absent(name, "switched off")
                continue
            self._pipeline.state_absent(name, f"nothing on {topic} yet")
            self._listen(name, kind, topic, message, qos.sensor(choice, depth * deeper))

    def _listen(
        self, name: str, kind: Kind, topic: str, message: type, profile: QoSProfile
    ) -> None:
        origin = Origin.RECORDED if self.value("use_sim_time") else Origin.LIVE
        stream = self._streams[name] = TopicStream(name, kind, origin)
        self._rates[name] = Rate()
        self._bad[name] = 0
        self._entities += [
            self.create_subscription(message, topic, lambda m: self._take(stream, m), profile),
            self.create_subscription(
                SourceInfo, f"{name}/source", lambda m: self._on_source(stream, m), qos.LATCHED
            ),
        ]

    def stop(self) -> None:
        """Unsubscribe and end the threads."""
        for entity in self._entities:
            self.destroy_subscription(entity)
        self._entities.clear()
        if self._run is not None:
            self._run.stop()
        if self._pipeline is not None:
            self._pipeline.close()
        self._run, self._pipeline = None, None
        self._streams.clear()

    def teardown(self) -> None:
        """Take the bridge away."""
        if self._hri is not None:
            self._hri.close()
            self._hri = None

    # -- messages

    def _take(self, stream: TopicStream, message: Any) -> None:
        self._rates[stream.name].tick(wall_ns())
        # The latched description of a stream may come a little after its first messages.
        if self.count_publishers(f"{stream.name}/source") and stream.hold(message):
            return
        for held in (*stream.release(), message):
            self._convert(stream, held)

    def _convert(self, stream: TopicStream, message: Any) -> None:
        if self._run is None:
            return
        try:
            sample = stream.take(message, self.ros_clock.now_ns())
        except ValueError as err:
            self._bad[stream.name] += 1
            self.get_logger().warning(f"{stream.name}: {err}", throttle_duration_sec=5.0)
            return
        assert stream.spec is not None  # noqa: S101  take has set it
        self._run.take(stream.spec, sample)

    def _on_source(self, stream: TopicStream, message: SourceInfo) -> None:
        try:
            stream.info = convert.source_from_msg(message)
        except ValueError as err:
            self.get_logger().warning(f"{stream.name}/source: {err}")
        for held in stream.release():
            self._convert(stream, held)

    def _publish_window(self, message: PerceptionWindow) -> None:
        self._window.publish(message)
        if self._hri is not None:
            evidence = convert.window_from_msg(message)
            self._hri.publish(evidence.cues, evidence.window.t1_ns)

    # -- what people are told

    def tasks(self) -> list[Task]:
        """One task for the windows, one for each stream that is listened to."""
        run, now = self._run, wall_ns()
        if run is None:
            return []
        notes = self._pipeline.notes if self._pipeline is not None else ()
        windows = Task(
            "windows",
            values={
                "windows": str(run.count.windows),
                "window end to first estimate": f"{run.count.estimate_ms:.0f} ms",
                "refused": str(run.count.refused),
                "words left out": str(run.count.skipped),
                **{f"note {i + 1}": text for i, text in enumerate(notes)},
            },
        )
        if run.count.refused or run.count.skipped:
            windows.worsen(diagnostics.WARN, "perception is behind", "lower perceive.face_hz")
        return [windows, *(self._stream_task(name, now) for name in self._streams)]

    def _stream_task(self, name: str, now: int) -> Task:
        topic = STREAMS[name][1]
        task = Task(
            name,
            values={
                "topic": self.resolve_topic_name(topic),
                "rate": f"{self._rates[name].hz(now):.2f} Hz",
                "received": str(self._rates[name].total),
                "corrupt": str(self._bad[name]),
                "publishers": str(self.count_publishers(topic)),
            },
        )
        if self._bad[name]:
            task.worsen(diagnostics.WARN, "messages that make no sense", "see the log of this node")
        if self.count_publishers(topic) == 0:
            task.worsen(diagnostics.WARN, "nobody publishes", f"start {name}, or remap {topic}")
        elif self._rates[name].hz(now) == 0.0:
            task.worsen(diagnostics.ERROR, "no messages", "compare QoS: `ros2 topic info -v`")
        return task
