"""Rows of text tables: cells and what stands between them, so that nothing of a file is lost."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from thymos.smell.formats.base import SALVAGE, Damage, FormatError, Row
from thymos.smell.formats.cells import DECIMAL_COMMA
from thymos.smell.formats.opening import MAX_LINE, lines

_BETWEEN = {
    ",": re.compile(r"([ \t]*,[ \t]*)"),
    ";": re.compile(r"([ \t]*;[ \t]*)"),
    "\t": re.compile(r"([ ]*\t[ ]*)"),
    " ": re.compile(r"([ \t]+)"),
}
_QUOTED = {
    mark: re.compile(
        rf'[ \t]*("(?:[^"]|"")*"|[^{re.escape(mark)}]*?)([ \t]*(?:{re.escape(mark)}|$))'
    )
    for mark in (",", ";", "\t")
}
_UNIFORM: dict[tuple[str, int, str], tuple[str, ...]] = {}
_MOST_CACHED = 256

Cells = tuple[tuple[str, ...], tuple[str, ...]]


def split(line: str, mark: str) -> Cells:
    """Take a line apart.

    Args:
        line: With its end.
        mark: Delimiter; a blank stands for any run of blanks and tabs.

    Returns:
        Texts of the cells, without blanks around them, and the layout (`Row.layout`).
    """
    body = line.rstrip("\r\n")
    end = line[len(body) :]
    if '"' in body and mark != " ":
        return _split_quoted(body, mark, end)
    if mark != " " and " " not in body and (mark == "\t" or "\t" not in body):
        cells = tuple(body.split(mark))
        key = (mark, len(cells), end)
        layout = _UNIFORM.get(key)
        if layout is None:
            layout = ("", *[mark] * (len(cells) - 1), end)
            if len(_UNIFORM) < _MOST_CACHED:
                _UNIFORM[key] = layout
        return cells, layout
    blanks = " " if mark == "\t" else " \t"
    inner = body.strip(blanks)
    before = body[: len(body) - len(body.lstrip(blanks))] if inner else body
    after = body[len(before) + len(inner) :]
    pieces = _BETWEEN[mark].split(inner)
    return tuple(pieces[::2]), (before, *pieces[1::2], after + end)


def _split_quoted(body: str, mark: str, end: str) -> Cells:
    """Cells may stand in quotes and hold delimiters; the quotes stay with the text."""
    cells: list[str] = []
    layout: list[str] = []
    at, between = 0, ""
    while at <= len(body):
        found = _QUOTED[mark].match(body, at)
        if found is None:  # text behind a closing quote
            cells.append(body[at:])
            layout.append(between)
            between = ""
            break
        cells.append(found[1])
        layout.append(between + body[at : found.start(1)])
        between, at = found[2], found.end()
        if not between.endswith(mark):
            break
    return tuple(cells), (*layout, between + end)


def unquoted(cell: str) -> str:
    """The text of a cell without its quotes."""
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell


def delimiter_of(text: str) -> str:
    """The delimiter of a table, by its first lines: the mark that most of them share.

    A comma in a line with semicolons or tabs may be a decimal one, unless the header has it too;
    where nothing is shared it is a blank.
    """
    some = [line for line in text.split("\n") if line.strip() and not line.startswith("#")][:20]
    if not some:
        return ","
    shared = {mark: Counter(line.count(mark) for line in some).most_common(1)[0] for mark in ";\t,"}
    usual = [mark for mark, (count, times) in shared.items() if count and 2 * times >= len(some)]
    if "," in usual and some[0].count(",") >= max(some[0].count(";"), some[0].count("\t"), 1):
        return ","
    if usual:
        return usual[0]
    first = max(";\t,", key=some[0].count)
    return first if first in some[0] else " "


def has_latin1(text: str) -> bool:
    """Whether bytes that are no UTF-8 stand in a text (read with surrogates)."""
    return any("\udc80" <= c <= "\udcff" for c in text) if not text.isascii() else False


class Between:
    """Collects the empty lines and remarks before a row."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._texts: list[str] = []
        self._length = 0

    def add(self, line: int, text: str) -> None:
        """One more.

        Raises:
            FormatError: They never end.
        """
        self._texts.append(text)
        self._length += len(text)
        if self._length > MAX_LINE:
            why = f"more than {MAX_LINE} characters of empty lines and remarks"
            raise FormatError(self._path, why, hint="this is no table of a nose", line=line)

    def take(self) -> str:
        """What was collected; the next row begins with none."""
        found = "".join(self._texts) if self._texts else ""
        self._texts, self._length = [], 0
        return found


class Reader:
    """Reads the rows of one file, again and again.

    Args:
        path: The file.
        mark: Delimiter.
        width: Cells in a row.
        skip: Lines of the preamble.
        check: Raises ValueError if the cells are not what they must be.
        remark: Whether a line is no row but a remark.
        strict: A damaged row is an error.
        encoding: Of the text.
    """

    def __init__(
        self,
        path: Path,
        mark: str,
        width: int,
        skip: int,
        check: Callable[[tuple[str, ...]], object],
        *,
        remark: Callable[[str], bool] = lambda _: False,
        strict: bool = True,
        encoding: str = "utf-8",
    ) -> None:
        self.path, self.mark, self.width, self.skip = path, mark, width, skip
        self.check, self.remark = check, remark
        self.strict, self.encoding = strict, encoding
        self.damage = Damage()

    def rows(self) -> Iterator[Row]:
        """The rows, in order; holds back one, as empty lines at the end belong to the last.

        Raises:
            FormatError: A row is damaged, and reading is strict.
        """
        self.damage.rows, self.damage.places = 0, []
        last: Row | None = None
        between = Between(self.path)
        seq, kept, text = 0, 0, "\n"
        for n, text in lines(self.path, self.encoding):
            if n <= self.skip:
                continue
            if not text.strip() or (self.remark(text) and not self._foreign(text)):
                between.add(n, text)
                continue
            cells, layout = split(text, self.mark)
            why = self._wrong(text, cells)
            if why:
                self._damaged(n, why, kept)
                seq += 1
                continue
            before = between.take()
            if before:
                layout = (before + layout[0], *layout[1:])
            if last is not None:
                yield last
            last = Row(n, seq, cells, layout)
            seq, kept = seq + 1, kept + 1
        self.damage.cut = not text.endswith("\n")
        if last is not None:
            ending = (*last.layout[:-1], last.layout[-1] + between.take())
            yield replace(last, layout=ending)

    def _foreign(self, text: str) -> bool:
        return self.encoding == "utf-8" and has_latin1(text)

    def _wrong(self, text: str, cells: tuple[str, ...]) -> str:
        if "\x00" in text:
            return "a NUL byte"
        if len(cells) != self.width:
            comma = self.mark == "," and len(cells) > self.width
            more = "; perhaps decimal commas" if comma else ""
            return f"{len(cells)} cells where {self.width} belong{more}"
        if self._foreign(text):
            return "bytes that are no UTF-8"
        try:
            self.check(cells)
        except ValueError as err:
            return str(err)
        return ""

    def _damaged(self, line: int, why: str, kept: int) -> None:
        if self.strict:
            comma = "comma" in why
            hint = "write numbers with a point, columns with commas" if comma else SALVAGE
            raise FormatError(self.path, why, hint=hint, line=line, kept=kept)
        self.damage.add(line, why)


def looks_like_decimal_comma(cells: tuple[str, ...]) -> bool:
    """Whether a cell is a number with a comma."""
    return any(DECIMAL_COMMA.fullmatch(cell) for cell in cells)
