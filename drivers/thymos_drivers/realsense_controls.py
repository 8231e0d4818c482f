"""Controls of a RealSense sensor: those of its options that are whole numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from thymos.errors import DeviceError
from thymos.samples import Control

_QUEUE = "frames_queue_size"
"""An option of the library, not of the camera."""
_MOST_CHOICES = 16


def controls(sensor: Any) -> list[Control]:
    """What the sensor has.

    Raises:
        DeviceError: It does not answer.
    """
    try:
        return [control for _, control in _each(sensor)]
    except RuntimeError as err:
        raise DeviceError(f"the RealSense does not tell its controls: {err}") from err


def turn(sensor: Any, wanted: Mapping[str, int]) -> None:
    """Set some, in this order: the first may make the second possible.

    Raises:
        DeviceError: There is no such control, the value is not allowed, or it is refused.
    """
    for name, value in wanted.items():
        try:
            there = {control.name: (option, control) for option, control in _each(sensor)}
            option, control = there.get(name, (None, None))
            why = "it has no such control"
            if control is not None:
                why = control.wrong(value) or control.state
            if not why:
                sensor.set_option(option, float(value))
        except RuntimeError as err:
            why = str(err)
        if why:
            raise DeviceError(
                f"the RealSense does not take {name}={value}: {why}", hint="realsense-viewer"
            )


def _each(sensor: Any) -> Iterator[tuple[Any, Control]]:
    for option in sensor.get_supported_options():
        try:
            limits, now = sensor.get_option_range(option), sensor.get_option(option)
        except RuntimeError:  # not to be had in this state
            continue
        numbers = (now, limits.min, limits.max, limits.step, limits.default)
        if option.name == _QUEUE or not all(float(n).is_integer() for n in numbers):
            continue
        value, low, high, step, default = (int(n) for n in numbers)
        choices = {}
        if 1 < high - low < _MOST_CHOICES:
            told = ((v, sensor.get_option_value_description(option, float(v)))
                    for v in range(low, high + 1))  # fmt: skip
            choices = {v: str(text) for v, text in told if text}
        yield (
            option,
            Control(
                name=str(option.name),
                value=value,
                low=low,
                high=high,
                step=max(1, step),
                default=default,
                choices=choices,
                switch=(low, high) == (0, 1),
                state="cannot be changed" if sensor.is_option_read_only(option) else "",
            ),
        )
