"""Controls of an open device as parameters of its node: `control.gain`, `control.auto_exposure`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rcl_interfaces.msg import SetParametersResult
from rclpy.parameter import Parameter

from thymos.errors import ThymosError
from thymos.samples import Control, Controlled
from thymos_nodes import params
from thymos_nodes.params import Param

if TYPE_CHECKING:
    from thymos.samples import Source
    from thymos_nodes.lifecycle import ThymosNode

PREFIX = "control."


class Knobs:
    """Declares what the device reports, with its limits, and sets what is changed.

    A value in the node's parameter file is set when the device is opened. A change that the device
    refuses leaves the parameter as it was, and says why.

    Args:
        node: Whose parameters.
    """

    def __init__(self, node: ThymosNode) -> None:
        self._node = node
        self._source: Controlled | None = None
        self._names: list[str] = []

    def declare(self, source: Source | None) -> None:
        """Declare a parameter for each control of an open source; none if it has no controls."""
        if not isinstance(source, Controlled):
            return
        try:
            found = source.controls()
        except ThymosError as err:  # pictures come all the same
            self._node.get_logger().warning(f"no controls: {err}")
            return
        for control in found:
            param = _param(control)
            self._node.declare(param)
            self._names.append(param.name)
            if self._node.value(param.name) != param.default:  # of the parameter file
                source.set_control(control.name, int(self._node.value(param.name)))
        self._source = source

    def turn(self, changed: Sequence[Parameter]) -> SetParametersResult:
        """Set what was changed; what was set already is put back if a later one is refused."""
        source = self._source
        mine = [p for p in changed if p.name in self._names] if source is not None else []
        done: list[tuple[str, int]] = []
        for new in mine:
            assert source is not None  # noqa: S101
            name, before = new.name.removeprefix(PREFIX), int(self._node.value(new.name))
            try:
                source.set_control(name, int(new.value))
            except ThymosError as err:
                for was in reversed(done):
                    source.set_control(*was)
                return params.refuse(str(err))
            done.append((name, before))
        return SetParametersResult(successful=True)

    def forget(self) -> None:
        """Undeclare them: the next device may have others."""
        self._source = None
        for name in self._names:
            self._node.undeclare(name)
        self._names.clear()


def _param(control: Control) -> Param:
    text = f"{control.name} of the device: {control.allowed}."
    if control.state:
        text += f" It {control.state}."
    if control.switch:
        return Param(PREFIX + control.name, bool(control.value), text, live=True)
    value = min(max(control.value, control.low), control.high)
    return Param(PREFIX + control.name, value, text, low=control.low, high=control.high, live=True)
