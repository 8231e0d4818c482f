"""OpenSmell Exchange Format v1.0 (OpenSmell/data-commons, FORMAT.md): CSV and a JSON beside it.

`timestamp` is in seconds, sensors are columns `sensor_*`, `MQ*` or `ch*`. The JSON tells substance,
device, units and the declared rate. The measured median gap beats the declared rate; where they
differ by more than twofold the file is flagged `time_unit_mismatch`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from thymos.smell.formats.base import Codec, Dialect, FormatError, Row
from thymos.smell.formats.columns import climate_of, plain
from thymos.smell.formats.compose import KEY, REST, ExchangeCodec
from thymos.smell.formats.named import NamedCsv, air_of, median_gap, time_unit_ns
from thymos.smell.formats.opening import Head
from thymos.smell.formats.tables import NS, Plan
from thymos.smell.frame import Channel, Nose, Odorant

UNITS = {"resistance_ohm": "ohm", "voltage": "volt", "rs_r0": "rs_r0", "adc": "adc"}
_AIR_UNITS = {"temperature_celsius": "temperature", "humidity_percent": "humidity"}
_FACTS = ("circuit", "temperature_celsius", "humidity_percent", "notes")
"""Of the sidecar, beside what has a field of its own; the whole text is kept too."""
MISMATCH = 2.0
LEAST_ROWS = 10
MAX_SIDECAR = 1 << 20
_NAME = re.compile(r"([A-Za-z][A-Za-z0-9-]*)_.+_\d{4}-\d\d-\d\d\.csv")
"""`{substance}_{device_id}_{session_date}.csv`"""
_PREFIXES = ("sensor_", "mq", "ch")


class Exchange(NamedCsv):
    """A recording of one substance by one device."""

    name = "exchange"
    title = "OpenSmell Exchange v1.0"
    suffixes: tuple[str, ...] = (".csv",)

    def sniff(self, head: Head) -> bool:
        """Sensor columns by their prefix, and a timestamp or a sidecar."""
        names = self.names_of(head)
        sensors = [name for name in names if is_sensor(name)]
        return bool(sensors) and ("timestamp" in names or bool(self.sidecars(head.path)))

    def sidecars(self, path: Path) -> dict[str, str]:
        """The JSON beside it, as it is.

        Raises:
            FormatError: It is there and cannot be used.
        """
        beside = path.with_suffix(".json")
        try:
            if not beside.is_file():
                return {}
            if beside.stat().st_size > MAX_SIDECAR:
                raise FormatError(beside, "is too large for a sidecar", hint="move it away")
            text = beside.read_bytes().decode("utf-8")
            if not isinstance(json.loads(text), dict):
                raise FormatError(beside, "is no JSON object", hint="see FORMAT.md of OpenSmell")
        except (OSError, ValueError, RecursionError) as err:
            raise FormatError(
                beside, f"is no JSON: {err}", hint="repair it, or move it away"
            ) from err
        return {".json": text}

    def codec(self, dialect: Dialect, plan: Plan, *, ohms: bool, beside: dict[str, str]) -> Codec:
        """Files that `compose.exchange` wrote hold whole frames."""
        told = json.loads(beside[".json"]) if ".json" in beside else {}
        if KEY in told and REST in dialect.names:
            try:
                return ExchangeCodec(dialect.names, told)
            except ValueError as err:
                raise FormatError(Path("-"), str(err), hint="move the sidecar away") from err
        return super().codec(dialect, plan, ohms=ohms, beside=beside)

    def plan(self, dialect: Dialect, path: Path, rows: Sequence[Row]) -> Plan:
        """Channels with the units and models of the sidecar."""
        texts = self.sidecars(path)
        told: dict[str, Any] = json.loads(texts[".json"]) if texts else {}
        units, models = _table(told, "sensor_units"), _table(told, "sensor_models")
        told_of = _table(told, "sensor_info")
        models = {name: words.split(" (")[0] for name, words in told_of.items()} | models
        names = dialect.names
        air = {climate_of(name): i for i, name in enumerate(names) if climate_of(name)}
        air |= {_AIR_UNITS[u]: names.index(n) for n, u in units.items()
                if u in _AIR_UNITS and n in names}  # fmt: skip
        gas = [i for i, n in enumerate(names) if is_sensor(n) and i not in air.values()]
        if not gas:
            raise FormatError(path, "names no gas channel", hint="sensor_*, MQ* or ch* are needed")
        channels = tuple(
            Channel(names[i], UNITS.get(units.get(names[i], ""), "unknown"),
                    sensor_model=models.get(names[i], ""))
            for i in gas
        )  # fmt: skip
        time = names.index("timestamp") if "timestamp" in names else None
        rate = _number(told.get("sampling_rate_hz"))
        unit, period, warnings = self._time(time, rate, rows)
        if len(rows) < LEAST_ROWS:
            warnings.append(f"{len(rows)} rows: the format asks for at least {LEAST_ROWS}")
        named = _NAME.fullmatch(path.name)
        substance = str(told.get("substance", "") or (named[1] if named and not told else ""))
        odorants = (Odorant(substance),) if substance else ()
        nose = Nose(
            str(told.get("device_id", "") or "OpenSmell"),
            str(told.get("device_id", "") or ""),
            channels,
            rate_hz=rate,
            extra={key: str(told[key])[:200] for key in _FACTS if key in told},
        )
        return Plan(
            nose, tuple(gas), air=air_of(air, rows), time=time, unit_ns=unit, period_ns=period,
            odorants=lambda _: odorants, session=path.stem, warnings=tuple(warnings),
        )  # fmt: skip

    def _time(
        self, column: int | None, rate: float, rows: Sequence[Row]
    ) -> tuple[int, int, list[str]]:
        """Unit of the time, period of the rows [ns], warnings."""
        if column is None:
            if rate > 0:
                return NS, round(NS / rate), [f"no timestamp: rows at the declared {rate:g} Hz"]
            return NS, NS, ["no_time_axis: no timestamp and no sampling_rate_hz; 1 Hz is assumed"]
        gap = median_gap(rows, column)
        unit = time_unit_ns("timestamp", gap)
        if gap <= 0:
            return unit, NS, []
        warnings = []
        measured = NS / (gap * unit)
        written = 1.0 / gap  # as the format demands: seconds
        if rate > 0 and not 1 / MISMATCH <= written / rate <= MISMATCH:
            warnings.append(
                f"time_unit_mismatch: {rate:g} Hz declared, {written:g} Hz measured"
                + ("; taken as milliseconds" if unit != NS else "; the measured rate counts")
            )
        elif unit != NS:
            warnings.append(
                f"time_unit_mismatch: timestamps step by {gap:g}: taken as milliseconds, "
                f"{measured:g} Hz"
            )
        return unit, NS, warnings


def is_sensor(name: str) -> bool:
    """Whether a column holds a sensor."""
    return plain(name).replace(" ", "_").startswith(_PREFIXES) and not climate_of(name)


def _table(told: Mapping[str, Any], key: str) -> dict[str, str]:
    found = told.get(key)
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, dict) else {}


def _number(value: object) -> float:
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if usable and 0 < float(value) < 1e6 else 0.0  # type: ignore[arg-type]
