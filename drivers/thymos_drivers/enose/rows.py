"""From recognised lines to whole readings with a fixed set of channels.

Some noses print a reading as one row, others spread it over lines: one a sensor, or one a sensor
and heater step. The channels are learnt first (header, INFO, or the first rows) and then fixed:
a line cut off in the middle still looks like numbers, only its length gives it away.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from thymos.samples import CLIMATE
from thymos.smell.formats.columns import (
    Columns,
    climate_of,
    climate_value,
    is_context,
    read_header,
)
from thymos_drivers.enose.decoder import Reading
from thymos_drivers.enose.recognise import MAX_CELLS, Line, LineKind, recognise

ROWS_TO_LEARN = 3
"""So many rows of one length fix the number of channels where nothing else says it."""

_STEP = re.compile(r"(^|_)h\d+$")
_GAS_VALID, _HEATER_STABLE = 0x20, 0x10
"""Bits of the status byte of BME68x (new data 0x80, gas valid 0x20, heater stable 0x10)."""
_MAX_TICK_MS = 2**53
_NONE: Mapping[str, float] = MappingProxyType({})
_TURN_MS = 2**32
_LEAP_MS = 2000.0
MOST_FACTS = 64
"""So many things a device may say about itself; garbage says more."""


@dataclass(slots=True)
class Assembler:
    """Learns the channels of a nose from its lines, then puts readings together.

    Attributes:
        names: The gas channels, empty until they are learnt.
        climate: Channels of the air that follow them.
        unit: Unit of the gas channels.
        info: What the device said about itself.
        whole: One line is one reading.
        good, noise: Readable and unreadable lines.
        bad: Lines that were cut off or unreadable since the channels are known.
        fault: Last fault that the device reported, empty if none.
    """

    names: tuple[str, ...] = ()
    climate: tuple[str, ...] = ()
    unit: str = "adc"
    info: dict[str, str] = field(default_factory=dict)
    whole: bool = True
    good: int = 0
    noise: int = 0
    bad: int = 0
    fault: str = ""
    _header: tuple[str, ...] = ()
    _columns: Columns | None = None
    _lengths: Counter[int] = field(default_factory=Counter)
    _parts: tuple[str, ...] = ()
    _partial: dict[str, float] = field(default_factory=dict)
    _air: dict[str, list[float]] = field(default_factory=dict)
    _rounds: Counter[str] = field(default_factory=Counter)
    _gaps: dict[str, int] = field(default_factory=dict)
    _last_ns: int | None = None
    _started: bool = False
    _restarted: bool = False
    _when: tuple[float | None, int] = (None, 0)
    _tick: tuple[int, int | None] = (0, None)
    _doubt: tuple[int, int | None] = (0, None)
    _unstable: dict[str, float] = field(default_factory=dict)

    @property
    def learnt(self) -> bool:
        """Whether the channels are known."""
        return bool(self.names)

    def again(self) -> Assembler:
        """A new one for the same nose, after it was lost: it keeps the channels."""
        return Assembler(
            names=self.names,
            climate=self.climate,
            unit=self.unit,
            info=dict(self.info),
            whole=self.whole,
            _header=self._header,
            _columns=self._columns,
            _parts=self._parts,
        )

    def declare(self, header: tuple[str, ...]) -> None:
        """Take the names of the columns from somebody who knows, as if the nose had sent them."""
        self._take_header(header)

    def feed(self, raw: bytes, arrived_ns: int) -> list[Reading]:
        """Take one line; return the readings it completes (two, if one before it was cut off)."""
        line = recognise(raw, self._header)
        if line.kind is LineKind.DATA:
            self.good += 1
            return self._row(line, arrived_ns)
        if line.kind is LineKind.NAMED:
            self.good += 1
            return self._named(line, arrived_ns)
        if line.kind is LineKind.HEADER:
            self._take_header(line.names)
        elif line.kind is LineKind.INFO:
            self._take_info(line)
        elif line.kind is LineKind.FAULT:
            self.fault = line.info["text"]
        elif line.kind is LineKind.BOOT:
            self._tell(line.info)
            self._restarted = self.learnt
        elif line.kind in (LineKind.NOISE, LineKind.SHORT):
            self.noise += line.kind is LineKind.NOISE
            self.bad += self.learnt
        return []

    def _take_header(self, names: tuple[str, ...]) -> None:
        columns = read_header(names)
        other = self.learnt and names != self._header
        if not columns.gas or other or len(names) > MAX_CELLS:
            self.noise += 1
            self.bad += self.learnt
            return
        self.good += 1
        self._header, self._columns = names, columns
        self.unit = columns.unit
        if columns.step is None and columns.sensor is None:
            self.names = columns.names
            self.climate = tuple(columns.climate)

    def _take_info(self, line: Line) -> None:
        self.good += 1
        self._tell(line.info)
        count = line.info.get("channels", "")
        if not self.learnt and count.isascii() and count.isdigit() and 0 < int(count[:4]) <= 256:
            self.names = tuple(f"ch{i}" for i in range(int(count)))

    def _tell(self, info: dict[str, str]) -> None:
        for key, value in info.items():
            if key in self.info or len(self.info) < MOST_FACTS:
                self.info[key[:40]] = value[:120]

    def _row(self, line: Line, arrived_ns: int) -> list[Reading]:
        columns, row = self._columns, line.values
        if columns is None:
            return self._bare_row(line, arrived_ns)
        if len(row) != len(self._header):
            self.bad += self.learnt
            return []
        tick = row[columns.time] * columns.time_ms if columns.time is not None else None
        air = {name: climate_value(name, row[i]) for name, i in columns.climate.items()}
        if columns.step is None and columns.sensor is None:
            values = [*(row[i] for i in columns.gas), *air.values()]
            return [self._reading(values, tick, arrived_ns)]
        keys = []
        for mark, position in (("s", columns.sensor), ("h", columns.step)):
            if position is not None:
                keys.append(f"{mark}{row[position]:.0f}")
        value = said = row[columns.gas[0]]
        if columns.status is not None and math.isfinite(row[columns.status]):
            bits = int(row[columns.status]) if row[columns.status] < 256 else 0
            if not (bits & _GAS_VALID and bits & _HEATER_STABLE):
                value = math.nan
        name = "_".join(keys)
        part = Line(LineKind.NAMED, (value,), (name,), columns.unit, tick, air)
        return self._named(part, arrived_ns, {name: said} if math.isnan(value) else _NONE)

    def _bare_row(self, line: Line, arrived_ns: int) -> list[Reading]:
        if not self.learnt:
            self._lengths[len(line.values)] += 1
            length, count = self._lengths.most_common(1)[0]
            if count < ROWS_TO_LEARN:
                return []
            self.names = tuple(f"ch{i}" for i in range(length))
        if self._parts or len(line.values) != len(self.names):
            self.bad += 1
            return []
        return [self._reading([*line.values], None, arrived_ns)]

    def _named(
        self, line: Line, arrived_ns: int, unstable: Mapping[str, float] = _NONE
    ) -> list[Reading]:
        """Collect named values; a reading is whole when all are there, or the next one begins."""
        names = line.names
        if not self._parts:
            if not self.learnt:
                self.unit = line.unit if line.unit in ("ohm", "volt", "ppm") else self.unit
                self._learn_names(line, arrived_ns)
            else:
                self.bad += 1  # a nose that prints rows does not name single values
            return []
        if any(name not in self._parts for name in names):
            self.bad += 1
            return []
        out = []
        begins = self._parts[0] in names
        if self._partial and (begins or any(name in self._partial for name in names)):
            out.append(self._flush())
        elif not begins and not self._started:
            return []  # the rest of a reading whose beginning was before our time
        self._started = True
        self._partial.update(zip(names, line.values, strict=True))
        self._unstable.update(unstable)
        self._breathe(line.climate)
        self._when = (line.tick_ms, arrived_ns)
        if len(self._partial) == len(self._parts):
            out.append(self._flush())
        return out

    def _breathe(self, air: dict[str, float]) -> None:
        for name, value in air.items():
            kept = self._air.setdefault(name, [])
            if math.isfinite(value) and len(kept) < 10 * MAX_CELLS:
                kept.append(climate_value(name, value))

    def _learn_names(self, line: Line, arrived_ns: int) -> None:
        """Watch two rounds, so that a line lost in one is seen in the other."""
        names = line.names
        gap = arrived_ns - self._last_ns if self._last_ns is not None else 0
        self._last_ns = arrived_ns
        self._breathe(line.climate)
        for name in names:
            self._rounds[name] += 1
        if len(self._rounds) <= MAX_CELLS and self._rounds[names[0]] <= 2:
            self._gaps[names[0]] = max(gap, self._gaps.get(names[0], 0))
            return
        order = list(self._rounds)[:MAX_CELLS]
        if all(_STEP.search(name) for name in order):
            order.sort(key=_natural)  # heater steps: a scan begins with step 0
        elif len(self._gaps) > 1:  # a pause comes before the first line of a reading
            begin = order.index(max(self._gaps, key=lambda name: self._gaps[name]))
            order = order[begin:] + order[:begin]
        gas = tuple(n for n in order if not climate_of(n) and not is_context(n))
        measured = {climate_of(n) for n in order} | set(self._air)
        self._air = {}
        if gas:
            self._parts, self.names = tuple(order), gas
            self.climate = tuple(name for name in CLIMATE if name in measured)
            self.whole = len(names) == len(order)
        else:  # only the air so far
            self._rounds.clear()

    def _flush(self) -> Reading:
        """The reading collected so far, with the time of its last line."""
        values = [self._partial.get(name, math.nan) for name in self.names]
        for part, value in self._partial.items():
            if climate_of(part):
                self._breathe({climate_of(part): value})
        for name in self.climate:
            seen = self._air.get(name)
            values.append(float(np.mean(seen)) if seen else math.nan)
        said = {i: self._unstable[n] for i, n in enumerate(self.names) if n in self._unstable}
        self._partial.clear()
        self._unstable.clear()
        self._air = {}
        return replace(self._reading(values, *self._when), unstable=said)

    def _reading(self, values: list[float], tick: float | None, arrived_ns: int) -> Reading:
        known = tick is not None and abs(tick) < _MAX_TICK_MS  # False for NaN
        ticks = round(tick) if known and tick is not None else None
        if ticks is not None and not self._believe(ticks, arrived_ns):
            ticks = None
        restarted, self._restarted = self._restarted, False
        row = np.array(values, dtype=np.float64)
        return Reading(row, ticks, arrived_ns, bad_before=self.bad, restarted=restarted)

    def _believe(self, tick: int, arrived_ns: int) -> bool:
        """Whether a tick can be: where two lines became one it may have a digit too many.

        One that leaps is believed once the next one follows it, or if the board said it restarted.
        """
        follows = [
            0 <= (tick - before) % _TURN_MS <= (arrived_ns - then_ns) / 1e6 + _LEAP_MS
            for before, then_ns in (self._tick, self._doubt)
            if then_ns is not None
        ]
        if self._tick[1] is None or self._restarted or any(follows):
            self._tick, self._doubt = (tick, arrived_ns), (0, None)
            return True
        self._doubt = (tick, arrived_ns)
        return False


def _natural(name: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", name))
