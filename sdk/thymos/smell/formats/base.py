"""What every format of a foreign nose file has in common: recordings, rows, damage, codecs.

A file is taken apart into what stands before the first row (`Dialect.preamble`), its rows (the
texts of the cells, and what stands between them) and what follows. Put together again it is the
same file, byte for byte. What the cells mean is the business of a `Codec`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from thymos.errors import MediaError
from thymos.smell.frame import Nose, SmellFrame

MOST_TOLD = 100
"""So many damaged places are told one by one; the others are only counted."""
PREVIEW_ROWS = 200
"""So many rows are looked at to find units, number formats and the rate."""
AIR = {
    "temperature": "temperature_celsius",
    "humidity": "humidity_percent",
    "pressure": "pressure_hpa",
}
"""Quantities of `Nose.air` → fields of the record."""
SALVAGE = "with --salvage (strict=False) the rest is read and what is left out is counted"


def printable(text: str) -> str:
    """A text of a file for a terminal: what would move the cursor or hide is written out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class FormatError(MediaError):
    """A file of a nose is damaged, or not what its name says.

    Attributes:
        path: The file.
        line: Line (of JSON: row) of the damage, counted from 1; 0 if it is the whole file.
        kept: So many rows before it are readable.
    """

    def __init__(self, path: Path, why: str, *, hint: str, line: int = 0, kept: int = 0) -> None:
        where = f"'{path}', line {line}: {why}" if line else f"'{path}' {why}"
        before = f"; {kept} rows before it are readable" if kept else ""
        super().__init__(printable(where + before), hint=hint)
        self.path, self.line, self.kept = path, line, kept


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file.

    Attributes:
        line: Where it stands, from 1 (in JSON: the line on which it begins).
        seq: Which row it is, from 0; damaged rows count.
        cells: Texts of the cells.
        layout: What stands before the first cell, between the cells, and behind the last one
            [cells + 1]; empty lines and remarks before a row are part of its first entry.
    """

    line: int
    seq: int
    cells: tuple[str, ...]
    layout: tuple[str, ...]

    def text(self) -> str:
        """The row as it stood in the file."""
        first, *rest = self.layout
        return first + "".join(cell + after for cell, after in zip(self.cells, rest, strict=True))


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written, apart from its rows.

    Attributes:
        preamble: Everything before the first row, a byte order mark and the header included.
        names: Of the columns, without blanks around them.
        layout: Of most rows.
        styles: How numbers are written in each column, see `cells.style_of`.
        delimiter: Between cells; a blank stands for any run of blanks.
        encoding: `utf-8` or `latin-1`.
        tail: Everything after the last row.
    """

    preamble: str
    names: tuple[str, ...]
    layout: tuple[str, ...]
    styles: tuple[str, ...]
    delimiter: str = ","
    encoding: str = "utf-8"
    tail: str = ""


@dataclass(slots=True)
class Damage:
    """What of a file could not be read; only salvage gets this far.

    Attributes:
        rows: So many rows were left out.
        places: The first of them, in words.
        cut: The last line has no end, so that its last number may be cut off.
    """

    rows: int = 0
    places: list[str] = field(default_factory=list)
    cut: bool = False

    def add(self, line: int, why: str) -> None:
        """Count one more."""
        self.rows += 1
        if len(self.places) < MOST_TOLD:
            self.places.append(printable(f"line {line}: {why}"))


class Codec(Protocol):
    """What the cells of a format mean."""

    noses: tuple[Nose, ...]

    def check(self, cells: tuple[str, ...]) -> object:
        """Raise ValueError, with the reason in words, if a row is damaged."""

    def encode(self, row: Row) -> SmellFrame:
        """One row as a reading; what does not fit is kept in `extra`."""

    def decode(self, frame: SmellFrame) -> list[str]:
        """The cells of a reading; an empty text for what the record has no place for."""


@dataclass(slots=True)
class Recording:
    """An open file, or what is to become one.

    Attributes:
        format: Name in `FORMATS`.
        dialect: How it is written.
        codec: What its cells mean.
        rows: Its rows, from the beginning at every call, one at a time.
        path: Where it was read; None if it was made from readings.
        warnings: What a user of the file should know.
        damage: What was left out so far (salvage).
        sidecars: Files that belong to it: ending of the name → text.
    """

    format: str
    dialect: Dialect
    codec: Codec
    rows: Callable[[], Iterator[Row]]
    path: Path | None = None
    warnings: list[str] = field(default_factory=list)
    damage: Damage = field(default_factory=Damage)
    sidecars: dict[str, str] = field(default_factory=dict)

    @property
    def noses(self) -> tuple[Nose, ...]:
        """The noses whose readings it holds (a board of eight sensors is eight)."""
        return self.codec.noses

    def frames(self) -> Iterator[SmellFrame]:
        """Its readings, one at a time.

        Raises:
            FormatError: A row is damaged, and the file was opened strict.
        """
        for row in self.rows():
            yield self.codec.encode(row)

    def texts(self) -> Iterator[str]:
        """The whole file, piece by piece."""
        yield self.dialect.preamble
        for row in self.rows():
            yield row.text()
        yield self.dialect.tail


class Format(Protocol):
    """A kind of file."""

    @property
    def name(self) -> str:
        """Short, stable: `smellnet`."""

    @property
    def title(self) -> str:
        """For people."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Endings of file names, lower case, the usual one first."""

    @property
    def holds(self) -> str:
        """`readings`, `features` or `settings`."""

    def sniff(self, head: Any) -> bool:
        """Whether a file that begins like this is of this kind (`opening.Head`)."""

    def read(self, path: Path, *, strict: bool = True, ohms: bool = False) -> Any:
        """Open a file; rows are read when they are asked for.

        Args:
            path: The file.
            strict: The first damaged row is an error; otherwise it is left out and counted.
            ohms: Convert the values to ohm by the formula of the data set; the texts of the
                cells stay as they are.

        Raises:
            MediaError: It is missing, damaged (`FormatError`), or of another kind.
        """

    def from_frames(self, frames: Iterable[SmellFrame]) -> Any:
        """A file of this kind from readings, the opposite of `thymos.smell.formats.frames`.

        Raises:
            FormatError: The readings do not come from such a file.
        """
