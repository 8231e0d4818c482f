"""Logs of Bosch BME688 and BME690 boards, `.bmerawdata` (JSON of BME AI-Studio).

One row is one heater step of one sensor, and one reading: the nose is that sensor, its channels
are the steps of its heater profile, and all but one are missing. Columns are found by their key.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from thymos.smell.formats.base import AIR, PREVIEW_ROWS, Dialect, FormatError, Recording, Row
from thymos.smell.formats.bme_board import (
    AIR_KEYS,
    ERROR,
    FIRST_SPECIMEN,
    HINT,
    ID,
    MAX_SENSORS,
    MAX_STEPS,
    MS,
    NEEDED,
    OHM,
    SENSOR,
    STEP,
    SUFFIX,
    TAG,
    TIME,
    config_in,
    labels_beside,
    noses_of,
    power_on_ns,
)
from thymos.smell.formats.cells import ns_written, number, style_of, to_ns, written
from thymos.smell.formats.facts import (
    SIDECAR,
    dialect_of,
    facts,
    layout_of,
    of_one_file,
    remainder,
    sidecars_of,
)
from thymos.smell.formats.json_rows import Block
from thymos.smell.formats.opening import Head, look
from thymos.smell.frame import NAN, Fault, Nose, Odorant, SmellFrame, TimeSource


class BmeCodec:
    """Rows of one log.

    Args:
        dialect: How it is written.
        noses: By sensor index.
        labels: Names of the tags.
        anchor_ns: Power-on, on the clock of the board [ns]; 0 if it has none.
    """

    def __init__(
        self, dialect: Dialect, noses: dict[int, Nose], labels: dict[int, str], anchor_ns: int
    ) -> None:
        self._dialect, self.labels, self._anchor = dialect, labels, anchor_ns
        self._by_sensor = noses
        self.noses = tuple(noses.values())
        at = {key: i for i, key in enumerate(dialect.names)}
        self._at = at
        self._air = {name: at[key] for name, key in AIR_KEYS.items() if key in at}

    def check(self, cells: tuple[str, ...]) -> tuple[int, int]:
        """Sensor and step of a row.

        Raises:
            ValueError: It is damaged.
        """
        if len(cells) != len(self._dialect.names):
            raise ValueError(f"{len(cells)} values where {len(self._dialect.names)} belong")
        sensor, step = self._whole(cells, SENSOR), self._whole(cells, STEP)
        if not (0 <= sensor < MAX_SENSORS and 0 <= step < MAX_STEPS):
            raise ValueError(f"sensor {sensor}, heater step {step}: there is none")
        to_ns(cells[self._at[TIME]], MS)
        number(cells[self._at[OHM]])
        for i in self._air.values():
            number(cells[i])
        return sensor, step

    def numbers(self, cells: tuple[str, ...]) -> dict[str, float]:
        """The cells of a sound row that are numbers, by the key of their column."""
        found = {}
        for key, i in self._at.items():
            with suppress(ValueError):
                found[key] = number(cells[i])
        return found

    def _whole(self, cells: tuple[str, ...], key: str) -> int:
        try:
            return int(cells[self._at[key]])
        except ValueError:
            raise ValueError(f"{key} is '{cells[self._at[key]][:20]}'") from None

    def encode(self, row: Row) -> SmellFrame:
        """One row as a reading of its sensor."""
        cells, at = row.cells, self._at
        sensor, step = int(cells[at[SENSOR]]), int(cells[at[STEP]])
        nose = self._by_sensor[sensor]
        values = np.full(len(nose.channels), np.nan)
        values[step] = number(cells[at[OHM]])
        faults = [Fault.MISSING] * len(nose.channels)
        error = cells[at[ERROR]] if ERROR in at else "0"
        if not math.isnan(values[step]):
            faults[step] = Fault.NONE if error == "0" else Fault.UNSTABLE
        since_ns = to_ns(cells[at[TIME]], MS)
        air = {name: number(cells[i]) for name, i in self._air.items()}
        extra: dict[str, str] = {}
        frame = SmellFrame(
            nose=nose,
            seq=row.seq,
            t_ns=self._anchor + since_ns,
            values=values,
            faults=tuple(faults),
            time_source=TimeSource.DEVICE if self._anchor else TimeSource.FILE,
            tick=since_ns // MS,
            odorants=self._odorants(cells),
            session=nose.extra.get("session", ""),
            on_for_ns=max(since_ns, -1),
            note="" if error == "0" else f"the board says error {error[:20]}",
            extra=extra,
            temperature_celsius=air.get("temperature", NAN),
            humidity_percent=air.get("humidity", NAN),
            pressure_hpa=air.get("pressure", NAN),
        )
        extra.update(remainder(row, self.decode(frame), self._dialect))
        return frame

    def _odorants(self, cells: tuple[str, ...]) -> tuple[Odorant, ...]:
        text = cells[self._at[TAG]] if TAG in self._at else ""
        tag = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        name = self.labels.get(tag, "")
        return (Odorant(name),) if tag >= FIRST_SPECIMEN and name else ()

    def decode(self, frame: SmellFrame) -> list[str]:
        """The cells of a reading."""
        styles, at, nose = self._dialect.styles, self._at, frame.nose
        found = [""] * len(styles)
        steps = [i for i, fault in enumerate(frame.faults) if fault is not Fault.MISSING]
        if steps:
            found[at[STEP]] = str(steps[0])
            found[at[OHM]] = written(float(frame.values[steps[0]]), styles[at[OHM]])
        found[at[SENSOR]] = nose.extra.get(SENSOR, "")
        if ID in at:
            found[at[ID]] = nose.channels[0].sensor_id
        since = frame.t_ns - int(nose.extra.get("power_on_ns", "0"))
        found[at[TIME]] = ns_written(since, MS, styles[at[TIME]])
        for name, i in self._air.items():
            found[i] = written(getattr(frame, AIR[name]), styles[i])
        for i, name in enumerate(self._dialect.names):
            if name in frame.extra:
                found[i] = frame.extra[name]
        return found


class BmeRawData:
    """A log of one board."""

    name = "bmerawdata"
    title = "BME688/BME690 log (.bmerawdata)"
    suffixes = (SUFFIX,)
    holds = "readings"

    def sniff(self, head: Head) -> bool:
        """JSON with raw data, or a file that is called so."""
        if head.path.name.lower().endswith(self.suffixes):
            return True
        return head.text.lstrip().startswith("{") and '"rawDataBody"' in head.text

    def read(self, path: Path, *, strict: bool = True, ohms: bool = False) -> Recording:
        """Open a log; see `Format.read`. The values are in ohm already."""
        look(path)
        block = Block(path, strict=strict, hint=HINT)
        scout = _Scout(path, block)
        around, names, first, seen = scout.around, scout.names, scout.first, scout.seen
        if not first:
            raise FormatError(path, "holds no reading", hint=HINT)
        labels, sidecars, warnings = labels_beside(path)
        config = config_in(around.data, warnings)
        layouts = [row.layout for row in first]
        dialect = Dialect(
            preamble=around.preamble,
            names=names,
            layout=max(set(layouts), key=lambda layout: (layouts.count(layout), layout)),
            styles=tuple(style_of(row.cells[i] for row in first) for i in range(len(names))),
            tail=around.tail,
        )
        anchor = power_on_ns(first, names)
        if not anchor:
            warnings.append("no real-time clock: times count from power-on")
        told = facts(self.name, dialect) | {SIDECAR + k: text for k, text in sidecars.items()}
        told["power_on_ns"] = str(anchor)
        noses = noses_of(around.data, config, seen, told, (first, names))
        codec = BmeCodec(dialect, noses, labels, anchor)
        return Recording(
            format=self.name,
            dialect=dialect,
            codec=codec,
            rows=lambda: _checked(block, codec),
            path=path,
            warnings=warnings,
            damage=block.damage,
            sidecars=sidecars,
        )

    def from_frames(self, frames: Iterable[SmellFrame]) -> Recording:
        """A log from the readings of one; streams them, once."""
        waiting = iter(frames)
        first = next(waiting, None)
        if first is None:
            raise FormatError(Path("-"), "no reading to write", hint="thymos smell check FILE")
        dialect = dialect_of(first.nose, self.name)
        codec = BmeCodec(dialect, {0: first.nose}, {}, 0)

        def rows() -> Iterator[Row]:
            for n, frame in enumerate(of_one_file(first, waiting)):
                yield _again(codec, dialect, frame, n)

        return Recording(self.name, dialect, codec, rows, sidecars=sidecars_of(first.nose))


def _again(codec: BmeCodec, dialect: Dialect, frame: SmellFrame, n: int) -> Row:
    before, *layout = layout_of(frame, dialect)
    if n == 0:  # a part of a log, or logs behind each other, stay JSON
        before = before.replace(",", "", 1)
    elif "," not in before:
        before = "," + before
    return Row(n + 1, n, tuple(codec.decode(frame)), (before, *layout))


def _checked(block: Block, codec: BmeCodec) -> Iterator[Row]:
    for row in block.rows():
        try:
            codec.check(row.cells)
        except ValueError as err:
            block.reject(row, f"row {row.seq + 1}: {err}")
            continue
        yield row


class _Scout:
    """Goes over a log once: its frame, its first rows, and the steps of each sensor.

    Attributes:
        around: The JSON without its rows.
        names: Keys of the columns.
        first: The first rows.
        seen: Sensor → number of its heater steps, over the whole file.
    """

    def __init__(self, path: Path, block: Block) -> None:
        self._block = block
        self.first: list[Row] = []
        self.seen: dict[int, int] = {}
        try:
            self._use(_names(path, block.head(), late=True))
            self.around = block.around(self._visit)
            _names(path, self.around.data)
        except _LateError:  # the columns stand behind the rows
            self.around = block.around()
            self._use(_names(path, self.around.data))
            for row in block.rows():
                self._visit(row)

    def _use(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._codec = BmeCodec(Dialect("", names, (), ()), {}, {}, 0)

    def _visit(self, row: Row) -> None:
        try:
            sensor, step = self._codec.check(row.cells)
        except ValueError as err:
            self._block.reject(row, f"row {row.seq + 1}: {err}")
            return
        self.seen[sensor] = max(self.seen.get(sensor, 0), step + 1)
        if len(self.first) < PREVIEW_ROWS:
            self.first.append(row)


class _LateError(Exception):
    """The columns are not known yet."""


def _names(path: Path, data: dict[str, Any], *, late: bool = False) -> tuple[str, ...]:
    body = data.get("rawDataBody")
    if late and not (isinstance(body, dict) and "dataColumns" in body):
        raise _LateError
    try:
        if not isinstance(body, dict) or body["dataBlock"] != []:
            raise KeyError("rawDataBody")
        names = tuple(str(column["key"]) for column in body["dataColumns"])
    except (KeyError, TypeError) as err:
        raise FormatError(path, f"lacks {err}", hint=HINT) from err
    lacking = [key for key in NEEDED if key not in names]
    if lacking:
        raise FormatError(path, f"has no column '{lacking[0]}'", hint=HINT)
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        raise FormatError(path, f"has two columns '{twice[:40]}'", hint=HINT)
    return names
