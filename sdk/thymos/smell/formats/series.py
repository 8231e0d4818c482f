"""Time series of the UCI archive: home activity, dynamic and turbulent mixtures, twin arrays.

Descriptions: archive.ics.uci.edu, data sets 362 (home activity), 322, 309 and 361. Conversions to
resistance are those of the archive; `ohms=True` applies them, the texts of the cells stay.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from thymos.smell.formats.base import Dialect, Row
from thymos.smell.formats.cells import number
from thymos.smell.formats.delimited import split
from thymos.smell.formats.opening import Head, lines
from thymos.smell.formats.tables import NS, Plan, TableFormat
from thymos.smell.frame import F64, Channel, Nose, Odorant, Phase

HOUR = 3600 * NS
_METADATA = "HT_Sensor_metadata.dat"
_HOME = ("TGS2611", "TGS2612", "TGS2610", "TGS2600", "TGS2602", "TGS2602", "TGS2620", "TGS2620")
_DYNAMIC = ("TGS2602", "TGS2602", "TGS2600", "TGS2600", "TGS2610", "TGS2610", "TGS2620", "TGS2620")
_TURBULENT = (
    "TGS2600", "TGS2602", "TGS2602", "TGS2620", "TGS2612", "TGS2620", "TGS2611", "TGS2610"
)  # fmt: skip
_TWIN = ("TGS2611", "TGS2612", "TGS2610", "TGS2602") * 2


def kilohms(values: F64) -> F64:
    """Values in kohm to ohm."""
    return values * 1000.0


def dynamic_ohms(values: F64) -> F64:
    """Rs [kohm] = 40000 / S (data set 322); NaN where S is not positive."""
    safe = np.where(values > 0, values, np.nan)
    return 40000.0 / safe * 1000.0


def turbulent_ohms(values: F64) -> F64:
    """Rs [kohm] = 10 · (3110 - A) / A (data set 309); NaN where A is not positive."""
    safe = np.where(values > 0, values, np.nan)
    return 10.0 * (3110.0 - safe) / safe * 1000.0


class HomeActivity(TableFormat):
    """`HT_Sensor_dataset.dat`: hours from the beginning of each induction, eight resistances."""

    name = "home-activity"
    title = "UCI home activity (HT_Sensor)"
    suffixes = (".dat",)

    def sniff(self, head: Head) -> bool:
        """`id time R1 … Temp. Humidity`."""
        return head.first.split()[:3] == ["id", "time", "R1"]

    def delimiter(self, head: Head) -> str:
        """Blanks and tabs."""
        return " "

    def plan(self, dialect: Dialect, path: Path, rows: Sequence[Row]) -> Plan:
        """Odour and phase by the metadata beside the file, if it is there."""
        names = dialect.names
        gas = [names.index(f"R{i + 1}") for i in range(8) if f"R{i + 1}" in names]
        channels = tuple(
            Channel(names[i], "kohm", sensor_model=_HOME[n]) for n, i in enumerate(gas)
        )
        air = {
            key: (names.index(name), 1.0)
            for key, name in (("temperature", "Temp."), ("humidity", "Humidity"))
            if name in names
        }
        meta, warning = _metadata(path.with_name(_METADATA))

        def odorants(cells: Sequence[str]) -> tuple[Odorant, ...]:
            odour, hours = meta.get(cells[0], ("", 0.0))
            return (Odorant(odour),) if odour and 0 <= _hours(cells[1]) <= hours else ()

        def phase(t_ns: int, cells: Sequence[str]) -> Phase:
            if cells[0] not in meta:
                return Phase.UNKNOWN
            end = meta[cells[0]][1] * HOUR
            return Phase.BASELINE if t_ns < 0 else Phase.EXPOSURE if t_ns <= end else Phase.RECOVERY

        return Plan(
            Nose("UCI home activity, 8 MOX", "", channels), tuple(gas), air=air,
            time=names.index("time"), unit_ns=HOUR, odorants=odorants, phase=phase,
            to_ohm=kilohms, warnings=(
                "times count from the beginning of each induction: they fall back between them",
                *warning,
            ),
        )  # fmt: skip


def _hours(text: str) -> float:
    """A number; NaN if it is none."""
    try:
        return number(text)
    except ValueError:
        return math.nan


def _metadata(path: Path) -> tuple[dict[str, tuple[str, float]], tuple[str, ...]]:
    """Induction → (odour, hours it lasted); background is no odour."""
    if not path.is_file():
        return {}, (f"no {path.name} beside it: odours and phases are unknown",)
    found: dict[str, tuple[str, float]] = {}
    wrong = 0
    for n, line in lines(path):
        cells, _ = split(line, " ")
        if n == 1 or not line.strip():
            continue
        try:
            induction, _date, odour, _t0, hours = cells
            found[induction] = ("" if odour == "background" else odour, number(hours))
        except ValueError:
            wrong += 1
    return found, (f"{wrong} unreadable lines in {path.name}",) if wrong else ()


class DynamicMixtures(TableFormat):
    """`ethylene_CO.txt`, `ethylene_methane.txt`: 100 Hz, set points of two gases, 16 sensors."""

    name = "dynamic-mixtures"
    title = "UCI dynamic gas mixtures (322)"
    suffixes = (".txt",)
    columns = ("time_s", "first_ppm", "ethylene_ppm", *(f"S{i}" for i in range(1, 17)))
    skip = 1

    def sniff(self, head: Head) -> bool:
        """Its header names the set points; its rows have 19 columns."""
        first = head.first.lower()
        rows = head.text.splitlines()
        known = "time (seconds)" in first and "conc (ppm)" in first
        return known and (len(rows) < 2 or len(rows[1].split()) == len(self.columns))

    def delimiter(self, head: Head) -> str:
        """Blanks."""
        return " "

    def plan(self, dialect: Dialect, path: Path, rows: Sequence[Row]) -> Plan:
        """The first gas is told by header and file name."""
        first = "methane" if "methane" in dialect.preamble.lower() else "carbon monoxide"

        def odorants(cells: Sequence[str]) -> tuple[Odorant, ...]:
            amounts = ((first, _hours(cells[1])), ("ethylene", _hours(cells[2])))
            return tuple(Odorant(gas, amount=ppm, unit="ppm") for gas, ppm in amounts if ppm > 0)

        channels = tuple(
            Channel(f"S{i + 1}", "raw", sensor_model=_DYNAMIC[i % 8]) for i in range(16)
        )
        return Plan(
            Nose("UCI dynamic mixtures, 16 MOX", "", channels, rate_hz=100.0),
            tuple(range(3, 19)), time=0, odorants=odorants, to_ohm=dynamic_ohms,
            session=path.stem,
            warnings=("concentrations are set points: the gas arrives later",),
        )  # fmt: skip


class TurbulentMixtures(TableFormat):
    """`000_Et_H_CO_n`: 60 s air, 180 s gas, 60 s recovery in a wind tunnel, eight sensors."""

    name = "turbulent-mixtures"
    title = "UCI turbulent gas mixtures (309)"
    suffixes = (".txt", "")
    columns = ("time_s", "temperature", "humidity", *(f"S{i}" for i in range(1, 9)))
    _file = re.compile(r"\d{3}_Et_([nLMH])_(CO|Me)_([nLMH])")

    def sniff(self, head: Head) -> bool:
        """By the name of the file and eleven columns."""
        cells = head.first.split("," if "," in head.first else None)
        named = self._file.match(head.path.name) is not None
        return named and len(cells) == len(self.columns) and not math.isnan(_hours(cells[0]))

    def delimiter(self, head: Head) -> str:
        """Commas in the archive; copies have blanks."""
        return "," if "," in head.first else " "

    def plan(self, dialect: Dialect, path: Path, rows: Sequence[Row]) -> Plan:
        """Gases by the name of the file; levels are words, not ppm."""
        found = self._file.match(path.name)
        second = {"CO": "carbon monoxide", "Me": "methane"}
        gases = (("ethylene", found[1]), (second[found[2]], found[3])) if found else ()
        present = tuple(Odorant(gas) for gas, level in gases if level != "n")

        def phase(t_ns: int, _: Sequence[str]) -> Phase:
            if t_ns < 60 * NS:
                return Phase.BASELINE
            return Phase.EXPOSURE if t_ns < 240 * NS else Phase.RECOVERY

        channels = tuple(
            Channel(f"S{i + 1}", "raw", sensor_model=model) for i, model in enumerate(_TURBULENT)
        )
        air = {"temperature": (1, 1.0), "humidity": (2, 1.0)}
        return Plan(
            Nose("UCI turbulent mixtures, 8 MOX", "", channels), tuple(range(3, 11)), air=air,
            time=0, odorants=lambda _: present, phase=phase, to_ohm=turbulent_ohms,
            session=path.stem,
        )  # fmt: skip


class TwinArrays(TableFormat):
    """`B1_GEa_F040_R2.txt`: 600 s at 100 Hz, eight resistances of one of five equal boards."""

    name = "twin-arrays"
    title = "UCI twin gas sensor arrays (361)"
    suffixes = (".txt",)
    columns = ("time_s", *(f"ch{i}" for i in range(8)))
    _file = re.compile(r"B(\d)_G(Ea|Ey|CO|Me)_F(\d{3})_R(\d)\.txt")
    _gases: ClassVar = {"Ea": ("ethanol", 1.25), "Ey": ("ethylene", 1.25),
              "CO": ("carbon monoxide", 2.5), "Me": ("methane", 2.5)}  # fmt: skip

    def sniff(self, head: Head) -> bool:
        """By the name of the file and nine columns."""
        named = self._file.fullmatch(head.path.name) is not None
        return named and len(head.first.split()) == len(self.columns)

    def delimiter(self, head: Head) -> str:
        """Tabs or blanks."""
        return " "

    def plan(self, dialect: Dialect, path: Path, rows: Sequence[Row]) -> Plan:
        """Board, gas and concentration (the code is percent of the highest) by the name."""
        found = self._file.fullmatch(path.name)
        odorants: tuple[Odorant, ...] = ()
        if found:
            gas, ppm = self._gases[found[2]]
            odorants = (Odorant(gas, amount=int(found[3]) * ppm, unit="ppm"),)
        channels = tuple(
            Channel(f"ch{i}", "kohm", sensor_model=model) for i, model in enumerate(_TWIN)
        )
        board = f"B{found[1]}" if found else ""
        return Plan(
            Nose("UCI twin arrays, 8 MOX", board, channels, rate_hz=100.0), tuple(range(1, 9)),
            time=0, odorants=lambda _: odorants, to_ohm=kilohms, session=path.stem,
        )  # fmt: skip
