"""Rows of a `dataBlock` in JSON, one at a time: the file is never in memory as a whole.

Numbers keep their text (1371734.750000), and so does what stands between them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from thymos.errors import MediaError
from thymos.smell.formats.base import SALVAGE, Damage, FormatError, Row

CHUNK = 1 << 20
MAX_PREAMBLE = 1 << 22
MAX_TAIL = 1 << 22
MAX_ROW = 1 << 16
_BEGIN = re.compile(r'(?<!\\)"dataBlock"\s*:\s*\[')
_ROW = re.compile(r"[\s,]*\[[^\[\]]*\]")
_END = re.compile(r"\s*\]")
_BETWEEN = re.compile(r"(\s*,\s*)")
_ONE = (
    r"(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|NaN|-?Infinity"
    r'|"[^"\\,\[\]]*")'
)
_SCALAR = re.compile(_ONE)
_SCALARS = re.compile(rf"{_ONE}(?:\s*,\s*{_ONE})*")
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')
_CLOSES = {"{": "}", "[": "]"}


@dataclass(frozen=True, slots=True)
class Frame:
    """A JSON file around its rows.

    Attributes:
        preamble: Up to the bracket that opens the rows.
        tail: From the bracket that closes them; made up where the file was cut off.
        data: The JSON with no rows.
        rows: How many were found, damaged ones too.
    """

    preamble: str
    tail: str
    data: dict[str, Any]
    rows: int


class Block:
    """The rows of one file.

    Args:
        path: The file.
        strict: Damage is an error.
        hint: What to do about it.
    """

    def __init__(self, path: Path, *, strict: bool, hint: str) -> None:
        self.path, self.strict, self.hint = path, strict, hint
        self.damage = Damage()
        self.tail = ""
        self.total = 0
        self._kept = 0

    def preamble(self) -> str:
        """What stands before the rows.

        Raises:
            FormatError: There are none.
        """
        with self._open() as file:
            return self._preamble(file)[0]

    def head(self) -> dict[str, Any]:
        """The JSON before the rows, closed there; empty if it cannot be closed."""
        preamble = self.preamble()
        try:
            data = json.loads(preamble.removeprefix("\ufeff") + _closing(preamble))
        except (ValueError, RecursionError):
            return {}
        return data if isinstance(data, dict) else {}

    def around(self, visit: Callable[[Row], None] = lambda _: None) -> Frame:
        """Read over the whole file once, and check that it is JSON apart from its rows.

        Args:
            visit: Is shown each row.

        Raises:
            FormatError: It is damaged (strict), or its head is.
        """
        preamble = self.preamble()
        for row in self.rows():
            visit(row)
        try:
            data = json.loads(preamble.removeprefix("\ufeff") + self.tail)
        except (ValueError, RecursionError) as err:
            why = f"no JSON: {err}"
            raise FormatError(self.path, why, hint=self.hint, line=_line_of(err)) from err
        if not isinstance(data, dict):
            raise FormatError(self.path, "is JSON of another kind", hint=self.hint)
        return Frame(preamble, self.tail, data, self.total)

    def rows(self) -> Iterator[Row]:
        """The rows, in order; damaged ones are left out and counted, or raised.

        Raises:
            FormatError: A row is damaged, and reading is strict.
        """
        self.damage.rows, self.damage.places = 0, []
        self._kept = 0
        with self._open() as file:
            preamble, text = self._preamble(file)
            yield from self._scan(file, text, preamble)

    def reject(self, row: Row, why: str) -> None:
        """Say that a row that looked well is damaged.

        Raises:
            FormatError: Reading is strict.
        """
        self._kept -= 1
        self._damaged(row.line, why)

    def _scan(self, file: IO[str], text: str, preamble: str) -> Iterator[Row]:
        at, seq, line = 0, 0, preamble.count("\n") + 1
        while True:
            if len(text) - at < MAX_ROW:
                more = self._read(file)
                text, at = text[at:] + more, 0
            found = _ROW.match(text, at)
            if found is not None and found.end() - at <= MAX_ROW:
                piece = found[0]
                at = found.end()
                row = self._row(piece, line, seq)
                line += piece.count("\n")
                seq += 1
                if row is not None:
                    self._kept += 1
                    yield row
                continue
            ending = _END.match(text, at)
            if ending is not None:
                self.tail = self._tail(file, text[at:])
                self.total = seq
                return
            step = self._skip(text, at)
            if step:
                lead = text[at : at + step]
                begin = line + lead[: len(lead) - len(lead.lstrip(" \t\r\n,"))].count("\n")
                self._damaged(begin, f"row {seq + 1} is no list of numbers")
                line += text.count("\n", at, at + step)
                at, seq = at + step, seq + 1
                continue
            self._damaged(line, f"the file ends in the middle, in row {seq + 1}")
            self.tail, self.total = _closing(preamble), seq
            return

    def _row(self, piece: str, line: int, seq: int) -> Row | None:
        before, _, inner = piece.partition("[")
        inside = inner[:-1]
        body = inside.strip()
        lead = inside[: len(inside) - len(inside.lstrip())] if body else inside
        trail = inside[len(lead) + len(body) :]
        pieces = _BETWEEN.split(body)
        cells = tuple(pieces[::2])
        begin = line + before.count("\n")
        wrong = None
        if _SCALARS.fullmatch(body) is None:
            wrong = next((cell for cell in cells if not _SCALAR.fullmatch(cell)), body)
        if wrong is not None or before.strip() != ("," if seq else ""):
            comma = "a comma too many or too few before it"
            what = comma if wrong is None else f"'{wrong[:20]}' is no number"
            self._damaged(begin, f"row {seq + 1}: {what}")
            return None
        return Row(begin, seq, cells, (f"{before}[{lead}", *pieces[1::2], f"{trail}]"))

    def _skip(self, text: str, at: int) -> int:
        """Length of something that is JSON and no row; 0 if nothing whole is there."""
        start = at + len(text[at:]) - len(text[at:].lstrip(" \t\r\n,"))
        try:
            _, end = json.JSONDecoder().raw_decode(text, start)
        except (ValueError, RecursionError):
            nearest = text.find("]", start, start + MAX_ROW)
            follows = text.find("[", nearest) if nearest >= 0 else -1
            return nearest + 1 - at if follows >= 0 else 0
        return end - at

    def _tail(self, file: IO[str], rest: str) -> str:
        rest += file.read(MAX_TAIL)
        if file.read(1):
            raise FormatError(self.path, "goes on and on behind its rows", hint=self.hint)
        return rest

    def _preamble(self, file: IO[str]) -> tuple[str, str]:
        """What stands before the rows, and what was read of them."""
        text = ""
        while len(text) < MAX_PREAMBLE:
            more = self._read(file)
            text += more
            found = _BEGIN.search(text)
            if found is not None:
                return text[: found.end()], text[found.end() :]
            if not more:
                break
        try:
            json.loads(text.removeprefix("\ufeff"))
        except (ValueError, RecursionError) as err:
            why = f"no JSON: {err}"
            raise FormatError(self.path, why, hint=self.hint, line=_line_of(err)) from err
        raise FormatError(self.path, "lacks its rows ('dataBlock')", hint=self.hint)

    def _read(self, file: IO[str]) -> str:
        try:
            return file.read(CHUNK)
        except UnicodeDecodeError as err:
            why = "holds bytes that are no UTF-8"
            raise FormatError(self.path, why, hint=self.hint) from err
        except OSError as err:
            raise MediaError(f"cannot read '{self.path}': {err.strerror}", hint=self.hint) from err

    def _open(self) -> IO[str]:
        try:
            return self.path.open(encoding="utf-8", newline="")
        except OSError as err:
            raise MediaError(f"cannot read '{self.path}': {err.strerror}", hint=self.hint) from err

    def _damaged(self, line: int, why: str) -> None:
        if self.strict:
            raise FormatError(self.path, why, hint=SALVAGE, line=line, kept=self._kept)
        self.damage.add(line, why)


def _closing(preamble: str) -> str:
    """Brackets that close what a preamble opened."""
    open_ = []
    for mark in _STRINGS.sub("", preamble):
        if mark in "{[":
            open_.append(mark)
        elif mark in "}]" and open_:
            open_.pop()
    return "".join(_CLOSES[mark] for mark in reversed(open_))


def _line_of(err: BaseException) -> int:
    return int(getattr(err, "lineno", 0))
