"""Formats whose rows are readings: a plan says what each column is, the rest is shared."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np

from thymos.errors import FrameError
from thymos.smell.formats import cells as text_of
from thymos.smell.formats.base import (
    AIR,
    PREVIEW_ROWS,
    Codec,
    Damage,
    Dialect,
    FormatError,
    Recording,
    Row,
)
from thymos.smell.formats.cells import number, scaled, style_of, to_ns, written
from thymos.smell.formats.delimited import Reader, delimiter_of, has_latin1, split, unquoted
from thymos.smell.formats.facts import (
    PREFIX,
    SIDECAR,
    dialect_of,
    facts,
    layout_of,
    of_one_file,
    remainder,
    sidecars_of,
)
from thymos.smell.formats.opening import MAX_LINE, Head, is_told, lines, look
from thymos.smell.frame import F64, NAN, Fault, Nose, Odorant, Phase, SmellFrame, TimeSource

NS = 1_000_000_000
MOST_COLUMNS = 4096
MOST_PREAMBLE = 200
SENTINELS = frozenset({4294967295.0, 2147483647.0})
"""Minus one of an unsigned counter and the end of a signed one: no reading."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the columns of a table mean.

    Attributes:
        nose: Who made the readings.
        gas: Column of each channel of the nose.
        air: Quantity of the air → column, and one unit of the column in degC, percent or hPa.
        time: Column of the time.
        unit_ns: One unit of the time column [ns].
        period_ns: From row to row where there is no time column [ns].
        odorants: The stimulus, by the cells of the row.
        phase: Phase of the sniff, by time [ns] and cells.
        session: Which recording session it is (`SmellFrame.session`).
        to_ohm: From the values as they stand in the file to ohm.
        warnings: What a user should know.
    """

    nose: Nose
    gas: tuple[int, ...]
    air: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    time: int | None = None
    unit_ns: int = NS
    period_ns: int = NS
    odorants: Callable[[Sequence[str]], tuple[Odorant, ...]] = lambda _: ()
    phase: Callable[[int, Sequence[str]], Phase] = lambda _t, _cells: Phase.UNKNOWN
    session: str = ""
    to_ohm: Callable[[F64], F64] | None = None
    warnings: tuple[str, ...] = ()


class TableCodec:
    """One row is one reading.

    Args:
        name: Of the format.
        dialect: How the file is written.
        plan: What its columns mean.
        ohms: Convert the values to ohm.
    """

    def __init__(self, name: str, dialect: Dialect, plan: Plan, *, ohms: bool = False) -> None:
        self._dialect, self._plan = dialect, plan
        nose = plan.nose
        if ohms and plan.to_ohm is not None:
            channels = tuple(replace(c, unit="ohm") for c in nose.channels)
            nose = replace(nose, channels=channels)
        self._ohms = plan.to_ohm if ohms else None
        told = facts(name, dialect) | {PREFIX + "plan": _plan_text(plan)}
        self._nose = replace(nose, extra={**nose.extra, **told})
        self.noses: tuple[Nose, ...] = (self._nose,)
        self._good = (Fault.NONE,) * len(plan.gas)

    def check(self, row: tuple[str, ...]) -> None:
        """Raise ValueError if a cell that must be a number is none."""
        plan = self._plan
        for i in plan.gas:
            number(row[i])
        for i, _ in plan.air.values():
            number(row[i])
        if plan.time is not None:
            to_ns(row[plan.time], plan.unit_ns)

    def encode(self, row: Row) -> SmellFrame:
        """One row as a reading."""
        plan, texts = self._plan, row.cells
        values = np.array([number(texts[i]) for i in plan.gas], dtype=np.float64)
        air = {
            name: number(texts[i]) if factor == 1 else scaled(number(texts[i]), factor)
            for name, (i, factor) in plan.air.items()
        }
        t_ns = row.seq * plan.period_ns
        if plan.time is not None:
            t_ns = to_ns(texts[plan.time], plan.unit_ns)
        shown = values if self._ohms is None else self._ohms(values)
        extra: dict[str, str] = {}
        frame = SmellFrame(
            nose=self._nose,
            seq=row.seq,
            t_ns=t_ns,
            values=shown,
            faults=self._faults(values) if self._ohms is None else _converted(values, shown),
            time_source=TimeSource.ROW if plan.time is None else TimeSource.FILE,
            odorants=plan.odorants(texts),
            phase=plan.phase(t_ns, texts),
            session=plan.session,
            extra=extra,
            temperature_celsius=air.get("temperature", NAN),
            humidity_percent=air.get("humidity", NAN),
            pressure_hpa=air.get("pressure", NAN),
        )
        extra.update(remainder(row, self.decode(frame), self._dialect))
        return frame

    def _faults(self, values: F64) -> tuple[Fault, ...]:
        top = values.max(initial=0.0)
        if top < 2147483647.0:  # False for NaN too
            return self._good
        return tuple(_fault(v) for v in values.tolist())

    def decode(self, frame: SmellFrame) -> list[str]:
        """The cells of a reading."""
        plan, styles = self._plan, self._dialect.styles
        found = [""] * len(styles)
        if self._ohms is None:
            for i, raw in zip(plan.gas, frame.values.tolist(), strict=True):
                found[i] = written(raw, styles[i])
        for name, (i, factor) in plan.air.items():
            value: float = getattr(frame, AIR[name])
            back = value if factor == 1 or value != value else scaled(value, 1.0 / factor)  # noqa: PLR0124
            found[i] = written(back, styles[i])
        if plan.time is not None:
            found[plan.time] = text_of.ns_written(frame.t_ns, plan.unit_ns, styles[plan.time])
        for i, name in enumerate(self._dialect.names):
            if name in frame.extra:
                found[i] = frame.extra[name]
        return found


def _fault(value: float) -> Fault:
    if math.isnan(value):
        return Fault.MISSING
    return Fault.SENTINEL if value in SENTINELS else Fault.NONE


def _converted(values: F64, shown: F64) -> tuple[Fault, ...]:
    """A value that the formula has no resistance for is out of range; its text stays in `extra`."""
    pairs = zip(map(_fault, values.tolist()), shown.tolist(), strict=True)
    return tuple(
        Fault.OUT_OF_RANGE if fault is Fault.NONE and math.isnan(ohm) else fault
        for fault, ohm in pairs
    )


def _plan_text(plan: Plan) -> str:
    """What is needed to write cells again: channels, air, time."""
    told = {"gas": plan.gas, "air": dict(plan.air), "time": plan.time, "unit_ns": plan.unit_ns}
    return json.dumps(told)


def _plan_of(nose: Nose) -> Plan:
    told = json.loads(nose.extra[PREFIX + "plan"])
    air = {str(name): (int(i), float(factor)) for name, (i, factor) in told["air"].items()}
    time = None if told["time"] is None else int(told["time"])
    gas = tuple(int(i) for i in told["gas"])
    return Plan(nose, gas, air=air, time=time, unit_ns=int(told["unit_ns"]))


class TableFormat:
    """A format of text tables; a subclass says how to recognise it and what its columns mean."""

    name = ""
    title = ""
    suffixes: tuple[str, ...] = (".csv",)
    holds = "readings"
    columns: tuple[str, ...] = ()
    """Names of the columns of files without a header, or whose header does not name them."""
    skip = 0
    """Lines before the rows of such files."""

    def sniff(self, head: Head) -> bool:
        """Whether a file that begins like this is of this kind."""
        raise NotImplementedError

    def plan(self, dialect: Dialect, path: Path, rows: Sequence[Row]) -> Plan:
        """What the columns mean.

        Args:
            dialect: How the file is written.
            path: Its path, which may tell things its content does not.
            rows: The first of its rows.

        Raises:
            FormatError: They do not fit the format.
        """
        raise NotImplementedError

    def is_header(self, line: str) -> bool:
        """Whether a line is the header; what stands before it is the preamble."""
        return is_told(line)

    def is_remark(self, line: str) -> bool:
        """Whether a line between the rows is no row."""
        return line.startswith("#")

    def delimiter(self, head: Head) -> str:
        """What stands between the cells."""
        return delimiter_of(head.text)

    def sidecars(self, path: Path) -> dict[str, str]:
        """Texts of the files beside it that belong to it."""
        return {}

    def codec(self, dialect: Dialect, plan: Plan, *, ohms: bool, beside: dict[str, str]) -> Codec:
        """What makes readings of rows."""
        return TableCodec(self.name, dialect, plan, ohms=ohms)

    def read(self, path: Path, *, strict: bool = True, ohms: bool = False) -> Recording:
        """Open a file; see `Format.read`."""
        head = look(path)
        mark = self.delimiter(head)
        skip, preamble, names, encoding = self._header(path, mark)
        reader = Reader(path, mark, len(names), skip, lambda _: None, encoding=encoding)
        reader.remark, reader.strict = self.is_remark, False
        first = list(islice(reader.rows(), PREVIEW_ROWS))
        if not first:
            self._no_row(path, reader.damage, skip)
        dialect = _dialect(preamble, names, first, mark, encoding)
        plan = self._plan(dialect, path, first)
        beside = self.sidecars(path)
        told = {SIDECAR + ending: text for ending, text in beside.items()}
        air = tuple(name for name in AIR if name in plan.air)
        nose = replace(plan.nose, air=air, extra={**plan.nose.extra, **told})
        plan = replace(plan, nose=nose)
        codec = self.codec(dialect, plan, ohms=ohms, beside=beside)
        reader = Reader(
            path, mark, len(names), skip, codec.check,
            remark=self.is_remark, strict=strict, encoding=encoding,
        )  # fmt: skip
        return Recording(
            format=self.name,
            dialect=dialect,
            codec=codec,
            rows=reader.rows,
            path=path,
            warnings=list(plan.warnings),
            damage=reader.damage,
            sidecars=beside,
        )

    def from_frames(self, frames: Iterable[SmellFrame]) -> Recording:
        """A file from the readings of one; streams them, once."""
        waiting = iter(frames)
        first = next(waiting, None)
        if first is None:
            raise FormatError(Path("-"), "no reading to write", hint="thymos smell check FILE")
        dialect = dialect_of(first.nose, self.name)
        codec = TableCodec(self.name, dialect, _plan_of(first.nose))
        codec.noses = (first.nose,)

        def rows() -> Iterator[Row]:
            ended = True
            for n, frame in enumerate(of_one_file(first, waiting)):
                layout = layout_of(frame, dialect)
                if not ended:  # the row before was the last of its file
                    layout = ("\n" + layout[0], *layout[1:])
                ended = layout[-1].endswith("\n")
                yield Row(n + 1, n, tuple(codec.decode(frame)), layout)

        return Recording(self.name, dialect, codec, rows, sidecars=sidecars_of(first.nose))

    def _plan(self, dialect: Dialect, path: Path, first: Sequence[Row]) -> Plan:
        try:
            return self.plan(dialect, path, first)
        except (ValueError, LookupError, FrameError) as err:
            why = f"has other columns than {self.title}: {err}"
            raise FormatError(path, why, hint="is its header whole?", line=0) from err

    def _header(self, path: Path, mark: str) -> tuple[int, str, tuple[str, ...], str]:
        """Lines of the preamble, its text, the names of the columns, the encoding."""
        if self.columns:
            preamble = "".join(text for _, text in islice(lines(path), self.skip))
            return self.skip, preamble, self.columns, "utf-8"
        preamble = ""
        for n, text in lines(path):
            preamble += text
            if not self.is_header(text.removeprefix("\ufeff")):
                if n >= MOST_PREAMBLE or len(preamble) > MAX_LINE:
                    break
                continue
            encoding = "latin-1" if has_latin1(preamble) else "utf-8"
            header = _latin1(text) if encoding == "latin-1" else text.removeprefix("\ufeff")
            preamble = _latin1(preamble) if encoding == "latin-1" else preamble
            names = tuple(unquoted(c) for c in split(header, mark)[0])
            self._check_names(path, names, n)
            return n, preamble, names, encoding
        raise FormatError(
            path, "has no header line", hint="a header with column names is needed, as t_s,NO2,CO"
        )

    def _check_names(self, path: Path, names: tuple[str, ...], line: int) -> None:
        if len(names) > MOST_COLUMNS:
            raise FormatError(path, f"{len(names)} columns", hint="no nose has as many", line=line)
        twice = next((name for name in names if name and names.count(name) > 1), "")
        if twice:
            where = [i + 1 for i, name in enumerate(names) if name == twice]
            why = f"column '{twice[:40]}' stands twice (columns {where[0]} and {where[1]})"
            raise FormatError(path, why, hint="rename one of them in the header", line=line)

    def _no_row(self, path: Path, damage: Damage, skip: int) -> None:
        if damage.places:
            where, _, why = damage.places[0].partition(": ")
            line = int(where.removeprefix("line "))
            raise FormatError(path, why, hint="no row of it is readable", line=line)
        raise FormatError(
            path,
            "holds a header and no row" if skip else "holds no row",
            hint="record again, or copy the whole file",
        )


def _dialect(
    preamble: str, names: tuple[str, ...], first: Sequence[Row], mark: str, encoding: str
) -> Dialect:
    layouts = [row.layout for row in first]
    usual = max(set(layouts), key=lambda layout: (layouts.count(layout), layout))
    styles = tuple(style_of(row.cells[i] for row in first) for i in range(len(names)))
    return Dialect(preamble, names, usual, styles, mark, encoding)


def _latin1(text: str) -> str:
    """A text that was read as UTF-8 and is none."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")
