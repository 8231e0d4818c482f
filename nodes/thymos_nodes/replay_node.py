"""A recording onto live topics, with /clock: what the sensors said, at the pace they said it.

Headers carry the capture times of the recording. One whose time begins at 0 (a media file) is
moved to begin at `start_s`, since ROS takes time 0 for "no time yet".
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from thymos_msgs.msg import AudioFrame, SmellFrame, SmellInfo, SourceInfo

from thymos.errors import ConfigError, ThymosError
from thymos.estimate import source_info
from thymos.pace import Pace
from thymos.samples import NS_PER_S, Kind, Origin, Sample, Source, StreamSpec, duration_ns
from thymos_nodes import convert, convert_sensors, convert_smell, qos
from thymos_nodes.params import Param
from thymos_nodes.ros_time import to_msg

TOPIC = {
    Kind.VIDEO: ("camera", "camera/image_raw", Image),
    Kind.AUDIO: ("microphone", "microphone/audio", AudioFrame),
    Kind.GAS: ("enose", "enose/data", SmellFrame),
}
RECEIPT_S = 5.0
HEALTH_S = 2.5  # perception tells its health once a second
DEPTH = 200  # deep, so that a subscriber that stumbles does not lose anything

PARAMS = (
    Param("bag", "", "Recording: rosbag2 folder, .mcap, .bag or a media file."),
    Param("rate", 1.0, "Speed; 1.0 is real time.", 0.01, 100.0),
    Param("streams", "camera,microphone,enose", "Which streams to play, separated by commas."),
    Param("start_s", 1000.0, "Where a recording that counts from 0 begins [s].", 1.0, 4e9),
    Param("wait_for", "", "Topics that must have a publisher first, separated by commas."),
    Param("subscribers", 1, "So many must listen to each stream first.", 0, 100),
    Param("wait_s", 30.0, "How long to wait for those who shall hear it [s].", 0.0, 600.0),
    Param("report", "", "Also write what was published and what arrived into this file (JSON)."),
    Param("tail_s", 3.0, "How long /clock runs on after the end [s].", 0.0, 600.0),
)


class ReplayNode(Node):
    """Plays a recording once, then ends. Says at the end what was published and what arrived."""

    def __init__(self) -> None:
        super().__init__("replay")
        for param in PARAMS:
            self.declare_parameter(param.name, param.default, param.descriptor())
        self.finish: Callable[[], None] = lambda: None
        self.exit_code = 0
        self._halt = threading.Event()
        self._received: dict[str, int] = {}  # by perception, since it started
        self._before: dict[str, int] = {}
        self._clock_publisher = self.create_publisher(Clock, "/clock", 10)
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._thread = threading.Thread(target=self._work, name="replay", daemon=True)
        self._sources = self._open()
        self._thread.start()

    def release(self) -> None:
        """End early."""
        self._halt.set()
        if self._thread.is_alive():
            self._thread.join(2.0)

    # -- the recording

    def _open(self) -> list[Source]:
        from thymos.explainer import open_media

        path = str(self._value("bag"))
        if not path:
            raise ConfigError("no recording was given", hint="set the parameter bag")
        sources, _, notes = open_media(Path(path).expanduser())
        for text in notes:
            self.get_logger().warning(text)
        wanted = {name.strip() for name in str(self._value("streams")).split(",")}
        found = [s for s in sources if TOPIC[s.spec.kind][0] in wanted]
        if not found:
            raise ConfigError(f"'{path}' has none of these streams: {', '.join(sorted(wanted))}")
        return found

    def _work(self) -> None:
        try:
            with ExitStack() as stack:
                for source in self._sources:
                    stack.enter_context(source)
                self._play()
        except ThymosError as err:
            self.get_logger().error(f"{err}" + (f" ({err.hint})" if err.hint else ""))
            self.exit_code = 1
        except Exception as err:  # noqa: BLE001  told in one line; the exit code says it too
            if not self._halt.is_set():
                self.get_logger().error(f"{type(err).__name__}: {err}")
                self.exit_code = 1
        finally:
            self.finish()

    def _play(self) -> None:
        from thymos.align import merge

        outlets = {s.spec.name: Outlet(self, s.spec) for s in self._sources}
        self._await([*outlets.values()])
        self._await_health(outlets.values())
        pace = Pace(self._value("rate"), self._halt, self._set_clock)
        shift: int | None = None
        for sample in merge(self._sources):
            if shift is None:
                absolute = sample.t_ns >= NS_PER_S
                shift = 0 if absolute else int(self._value("start_s") * NS_PER_S)
                pace.begin(sample.t_ns + shift)
            outlet = outlets[sample.stream]
            if not pace.until(sample.t_ns + shift + duration_ns(sample, outlet.spec)):
                return
            outlet.publish(sample, sample.t_ns + shift)
        pace.until(pace.now_ns + int(self._value("tail_s") * NS_PER_S))
        self._await_receipt(outlets.values())
        self._report(outlets.values(), pace)

    def _await_receipt(self, outlets: Iterable[Outlet]) -> None:
        """Wait until perception has told (once a second) that everything arrived, or has not."""
        deadline = time.monotonic() + RECEIPT_S
        while time.monotonic() < deadline and not self._halt.is_set():
            if all((self._arrived(o) or o.count) >= o.count for o in outlets):
                return
            self._halt.wait(0.05)

    def _await_health(self, outlets: Iterable[Outlet]) -> None:
        """Hear how much perception had received before, if there is one: it may run for days."""
        deadline = time.monotonic() + HEALTH_S
        while time.monotonic() < deadline and not self._halt.is_set():
            if all(o.role in self._received for o in outlets):
                break
            self._halt.wait(0.05)
        self._before = dict(self._received)

    def _arrived(self, outlet: Outlet) -> int | None:
        """How much of a stream perception has received from here; None if it does not tell."""
        if outlet.role not in self._received:
            return None
        received, before = self._received[outlet.role], self._before.get(outlet.role, 0)
        return received - before if received >= before else received  # it was started again

    def _await(self, outlets: list[Outlet]) -> None:
        """Wait until those who shall hear it are there; nothing is played to an empty room.

        A node announces its results when its models are loaded, so publishers are waited for.
        """
        topics = [t.strip() for t in str(self._value("wait_for")).split(",") if t.strip()]
        wanted = int(self._value("subscribers"))
        deadline = time.monotonic() + float(self._value("wait_s"))
        while not self._halt.is_set():
            missing = [o.topic for o in outlets if o.subscribers < wanted]
            missing += [t for t in topics if self.count_publishers(t) == 0]
            if not missing:
                return
            if time.monotonic() > deadline:
                self.get_logger().warning(f"nobody is there for {', '.join(missing)}")
                return
            self._halt.wait(0.05)

    # -- clock and report

    def _set_clock(self, now_ns: int) -> None:
        self._clock_publisher.publish(Clock(clock=to_msg(now_ns)))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            node, _, task = status.name.partition(": ")
            if node.rpartition("/")[2] == "perception":
                values = {v.key: v.value for v in status.values}
                if "received" in values:
                    self._received[task] = int(values["received"])

    def _report(self, outlets: Iterable[Outlet], pace: Pace) -> None:
        streams = {
            o.spec.name: {"topic": o.topic, "published": o.count, "received": self._arrived(o)}
            for o in outlets
        }
        told = json.dumps({"streams": streams, "late_ms_max": round(pace.late_ms_max, 1)})
        self.get_logger().info(f"replayed {told}")
        if path := str(self._value("report")):
            Path(path).write_text(told + "\n", encoding="utf-8")

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value


class Outlet:
    """The topics of one stream."""

    def __init__(self, node: Node, spec: StreamSpec) -> None:
        self.spec = spec
        self.role, self.topic, kind = TOPIC[spec.kind]
        self.count = 0
        self._publisher = node.create_publisher(kind, self.topic, qos.sensor("reliable", DEPTH))
        self._info = node.create_publisher(SourceInfo, f"{self.role}/source", qos.LATCHED)
        if spec.kind is Kind.GAS:
            self._smell = convert_smell.SmellMessages(spec, spec.frame_id)
            self._nose = node.create_publisher(SmellInfo, f"{self.role}/info", qos.LATCHED)
        info = source_info(spec)
        if spec.origin is Origin.LIVE:
            info = info.model_copy(update={"origin": Origin.RECORDED.value})
        self._info.publish(convert.source_to_msg(info.model_copy(update={"stream": self.role})))

    @property
    def subscribers(self) -> int:
        """How many are matched."""
        return int(self._publisher.get_subscription_count())

    def publish(self, sample: Sample, t_ns: int) -> None:
        """Publish one sample with a capture time in ROS time."""
        frame = self.spec.frame_id
        if self.spec.kind is Kind.VIDEO:
            message: Any = convert_sensors.image_to_msg(sample, frame, t_ns)
        elif self.spec.kind is Kind.AUDIO:
            message = convert_sensors.audio_to_msg(sample, self.spec, frame, t_ns)
        else:
            told = self._smell.of(sample, t_ns)
            if told.info is not None:
                self._nose.publish(told.info)
            message = told.data
        self._publisher.publish(message)
        self.count += 1
