"""SmellNet (MIT-MI/SmellNet, arXiv 2506.00239): CSV without time, about one row a second."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from thymos.smell.formats.base import Dialect, Row
from thymos.smell.formats.opening import Head
from thymos.smell.formats.tables import Plan, TableFormat
from thymos.smell.frame import Channel, Nose, Odorant

GAS = ("NO2", "C2H5OH", "VOC", "CO", "Alcohol", "LPG", "Benzene")
"""The channels to score on: temperature, pressure, humidity and altitude tell the day."""
TYPOS = {"C2H50H": "C2H5OH"}
"""One header of the public set has a zero for the letter O."""
_AIR = {"temperature": "Temperature", "humidity": "Humidity", "pressure": "Pressure"}
_RESISTANCE = "Gas_Resistance"
_NAME = re.compile(r"([A-Za-z][A-Za-z_-]*?)(?:\.[0-9a-f]{6,}|_\d+)(?:\.csv)+", re.IGNORECASE)


class SmellNet(TableFormat):
    """Seven gas channels in counts, a BME680 (resistance in kohm, air), altitude."""

    name = "smellnet"
    title = "SmellNet CSV"
    suffixes = (".csv",)

    def sniff(self, head: Head) -> bool:
        """A header with all seven gas channels."""
        names = {TYPOS.get(name.strip(), name.strip()) for name in head.first.split(",")}
        return names.issuperset(GAS)

    def plan(self, dialect: Dialect, path: Path, rows: Sequence[Row]) -> Plan:
        """Channels by name; the substance by the name of the file."""
        names = [TYPOS.get(name, name) for name in dialect.names]
        channels = [Channel(name, "adc", target=name) for name in GAS]
        where = [names.index(name) for name in GAS]
        if _RESISTANCE in names:
            channels.append(Channel(_RESISTANCE, "kohm", sensor_model="BME680"))
            where.append(names.index(_RESISTANCE))
        air = {key: (names.index(name), 1.0) for key, name in _AIR.items() if name in names}
        warnings = ["no time column: times are rows, taken as one a second"]
        typed = [name for name in dialect.names if name in TYPOS]
        warnings += [f"the header says {name}: read as {TYPOS[name]}" for name in typed]
        found = _NAME.fullmatch(path.name)
        label = found[1].lower() if found else ""
        odorants = (Odorant(label),) if label else ()
        return Plan(
            Nose("SmellNet", "", tuple(channels)),
            tuple(where),
            air=air,
            odorants=lambda _: odorants,
            session=path.name.split(".csv")[0],
            warnings=tuple(warnings),
        )
