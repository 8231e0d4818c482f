"""One line of an electronic nose: what is it, and which numbers does it hold?

Recognises what real firmware prints, without being told the model: OpenSmell (`INFO,…` `OSM,…`),
bare CSV with or without a header line, Bosch BME68x examples (hex status column), BSEC by column
names, JSON lines, `label: value` lines and `Ms|…|` rows. Binary and polled noses (TU/e, Cyranose
320, our own protocol) are no lines; they have decoders of their own.

Nothing here trusts the device: a line is data, text about the device, or noise.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?|[-+]?(?:nan|inf)", re.I)
_HEX = re.compile(r"[0-9a-fA-F]{1,2}")
_LABELLED = re.compile(
    r"(?P<name>[A-Za-z][\w .()/-]{0,40}?)\s*:\s*(?P<value>[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)"
    r"(?:\s+eq\s+[\d.]+\s*V)?\s*(?P<unit>[A-Za-zΩµ°%/]{0,8})"
)
# What boards print on starting up and between readings (ESP32, Arduino, BSEC, Edge Impulse).
_BOOT_TEXT = ("ets ", "rst:", "boot:", "esp-rom:", "rebooting", "ready", "bsec library")
_STATUS_TEXT = ("waiting for", "need more samples", "skip i:", "ok", "error", "e (", "w (", "i (")
_LOADER_TEXT = ("load:0x", "entry 0x", "mode:", "clk_drv:", "configsip:", "rst:0x", "csum ", "ho ")
"""What the loader of an ESP32 prints; these lines hold commas."""
MAX_CELLS = 256


class LineKind(Enum):
    """What a line is."""

    EMPTY = "empty"
    DATA = "data"
    """A row of values, in the order of the columns."""
    NAMED = "named"
    """Values with their own names: a part of a reading, or all of it."""
    HEADER = "header"
    INFO = "info"
    FAULT = "fault"
    """The device says that something is wrong with it."""
    TEXT = "text"
    """What boards say between readings; no reading is lost by it."""
    BOOT = "boot"
    """What boards say on starting up."""
    NOISE = "noise"
    """Not readable: a reading may be lost."""
    SHORT = "short"
    """A row with more or fewer cells than it should have: cut off."""


@dataclass(frozen=True, slots=True)
class Line:
    """A recognised line.

    Attributes:
        kind: What it is.
        values: Numbers of a DATA or NAMED line; NaN for an empty cell.
        names: Columns of a HEADER, or the names of NAMED values.
        unit: Of NAMED values, if the line says.
        tick_ms: Device time in milliseconds, if a NAMED line carries it.
        climate: Temperature, humidity and pressure, if a NAMED line carries them.
        info: What an INFO line says, by key; the text of a FAULT under `text`.
    """

    kind: LineKind
    values: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    unit: str = ""
    tick_ms: float | None = None
    climate: dict[str, float] = field(default_factory=dict)
    info: dict[str, str] = field(default_factory=dict)


_NOISE = Line(LineKind.NOISE)


def recognise(raw: bytes, columns: tuple[str, ...] = ()) -> Line:
    """Tell what one line is.

    Args:
        raw: The line, with or without its end.
        columns: Names of a header line seen before; empty if there was none.
    """
    text = raw.decode("utf-8", errors="replace").strip("\x00\r\n \t")
    word, comma, rest = text.partition(",")
    if not text:
        return Line(LineKind.EMPTY)
    if text.startswith("{"):
        return _json(text)
    if comma and word in _COMMANDS:
        return _COMMANDS[word](rest)
    lower = text.lower()
    if lower.startswith(_LOADER_TEXT) or (not comma and lower.startswith(_BOOT_TEXT)):
        return Line(LineKind.BOOT)
    if not comma and lower.startswith(_STATUS_TEXT):
        return Line(LineKind.TEXT)
    return _values(text, columns)


def _values(text: str, columns: tuple[str, ...]) -> Line:
    if "\N{REPLACEMENT CHARACTER}" in text or any(ord(c) < 32 and c != "\t" for c in text):
        return _NOISE
    if text.startswith("Ms|"):
        return _pipes(text)
    labelled = _LABELLED.fullmatch(text)
    if labelled:
        value, unit = float(labelled["value"]), labelled["unit"]
        return Line(LineKind.NAMED, (value,), (labelled["name"],), unit.lower())
    return _cells(text, columns)


def _cells(text: str, columns: tuple[str, ...]) -> Line:
    mark = next((m for m in (",", ";", "\t") if m in text), None)
    cells = [c.strip() for c in (text.split(mark) if mark else text.split())]
    if len(cells) > MAX_CELLS:
        return _NOISE
    if mark and cells[-1] == "" and len(cells) - 1 == len(columns):
        cells.pop()  # a comma after the last value
    if mark and len(cells) >= 3 and all(c[:1].isalpha() and ":" not in c for c in cells):
        if all(_NUMBER.fullmatch(c) for c in cells):
            return Line(LineKind.DATA, tuple(float(c) for c in cells))  # nan,nan,nan
        return Line(LineKind.HEADER, names=tuple(cells))
    values = []
    for i, cell in enumerate(cells):
        value = _value(cell, columns[i] if i < len(columns) else "")
        if value is None:
            return _NOISE
        values.append(value)
    if columns and len(values) != len(columns):
        return Line(LineKind.SHORT, tuple(values))
    return Line(LineKind.DATA, tuple(values))


def _value(cell: str, column: str) -> float | None:
    """The number in a cell: NaN if it is empty, None if it is no number."""
    if not cell:
        return math.nan
    if column.lower() == "status" and _HEX.fullmatch(cell):
        return float(int(cell, 16))
    return float(cell) if _NUMBER.fullmatch(cell) else None


def _osm(rest: str) -> Line:
    line = _cells(rest, ())
    return line if line.kind is LineKind.DATA else _NOISE


def _info(rest: str) -> Line:
    """`INFO,<id>,<fw>,<n>[,key=value…]`."""
    cells = [c.strip() for c in rest.split(",")]
    info = dict(zip(("fw", "ver", "channels"), cells, strict=False))
    for cell in cells[3:]:
        key, equal, value = cell.partition("=")
        if equal:
            info[key] = value
    return Line(LineKind.INFO, info=info)


def _fault(rest: str) -> Line:
    return Line(LineKind.FAULT, info={"text": rest[:120]})


_COMMANDS: dict[str, Callable[[str], Line]] = {
    "OSM": _osm,
    "INFO": _info,
    "ERR": _fault,
    "CAL": lambda rest: Line(LineKind.INFO, info={"cal": rest[:120]}),
    "PONG": lambda rest: Line(LineKind.INFO, info={"pong": rest[:40]}),
}


def _json(text: str) -> Line:
    """JSON lines of one sensor at one heater step each; other objects are about the device."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return _NOISE
    if not isinstance(message, dict):
        return _NOISE
    kind = message.get("type")
    if kind != "data":
        info = {str(k)[:40]: str(v)[:120] for k, v in list(message.items())[:16]}
        return Line(LineKind.BOOT if kind == "ready" else LineKind.INFO, info=info)
    sensor, step, value, tick = (message.get(k) for k in ("s", "gi", "v", "tick"))
    if not _is_number(value) or not _is_index(sensor):
        return _NOISE
    air = {name: float(message[k]) for name, k in _AIR.items() if _is_number(message.get(k))}
    return Line(
        LineKind.NAMED,
        (float(value),),  # type: ignore[arg-type]
        (f"s{sensor}" + (f"_h{step}" if _is_index(step) else ""),),
        "ohm",
        float(tick) if _is_number(tick) else None,  # type: ignore[arg-type]
        air,
    )


_AIR = {"temperature": "T", "humidity": "H", "pressure": "P"}


def _is_index(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_CELLS


def _is_number(value: object) -> bool:
    """A finite JSON number that a float can hold (Python's JSON reads integers of any size)."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and abs(value) < 1e300
        and not math.isnan(value)
    )


def _pipes(text: str) -> Line:
    """`Ms|<device ms>|<?>|<name>|<value>|<?>|<name>|<value>|…`."""
    cells = text.split("|")
    if len(cells) < 5 or len(cells) > MAX_CELLS or not _NUMBER.fullmatch(cells[1]):
        return _NOISE
    cells[-1] = ""  # a row that does not end with a bar is cut off: that cell may lack digits
    names, values = [], []
    for name, cell in zip(cells[3::3], cells[4::3], strict=False):
        if not _NUMBER.fullmatch(cell.strip()):
            return _NOISE
        names.append(name.strip())
        values.append(float(cell))
    if not names:
        return _NOISE
    return Line(LineKind.NAMED, tuple(values), tuple(names), "", float(cells[1]))
