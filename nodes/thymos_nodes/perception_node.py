"""Perception: sensor streams in, aligned and perceived windows out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sensor_msgs.msg import Image
from thymos_msgs.msg import AudioFrame, Cue, PerceptionWindow, SmellFrame, SmellInfo, SourceInfo

from thymos.config import BufferConfig, Config, PerceiveConfig, RespondConfig, WindowConfig
from thymos.errors import ThymosError
from thymos.events import Observer
from thymos.pipeline import Pipeline
from thymos.samples import Kind, Origin, Sample, StreamSpec
from thymos.smell.frame import SmellFrame as Frame
from thymos_nodes import bridges, convert, convert_smell, diagnostics, qos, shared
from thymos_nodes.convert_sensors import TopicStream
from thymos_nodes.diagnostics import Rate, Task
from thymos_nodes.lifecycle import ThymosNode
from thymos_nodes.params import Param, of_section, section_of
from thymos_nodes.perceiving import Perceiving
from thymos_nodes.ros_time import RosTime, wall_ns
from thymos_nodes.shared import Arrived, Handover, Inlet

STREAMS: dict[str, tuple[Kind, str, type, int]] = {
    "camera": (Kind.VIDEO, "camera/image_raw", Image, 5),
    "microphone": (Kind.AUDIO, "microphone/audio", AudioFrame, 100),
    "enose": (Kind.GAS, "enose/data", SmellFrame, 20),
}
"""Kind, topic, type and depth of the subscription (blocks of sound come in bursts)."""

TOPIC, SHARED = "topic", "shared memory"
WATCH_S = 0.5  # so often it is looked whether a stream is shared now, or not any more


class _Log(Observer):
    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say

    def on_note(self, text: str) -> None:
        self._say(text)


class PerceptionNode(ThymosNode):
    """Publishes `perception/estimate` (at once, no words) and `perception/window` (complete).

    Readings of a nose go out on `perception/smell` with clean air, phase and warm-up. A danger goes
    out on `perception/danger` with the sample that shows it, before any window ends.
    """

    PARAMS = (
        Param("camera", True, "Listen to camera/image_raw."),
        Param("microphone", True, "Listen to microphone/audio."),
        Param("enose", True, "Listen to enose/data."),
        Param(
            "olfaction",
            "",
            "Topic of olfaction_msgs/GasSensorArray to smell with instead of enose/data (GADEN and "
            "drivers of MAPIRlab); needs that package.",
        ),
        Param(
            "qos",
            "sensor_data",
            "sensor_data hears every publisher; reliable loses nothing and hears reliable ones only"
            " (replay).",
            choices=qos.CHOICES,
        ),
        *shared.IN,
        *of_section(
            "window",
            WindowConfig,
            {
                "anchor": "hop: a window every hop_s. speech: one when somebody stops speaking.",
                "length_s": "Length of a window [s].",
                "hop_s": "From the start of one window to the next [s].",
                "after_s": "Speech: how long a window goes on after its end [s].",
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
                "clean_air": "Calibration file of the electronic nose; 'stored': its newest; "
                "empty for none.",
                "climate": "What temperature and humidity do to the nose: a calibration file, "
                "'stored', 'learn' (in clean air); empty for nothing.",
                "smell_state": "File that keeps clean air over a restart; empty for none.",
                "warm_up_s": "Declared warm-up of the nose, from its first reading on [s].",
                "drift_guard": "File of `thymos smell guard`: tells when to calibrate the nose.",
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
        self._topics: dict[str, Any] = {}  # subscriptions, of streams that are not shared
        self._inlets: dict[str, Inlet] = {}
        self._joined: dict[str, Handover] = {}
        self._watch: Any = None
        self._told_no_sharing = False
        self._time = RosTime(self.ros_clock)
        self._completed = convert_smell.FrameMessages()

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
        self._ways = dict(STREAMS)
        if topic := self.value("olfaction"):
            array = bridges.gas_sensor_array()
            self._ways["enose"] = (Kind.GAS, topic, array, STREAMS["enose"][3])
        self._estimate = self.announce(PerceptionWindow, "perception/estimate", qos.RESULT)
        self._window = self.announce(PerceptionWindow, "perception/window", qos.RESULT)
        self._danger = self.announce(Cue, "perception/danger", qos.RESULT)
        self._smell = self.announce(SmellFrame, "perception/smell", qos.RESULT)
        self._hri = bridges.Hri.of(self, config.perceive.language)

    def start(self) -> None:
        """Subscribe and begin."""
        self._pipeline = Pipeline(
            self._config,
            observers=[_Log(lambda t: self.get_logger().warning(t))],
            on_danger=lambda cue: self._danger.publish(convert.cue_to_msg(cue)),
            on_frame=self._publish_smell,
        )
        self._run = Perceiving(
            self._pipeline, self.ros_clock, self._estimate.publish, self._publish_window
        )
        self._run.start()
        share = shared.supports(self.value("transport"), self.value("use_sim_time"))
        for name, (kind, topic, _, _) in self._ways.items():
            if not self.value(name):
                self._pipeline.state_absent(name, "switched off")
                continue
            self._pipeline.state_absent(name, f"nothing on {topic} yet")
            self._listen(name, kind)
            if share and kind is not Kind.GAS:
                self._open_inlet(name, topic)
        self._watch_ways()
        self._watch = self.create_timer(WATCH_S, self._watch_ways, clock=self._steady_clock())

    def _listen(self, name: str, kind: Kind) -> None:
        origin = Origin.RECORDED if self.value("use_sim_time") else Origin.LIVE
        stream = self._streams[name] = TopicStream(name, kind, origin)
        self._rates[name] = Rate()
        self._bad[name] = 0
        self._joined[name] = Handover()
        self._entities.append(
            self.create_subscription(
                SourceInfo, f"{name}/source", lambda m: self._on_source(stream, m), qos.LATCHED
            )
        )
        if kind is Kind.GAS:
            self._entities.append(
                self.create_subscription(
                    SmellInfo, f"{name}/info", lambda m: self._on_nose(stream, m), qos.LATCHED
                )
            )

    def _open_inlet(self, name: str, topic: str) -> None:
        try:
            inlet = Inlet(
                name,
                self.resolve_topic_name(topic),
                time=self._time,
                now=self.ros_clock.now_ns,
                take=self._on_shared,
                note=self.get_logger().warning,
            )
        except ThymosError as err:
            if self.value("transport") == "shm":
                raise
            if not self._told_no_sharing:
                self._told_no_sharing = True
                self.get_logger().info(f"topics only: {err}" + (f" ({err.hint})" * bool(err.hint)))
            return
        self._inlets[name] = inlet
        inlet.start()

    def _watch_ways(self) -> None:
        """Subscribe to the topics of streams that nobody shares, and to no others."""
        shared_only = self.value("transport") == "shm"
        choice = self.value("qos")
        deeper = qos.DEEPER if choice == "reliable" else 1
        for name, stream in self._streams.items():
            if shared_only and stream.kind is not Kind.GAS:
                continue
            subscribed = self._topics.get(name)
            if name in self._inlets and self._inlets[name].attached:
                if subscribed is not None:
                    self.destroy_subscription(self._topics.pop(name))
            elif subscribed is None:
                _, topic, message, depth = self._ways[name]
                self._topics[name] = self.create_subscription(
                    message,
                    topic,
                    lambda m, s=stream: self._take(s, m),
                    qos.sensor(choice, depth * deeper),
                )

    def stop(self) -> None:
        """Unsubscribe and end the threads."""
        if self._watch is not None:
            self.destroy_timer(self._watch)
            self._watch = None
        for inlet in self._inlets.values():
            inlet.close()
        self._inlets.clear()
        for entity in (*self._entities, *self._topics.values()):
            self.destroy_subscription(entity)
        self._entities.clear()
        self._topics.clear()
        if self._run is not None:
            self._run.stop()
        if self._pipeline is not None:
            self._pipeline.close()
        self._run, self._pipeline = None, None
        self._streams.clear()
        self._told_no_sharing = False

    def teardown(self) -> None:
        """Take the bridge away."""
        if self._hri is not None:
            self._hri.close()
            self._hri = None

    # -- samples

    def _on_shared(self, arrived: Arrived) -> None:
        """On the thread of an inlet."""
        self._rates[arrived.sample.stream].tick(wall_ns())
        self._give(SHARED, arrived.spec, arrived.sample)

    def _give(self, way: str, spec: StreamSpec, sample: Sample) -> None:
        joined = self._joined[spec.name].pass_on(way, sample)
        if joined is not None and self._run is not None:
            self._run.take(spec, joined)

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
        self._give(TOPIC, stream.spec, sample)

    def _on_source(self, stream: TopicStream, message: SourceInfo) -> None:
        try:
            stream.info = convert.source_from_msg(message)
        except ValueError as err:
            self.get_logger().warning(f"{stream.name}/source: {err}")
        for held in stream.release():
            self._convert(stream, held)

    def _on_nose(self, stream: TopicStream, message: SmellInfo) -> None:
        try:
            stream.describe(message)
        except ValueError as err:
            self.get_logger().warning(f"{stream.name}/info: {err}")
        for held in stream.release():
            self._take(stream, held)

    def _publish_smell(self, frame: Frame) -> None:
        """On the thread of the perceiver; `enose/info` describes its nose."""
        if self._smell.get_subscription_count():
            self._smell.publish(self._completed.of(frame))

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
        notes = self._pipeline.remarks.notes if self._pipeline is not None else ()
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
        topic = self._ways[name][1]
        inlet = self._inlets.get(name)
        is_shared = inlet is not None and inlet.attached
        task = Task(
            name,
            values={
                "topic": self.resolve_topic_name(topic),
                "transport": SHARED if is_shared else TOPIC,
                "rate": f"{self._rates[name].hz(now):.2f} Hz",
                "received": str(self._rates[name].total),
                "corrupt": str(self._bad[name]),
                "publishers": str(self.count_publishers(topic)),
            },
        )
        if inlet is not None:
            task.values |= {"lost": str(inlet.lost), "copied": str(inlet.copied)}
        if self._bad[name]:
            task.worsen(diagnostics.WARN, "messages that make no sense", "see the log of this node")
        if self.count_publishers(topic) == 0 and not is_shared:
            task.worsen(diagnostics.WARN, "nobody publishes", f"start {name}, or remap {topic}")
        elif self._rates[name].hz(now) == 0.0:
            why = (
                f"see {name} in /diagnostics" if is_shared else "compare QoS: `ros2 topic info -v`"
            )
            task.worsen(diagnostics.ERROR, "no messages", why)
        return task
