"""How the dataclasses of `thymos.smell.frame` are written as JSON, read, and described by a schema.

All of it follows from the types of the fields. An object leaves out what has its default. NaN is
`null`, an infinite number the string `inf` or `-inf`, an integer is an integer of 64 bit.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from thymos.errors import FrameError
from thymos.samples import Flag
from thymos.smell.frame import NAN, same

Json = Any
INT64 = (-(2**63), 2**63 - 1)
LIMITS: dict[str, tuple[float | None, float | None]] = {
    "Channel.heater_step": (-1, None),
    "Channel.heater_celsius": (-273.15, 2000),
    "Channel.heater_ns": (0, None),
    "Channel.supply_volt": (0, None),
    "Channel.load_ohm": (0, None),
    "Channel.adc_bits": (0, 64),
    "Channel.adc_volt": (0, None),
    "Nose.rate_hz": (0, None),
    "Nose.tick_hz": (0, None),
    "Nose.burn_in_ns": (-1, None),
    "BaselineAir.readings": (0, None),
    "Odorant.amount": (0, None),
    "Percept.pleasantness": (-1, 1),
    "Percept.intensity": (0, 1),
    "SmellFrame.seq": (0, None),
    "SmellFrame.rate_hz": (0, None),
    "SmellFrame.on_for_ns": (-1, None),
}
"""Smallest and largest value of fields that have one."""
HINT = "docs/smellframe.md tells what a frame may say"


class Codec(typing.NamedTuple):
    """How one type is written, read and described."""

    write: Callable[[Any], Json]
    read: Callable[[Json, str], Any]
    schema: dict[str, Json]


@lru_cache(maxsize=64)
def codec_of(hint: Any) -> Codec:
    """The codec of a type that occurs in a frame."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _or_null(codec_of(next(a for a in args if a is not type(None))))
    if origin is tuple:
        return _listed(codec_of(args[0]))
    if origin is np.ndarray:
        return _ROW
    if origin in (Mapping, dict):
        return _mapped(codec_of(args[1]))
    return _record(hint) if dataclasses.is_dataclass(hint) else _simple(hint)


def _simple(hint: Any) -> Codec:
    if hint is Flag:
        return _FLAGS
    return _chosen(hint) if issubclass(hint, enum.Enum) else _PLAIN[hint]


def write_record(value: Any, skip: str = "") -> dict[str, Json]:
    """A record as a JSON object without what has its default, and without the field `skip`."""
    made = {}
    kind: Any = type(value)
    for name, codec, default in _parts(kind):
        if name == skip:
            continue
        part = getattr(value, name)
        if default is dataclasses.MISSING or not same(part, default):
            made[name] = codec.write(part)
    return made


@lru_cache(maxsize=16)
def _parts(kind: Any) -> tuple[tuple[str, Codec, Any], ...]:
    """Name, codec and default of each field."""
    hints = typing.get_type_hints(kind)
    return tuple((f.name, codec_of(hints[f.name]), _default(f)) for f in dataclasses.fields(kind))


def _record(kind: Any) -> Codec:
    parts = _parts(kind)
    required = [name for name, _, default in parts if default is dataclasses.MISSING]

    def read(data: Json, where: str) -> Any:
        if isinstance(data, kind):
            return data
        if not isinstance(data, dict):
            raise _wrong(where, "an object", data)
        lacking = next((name for name in required if name not in data), None)
        if lacking:
            raise FrameError(f"{where or kind.__name__}: lacks '{lacking}'", hint=HINT)
        dot = f"{where}." if where else ""
        found = {
            name: codec.read(data[name], dot + name) for name, codec, _ in parts if name in data
        }
        return kind(**found)

    told = _told(kind)
    shown = {}
    for name, codec, default in parts:
        shown[name] = _described(codec.schema, f"{kind.__name__}.{name}", told.get(name, ""))
        if name not in required:
            shown[name]["default"] = codec.write(default)
    schema = {
        "title": kind.__name__,
        "description": inspect.getdoc(kind).split("\n")[0],  # type: ignore[union-attr]
        "type": "object",
        "properties": shown,
        "required": required,
    }
    return Codec(write_record, read, schema)


def _default(each: Any) -> Any:
    if each.default_factory is not dataclasses.MISSING:
        return each.default_factory()
    return each.default


def _described(schema: dict[str, Json], name: str, text: str) -> dict[str, Json]:
    """The schema of a field: a reference to a record, or a type with its limits."""
    made = dict(schema)
    if made.get("title"):
        made = {"$ref": f"#/$defs/{made['title']}"}
    elif "title" in made.get("items", {}):
        made["items"] = {"$ref": f"#/$defs/{made['items']['title']}"}
    elif "title" in made.get("anyOf", [{}])[0]:
        made["anyOf"] = [{"$ref": f"#/$defs/{made['anyOf'][0]['title']}"}, {"type": "null"}]
    low, high = LIMITS.get(name, (None, None))
    for key, limit in (("minimum", low), ("maximum", high)):
        if limit is not None:
            made[key] = limit
    return ({"description": text} if text else {}) | made


def _told(kind: Any) -> dict[str, str]:
    """What the docstring says of each attribute."""
    doc = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2]
    found = re.findall(r"^    (\w+): (.+?)(?=^    \w|\Z)", doc, re.MULTILINE | re.DOTALL)
    return {name: " ".join(text.split()) for name, text in found}


def records(kind: Any) -> list[Any]:
    """A record and those it holds."""
    found = [kind]
    for hint in typing.get_type_hints(kind).values():
        for inner in (hint, *typing.get_args(hint)):
            if isinstance(inner, type) and dataclasses.is_dataclass(inner) and inner not in found:
                found += [record for record in records(inner) if record not in found]
    return found


def _wrong(where: str, wanted: str, data: Json) -> FrameError:
    shown = repr(data)
    shown = shown if len(shown) <= 40 else shown[:37] + "…"
    return FrameError(f"{where or 'the frame'}: {shown} is not {wanted}", hint=HINT)


def _or_null(inner: Codec) -> Codec:
    return Codec(
        lambda value: None if value is None else inner.write(value),
        lambda data, where: None if data is None else inner.read(data, where),
        {"anyOf": [inner.schema, {"type": "null"}]},
    )


def _listed(inner: Codec) -> Codec:
    def read(data: Json, where: str) -> tuple[Any, ...]:
        if not isinstance(data, list):
            raise _wrong(where, "a list", data)
        return tuple(inner.read(part, f"{where}[{i}]") for i, part in enumerate(data))

    return Codec(
        lambda value: [inner.write(part) for part in value],
        read,
        {"type": "array", "items": inner.schema},
    )


def _mapped(inner: Codec) -> Codec:
    def read(data: Json, where: str) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise _wrong(where, "an object", data)
        return {key: inner.read(part, f"{where}.{key}") for key, part in data.items()}

    return Codec(
        lambda value: {key: inner.write(part) for key, part in value.items()},
        read,
        {"type": "object", "additionalProperties": inner.schema},
    )


def _chosen(kind: type[enum.Enum]) -> Codec:
    values = [member.value for member in kind]

    def read(data: Json, where: str) -> enum.Enum:
        if not isinstance(data, str) or data not in values:
            raise _wrong(where, "one of " + ", ".join(repr(value) for value in values), data)
        return kind(data)

    return Codec(lambda value: value.value, read, {"type": "string", "enum": values})


def _read_text(data: Json, where: str) -> str:
    if not isinstance(data, str):
        raise _wrong(where, "a text", data)
    return data


def _read_int(data: Json, where: str) -> int:
    if isinstance(data, bool) or not isinstance(data, int) or not INT64[0] <= data <= INT64[1]:
        raise _wrong(where, "an integer of 64 bit", data)
    return data


def _read_bool(data: Json, where: str) -> bool:
    if not isinstance(data, bool):
        raise _wrong(where, "true or false", data)
    return data


_INFINITE = {"inf": math.inf, "-inf": -math.inf}


def _read_number(data: Json, where: str) -> float:
    if data is None:
        return NAN
    if isinstance(data, str) and data in _INFINITE:
        return _INFINITE[data]
    try:
        if isinstance(data, int | float) and not isinstance(data, bool):
            return float(data)
    except OverflowError:
        pass
    raise _wrong(where, "a number or null", data)


def _write_number(value: float) -> Json:
    if math.isfinite(value):
        return float(value)
    return None if math.isnan(value) else "inf" if value > 0 else "-inf"


def _read_row(data: Json, where: str) -> Any:
    if not isinstance(data, list):
        raise _wrong(where, "a list of numbers", data)
    return np.array([_read_number(part, f"{where}[{i}]") for i, part in enumerate(data)], float)


def _read_flags(data: Json, where: str) -> Flag:
    if not isinstance(data, list):
        raise _wrong(where, "a list of flags", data)
    found = Flag.OK
    for part in data:
        if not isinstance(part, str) or part not in _FLAG_NAMES:
            raise _wrong(where, "one of " + ", ".join(_FLAG_NAMES), part)
        found |= _FLAG_NAMES[part]
    return found


_FLAG_NAMES = {flag.name.lower(): flag for flag in Flag if flag and flag.name}
_NUMBER_SCHEMA = {"anyOf": [{"type": "number"}, {"type": "null"}, {"enum": ["inf", "-inf"]}]}
_ROW = Codec(
    lambda row: [_write_number(value) for value in row.tolist()],
    _read_row,
    {"type": "array", "items": _NUMBER_SCHEMA},
)
_FLAGS = Codec(
    lambda value: [name for name, flag in _FLAG_NAMES.items() if flag in value],
    _read_flags,
    {"type": "array", "items": {"type": "string", "enum": list(_FLAG_NAMES)}},
)
_PLAIN: dict[Any, Codec] = {
    str: Codec(str, _read_text, {"type": "string"}),
    bool: Codec(bool, _read_bool, {"type": "boolean"}),
    int: Codec(int, _read_int, {"type": "integer"}),
    float: Codec(_write_number, _read_number, _NUMBER_SCHEMA),
}
