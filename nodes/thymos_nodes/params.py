"""Described, range-checked parameters; those that the SDK has as settings are taken from there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin

import annotated_types
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.parameter import Parameter

Value = bool | int | float | str
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter.

    Attributes:
        name: snake_case, groups by dots: `window.length_s`.
        default: Gives the type as well.
        description: One sentence, with the unit.
        low: Smallest allowed number.
        high: Largest allowed number.
        choices: Allowed strings; empty for any.
        live: May change while the node is configured; others need `cleanup` first.
    """

    name: str
    default: Value
    description: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False

    def descriptor(self) -> ParameterDescriptor:
        """What `ros2 param describe` shows and rclpy checks."""
        made = ParameterDescriptor(name=self.name, description=self.description)
        if self.choices:
            made.additional_constraints = "one of: " + ", ".join(self.choices)
        if self.low is None and self.high is None:
            return made
        if isinstance(self.default, float):
            low = float("-inf") if self.low is None else self.low
            high = float("inf") if self.high is None else self.high
            made.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        else:
            low_i = -(2**63) if self.low is None else int(self.low)
            high_i = 2**63 - 1 if self.high is None else int(self.high)
            made.integer_range = [IntegerRange(from_value=low_i, to_value=high_i, step=1)]
        return made


def of_section(group: str, model: type[BaseModel], texts: Mapping[str, str]) -> tuple[Param, ...]:
    """Parameters `group.field` for some fields of a section of `thymos.config.Config`.

    Args:
        group: Name of the section.
        model: The section; default, limits and choices come from it.
        texts: Description of each field that becomes a parameter.
    """
    return tuple(
        _of_field(f"{group}.{name}", model.model_fields[name], text) for name, text in texts.items()
    )


def _of_field(name: str, field: FieldInfo, text: str) -> Param:
    choices: tuple[str, ...] = ()
    if get_origin(field.annotation) is Literal:
        choices = tuple(get_args(field.annotation))
    low: float | None = None
    high: float | None = None
    for limit in field.metadata:
        if isinstance(limit, (annotated_types.Ge, annotated_types.Gt)):
            low = float(limit.ge if isinstance(limit, annotated_types.Ge) else limit.gt)  # type: ignore[arg-type]
        if isinstance(limit, (annotated_types.Le, annotated_types.Lt)):
            high = float(limit.le if isinstance(limit, annotated_types.Le) else limit.lt)  # type: ignore[arg-type]
    return Param(name, field.default, text, low, high, choices)


def check_choices(params: Mapping[str, Param], changed: Iterable[Parameter]) -> str:
    """What is wrong with new values of parameters with choices; empty if nothing is."""
    for new in changed:
        known = params.get(new.name)
        if known is not None and known.choices and new.value not in known.choices:
            return f"{new.name} must be one of: {', '.join(known.choices)}"
    return ""


def section_of(model: type[M], group: str, values: Mapping[str, Any]) -> M:
    """Make a section of the settings from parameter values.

    Raises:
        ConfigError: A value is outside what the section allows.
    """
    from thymos.errors import ConfigError

    own = {
        name.removeprefix(f"{group}."): value
        for name, value in values.items()
        if name.startswith(f"{group}.")
    }
    try:
        return model(**own)
    except ValidationError as err:
        first = err.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"parameter {group}.{where}: {first['msg']}",
            hint="see `ros2 param describe` for the allowed range",
        ) from err


def refuse(reason: str) -> SetParametersResult:
    """The answer to a change that is not allowed."""
    return SetParametersResult(successful=False, reason=reason)
