"""CSV files whose header says what the columns are: our own, and those of most firmware.

Columns are found by name, units stand in brackets: `t_s,NO2 [ohm],CO [ohm],temperature`.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from thymos.smell.formats.base import Dialect, FormatError, Row
from thymos.smell.formats.cells import NAN_WORDS, is_date, number
from thymos.smell.formats.columns import MOST_HPA, Columns, plain, read_header
from thymos.smell.formats.delimited import unquoted
from thymos.smell.formats.opening import Head, is_told
from thymos.smell.formats.tables import NS, Plan, TableFormat
from thymos.smell.frame import Channel, Nose, Odorant

MAX_STEP_S = 20.0
"""No nose is slower than this; a larger step is in milliseconds."""
_MS = 1_000_000
MOST_CHANNELS = 256
MOST_WORDS = 6
"""So many words may be the name of a column."""
MOST_HEAD = 50
_LABELS = ("label", "substance", "odour", "odor", "odorant", "class")
"""Columns that say what was smelt."""


def time_unit_ns(name: str, gap: float) -> int:
    """Nanoseconds in one unit of a time column.

    Args:
        name: Of the column.
        gap: Median step from row to row, in its unit.
    """
    return _MS if "ms" in name.lower() or gap > MAX_STEP_S else NS


def median_gap(rows: Sequence[Row], column: int) -> float:
    """Median step of a time column, in its unit; 0 if it has none."""
    times = []
    for row in rows:
        try:
            times.append(number(row.cells[column]))
        except ValueError:
            continue
    known = [t for t in times if math.isfinite(t)]
    gaps = [b - a for a, b in pairwise(known)]
    return float(statistics.median(gaps)) if gaps else 0.0


def air_of(climate: dict[str, int], rows: Sequence[Row]) -> dict[str, tuple[int, float]]:
    """Columns of the air with one unit of each in degC, percent, hPa: firmware prints Pa too."""
    found = {}
    for name, i in climate.items():
        pascal = name == "pressure" and any(_value(row.cells[i]) > MOST_HPA for row in rows)
        found[name] = (i, 0.01 if pascal else 1.0)
    return found


def _value(text: str) -> float:
    try:
        return number(text)
    except ValueError:
        return math.nan


class NamedCsv(TableFormat):
    """Any CSV with a header that names gas channels."""

    name = "csv"
    title = "CSV with named columns"
    suffixes: tuple[str, ...] = (".csv", ".tsv", ".txt")

    def sniff(self, head: Head) -> bool:
        """A first line of names, with a gas channel among them; prose is none."""
        names = self.names_of(head)
        if not names or not all(map(_is_name, names)) or not read_header(names).gas:
            return False
        if self.delimiter(head) != " " or len(names) == 1:
            return True
        rows = [line.split() for line in head.text.split("\n")[:MOST_HEAD] if is_told(line)][1:]
        return any(len(row) == len(names) and not any(map(_is_name, row)) for row in rows)

    def names_of(self, head: Head) -> tuple[str, ...]:
        """The cells of the first line."""
        mark = self.delimiter(head)
        cells = head.first.split(None if mark == " " else mark)
        return tuple(cell.strip(' \t"') for cell in cells)

    def columns_of(self, dialect: Dialect, path: Path) -> Columns:
        """What the header says.

        Raises:
            FormatError: It names no gas channel.
        """
        columns = read_header(dialect.names)
        if not columns.gas or len(columns.gas) > MOST_CHANNELS:
            raise FormatError(
                path,
                "names no gas channel" if not columns.gas else "names too many channels",
                hint="a header with column names is needed, for example t_s,NO2,CO",
            )
        return columns

    def plan(self, dialect: Dialect, path: Path, rows: Sequence[Row]) -> Plan:
        """Channels, air and time by the words of the header."""
        columns = self.columns_of(dialect, path)
        told = zip(columns.gas, columns.names, strict=True)
        gas = {i: name for i, name in told if not _is_text(rows, i)}
        if not gas:
            raise FormatError(path, "has no number in any channel", hint="is it the right file?")
        channels = tuple(Channel(name, columns.unit) for name in gas.values())
        label = next((i for i, n in enumerate(dialect.names) if plain(n) in _LABELS), None)
        warnings, unit = [], NS
        if columns.time is None:
            warnings.append("no time column: times are rows, taken as one a second")
        else:
            name, gap = dialect.names[columns.time], median_gap(rows, columns.time)
            unit = time_unit_ns(name, gap)
            if any(is_date(row.cells[columns.time]) for row in rows[:1]):
                warnings.append("times are dates: UTC where no zone stands")
            if unit == _MS and "ms" not in name.lower():
                warnings.append(f"'{name}' steps by {gap:g}: taken as milliseconds")
        return Plan(
            Nose("unknown", "", channels),
            tuple(gas),
            air=air_of(columns.climate, rows),
            time=columns.time,
            unit_ns=unit,
            odorants=lambda cells: _odour(cells[label]) if label is not None else (),
            warnings=tuple(warnings),
        )


def _is_text(rows: Sequence[Row], column: int) -> bool:
    """Whether a column holds words and no number at all."""
    cells = [row.cells[column] for row in rows if row.cells[column]]
    words = [cell for cell in cells if math.isnan(_value(cell)) and cell.lower() not in NAN_WORDS]
    return len(words) == len(cells) > 0


def _odour(cell: str) -> tuple[Odorant, ...]:
    name = unquoted(cell).strip()
    return (Odorant(name),) if name else ()


def _is_name(name: str) -> bool:
    """Whether a cell may be the name of a column: no number, no sentence, no bracket of JSON."""
    if not name or name[0] in "{[<" or len(name.split()) > MOST_WORDS:
        return False
    try:
        float(name)
    except ValueError:
        return True
    return name.lower() == "nan"
