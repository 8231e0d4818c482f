"""Logs of the BSEC examples (Bosch BSEC-Arduino-library `basic` and its forks).

The columns go by their names: forks reorder them. Gas resistance is the only raw reading of gas;
IAQ and its like are derived by a closed library and stay in `extra`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from thymos.smell.formats.base import Dialect, FormatError, Row
from thymos.smell.formats.columns import plain, read_header
from thymos.smell.formats.named import air_of, median_gap, time_unit_ns
from thymos.smell.formats.opening import Head
from thymos.smell.formats.tables import NS, Plan, TableFormat
from thymos.smell.frame import Channel, Nose

_GAS = ("gas", "raw gas", "gas resistance", "raw gas resistance")
_DERIVED = ("iaq", "static iaq", "iaq accuracy", "co2 equivalent", "breath voc equivalent")


class Bsec(TableFormat):
    """A BME680 or BME688 behind BSEC."""

    name = "bsec"
    title = "BSEC example log"
    suffixes = (".csv", ".txt", ".log")

    def sniff(self, head: Head) -> bool:
        """A line within the first ones that names gas and something BSEC derives."""
        return any(self.is_header(line) for line in head.text.splitlines()[:50])

    def is_header(self, line: str) -> bool:
        """The line with the names; boot texts stand before it."""
        words = _words(line)
        return any(w in _GAS for w in words) and any(w in _DERIVED for w in words)

    def is_remark(self, line: str) -> bool:
        """A restart prints its version and the header again."""
        return "," not in line or self.is_header(line)

    def delimiter(self, head: Head) -> str:
        """Always a comma."""
        return ","

    def plan(self, dialect: Dialect, path: Path, rows: Sequence[Row]) -> Plan:
        """One channel, in ohm."""
        words = [plain(name) for name in dialect.names]
        gas = next((words.index(w) for w in _GAS if w in words), None)
        if gas is None:
            raise FormatError(path, "names no gas resistance", hint="which column is it?")
        columns = read_header(dialect.names)
        unit = NS
        if columns.time is not None:
            name = dialect.names[columns.time]
            unit = time_unit_ns(name, median_gap(rows, columns.time))
        kilo = "kohm" in dialect.names[gas].lower()
        channel = Channel("gas", "kohm" if kilo else "ohm", sensor_model="BME68x")
        return Plan(
            Nose("BME68x with BSEC", "", (channel,)),
            (gas,),
            air=air_of(columns.climate, rows),
            time=columns.time,
            unit_ns=unit,
            warnings=() if columns.time is not None else ("no time column",),
        )


def _words(line: str) -> list[str]:
    return [plain(name) for name in line.split(",")]
