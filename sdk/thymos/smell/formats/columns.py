"""What the columns of a nose mean, told by their names; their order never matters."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TIME = {"timestamp", "time", "t", "ms", "millis", "tick", "elapsed"}
_SECONDS = re.compile(r"[\[(_ ](s|sec|seconds)[\])]?$")
_TIME_UNITS = {"ms", "s", "sec", "seconds"}
_CLIMATE = {
    "temperature": ("temperature", "temp", "raw temperature"),
    "humidity": ("humidity", "relative humidity", "rh", "hum", "raw relative humidity"),
    "pressure": ("pressure",),
}
"""Words for each channel of `thymos.samples.CLIMATE`, the better one first."""
_CONTEXT = (
    "altitude", "iaq", "iaq accuracy", "static iaq", "co2 equivalent", "breath voc equivalent",
    "sensor index", "sensor id", "gas index", "meas index", "idac", "status", "gas valid",
    "heater stable",
)  # fmt: skip
_CLIMATE_WORDS = {word: name for name, words in _CLIMATE.items() for word in words}
MOST_HPA = 2000.0
"""A pressure above this is in pascal, not hectopascal."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a header mean.

    Attributes:
        gas: Positions of the gas channels.
        names: Their names, without the unit: `NO2 [ohm]` is NO2, in ohm.
        unit: Their unit: `adc`, `ohm`, `volt` or `ppm`.
        climate: Position of each quantity of the air that is measured.
        time: Position of the device time; None if there is none.
        time_ms: Milliseconds in one unit of that column.
        sensor, step, status: Positions, None if absent.
    """

    gas: tuple[int, ...]
    names: tuple[str, ...]
    unit: str
    climate: dict[str, int]
    time: int | None = None
    time_ms: float = 1.0
    sensor: int | None = None
    step: int | None = None
    status: int | None = None


def plain(name: str) -> str:
    """Column name without unit, lower case: `Gas resistance(ohm)` → `gas resistance`."""
    return re.split(r"[(\[]", name, maxsplit=1)[0].replace("_", " ").strip(" .").lower()


def climate_of(name: str) -> str:
    """The quantity of `CLIMATE` a column holds; empty if none."""
    return _CLIMATE_WORDS.get(plain(name), "")


def is_context(name: str) -> bool:
    """Whether a column is neither gas nor climate but something derived, or about the sensor."""
    return plain(name) in _CONTEXT


def read_header(header: tuple[str, ...]) -> Columns:
    """Say which columns are gas channels and which measure the air."""
    words = [plain(name) for name in header]
    time = next((i for i, w in enumerate(words) if _is_time(w.split())), None)
    rest = [i for i, w in enumerate(words) if i != time and w not in _CONTEXT and not climate_of(w)]
    ohm = [i for i in rest if "ohm" in header[i].lower() or "resistance" in words[i]]
    # A resistance beside raw counts is a second instrument in another unit (SmellNet).
    gas = [i for i in rest if i not in ohm] or ohm
    unit = "ohm" if gas == ohm else "adc"
    if unit == "adc" and gas and all("volt" in header[i].lower() for i in gas):
        unit = "volt"
    if unit == "adc" and gas and all("ppm" in header[i].lower() for i in gas):
        unit = "ppm"
    # Firmware prints millis() unless the header says seconds.
    seconds = time is not None and bool(_SECONDS.search(header[time].lower()))
    names = [re.split(r"\s*[(\[]", header[i], maxsplit=1)[0] for i in gas]
    if len(set(filter(None, names))) < len(gas):
        names = [header[i] for i in gas]
    return Columns(
        gas=tuple(gas),
        names=tuple(names),
        unit=unit,
        climate=_climate(words),
        time=time,
        time_ms=1000.0 if seconds else 1.0,
        sensor=_find(words, "sensor index"),
        step=_find(words, "gas index"),
        status=_find(words, "status"),
    )


def _climate(words: list[str]) -> dict[str, int]:
    found = {}
    for name, synonyms in _CLIMATE.items():
        position = next((words.index(word) for word in synonyms if word in words), None)
        if position is not None:
            found[name] = position
    return found


def climate_value(name: str, value: float) -> float:
    """A reading of the air in the unit of `CLIMATE`: firmware prints Pa as often as hPa."""
    return value / 100.0 if name == "pressure" and value > MOST_HPA else value


def _is_time(words: list[str]) -> bool:
    return bool(words) and words[0] in _TIME and set(words[1:]) <= _TIME_UNITS


def _find(words: list[str], word: str) -> int | None:
    return words.index(word) if word in words else None
