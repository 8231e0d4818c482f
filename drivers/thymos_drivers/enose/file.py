"""Electronic-nose recordings as CSV.

Read are: SmellNet (a header, no time), OpenSmell Exchange (`timestamp` in seconds), our own
(`t_s,NO2 [ohm],CO [ohm]…`), and any CSV with a header that names its columns. Columns are found by
name, units stand in brackets (ohm, volt, ppm; else counts). Where there is no time column the rate
is what the caller says, else 1 Hz, and each stamp is flagged TIME_ESTIMATED. Bosch `.bmerawdata` is
read by `bme_log`.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from thymos.errors import MediaError
from thymos.samples import (
    CLIMATE,
    NS_PER_S,
    EndOfStream,
    Flag,
    Health,
    Kind,
    Origin,
    Sample,
    StreamSpec,
    frozen,
)
from thymos.smell.validity import Validity
from thymos_drivers.base import BaseSource
from thymos.smell.formats.columns import climate_value, read_header
from thymos_drivers.media_info import check_file

DEFAULT_RATE_HZ = 1.0
_HINT = "a header line with column names is needed, for example t_s,NO2,CO"
_MAX_FIELD = 65536
PREVIEW_ROWS = 200
MAX_LENGTH_S = 1e9
"""A stamp further away than this (32 years) is damaged."""
MAX_STEP_S = 20.0
"""No nose is slower than this; a larger step is in milliseconds."""


class NoseFile(BaseSource):
    """Readings from a CSV file, streamed.

    Args:
        path: The file.
        stream: Stream name.
        rate_hz: Rate of a file without a time column; None for 1 Hz.
        origin: Recorded or simulated.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        stream: str = "enose",
        rate_hz: float | None = None,
        origin: Origin = Origin.RECORDED,
    ) -> None:
        spec = StreamSpec(
            stream, Kind.GAS, 0.0, (-1,), "adc", (), f"{stream}_frame", origin, Path(path).name
        )
        super().__init__(spec)
        self.path = Path(path)
        self._rate_hz = rate_hz
        self._file: IO[str] | None = None
        self._rows: Iterator[list[str]] = iter(())

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Return the next reading; rows of another length or without numbers are counted."""
        self._check_open()
        while True:
            row = self._next_row()
            if row is None:
                if self._counters.corrupt:
                    self._say(Health.DEGRADED, f"{self._counters.corrupt} unreadable rows")
                raise EndOfStream
            sample = self._sample(row)
            if sample is not None:
                self._counters.received += 1
                return sample
            self._counters.corrupt += 1
            self._seq += 1
            self._hole = True

    def _open(self) -> None:
        check_file(self.path)
        self._seq, self._hole, self._first_s, self._last_ns = 0, False, None, None
        self._file = self.path.open(encoding="utf-8-sig", errors="replace", newline="")
        sample = self._file.read(65536)
        if "\x00" in sample:
            raise MediaError(f"'{self.path}' is not a CSV file (binary)", hint=_HINT)
        self._file.seek(0)
        head = sample.split("\n", 1)[0]
        mark = next((m for m in (",", ";", "\t") if m in head), ",")
        self._rows = csv.reader(self._file, delimiter=mark)
        header = self._next_row() or []
        names = tuple(name.strip() for name in header)
        if not names or any(_number(n) is not None and n.lower() != "nan" for n in names):
            raise MediaError(f"'{self.path}' has no header line", hint=_HINT)
        self._columns = read_header(names)
        self._width = len(names)
        if not self._columns.gas or len(self._columns.gas) > 256:
            raise MediaError(f"'{self.path}' names no gas channel", hint=_HINT)
        self._climate = tuple(self._columns.climate)
        self._checks = Validity(self._columns.names, self._columns.unit, self._climate)
        self._describe(names, sample.splitlines()[1:PREVIEW_ROWS], mark)

    def _describe(self, names: tuple[str, ...], preview: list[str], mark: str) -> None:
        """Find out the unit of the time column and the real rate from the first rows."""
        columns = self._columns
        rate = self._rate_hz or DEFAULT_RATE_HZ
        facts = {"time": f"assumed, {rate:g} Hz"}
        if columns.time is not None:
            cells = [line.split(mark) for line in preview]
            times = [_number(row[columns.time]) for row in cells if len(row) == self._width]
            gaps = np.diff(np.array([t for t in times if t is not None and math.isfinite(t)]))
            gap = float(np.median(gaps)) if gaps.size else 0.0
            named_ms = "ms" in names[columns.time].lower()
            # A column that is called seconds and steps by 500 holds milliseconds.
            self._unit_s = 1e-3 if named_ms or gap > MAX_STEP_S else 1.0
            rate = 1.0 / (gap * self._unit_s) if gap > 0 else rate
            facts = {"time": "from the file, in " + ("ms" if self._unit_s < 1 else "s")}
            # Our own column counts from the start of the session, which others may share.
            self._first_s = 0.0 if names[columns.time] == "t_s" else None
        self._period_ns = int(NS_PER_S / rate)
        self._spec = replace(
            self._spec,
            rate_hz=rate,
            shape=(len(columns.gas) + len(self._climate),),
            unit=columns.unit,
            channels=columns.names + self._climate,
            extra=facts | {f"unit.{name}": CLIMATE[name] for name in self._climate},
        )
        self._say(Health.OK)

    def _close(self) -> None:
        self._rows = iter(())
        if self._file is not None:
            self._file.close()
            self._file = None

    def _next_row(self) -> list[str] | None:
        while True:
            try:
                row = next(self._rows, None)
            except (csv.Error, ValueError, OSError):
                self._counters.corrupt += 1
                if self._file is None or self._file.closed:
                    return None
                continue
            if row is None or any(cell.strip() for cell in row):
                return row

    def _sample(self, row: list[str]) -> Sample | None:
        if len(row) != self._width or any(len(cell) > _MAX_FIELD for cell in row):
            return None
        columns = self._columns
        cells = [_number(row[i]) for i in (*columns.gas, *columns.climate.values())]
        numbers = [value for value in cells if value is not None]
        if len(numbers) < len(cells):
            return None
        gas = len(columns.gas)
        air = map(climate_value, columns.climate, numbers[gas:])
        time = self._time(row)
        if time is None:
            return None
        t_ns, flags = time
        values, note = self._checks.check(np.array([*numbers[:gas], *air], dtype=np.float64))
        flags |= Flag.GAP_BEFORE if self._hole else Flag.OK
        flags |= Flag.CLIPPED if self._checks.clipped else Flag.OK
        flags |= Flag.INVALID if bool(np.isnan(values[:gas]).all()) else Flag.OK
        self._hole = False
        sample = Sample(self._spec.name, self._seq, t_ns, t_ns, frozen(values), flags, note)
        self._seq += 1
        return sample

    def _time(self, row: list[str]) -> tuple[int, Flag] | None:
        """Time since the first row; a clock that falls back is continued and flagged."""
        if self._columns.time is None:
            return self._seq * self._period_ns, Flag.TIME_ESTIMATED
        value = _number(row[self._columns.time])
        if value is None or not math.isfinite(value):
            return None
        seconds = value * self._unit_s
        self._first_s = seconds if self._first_s is None else self._first_s
        if abs(seconds - self._first_s) > MAX_LENGTH_S:
            return None
        t_ns = round((seconds - self._first_s) * NS_PER_S)
        flags = Flag.OK
        if self._last_ns is not None and t_ns <= self._last_ns:
            self._first_s -= (self._last_ns + self._period_ns - t_ns) / NS_PER_S
            t_ns = self._last_ns + self._period_ns
            flags = Flag.TIME_JUMP | Flag.TIME_ESTIMATED
        self._last_ns = t_ns
        return t_ns, flags

    _first_s: float | None
    _last_ns: int | None
    _unit_s: float


def _number(text: str) -> float | None:
    """The number in a cell; NaN if it is empty, None if it is no number."""
    text = text.strip()
    if not text:
        return math.nan
    try:
        return float(text)
    except ValueError:
        return None
