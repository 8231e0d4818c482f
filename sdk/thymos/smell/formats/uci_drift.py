"""UCI Gas Sensor Array Drift (ids 224, 270), as libsvm text and as CSV.

The files hold no readings: each row is one exposure of 16 sensors, told by 8 features a sensor
(steady state and exponential moving averages, Vergara et al. 2012). They become a `FeatureTable`
and never smell frames. The values keep their text, so that either file can be made from the other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from thymos.smell.formats.base import SALVAGE, Damage, FormatError, Row
from thymos.smell.formats.cells import number
from thymos.smell.formats.delimited import Between, Reader
from thymos.smell.formats.opening import Head, lines, look
from thymos.smell.frame import F64, SmellFrame

SENSORS = 16
KINDS = (
    "dR", "dR_norm", "ema_rise_0.001", "ema_rise_0.01", "ema_rise_0.1", "ema_decay_0.001",
    "ema_decay_0.01", "ema_decay_0.1",
)  # fmt: skip
NAMES = tuple(f"s{sensor:02d}_{kind}" for sensor in range(1, SENSORS + 1) for kind in KINDS)
GASES = ("Ethanol", "Ethylene", "Ammonia", "Acetaldehyde", "Acetone", "Toluene")
"""Labels 1 to 6."""
_PARTS = re.compile(r"(;|[ \t]+(\d+):)")
_FIRST = re.compile(r"[1-9]\d?(;\S+)?[ \t]+1:\S+[ \t]+2:\S")


@dataclass(frozen=True, slots=True)
class Exposure:
    """One exposure, as features.

    Attributes:
        gas: What it was.
        ppm: How much, NaN if the file does not tell.
        values: Features [names].
    """

    gas: str
    ppm: float
    values: F64


@dataclass(slots=True)
class FeatureTable:
    """Features of exposures, not readings of a nose.

    Attributes:
        format: Name in `FORMATS`.
        names: Of the features.
        columns: Of all cells of a row.
        preamble: Before the rows.
        rows: The rows, from the beginning at every call.
        path: Where it was read.
        warnings: What a user should know.
        damage: What was left out so far (salvage).
    """

    format: str
    names: tuple[str, ...]
    columns: tuple[str, ...]
    preamble: str
    rows: Callable[[], Iterator[Row]]
    path: Path | None = None
    warnings: list[str] = field(default_factory=list)
    damage: Damage = field(default_factory=Damage)

    def exposures(self) -> Iterator[Exposure]:
        """Its rows as numbers, one at a time."""
        gas = next(i for i, name in enumerate(self.columns) if name in ("gas", "label"))
        ppm = self.columns.index("ppm") if "ppm" in self.columns else None
        where = [self.columns.index(name) for name in self.names]
        for row in self.rows():
            cells = row.cells
            values = np.array([number(cells[i]) for i in where])
            amount = number(cells[ppm]) if ppm is not None else float("nan")
            yield Exposure(gas_of(cells[gas]), amount, values)

    def frames(self) -> Iterator[SmellFrame]:
        """There are none.

        Raises:
            FormatError: Always.
        """
        raise FormatError(
            self.path or Path("-"),
            "holds features of exposures, not readings of a nose",
            hint="it can be converted between .csv and .dat (libsvm) only",
        )

    def texts(self) -> Iterator[str]:
        """The whole file, piece by piece."""
        yield self.preamble
        for row in self.rows():
            yield row.text()


def gas_of(label: str) -> str:
    """Name of a gas by number or name; what is unknown stays as it is."""
    known = label.isdigit() and label.isascii() and 0 < int(label[:3]) <= len(GASES)
    return GASES[int(label) - 1] if known else label


class _DriftFormat:
    holds = "features"
    title = ""

    def from_frames(self, frames: Iterable[SmellFrame]) -> FeatureTable:
        """Readings are no features."""
        raise FormatError(
            Path("-"), f"cannot be {self.title}: readings are no features", hint="choose .csv"
        )


class UciCsv(_DriftFormat):
    """A row of names, then one exposure a row."""

    name = "uci-drift-csv"
    title = "UCI drift features, CSV"
    suffixes = (".csv",)

    def sniff(self, head: Head) -> bool:
        """Columns `gas`, `ppm` and features."""
        names = _names(head.first)
        return names[:1] == ("gas",) and set(NAMES[:8]) <= set(names)

    def read(self, path: Path, *, strict: bool = True, ohms: bool = False) -> FeatureTable:
        """Open a file; see `Format.read`."""
        head = look(path)
        names = _names(head.first)
        if len(set(names)) < len(names):
            raise FormatError(path, "a column stands twice", hint="rename it", line=1)
        features = tuple(name for name in names if name not in ("gas", "ppm"))
        words = names.index("gas")

        def check(cells: tuple[str, ...]) -> None:
            for i, cell in enumerate(cells):
                if i != words and math.isnan(number(cell)):
                    raise ValueError(f"no value in column {names[i]}")

        reader = Reader(path, ",", len(names), 1, check, strict=strict)
        preamble = next(lines(path))[1]
        return FeatureTable(
            self.name, features, names, preamble, reader.rows, path, damage=reader.damage
        )

    def of(self, table: FeatureTable) -> FeatureTable:
        """The same exposures as CSV; the texts of the numbers stay."""
        columns = ("gas", "ppm", *NAMES)

        def rows() -> Iterator[Row]:
            layout = ("", *[","] * (len(columns) - 1), "\n")
            for row in table.rows():
                cells = _in_order(row, table)
                yield Row(row.line, row.seq, (gas_of(cells[0]), *cells[1:]), layout)

        return FeatureTable(self.name, NAMES, columns, ",".join(columns) + "\n", rows)


class UciLibsvm(_DriftFormat):
    """`label;conc 1:v 2:v … 128:v`; the older set (224) has no `;conc`."""

    name = "uci-drift-libsvm"
    title = "UCI drift features, libsvm"
    suffixes = (".dat", ".libsvm")

    def sniff(self, head: Head) -> bool:
        """A label, perhaps an amount, then numbered values."""
        return _FIRST.match(head.first) is not None

    def read(self, path: Path, *, strict: bool = True, ohms: bool = False) -> FeatureTable:
        """Open a file; see `Format.read`."""
        head = look(path)
        count = max(len(_split(head.first)[0]) - 1, 0)
        told = ";" in head.first.split(":", 1)[0]
        columns = ("label", "ppm", *NAMES) if told else ("label", *NAMES)
        if count + 1 != len(columns):
            raise FormatError(
                path,
                f"{count - told} features where {len(NAMES)} belong",
                hint="libsvm text of UCI 224 or 270 is needed",
                line=1,
            )
        damage = Damage()

        def rows() -> Iterator[Row]:
            damage.rows, damage.places = 0, []
            kept, between = 0, Between(path)
            last: Row | None = None
            for seq, (n, text) in enumerate(lines(path)):
                if not text.strip():
                    between.add(n, text)
                    continue
                try:
                    cells, layout = _checked(text, columns)
                except ValueError as err:
                    if strict:
                        hint = SALVAGE
                        raise FormatError(path, str(err), hint=hint, line=n, kept=kept) from err
                    damage.add(n, str(err))
                    continue
                kept += 1
                if last is not None:
                    yield last
                last = Row(n, seq, cells, (between.take() + layout[0], *layout[1:]))
            if last is not None:  # empty lines at the end belong to it
                yield replace(last, layout=(*last.layout[:-1], last.layout[-1] + between.take()))

        return FeatureTable(self.name, NAMES, columns, "", rows, path, damage=damage)

    def of(self, table: FeatureTable) -> FeatureTable:
        """The same exposures as libsvm text; the texts of the numbers stay."""
        columns = ("label", "ppm", *NAMES)
        layout = ("", ";", *(f" {i}:" for i in range(1, len(NAMES) + 1)), " \n")

        def rows() -> Iterator[Row]:
            for row in table.rows():
                cells = _in_order(row, table)
                name = gas_of(cells[0])
                if name not in GASES:
                    raise FormatError(
                        table.path or Path("-"), f"'{name[:40]}' has no number in the UCI set",
                        hint=f"known: {', '.join(GASES)}", line=row.line,
                    )  # fmt: skip
                label = str(GASES.index(name) + 1)
                yield Row(row.line, row.seq, (label, *cells[1:]), layout)

        return FeatureTable(self.name, NAMES, columns, "", rows)


def _names(line: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in line.strip().split(","))


def _in_order(row: Row, table: FeatureTable) -> tuple[str, ...]:
    """Label, amount, then the 128 features."""
    by_name = dict(zip(table.columns, row.cells, strict=True))
    label = by_name.get("gas", by_name.get("label", ""))
    try:
        return (label, by_name.get("ppm", ""), *(by_name[name] for name in NAMES))
    except KeyError as err:
        raise FormatError(table.path or Path("-"), f"lacks the feature {err}", hint="") from err


def _split(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    body = text.rstrip()
    inner = body.lstrip()
    pieces = _PARTS.split(inner)
    return tuple(pieces[::3]), (
        body[: len(body) - len(inner)], *pieces[1::3], text[len(body) :]
    )  # fmt: skip


def _checked(text: str, columns: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if "\x00" in text:
        raise ValueError("a NUL byte")
    cells, layout = _split(text)
    if len(cells) != len(columns):
        raise ValueError(f"{len(cells)} values where {len(columns)} belong")
    marks = [mark for mark in layout[1:-1] if mark != ";"]
    if any(mark.strip() != f"{i}:" for i, mark in enumerate(marks, 1)):
        raise ValueError("the features are not numbered 1, 2, 3 …")
    if not (cells[0].isascii() and cells[0].isdigit()):
        raise ValueError(f"the label is '{cells[0][:20]}'")
    for cell in cells[1:]:
        if math.isnan(number(cell)):
            raise ValueError("a value is missing")
    return cells, layout
