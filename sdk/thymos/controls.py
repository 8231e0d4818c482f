"""Controls of a device that may be changed while it runs: exposure, gain, white balance.

A source that has some follows `Controlled`; which ones there are is up to the device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Control:
    """One control, as the device reports it.

    Attributes:
        name: As the device's own tools call it: `exposure_time_absolute`.
        value: Now.
        low: Smallest value.
        high: Largest value.
        step: Values are `low` plus multiples of it.
        default: Of the device.
        choices: What each value means, where only some are allowed; empty for a plain number.
        switch: It is on (1) or off (0).
        state: Why it cannot be set now, or has no effect now; empty if it can.
    """

    name: str
    value: int
    low: int
    high: int
    step: int = 1
    default: int = 0
    choices: Mapping[int, str] = field(default_factory=dict)
    switch: bool = False
    state: str = ""

    def wrong(self, value: int) -> str:
        """Why this value is not allowed, for people; empty if it is."""
        if self.choices and value not in self.choices:
            return f"it takes {self.allowed}"
        if not self.low <= value <= self.high:
            return f"it goes from {self.low} to {self.high}"
        if not self.choices and (value - self.low) % max(1, self.step):
            return f"it goes in steps of {self.step} from {self.low}"
        return ""

    @property
    def allowed(self) -> str:
        """The values that are allowed, for people."""
        if self.choices:
            return ", ".join(f"{value} ({text})" for value, text in self.choices.items())
        return "0 or 1" if self.switch else f"{self.low} to {self.high}"

    def __str__(self) -> str:
        also = f", {self.state}" if self.state else ""
        return f"{self.name} {self.value} ({self.allowed}{also})"


@runtime_checkable
class Controlled(Protocol):
    """A source with controls."""

    def controls(self) -> Sequence[Control]:
        """What the open device has.

        Raises:
            DeviceError: It cannot be asked.
        """

    def set_control(self, name: str, value: int) -> None:
        """Change one while it runs; it is set again when the device is opened again.

        Raises:
            DeviceError: There is no such control, or the device refuses the value.
        """
