"""The electronic nose as a node: readings, climate, and a clean-air baseline on request."""

from __future__ import annotations

from std_srvs.srv import Trigger
from thymos_msgs.msg import SmellFrame, SmellInfo

from thymos.errors import ConfigError, ThymosError
from thymos.samples import Kind, Sample
from thymos_nodes import bridges, convert_smell, diagnostics, qos
from thymos_nodes.diagnostics import Task
from thymos_nodes.params import Param
from thymos_nodes.sensors import SensorNode, sensor_params
from thymos_nodes.zeroing import Zeroing


class EnoseNode(SensorNode):
    """Publishes `enose/data`, `enose/info`, the climate, and olfaction_msgs if installed.

    `enose/data` is what the device reports, unfiltered; baseline, phase and classes are perception.
    A nose is heard by topic only: shared memory has no room for all that a frame says.
    """

    role = "enose"
    topic = "data"
    kind = Kind.GAS
    PARAMS = (
        *sensor_params("serial:/dev/ttyUSB0", "enose_link", share=False),
        Param(
            "clean_air.seconds",
            60.0,
            "Length of the stretch of clean air that `~/zero` and `~/calibrate` take, in s.",
            low=5.0,
            high=600.0,
            live=True,
        ),
        Param(
            "clean_air.warm_up_s",
            300.0,
            "How long the nose must have run before such a stretch, in s.",
            low=0.0,
            high=7200.0,
            live=True,
        ),
    )

    def __init__(self) -> None:
        super().__init__()
        self._zeroing: Zeroing | None = None
        self.create_service(Trigger, "~/zero", self._on_zero)
        self.create_service(Trigger, "~/calibrate", self._on_calibrate)

    def _make_publishers(self) -> None:
        self._zeroing = Zeroing(
            self.spec, self.value("clean_air.seconds"), self.value("clean_air.warm_up_s")
        )
        self._messages = convert_smell.SmellMessages(self.spec, self.frame_id)
        self._data = self._sensor_publisher(SmellFrame, self.topic)
        self._nose = self.announce(SmellInfo, f"{self.role}/info", qos.LATCHED)
        measured = {name.strip().lower() for name in self.spec.channels}
        self._climate = {
            name: self._sensor_publisher(kind, name)
            for name, kind in convert_smell.CLIMATE.items()
            if name in measured
        }
        self._olfaction = bridges.Olfaction.of(self)

    def publish_sample(self, sample: Sample, t_ns: int) -> None:
        """One reading."""
        if self._zeroing is not None and self._zeroing.take(sample):
            self._zero()
        told = self._messages.of(sample, t_ns)
        if told.info is not None:
            self._nose.publish(told.info)
        self._data.publish(told.data)
        for name, publisher in self._climate.items():
            publisher.publish(convert_smell.climate_to_msg(name, told.data))
        if self._olfaction is not None:
            self._olfaction.publish(told.frame)

    def teardown(self) -> None:
        """Close the device and forget what it said."""
        super().teardown()
        self._zeroing = None

    # -- clean air

    def _on_zero(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """A baseline of the last stretch of readings: the answer comes at once."""
        del request
        response.success, response.message = self._zero()
        return response

    def _on_calibrate(
        self, request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        """A baseline of the stretch that begins now: /diagnostics tells when, and what came out."""
        del request
        try:
            left_s = self._running().begin()
        except ThymosError as err:
            response.success, response.message = False, _one_line(err)
            return response
        response.success = True
        response.message = f"measuring; ready in {left_s:.0f} s, see /diagnostics (clean air)"
        return response

    def _running(self) -> Zeroing:
        if self._zeroing is None or not self.active:
            raise ConfigError(
                "the node is not active", hint="ros2 lifecycle set <node> configure; … activate"
            )
        self._zeroing.seconds = self.value("clean_air.seconds")
        self._zeroing.warm_up_s = self.value("clean_air.warm_up_s")
        return self._zeroing

    def _zero(self) -> tuple[bool, str]:
        try:
            path = self._running().zero()
        except ThymosError as err:
            self.get_logger().warning(f"no clean-air baseline: {_one_line(err)}")
            return False, _one_line(err)
        self.get_logger().info(f"clean-air baseline: {path}")
        return True, f"{path}; perception takes it on configure with perceive.clean_air: stored"

    def tasks(self) -> list[Task]:
        """Two tasks: capture, and clean air."""
        found, zeroing = super().tasks(), self._zeroing
        if not found or zeroing is None:
            return found
        left_s = zeroing.left_s
        message = zeroing.result if left_s is None else f"being measured; ready in {left_s:.0f} s"
        task = Task("clean air", message=message, values={"file": str(zeroing.file or "")})
        if zeroing.refused and left_s is None:
            task.worsen(diagnostics.WARN, f"refused: {zeroing.refused}")
        return [*found, task]


def _one_line(err: ThymosError) -> str:
    return f"{err}" + (f" ({err.hint})" if err.hint else "")
