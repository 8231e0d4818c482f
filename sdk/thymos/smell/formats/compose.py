"""CSV files from readings of any nose: our own, and OpenSmell Exchange with everything kept.

Our own CSV has time, values and air, nothing else. The exchange file has the same columns for
everybody, and for us one more, `x_thymos`, with what of a reading has no column; the noses stand
in the sidecar under `thymos`. From it every frame comes back bit for bit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from thymos.errors import FrameError
from thymos.smell.formats.base import AIR, Dialect, FormatError, Recording, Row
from thymos.smell.formats.cells import number, to_ns
from thymos.smell.formats.delimited import unquoted
from thymos.smell.frame import Nose, SmellFrame
from thymos.smell.schema import from_dict, nose_from_dict, nose_to_dict, to_dict

NS = 1_000_000_000
REST = "x_thymos"
KEY = "thymos"
_UNITS = {"ohm": "resistance_ohm", "volt": "voltage", "rs_r0": "rs_r0", "adc": "adc"}
_COLUMNS = {
    "temperature": "sensor_temperature",
    "humidity": "sensor_humidity",
    "pressure": "pressure",
}
"""Columns of the air in an exchange file; the format has units for the first two."""
_ABSOLUTE_NS = 10**9 * NS
"""Times after this (2001) are dates, not times since a start."""
MOST_NOSES = 64
MOST_GAPS = 10_000
MOST_LABELS = 1000

Frames = Callable[[], Iterable[SmellFrame]]


@dataclass(slots=True)
class Overview:
    """What one pass over readings tells.

    Attributes:
        noses: Every nose, in the order of appearance.
        labels: Odours by name.
        start_ns: Time of the first reading.
        rate_hz: Readings a second (median), 0 if unknown.
        rows: Readings.
        told: Facts that some reading has, by name: `faults`, `odorants` …
    """

    noses: list[Nose] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    start_ns: int = 0
    rate_hz: float = 0.0
    rows: int = 0
    told: set[str] = field(default_factory=set)


def overview(frames: Iterable[SmellFrame]) -> Overview:
    """Go over readings once.

    Raises:
        FormatError: There is none, or of too many noses.
    """
    found = Overview()
    gaps: list[int] = []
    last = 0
    for frame in frames:
        if not any(known is frame.nose for known in found.noses) and frame.nose not in found.noses:
            found.noses.append(frame.nose)
        if len(found.noses) > MOST_NOSES:
            raise FormatError(Path("-"), f"more than {MOST_NOSES} noses", hint="convert one by one")
        for odorant in frame.odorants[: MOST_LABELS - len(found.labels)]:
            if odorant.name not in found.labels:
                found.labels.append(odorant.name)
        if not found.rows:
            found.start_ns = frame.t_ns
        elif frame.t_ns > last and len(gaps) < MOST_GAPS:
            gaps.append(frame.t_ns - last)
        last = frame.t_ns
        found.rows += 1
        found.told |= _facts(frame)
    if not found.rows:
        raise FormatError(Path("-"), "no reading to write", hint="thymos smell check FILE")
    found.rate_hz = NS / sorted(gaps)[len(gaps) // 2] if gaps else 0.0
    return found


def _facts(frame: SmellFrame) -> set[str]:
    """Which facts beside time, values and air a reading has."""
    told = {
        "why values are invalid": any(frame.faults) or bool(frame.air_faults),
        "the device's tick": frame.tick is not None,
        "baseline": frame.baseline is not None,
        "phase": frame.phase.value != "unknown",
        "odorants": bool(frame.odorants),
        "percepts": bool(frame.percepts),
        "session": bool(frame.session),
        "flags": bool(frame.flags),
        "further columns": bool(frame.extra),
        "heater steps": any(c.heater_step >= 0 for c in frame.nose.channels),
        "sensor models": any(c.sensor_model for c in frame.nose.channels),
    }
    return {name for name, there in told.items() if there}


def own_csv(frames: Frames) -> tuple[Recording, list[str]]:
    """Our own CSV, and what of the readings it cannot hold.

    Args:
        frames: Gives the readings from the beginning; called twice.

    Raises:
        FormatError: They are of several noses.
    """
    seen = overview(frames())
    if len(seen.noses) > 1:
        raise FormatError(
            Path("-"),
            f"a CSV holds one nose, and these are {len(seen.noses)}",
            hint="--to exchange, or an output that ends in .jsonl or .parquet",
        )
    nose = seen.noses[0]
    time = "timestamp" if abs(seen.start_ns) > _ABSOLUTE_NS else "t_s"
    names = (time, *(f"{c.name} [{c.unit}]" for c in nose.channels), *nose.air)

    def rows() -> Iterator[Row]:
        for n, frame in enumerate(frames()):
            air = [_text(getattr(frame, AIR[name])) for name in nose.air]
            cells = (seconds(frame.t_ns), *map(_text, frame.values.tolist()), *air)
            yield _row(n, cells)

    return _recording("csv", names, rows), sorted(seen.told)


def exchange(frames: Frames) -> tuple[Recording, list[str]]:
    """An OpenSmell Exchange file with its sidecar; nothing is lost.

    Args:
        frames: Gives the readings from the beginning; called twice.
    """
    seen = overview(frames())
    columns = _columns(seen.noses)
    air = [name for name in AIR if any(name in nose.air for nose in seen.noses)]
    sensors = [name for some in columns for name in some]
    names = ("timestamp", *sensors, *(_COLUMNS[name] for name in air), REST)
    places = [[names.index(name) for name in some] for some in columns]

    def rows() -> Iterator[Row]:
        for n, frame in enumerate(frames()):
            index = _index(frame.nose, seen.noses)
            cells = [""] * len(names)
            cells[0] = seconds(frame.t_ns - seen.start_ns)
            for place, value in zip(places[index], frame.values.tolist(), strict=True):
                cells[place] = _text(value)
            for name in air:
                cells[names.index(_COLUMNS[name])] = _text(getattr(frame, AIR[name]))
            cells[-1] = _quoted(_rest(frame, index))
            yield _row(n, tuple(cells))

    made = _recording("exchange", names, rows)
    made.sidecars[".json"] = (
        json.dumps(_sidecar(seen, columns, air), indent=2, ensure_ascii=False) + "\n"
    )
    foreign = sorted({c.unit for nose in seen.noses for c in nose.channels} - set(_UNITS))
    lost = [f"unit {unit}: none of the format, written as it is" for unit in foreign]
    return made, lost


def _index(nose: Nose, noses: list[Nose]) -> int:
    found = next((i for i, known in enumerate(noses) if known is nose), None)
    return noses.index(nose) if found is None else found


def _columns(noses: list[Nose]) -> list[list[str]]:
    """Names of the columns of each nose; numbered where two noses have the same channel."""
    every = [channel.name for nose in noses for channel in nose.channels]
    unique = len(set(every)) == len(every)
    return [
        [f"sensor_{channel.name}" if unique else f"sensor_n{i}_{channel.name}"
         for channel in nose.channels]
        for i, nose in enumerate(noses)
    ]  # fmt: skip


def _rest(frame: SmellFrame, index: int) -> str:
    """What of a reading has no column, as JSON."""
    told = to_dict(frame, nose=False)
    for name in ("t_ns", "values", *AIR.values()):
        told.pop(name, None)
    return json.dumps({"nose": index, **told}, ensure_ascii=False, separators=(",", ":"))


def _sidecar(seen: Overview, columns: list[list[str]], air: list[str]) -> dict[str, Any]:
    channels = [
        (name, channel)
        for some, nose in zip(columns, seen.noses, strict=True)
        for name, channel in zip(some, nose.channels, strict=True)
    ]
    day = ""
    if seen.start_ns > _ABSOLUTE_NS:
        day = datetime.fromtimestamp(seen.start_ns // NS, timezone.utc).date().isoformat()
    units = {name: _UNITS.get(c.unit, c.unit) for name, c in channels}
    units |= {_COLUMNS[name]: AIR[name] for name in air}
    told: dict[str, Any] = {
        "substance": seen.labels[0] if len(seen.labels) == 1 else "",
        "device_id": seen.noses[0].serial or seen.noses[0].model,
        "session_date": day,
        "sensor_units": units,
        "sensor_models": {name: c.sensor_model for name, c in channels if c.sensor_model},
    }
    if seen.rate_hz and len(seen.noses) == 1:
        told["sampling_rate_hz"] = round(seen.rate_hz, 6)
    told[KEY] = {
        "start_ns": seen.start_ns,
        "columns": columns,
        "noses": [nose_to_dict(nose) for nose in seen.noses],
    }
    return told


class ExchangeCodec:
    """Reads back what `exchange` wrote.

    Args:
        names: Columns of the file.
        told: The sidecar.

    Raises:
        ValueError: The sidecar does not fit the file.
    """

    def __init__(self, names: tuple[str, ...], told: Mapping[str, Any]) -> None:
        try:
            own = told[KEY]
            self.noses = tuple(nose_from_dict(nose) for nose in own["noses"])
            self._start_ns = int(own["start_ns"])
            self._places = [[names.index(str(n)) for n in some] for some in own["columns"]]
            self._rest = names.index(REST)
            if [len(nose.channels) for nose in self.noses] != [len(some) for some in self._places]:
                raise ValueError("columns")
        except (KeyError, TypeError, ValueError, FrameError) as err:
            raise ValueError(f"the sidecar does not fit: {err}") from err
        self._air = {
            AIR[name]: names.index(column) for name, column in _COLUMNS.items() if column in names
        }
        self._names = names

    def check(self, cells: tuple[str, ...]) -> None:
        """Raise ValueError if the row is no reading."""
        self.encode(Row(0, 0, cells, ()))

    def encode(self, row: Row) -> SmellFrame:
        """One row as the reading it was.

        Raises:
            ValueError: It is damaged.
        """
        cells = row.cells
        try:
            rest = json.loads(unquoted(cells[self._rest]))
            index = int(rest.pop("nose"))
            nose, places = self.noses[index], self._places[index]
            air = {name: number(cells[i]) for name, i in self._air.items()}
            told = {
                **rest,
                "t_ns": self._start_ns + to_ns(cells[0], NS),
                "values": [_plain(number(cells[i])) for i in places],
                **{name: value for name, value in air.items() if value == value},  # noqa: PLR0124
            }
            return from_dict(told, nose)
        except (KeyError, IndexError, TypeError, AttributeError, FrameError, RecursionError) as err:
            raise ValueError(f"{REST}: {err}") from err

    def decode(self, frame: SmellFrame) -> list[str]:
        """Not needed: such a file is made by `exchange`."""
        raise NotImplementedError


def _plain(value: float) -> float | None:
    return None if value != value else value  # noqa: PLR0124  NaN


def _text(value: float) -> str:
    return "" if value != value else repr(value)  # noqa: PLR0124  NaN


def seconds(t_ns: int) -> str:
    """Nanoseconds as seconds, exact."""
    exact = (Decimal(t_ns) / NS).normalize()
    return f"{exact:f}"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _row(n: int, cells: tuple[str, ...]) -> Row:
    return Row(n + 2, n, cells, ("", *[","] * (len(cells) - 1), "\n"))


def _recording(name: str, names: tuple[str, ...], rows: Callable[[], Iterator[Row]]) -> Recording:
    dialect = Dialect(",".join(names) + "\n", names, (), ())
    return Recording(name, dialect, _Unread(), rows)


class _Unread:
    """Of a file that is only written."""

    noses: tuple[Nose, ...] = ()

    def check(self, cells: tuple[str, ...]) -> None:
        raise NotImplementedError

    def encode(self, row: Row) -> SmellFrame:
        raise NotImplementedError

    def decode(self, frame: SmellFrame) -> list[str]:
        raise NotImplementedError
