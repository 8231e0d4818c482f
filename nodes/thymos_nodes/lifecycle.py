"""What all nodes share: lifecycle, parameters, autostart, diagnostics.

A node gives `PARAMS` and four hooks: `setup` (configure: open, load), `start` (activate), `stop`
(deactivate) and `teardown` (cleanup). A `ThymosError` in a hook is logged as one line with its
remedy; the transition fails and the node stays where it was.
"""

from __future__ import annotations

from typing import Any, ClassVar

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.exceptions import ParameterException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile

from thymos.errors import ConfigError, ThymosError
from thymos_nodes import diagnostics, params
from thymos_nodes.diagnostics import Task
from thymos_nodes.params import Param
from thymos_nodes.ros_time import RosClock

SUCCESS = TransitionCallbackReturn.SUCCESS
FAILURE = TransitionCallbackReturn.FAILURE

RETRY_S = 5.0
DIAGNOSTICS_S = 1.0

COMMON = (
    Param("autostart", True, "Configure and activate without being asked; retried every 5 s."),
)


class ThymosNode(LifecycleNode):
    """Base of all nodes."""

    PARAMS: ClassVar[tuple[Param, ...]] = ()

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.known = {p.name: p for p in (*COMMON, *self.PARAMS)}
        for param in self.known.values():
            self._declare(param)
        self.add_on_set_parameters_callback(self._on_set)
        self.ros_clock = RosClock(self.get_clock())
        self.problem: ThymosError | None = None
        self._told = ""
        self._results: list[Any] = []
        self._configured = False
        self._active = False
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        # Steady time: health is told once a second also while /clock stands still.
        steady = self._steady_clock()
        self.create_timer(DIAGNOSTICS_S, self._publish_diagnostics, clock=steady)
        if self.value("autostart"):
            self._starter = self.create_timer(0.0, self._autostart, clock=steady)

    @staticmethod
    def _steady_clock() -> Any:
        from rclpy.clock import Clock, ClockType

        return Clock(clock_type=ClockType.STEADY_TIME)

    # -- parameters

    def _declare(self, param: Param) -> None:
        try:
            declared = self.declare_parameter(param.name, param.default, param.descriptor())
        except ParameterException as err:
            raise ConfigError(
                f"parameter {param.name}: {err}", hint="see `ros2 param describe`"
            ) from err
        wrong = params.check_choices(self.known, [declared])
        if wrong:
            raise ConfigError(f"parameter {wrong}, not '{declared.value}'")

    def declare(self, param: Param) -> None:
        """Declare one more parameter, which is known only now.

        Raises:
            ConfigError: Its value in the parameter file is not allowed.
        """
        self.known[param.name] = param
        self._declare(param)

    def undeclare(self, name: str) -> None:
        """Take back what `declare` made."""
        del self.known[name]
        self.undeclare_parameter(name)

    def value(self, name: str) -> Any:
        """Value of a declared parameter."""
        return self.get_parameter(name).value

    def values(self) -> dict[str, Any]:
        """All values of the node's own parameters."""
        return {name: self.value(name) for name in self.known}

    def _on_set(self, changed: list[Parameter]) -> SetParametersResult:
        wrong = params.check_choices(self.known, changed)
        if wrong:
            return params.refuse(wrong)
        for new in changed:
            known = self.known.get(new.name)
            if known is not None and not known.live and self._configured:
                return params.refuse(f"{new.name} takes effect on configure: clean up first")
        return SetParametersResult(successful=True)

    # -- hooks

    def setup(self) -> None:
        """Open devices, load models, make publishers and subscriptions."""

    def start(self) -> None:
        """Begin to work."""

    def stop(self) -> None:
        """Cease to work; must be safe when `start` failed half way."""

    def teardown(self) -> None:
        """Let everything go; must be safe when `setup` failed half way."""

    def tasks(self) -> list[Task]:
        """Statuses for /diagnostics while the node is configured."""
        return []

    @property
    def hardware_id(self) -> str:
        """What the diagnostics are about."""
        return str(self.get_name())

    @property
    def active(self) -> bool:
        """Whether the node is in the state `active`."""
        return self._active

    def announce(self, kind: type, topic: str, profile: QoSProfile, **options: Any) -> Any:
        """Make a publisher that lives until clean-up; it is silent unless the node is active."""
        made = self.create_lifecycle_publisher(kind, topic, profile, **options)
        self._results.append(made)
        return made

    def _undo_setup(self) -> None:
        self.teardown()
        for publisher in self._results:
            self.destroy_lifecycle_publisher(publisher)
        self._results.clear()

    # -- transitions

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Configure."""
        result = self._guarded(self.setup, self._undo_setup)
        self._configured = result is SUCCESS
        return super().on_configure(state) if self._configured else result

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Activate: publishers first, so that nothing that `start` sets going is lost."""
        super().on_activate(state)
        result = self._guarded(self.start, self.stop)
        self._active = result is SUCCESS
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Deactivate."""
        self._active = False
        self.stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Clean up."""
        self._configured = False
        self._undo_setup()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Shut down from any state."""
        self.release()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let everything go; the node may be configured anew."""
        self.release()
        return super().on_error(state)

    def release(self) -> None:
        """Stop and tear down whatever runs. Twice is fine."""
        active, configured = self._active, self._configured
        self._active = self._configured = False
        if active:
            self.stop()
        if configured:
            self._undo_setup()

    def _guarded(self, do: Any, undo: Any) -> TransitionCallbackReturn:
        try:
            do()
        except Exception as err:  # noqa: BLE001  rclpy would swallow it without a word
            known = err if isinstance(err, ThymosError) else None
            self._tell(known or ThymosError(f"{type(err).__name__}: {err}"))
            undo()
            return FAILURE
        self.problem, self._told = None, ""
        return SUCCESS

    def _tell(self, err: ThymosError) -> None:
        self.problem = err
        text = f"{err}" + (f" ({err.hint})" if err.hint else "")
        if text != self._told:  # retried every few seconds: say it once
            self.get_logger().error(text)
            self._told = text

    def _autostart(self) -> None:
        self.destroy_timer(self._starter)
        if not self._configured:
            self.trigger_configure()
        if self._configured and not self._active:
            self.trigger_activate()
        if not self._active:
            self._starter = self.create_timer(RETRY_S, self._autostart, clock=self._steady_clock())

    # -- diagnostics

    def _publish_diagnostics(self) -> None:
        found = [self._lifecycle_task(), *(self.tasks() if self._configured else [])]
        name = self.get_fully_qualified_name().lstrip("/")
        self._diagnostics.publish(
            diagnostics.array(name, self.hardware_id, found, self.ros_clock.now_ns())
        )

    def _lifecycle_task(self) -> Task:
        label = self._state_machine.current_state[1]
        return diagnostics.of_lifecycle(label, self.problem, active=self._active)
