"""All cells of a text table as numbers: for recipes and scores, which need no frames."""

from __future__ import annotations

import math
import re
from itertools import islice

import numpy as np

from thymos.smell.formats.base import Recording
from thymos.smell.formats.cells import MOST_CHARS, number
from thymos.smell.formats.opening import lines
from thymos.smell.frame import F64

_PLAIN = re.compile(r"[0-9.eE+\-,;\t ]*\r?\n?")
LARGE = 1e10
"""Files with such numbers are read row by row: a time may not be as large as a value."""


def numbers(recording: Recording) -> F64:
    """All cells of a recording, [rows, names of `recording.dialect`], as they stand in the file.

    Sentinels stay what they are; a cell that is empty or a word is NaN. A file in which every cell
    is a plain number is read at once, in a fifth of the time that frames take; any other row by
    row, with the same result and the same errors.

    Args:
        recording: An open text table; values are never converted (`ohms`).

    Raises:
        FormatError: A row is damaged, and the recording was opened strict.
    """
    found = _at_once(recording)
    return _by_row(recording) if found is None else found


def _at_once(recording: Recording) -> F64 | None:
    """None where something is not a plain number: what that means is told row by row."""
    dialect = recording.dialect
    if recording.path is None or dialect.delimiter == " ":
        return None
    head = dialect.preamble.count("\n")
    rows = [text for _, text in islice(lines(recording.path, dialect.encoding), head, None)]
    if not rows or not all(_plain(text, dialect.delimiter) for text in rows):
        return None
    try:
        found = np.loadtxt(rows, np.float64, comments=None, delimiter=dialect.delimiter, ndmin=2)
    except ValueError:
        return None
    whole = found.shape[1] == len(dialect.names) and bool((np.abs(found) < LARGE).all())
    return found if whole else None


def _plain(text: str, delimiter: str) -> bool:
    """Whether a row holds nothing of which numpy and `cells.number` might think differently."""
    if _PLAIN.fullmatch(text) is None or not text.strip():
        return False
    return len(text) <= MOST_CHARS or max(map(len, text.split(delimiter))) <= MOST_CHARS


def _by_row(recording: Recording) -> F64:
    rows = [[_number(cell) for cell in row.cells] for row in recording.rows()]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(recording.dialect.names))


def _number(cell: str) -> float:
    try:
        return number(cell)
    except ValueError:
        return math.nan
