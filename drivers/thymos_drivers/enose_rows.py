"""From recognised lines to whole readings with a fixed set of channels, and what of them is valid.

Some noses print a reading as one row, others spread it over lines: one a sensor, or one a sensor
and heater step. The channels are learnt first (header, INFO, or the first rows) and then fixed:
a line cut off in the middle still looks like numbers, only its length gives it away.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from thymos_drivers.enose_protocols import MAX_CELLS, Line, LineKind, recognise

ROWS_TO_LEARN = 3
"""So many rows of one length fix the number of channels where nothing else says it."""

_TIME = {"timestamp", "time", "t", "ms", "millis", "tick", "elapsed"}
_SECONDS = re.compile(r"[\[(_ ](s|sec|seconds)[\])]?$")
_TIME_UNITS = {"ms", "s", "sec", "seconds"}
_CONTEXT = (
    "temperature", "humidity", "pressure", "altitude", "raw temperature", "raw relative humidity",
    "relative humidity", "temp", "rh", "hum", "iaq", "iaq accuracy", "static iaq",
    "co2 equivalent", "breath voc equivalent", "sensor index", "gas index", "meas index", "idac",
    "status", "gas valid", "heater stable",
)  # fmt: skip
_STEP = re.compile(r"(^|_)h\d+$")
_GAS_VALID, _HEATER_STABLE = 0x20, 0x10
"""Bits of the status byte of BME68x (new data 0x80, gas valid 0x20, heater stable 0x10)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One whole reading.

    Attributes:
        values: float64 [channels], as the device said them.
        tick_ms: Device time, None if it has none.
        arrived_ns: When the first byte of its last line arrived, robot clock.
    """

    values: NDArray[np.float64]
    tick_ms: float | None
    arrived_ns: int


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a header mean.

    Attributes:
        gas: Positions of the gas channels.
        names: Their names, without the unit: `NO2 [ohm]` is NO2, in ohm.
        unit: Their unit: `adc`, `ohm`, `volt` or `ppm`.
        time: Position of the device time; None if there is none.
        time_ms: Milliseconds in one unit of that column.
        sensor, step, status: Positions, None if absent.
    """

    gas: tuple[int, ...]
    names: tuple[str, ...]
    unit: str
    time: int | None = None
    time_ms: float = 1.0
    sensor: int | None = None
    step: int | None = None
    status: int | None = None


def plain(name: str) -> str:
    """Column name without unit, lower case: `Gas resistance(ohm)` → `gas resistance`."""
    return re.split(r"[(\[]", name, maxsplit=1)[0].replace("_", " ").strip(" .").lower()


def read_header(header: tuple[str, ...]) -> Columns:
    """Say which columns are gas channels. Order never matters, names do."""
    words = [plain(name) for name in header]
    time = next((i for i, w in enumerate(words) if _is_time(w.split())), None)
    rest = [i for i, w in enumerate(words) if i != time and w not in _CONTEXT]
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
        time=time,
        time_ms=1000.0 if seconds else 1.0,
        sensor=_find(words, "sensor index"),
        step=_find(words, "gas index"),
        status=_find(words, "status"),
    )


def _is_time(words: list[str]) -> bool:
    return bool(words) and words[0] in _TIME and set(words[1:]) <= _TIME_UNITS


def _find(words: list[str], word: str) -> int | None:
    return words.index(word) if word in words else None


@dataclass(slots=True)
class Assembler:
    """Learns the channels of a nose from its lines, then puts readings together.

    Attributes:
        names: The channels, empty until they are learnt.
        unit: Their unit.
        info: What the device said about itself.
        bad: Lines that were cut off or unreadable since the channels are known.
        fault: Last fault that the device reported, empty if none.
    """

    names: tuple[str, ...] = ()
    unit: str = "adc"
    info: dict[str, str] = field(default_factory=dict)
    bad: int = 0
    fault: str = ""
    good: int = 0
    noise: int = 0
    _header: tuple[str, ...] = ()
    _columns: Columns | None = None
    _lengths: Counter[int] = field(default_factory=Counter)
    _partial: dict[str, float] = field(default_factory=dict)
    _rounds: Counter[str] = field(default_factory=Counter)
    _gaps: dict[str, int] = field(default_factory=dict)
    _last_ns: int | None = None
    _started: bool = False

    @property
    def learnt(self) -> bool:
        """Whether the channels are known."""
        return bool(self.names)

    def again(self) -> Assembler:
        """A new one for the same nose, after it was lost: it keeps the channels."""
        return Assembler(
            names=self.names,
            unit=self.unit,
            info=dict(self.info),
            _header=self._header,
            _columns=self._columns,
        )

    def feed(self, raw: bytes, arrived_ns: int) -> Reading | None:
        """Take one line; return a reading when one is whole."""
        line = recognise(raw, self._header)
        if line.kind is LineKind.DATA:
            self.good += 1
            return self._row(line, arrived_ns)
        if line.kind is LineKind.NAMED:
            self.good += 1
            return self._named(line.names, line.values, line.unit, line.tick_ms, arrived_ns)
        if line.kind is LineKind.HEADER:
            self._take_header(line.names)
        elif line.kind is LineKind.INFO:
            self._take_info(line)
        elif line.kind is LineKind.FAULT:
            self.fault = line.info["text"]
        elif line.kind in (LineKind.NOISE, LineKind.SHORT):
            self.noise += line.kind is LineKind.NOISE
            self.bad += self.learnt
        return None

    def _take_header(self, names: tuple[str, ...]) -> None:
        columns = read_header(names)
        if not columns.gas or (self.learnt and names != self._header):
            self.noise += 1
            return
        self.good += 1
        self._header, self._columns = names, columns
        self.unit = columns.unit
        if columns.step is None and columns.sensor is None:
            self.names = columns.names

    def _take_info(self, line: Line) -> None:
        self.good += 1
        self.info.update(line.info)
        count = line.info.get("channels", "")
        if not self.learnt and count.isdigit() and 0 < int(count) <= 256:
            self.names = tuple(f"ch{i}" for i in range(int(count)))

    def _row(self, line: Line, arrived_ns: int) -> Reading | None:
        columns = self._columns
        if columns is None:
            return self._bare_row(line, arrived_ns)
        row = line.values
        tick = row[columns.time] * columns.time_ms if columns.time is not None else None
        if columns.step is None and columns.sensor is None:
            return Reading(np.array([row[i] for i in columns.gas]), tick, arrived_ns)
        keys = []
        if columns.sensor is not None:
            keys.append(f"s{row[columns.sensor]:.0f}")
        if columns.step is not None:
            keys.append(f"h{row[columns.step]:.0f}")
        value = row[columns.gas[0]]
        if columns.status is not None and math.isfinite(row[columns.status]):
            bits = int(row[columns.status])
            if not (bits & _GAS_VALID and bits & _HEATER_STABLE):
                value = math.nan
        return self._named(("_".join(keys),), (value,), columns.unit, tick, arrived_ns)

    def _bare_row(self, line: Line, arrived_ns: int) -> Reading | None:
        if not self.learnt:
            self._lengths[len(line.values)] += 1
            length, count = self._lengths.most_common(1)[0]
            if count < ROWS_TO_LEARN:
                return None
            self.names = tuple(f"ch{i}" for i in range(length))
        if len(line.values) != len(self.names):
            self.bad += 1
            return None
        return Reading(np.array(line.values), None, arrived_ns)

    def _named(
        self,
        names: tuple[str, ...],
        values: tuple[float, ...],
        unit: str,
        tick: float | None,
        arrived_ns: int,
    ) -> Reading | None:
        """Collect named values; a reading is whole when all are there, or the next one begins."""
        if not self.learnt:
            if unit:
                self.unit = unit
            self._learn_names(names, arrived_ns)
            return None
        if any(name not in self.names for name in names):
            self.bad += 1
            return None
        out = None
        if self.names[0] in names:
            out = self._flush(tick, arrived_ns) if self._partial else None
        elif not self._partial and not self._started:
            return None  # the rest of a reading whose beginning was before our time
        self._started = True
        self._partial.update(zip(names, values, strict=True))
        if len(self._partial) < len(self.names) or out is not None:
            return out
        return self._flush(tick, arrived_ns)

    def _learn_names(self, names: tuple[str, ...], arrived_ns: int) -> None:
        """Watch two rounds, so that a line lost in one is seen in the other."""
        gap = arrived_ns - self._last_ns if self._last_ns is not None else 0
        self._last_ns = arrived_ns
        for name in names:
            self._rounds[name] += 1
        if len(self._rounds) <= MAX_CELLS and self._rounds[names[0]] <= 2:
            self._gaps[names[0]] = max(gap, self._gaps.get(names[0], 0))
            return
        order = list(self._rounds)
        if all(_STEP.search(name) for name in order):
            order.sort(key=_natural)  # heater steps: a scan begins with step 0
        elif len(self._gaps) > 1:  # a pause comes before the first line of a reading
            begin = order.index(max(self._gaps, key=lambda name: self._gaps[name]))
            order = order[begin:] + order[:begin]
        self.names = tuple(order)

    def _flush(self, tick: float | None, arrived_ns: int) -> Reading:
        values = np.array([self._partial.get(name, math.nan) for name in self.names])
        self._partial.clear()
        return Reading(values, tick, arrived_ns)


def _natural(name: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", name))


class Validity:
    """Tells real readings from numbers that stand for none.

    * 4294967295 and 2147483647 (minus one of an unsigned or the end of a signed counter)
    * the end of a 10, 12 or 16 bit converter, as long as nothing higher was seen
    * a resistance of 0 or less, and the rail of BME68x at 12946860 ohm
    * a resistance that repeats to the last digit `STUCK` times: the sensor hangs
    """

    STUCK = 30
    SENTINELS = (4294967295.0, 2147483647.0)
    RAILS = (1023.0, 4095.0, 65535.0)
    OHM_RAIL = 12946860.0

    def __init__(self, names: tuple[str, ...], unit: str) -> None:
        self._names = names
        self._unit = unit
        self._top = 0.0
        self._last = np.full(len(names), np.nan)
        self._same = np.zeros(len(names), dtype=np.int64)

    def check(self, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], str]:
        """Return the values with NaN for what may not be used, and why, for people."""
        out = values.astype(np.float64)
        self._same = np.where(values == self._last, self._same + 1, 0)
        self._last = values.copy()
        reasons: dict[str, list[str]] = {}
        real = [v for v in values if math.isfinite(v) and v not in self.SENTINELS]
        self._top = max([self._top, *real])
        for i, value in enumerate(values):
            why = self._why(i, float(value))
            if why:
                out[i] = np.nan
                reasons.setdefault(why, []).append(self._names[i])
        return out, "; ".join(f"{', '.join(who)}: {why}" for why, who in reasons.items())

    def _why(self, i: int, value: float) -> str:
        adc, ohm = self._unit == "adc", self._unit == "ohm"
        reasons = (
            (not math.isfinite(value), "no value"),
            (value in self.SENTINELS, f"{value:.0f} stands for no reading"),
            (adc and value in self.RAILS and value >= self._top, "at the end of its range"),
            (ohm and value == self.OHM_RAIL, "at the end of its range"),
            (ohm and value <= 0, "a resistance of 0 is none"),
            (ohm and self._same[i] >= self.STUCK, f"stuck at {value:g}"),
        )
        return next((why for wrong, why in reasons if wrong), "")
