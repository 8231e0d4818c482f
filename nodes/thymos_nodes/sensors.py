"""Camera and microphone: a source of the SDK, published as it comes. The nose: `enose_node`."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

from rcl_interfaces.msg import SetParametersResult
from rclpy.parameter import Parameter
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, Image
from thymos_msgs.msg import AudioFrame, SourceInfo

from thymos.clock import MonotonicClock
from thymos.devices import StreamRole, open_uri, without_password
from thymos.errors import ConfigError
from thymos.estimate import source_info
from thymos.reading import Readers
from thymos.samples import Kind, Sample, Source, StreamSpec
from thymos.supervise import shifted
from thymos.sync import Synced
from thymos.warm import warm_clocks
from thymos_calibration.camera_report import stored_camera_info
from thymos_nodes import convert, convert_sensors, diagnostics, qos, shared
from thymos_nodes.diagnostics import Rate, Task
from thymos_nodes.knobs import Knobs
from thymos_nodes.lifecycle import ThymosNode
from thymos_nodes.params import Param
from thymos_nodes.ros_time import RosTime, wall_ns


def sensor_params(uri: str, frame_id: str, *, share: bool = True) -> tuple[Param, ...]:
    """The parameters that all sensor nodes have, with their defaults."""
    return (
        Param("uri", uri, "Where the stream comes from; `thymos devices` lists what there is."),
        Param("frame_id", frame_id, "tf frame of the sensor, without a leading slash."),
        Param(
            "offset_ms",
            0.0,
            "Added to each capture stamp, in ms; see `thymos calibrate av-sync`.",
            low=-10_000.0,
            high=10_000.0,
        ),
        Param(
            "qos",
            "sensor_data",
            "sensor_data: best effort, as drivers do; reliable: for lossless recording.",
            choices=qos.CHOICES,
        ),
        *(shared.OUT if share else ()),
    )


class SensorNode(ThymosNode):
    """A source of the SDK as a node. Capture times are mapped to ROS time, nothing else.

    Each sample is written to shared memory, for readers on this machine, and published for those
    who subscribe to the topic.
    """

    role: ClassVar[StreamRole]
    kind: ClassVar[Kind]
    topic: ClassVar[str]

    def __init__(self) -> None:
        super().__init__(self.role)
        self._readers: Readers | None = None
        self._source: Source | None = None
        self._spec: StreamSpec | None = None
        self._outlet: shared.Outlet | None = None
        self._halt = threading.Event()
        self._rate = Rate()
        self._late_ms = 0.0
        self._ended = ""
        self._time = RosTime(self.ros_clock, on_step=self._on_step)

    # -- lifecycle

    def setup(self) -> None:
        """Open the device, announce where the stream comes from."""
        source = open_uri(self.role, self.value("uri"))
        if source is None:
            raise ConfigError(
                f"the {self.role} is off", hint="set the parameter uri, or do not start this node"
            )
        self._source = source
        warm_clocks([source], self.get_logger().info)
        readers = Readers([self._moved(source)], MonotonicClock())
        readers.__enter__()
        self._readers = readers
        self._spec = readers.specs[0]
        self._ended = ""
        self._outlet = self._make_outlet()
        self._make_publishers()
        self._info = self.announce(SourceInfo, f"{self.role}/source", qos.LATCHED)
        self.get_logger().info(f"{self._spec.device}: {self._facts()}")

    def _moved(self, source: Source) -> Source:
        """The source with its offset by hand."""
        return shifted([source], {source.spec.name: self.value("offset_ms")})[0]

    def start(self) -> None:
        """Begin to read."""
        assert self._readers is not None  # noqa: S101  the lifecycle sees to it
        self._info.publish(convert.source_to_msg(source_info(self.spec)))
        self._halt = threading.Event()
        self._readers.start(self._halt, take=self._take, ended=self._on_end, note=self._on_note)

    def stop(self) -> None:
        """Cease to read; the device stays open."""
        self._halt.set()
        if self._readers is not None:
            self._readers.join()

    def teardown(self) -> None:
        """Close the device."""
        if self._readers is not None:
            self._readers.__exit__(None, None, None)
            self._readers = None
        self._source = None
        if self._outlet is not None:
            self._outlet.close()
            self._outlet = None

    def _make_outlet(self) -> shared.Outlet | None:
        if self.kind is Kind.GAS:
            return None
        transport = self.value("transport")
        if not shared.supports(transport, self.value("use_sim_time")):
            transport = "topic"
        return shared.Outlet(
            transport,
            self.resolve_topic_name(f"{self.role}/{self.topic}"),
            self.spec,
            self.frame_id,
            seconds=self.value("shared.seconds"),
            max_mb=self.value("shared.max_mb"),
            readers=self.value("shared.readers"),
            note=self.get_logger().warning,
        )

    # -- samples

    def _take(self, sample: Sample) -> None:
        """On the reader's thread: share and publish one sample."""
        if self._halt.is_set():
            return
        if self._outlet is not None:
            self._outlet.write(sample)
        self._rate.tick(wall_ns())
        self._late_ms = sample.latency_ns / 1e6
        self.publish_sample(sample, self._time.to_ros(sample.t_ns))

    def publish_sample(self, sample: Sample, t_ns: int) -> None:
        """Publish one sample; `t_ns` is its capture time in ROS time."""
        raise NotImplementedError

    def _make_publishers(self) -> None:
        raise NotImplementedError

    def _sensor_publisher(self, kind: type, topic: str) -> Any:
        return self.announce(
            kind,
            f"{self.role}/{topic}",
            qos.sensor(self.value("qos")),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    @property
    def spec(self) -> StreamSpec:
        """Of the open source."""
        assert self._spec is not None  # noqa: S101
        return self._spec

    @property
    def frame_id(self) -> str:
        """Frame of the parameters."""
        return str(self.value("frame_id")).lstrip("/")

    # -- what people are told

    def _facts(self) -> str:
        spec = self.spec
        return f"{spec.kind.value}, {spec.rate_hz:g} Hz, {spec.unit}, {spec.origin.value}"

    @staticmethod
    def _wanted(publisher: Any) -> bool:
        """Whether anybody subscribes: nothing is serialised for nobody."""
        return bool(publisher.get_subscription_count())

    def _on_note(self, text: str) -> None:
        self.get_logger().warning(text)

    def _on_end(self, stream: str, reason: str) -> None:
        del stream
        if not self._halt.is_set():
            self._ended = reason or "the recording is over"
            self.get_logger().info(self._ended)

    def _on_step(self, step_ns: int) -> None:
        self.get_logger().warning(
            f"ROS time jumped by {step_ns / 1e9:+.3f} s against the sensor clock; stamps follow"
        )

    @property
    def hardware_id(self) -> str:
        """Device, or the URI while it is not open."""
        return (self._spec.device if self._spec else "") or self.uri

    @property
    def uri(self) -> str:
        """Of the parameters, as everybody on the network may see it."""
        return without_password(str(self.value("uri")))

    def tasks(self) -> list[Task]:
        """One task: capture."""
        if self._readers is None:
            return []
        task = diagnostics.of_source(
            self._readers.health[self.spec.name],
            self._readers.counters[self.spec.name],
            measured_hz=self._rate.hz(wall_ns()),
            nominal_hz=self.nominal_hz,
            facts={
                "uri": self.uri,
                "origin": self.spec.origin.value,
                "capture to publish": f"{self._late_ms:.1f} ms",
                "published": str(self._rate.total),
                "transport": self._outlet.state if self._outlet else "topic",
            },
        )
        if self._ended:
            task.worsen(diagnostics.WARN, f"ended: {self._ended}")
        return [task]

    @property
    def nominal_hz(self) -> float:
        """Messages a second; 0 if unknown."""
        return self.spec.rate_hz


class CameraNode(SensorNode):
    """Publishes `camera/image_raw`, and `camera/camera_info` if a calibration is given.

    What the camera lets change while it runs are parameters `control.<name>` once it is open.
    """

    role = "camera"
    topic = "image_raw"
    kind = Kind.VIDEO
    PARAMS = (
        *sensor_params("v4l2:/dev/video0", "camera_color_optical_frame"),
        Param(
            "calibration",
            "",
            "YAML file of a calibration; 'stored': what `thymos calibrate camera` measured of this "
            "camera; 'device': what it tells of itself (RealSense); empty: no camera_info.",
        ),
    )

    def __init__(self) -> None:
        self._knobs = Knobs(self)
        super().__init__()

    def setup(self) -> None:
        """Open the camera; its controls become parameters."""
        super().setup()
        self._knobs.declare(self._source)

    def teardown(self) -> None:
        """Close the camera; its controls are no parameters any more."""
        self._knobs.forget()
        super().teardown()

    def _on_set(self, changed: list[Parameter]) -> SetParametersResult:
        result = super()._on_set(changed)
        return self._knobs.turn(changed) if result.successful else result

    def _make_publishers(self) -> None:
        self._calibration = self._find_calibration(self.value("calibration"))
        self._image = self._sensor_publisher(Image, self.topic)
        if self._calibration is not None:
            self._camera_info = self._sensor_publisher(CameraInfo, "camera_info")

    def _find_calibration(self, wanted: str) -> CameraInfo | None:
        if wanted == "device":
            return convert_sensors.factory_info(self.spec)
        path = str(stored_camera_info(self.spec)) if wanted == "stored" else wanted
        return convert_sensors.camera_info(path) if path else None

    def publish_sample(self, sample: Sample, t_ns: int) -> None:
        """Image, and calibration with the same stamp and frame."""
        if self._wanted(self._image):
            self._image.publish(convert_sensors.image_to_msg(sample, self.frame_id, t_ns))
        if self._calibration is not None and self._wanted(self._camera_info):
            self._calibration.header = convert.header(t_ns, self.frame_id)
            self._camera_info.publish(self._calibration)


class MicrophoneNode(SensorNode):
    """Publishes `microphone/audio`."""

    role = "microphone"
    topic = "audio"
    kind = Kind.AUDIO
    _camera: Any = None
    _ears: Source | None = None
    PARAMS = (
        *sensor_params("portaudio:default", "mic_link"),
        Param(
            "av_sync",
            "stored",
            "stored: what `thymos calibrate av-sync` measured of this microphone and the camera "
            "that camera/source tells of; an offset_ms by hand wins. off: nothing.",
            choices=("stored", "off"),
        ),
    )

    def setup(self) -> None:
        """Open the microphone, and listen which camera there is."""
        super().setup()
        if isinstance(self._ears, Synced):
            self._camera = self.create_subscription(
                SourceInfo, "camera/source", self._on_camera, qos.LATCHED
            )

    def teardown(self) -> None:
        """Close the microphone."""
        if self._camera is not None:
            self.destroy_subscription(self._camera)
            self._camera = None
        super().teardown()

    def _moved(self, source: Source) -> Source:
        by_hand = self.value("offset_ms") or self.value("av_sync") == "off" or not source.live
        tell = self.get_logger().info
        self._ears = super()._moved(source) if by_hand else Synced(source, None, tell)
        return self._ears

    def _on_camera(self, message: SourceInfo) -> None:
        """The camera tells who it is: from now on the stored offset to it is applied."""
        if not isinstance(self._ears, Synced) or message.origin != SourceInfo.LIVE:
            return
        told = {"serial": message.serial} if message.serial else {}
        self._ears.settle(
            StreamSpec("camera", Kind.VIDEO, 0.0, (), "", device=message.device, extra=told)
        )
        if self._readers is not None:
            self._spec = self._readers.specs[0]
            self._info.publish(convert.source_to_msg(source_info(self.spec)))

    def _make_publishers(self) -> None:
        self._audio = self._sensor_publisher(AudioFrame, self.topic)

    def publish_sample(self, sample: Sample, t_ns: int) -> None:
        """One block of sound."""
        if self._wanted(self._audio):
            made = convert_sensors.audio_to_msg(sample, self.spec, self.frame_id, t_ns)
            self._audio.publish(made)

    @property
    def nominal_hz(self) -> float:
        """Blocks a second, if all have one size."""
        frames = self.spec.shape[0] if self.spec.shape else 0
        return self.spec.rate_hz / frames if frames > 0 else 0.0
