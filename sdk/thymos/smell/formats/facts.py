"""How a file was written, as facts of its nose: from them the file can be made again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from thymos.smell.formats.base import Dialect, FormatError, Row
from thymos.smell.frame import Nose, SmellFrame

PREFIX = "file."
LAYOUT = PREFIX + "layout"
SIDECAR = PREFIX + "beside"
MOST_NOSES = 64
"""So many are remembered as known to come from the same file."""


def sidecars_of(nose: Nose) -> dict[str, str]:
    """Files that stood beside the one a nose was read from: ending of the name → text."""
    told = nose.extra.items()
    return {k.removeprefix(SIDECAR): text for k, text in told if k.startswith(SIDECAR)}


def facts(name: str, dialect: Dialect) -> dict[str, str]:
    """How a file was written, as facts of the nose: from them the file can be made again."""
    told = {
        "format": name,
        "preamble": dialect.preamble,
        "names": json.dumps(dialect.names, ensure_ascii=False),
        "layout": packed(dialect.layout),
        "styles": " ".join(dialect.styles),
        "delimiter": dialect.delimiter,
        "encoding": dialect.encoding,
        "tail": dialect.tail,
    }
    return {PREFIX + key: value for key, value in told.items()}


def dialect_of(nose: Nose, name: str) -> Dialect:
    """The opposite of `facts`.

    Raises:
        FormatError: The nose was not read from a file of this format.
    """
    try:
        return _dialect_of(nose, name)
    except (KeyError, ValueError, TypeError, AttributeError) as err:
        raise FormatError(
            Path("-"),
            f"cannot be made as '{name}': the readings do not come from such a file",
            hint="convert to .csv, .jsonl, .parquet or .mcap instead",
        ) from err


def _dialect_of(nose: Nose, name: str) -> Dialect:
    told = {key.removeprefix(PREFIX): value for key, value in nose.extra.items()}
    if told["format"] != name:
        raise ValueError(told["format"])
    names = tuple(str(name) for name in json.loads(told["names"]))
    return Dialect(
        preamble=told["preamble"],
        names=names,
        layout=unpacked(told["layout"], len(names)),
        styles=tuple(told["styles"].split(" ")),
        delimiter=told["delimiter"],
        encoding=told["encoding"],
        tail=told["tail"],
    )


def packed(layout: tuple[str, ...]) -> str:
    """A layout as a short text."""
    first, *middle, last = layout
    short = [first, middle[0], last] if len(middle) > 1 and len(set(middle)) == 1 else [*layout]
    return json.dumps(short, ensure_ascii=False)


def unpacked(text: str, cells: int) -> tuple[str, ...]:
    """The opposite of `packed`."""
    found = tuple(str(piece) for piece in json.loads(text))
    if len(found) == cells + 1:
        return found
    first, middle, last = found
    return (first, *[middle] * (cells - 1), last)


def remainder(row: Row, again: Sequence[str], dialect: Dialect) -> dict[str, str]:
    """What the frame of a row does not hold: cells that it would write otherwise, the layout.

    Args:
        row: As it was read.
        again: Its cells, as they would be written from the frame.
        dialect: Of the file.
    """
    lost = {
        n: was for n, was, now in zip(dialect.names, row.cells, again, strict=True) if was != now
    }
    if row.layout != dialect.layout:
        lost[LAYOUT] = packed(row.layout)
    return lost


def layout_of(frame: SmellFrame, dialect: Dialect) -> tuple[str, ...]:
    """What stood between the cells of a reading."""
    kept = frame.extra.get(LAYOUT)
    return dialect.layout if kept is None else unpacked(kept, len(dialect.names))


def of_one_file(first: SmellFrame, rest: Iterable[SmellFrame]) -> Iterator[SmellFrame]:
    """Readings, as long as they come from one file.

    Raises:
        FormatError: One comes from another.
    """
    wanted = _told(first.nose)
    known = [first.nose]
    yield first
    for frame in rest:
        if not any(nose is frame.nose for nose in known):
            if _told(frame.nose) != wanted:
                why = "cannot be one file: the readings come from several"
                raise FormatError(Path("-"), why, hint="convert them one by one, or to .jsonl")
            known = [*known[-MOST_NOSES:], frame.nose]
        yield frame


def _told(nose: Nose) -> dict[str, str]:
    return {key: text for key, text in nose.extra.items() if key.startswith(PREFIX)}
