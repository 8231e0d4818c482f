"""Recordings of Bosch BME688 boards, `.bmerawdata` (JSON of BME AI-Studio).

The file has one row for each sensor and heater step. Here, as live from such a board, one reading
is one heater cycle of all sensors: channels `s0_h0` (sensor 0, step 0) … `s7_h9` in ohm, then
temperature, humidity and pressure as the mean of its rows. A reading is whole when every sensor
and step is there; it ends without some (NaN) when one of them comes again. Sensors that sleep by
their duty cycle give NaN. Columns are found by their key, never by position.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thymos.samples import (
    CLIMATE,
    EndOfStream,
    Flag,
    Health,
    Kind,
    Origin,
    Sample,
    StreamSpec,
    frozen,
)
from thymos.smell.formats import Recording, Row
from thymos.smell.formats.bme import BmeCodec, BmeRawData
from thymos.smell.formats.bme_board import AIR_KEYS, ERROR, FIRST_SPECIMEN, OHM, TAG, TIME
from thymos.smell.frame import Channel, Nose, Odorant
from thymos.smell.validity import Validity
from thymos_drivers.base import BaseSource
from thymos_drivers.enose.told import tell, with_unstable
from thymos_drivers.media_info import check_file

NS_PER_MS = 1_000_000


@dataclass(slots=True)
class Cycle:
    """One heater cycle of all sensors.

    Attributes:
        t_ms: Time of its last row, milliseconds since power-on.
        ohm: Resistance by (sensor, step).
        air: Mean of what its rows say about the air, by name.
        tag: The label most of its rows carry; 0 is none.
        faulty: (sensor, step) whose row has an error code.
        ms: When each was measured, milliseconds since power-on.
    """

    t_ms: float = 0.0
    ohm: dict[tuple[int, int], float] = field(default_factory=dict)
    air: dict[str, float] = field(default_factory=dict)
    tag: int = 0
    faulty: set[tuple[int, int]] = field(default_factory=set)
    ms: dict[tuple[int, int], float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Log:
    """A `.bmerawdata` file.

    Attributes:
        cycles: Readings, in the order of the file.
        steps: Every (sensor, step) that occurs, sorted.
        corrupt: Rows that could not be read.
        labels: Names of the label tags, from the `.bmelabelinfo` beside the file if it is there.
        facts: Board, firmware, beginning of the recording.
        channels: What the file's configuration says of each step.
        model: Of the board.
    """

    cycles: tuple[Cycle, ...]
    steps: tuple[tuple[int, int], ...]
    corrupt: int
    labels: dict[int, str]
    facts: dict[str, str]
    channels: tuple[Channel, ...]
    model: str

    @property
    def names(self) -> tuple[str, ...]:
        """Gas channels."""
        return tuple(f"s{sensor}_h{step}" for sensor, step in self.steps)

    def values(self, cycle: Cycle) -> NDArray[np.float64]:
        """Float64 [gas channels, then air] of one cycle; NaN where there is no row."""
        gas = [math.nan if k in cycle.faulty else cycle.ohm.get(k, math.nan) for k in self.steps]
        return np.array(gas + [cycle.air.get(name, math.nan) for name in CLIMATE], np.float64)


def read_log(path: Path) -> Log:
    """Read a whole file.

    Raises:
        MediaError: It is missing, empty, or no such file.
    """
    check_file(path)
    recording = BmeRawData().read(path, strict=False)
    codec = recording.codec
    assert isinstance(codec, BmeCodec)  # noqa: S101  what that reader gives
    cycles = tuple(_cycles(recording.rows(), codec))
    steps = tuple(sorted({key for cycle in cycles for key in cycle.ohm}))
    known = {c.name: c for nose in recording.noses for c in nose.channels}
    named = (known.get(f"s{s}_h{step}", Channel(f"s{s}_h{step}", "ohm")) for s, step in steps)
    model = recording.noses[0].model
    facts = _facts(recording)
    return Log(cycles, steps, recording.damage.rows, codec.labels, facts, tuple(named), model)


def _cycles(rows: Iterator[Row], codec: BmeCodec) -> Iterator[Cycle]:
    """Rows to cycles: one ends when a sensor and step comes again."""
    cycle, tags, air = Cycle(), Counter[int](), _Means()
    for row in rows:
        key = codec.check(row.cells)
        said = codec.numbers(row.cells)
        if key in cycle.ohm:
            yield _closed(cycle, tags, air)
            cycle, tags, air = Cycle(), Counter[int](), _Means()
        cycle.ohm[key], cycle.t_ms = said[OHM], said[TIME]
        cycle.ms[key] = said[TIME]
        if said.get(ERROR, 0.0):
            cycle.faulty.add(key)
        tags[int(said.get(TAG, 0.0))] += 1
        air.add({name: said[key_] for name, key_ in AIR_KEYS.items() if key_ in said})
    if cycle.ohm:
        yield _closed(cycle, tags, air)


def _closed(cycle: Cycle, tags: Counter[int], air: _Means) -> Cycle:
    cycle.tag = tags.most_common(1)[0][0]
    cycle.air = air.means()
    return cycle


class _Means:
    def __init__(self) -> None:
        self._rows: dict[str, list[float]] = {name: [] for name in AIR_KEYS}

    def add(self, air: dict[str, float]) -> None:
        for name, value in air.items():
            self._rows[name].append(value)

    def means(self) -> dict[str, float]:
        return {name: float(np.mean(row)) for name, row in self._rows.items() if row}


def _facts(recording: Recording) -> dict[str, str]:
    wanted = {"boardId": "serial_number", "firmwareVersion": "firmware", "dateCreated_ISO": "began"}
    known = json.loads(recording.noses[0].extra["file.header"])
    return {name: str(known[key])[:120] for key, name in wanted.items() if key in known}


class BmeLog(BaseSource):
    """A `.bmerawdata` file as a nose; see the top of this module for what one reading is.

    Args:
        path: The file.
        stream: Stream name.
    """

    def __init__(self, path: Path | str, *, stream: str = "enose") -> None:
        super().__init__(
            StreamSpec(
                stream,
                Kind.GAS,
                0.0,
                (-1,),
                "ohm",
                (),
                f"{stream}_frame",
                Origin.RECORDED,
                Path(path).name,
            )
        )
        self.path = Path(path)
        self._log: Log | None = None
        self._next = 0

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Return the next cycle."""
        self._check_open()
        log = self._log
        if log is None or self._next >= len(log.cycles):
            raise EndOfStream
        cycle = log.cycles[self._next]
        flags = Flag.OK
        t_ns = round((cycle.t_ms - self._first_ms) * NS_PER_MS)
        if self._last_ns is not None and t_ns <= self._last_ns:  # the board was switched off
            self._first_ms -= (self._last_ns + NS_PER_MS - t_ns) / NS_PER_MS
            t_ns = self._last_ns + NS_PER_MS
            flags |= Flag.TIME_JUMP | Flag.TIME_ESTIMATED
        self._last_ns = t_ns
        values, note = self._checks.check(log.values(cycle))
        flags |= Flag.CLIPPED if self._checks.clipped else Flag.OK
        flags |= Flag.INVALID if bool(np.isnan(values[: len(log.steps)]).all()) else Flag.OK
        sample = Sample(self._spec.name, self._next, t_ns, t_ns, frozen(values), flags, note)
        self._next += 1
        self._counters.received += 1
        return self._told(log, cycle, sample)

    def _told(self, log: Log, cycle: Cycle, sample: Sample) -> Sample:
        """With what the board said, also of steps that it calls faulty."""
        said = {i: cycle.ohm[key] for i, key in enumerate(log.steps) if key in cycle.faulty}
        raw, faults = with_unstable(log.values(cycle), self._checks.faults, said)
        told = tell(sample, self._nose, raw, faults, tick=round(cycle.t_ms))
        assert told.smell is not None  # noqa: S101  as `tell` makes it
        name = log.labels.get(cycle.tag, "")
        smell = replace(
            told.smell,
            offset_ns=tuple(
                round((cycle.ms.get(key, cycle.t_ms) - cycle.t_ms) * NS_PER_MS) for key in log.steps
            ),
            on_for_ns=max(-1, round(cycle.t_ms * NS_PER_MS)),
            odorants=(Odorant(name),) if name and cycle.tag >= FIRST_SPECIMEN else (),
        )
        return replace(told, smell=smell)

    @property
    def label(self) -> str:
        """Name of the label of the cycle read last; its number where it has no name."""
        if self._log is None or not self._next:
            return ""
        tag = self._log.cycles[self._next - 1].tag
        return self._log.labels.get(tag, str(tag))

    def _open(self) -> None:
        log = self._log = read_log(self.path)
        self._next, self._first_ms, self._last_ns = 0, log.cycles[0].t_ms, None
        self._checks = Validity(log.names, "ohm", tuple(CLIMATE))
        self._counters.corrupt = log.corrupt
        steps = np.diff([cycle.t_ms for cycle in log.cycles])
        period_ms = float(np.median(steps)) if steps.size else 0.0
        self._spec = replace(
            self._spec,
            rate_hz=1000.0 / period_ms if period_ms > 0 else 0.0,
            shape=(len(log.steps) + len(CLIMATE),),
            channels=(*log.names, *CLIMATE),
            extra=log.facts | {f"unit.{name}": unit for name, unit in CLIMATE.items()},
        )
        self._nose = Nose(
            model=log.model,
            serial=log.facts.get("serial_number", ""),
            channels=log.channels,
            air=tuple(CLIMATE),
            rate_hz=self._spec.rate_hz,
            tick_hz=1000.0,
            frame_id=self._spec.frame_id,
            extra=log.facts,
        )
        why = f"{log.corrupt} unreadable rows" if log.corrupt else ""
        self._say(Health.DEGRADED if why else Health.OK, why)

    def _close(self) -> None:
        self._log = None

    _nose: Nose
    _first_ms: float
    _last_ns: int | None
