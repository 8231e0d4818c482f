"""From any file of a nose to any other; the library behind `thymos smell convert`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from thymos.errors import MediaError
from thymos.smell.formats import FORMATS, read, sniff, write
from thymos.smell.formats.bags import ARRAY, GasBags, read_frames, topics_of, write_frames
from thymos.smell.formats.base import FormatError
from thymos.smell.formats.compose import exchange, overview, own_csv
from thymos.smell.formats.opening import look
from thymos.smell.formats.uci_drift import FeatureTable, UciCsv, UciLibsvm
from thymos.smell.frame import SmellFrame

FRAMES, PARQUET, MCAP = "smellframe", "parquet", "mcap"
OURS = {FRAMES: ".jsonl", PARQUET: ".parquet", MCAP: ".mcap"}
"""Files of smell frames: they hold everything, of several inputs too."""
NATIVE = {
    ".bmerawdata": "bmerawdata",
    ".dat": "uci-drift-libsvm",
    ".libsvm": "uci-drift-libsvm",
}
"""Endings that stand for one foreign format."""
FRAME_MESSAGE = "thymos_msgs/msg/SmellFrame"
_ENDINGS = {*OURS.values(), *(e for one in FORMATS.values() for e in one.suffixes if e)}
_TOLD = 500


@dataclass(slots=True)
class Source:
    """A file to be converted.

    Attributes:
        path: The file.
        format: Name in `FORMATS`, or one of `OURS`.
        recording: The open file; None if it is one of ours.
        strict: Damage is an error.
    """

    path: Path
    format: str
    recording: Any = None
    strict: bool = True

    def frames(self) -> Iterator[SmellFrame]:
        """Its readings, from the beginning at every call."""
        if self.recording is not None:
            yield from self.recording.frames()
            return
        yield from _own_frames(self.path, self.format)


@dataclass(slots=True)
class Converted:
    """What was written.

    Attributes:
        path: The new file.
        format: Its kind.
        rows: Readings (or exposures) in it; -1 where the input was copied row by row.
        lost: What the new file cannot hold of the old one.
        left_out: Damaged rows that were left out.
    """

    path: Path
    format: str
    rows: int = 0
    lost: list[str] = field(default_factory=list)
    left_out: int = 0


def open_source(path: Path, *, strict: bool = True, ohms: bool = False) -> Source:
    """Open a file of any kind, ours too.

    Raises:
        MediaError: It is missing, damaged, or of no known kind.
    """
    own = own_kind(path)
    if own:
        return Source(path, own, strict=strict)
    found = sniff(path)
    return Source(path, found.name, read(path, strict=strict, ohms=ohms), strict)


def files_in(path: Path) -> list[Path]:
    """The files of noses in a folder, by their endings and sorted; of anything else the path.

    Raises:
        MediaError: There is none in the folder.
    """
    if not path.is_dir() or own_kind(path) or (look(path).is_bag and topics_of(path, ARRAY)):
        return [path]
    found = [p for p in sorted(path.rglob("*")) if p.is_file() and p.suffix.lower() in _ENDINGS]
    if not found:
        raise MediaError(f"'{path}' holds no file of a nose", hint="name the files themselves")
    return found


def stem_of(path: Path) -> str:
    """Name of a file without its endings: `lemon.2075d7ff7846.csv.csv` is `lemon.2075d7ff7846`."""
    while path.suffix.lower() in _ENDINGS:
        path = path.with_suffix("")
    return path.name


def own_kind(path: Path) -> str:
    """Which of `OURS` a path is, by its name; empty if none."""
    name = path.name.lower()
    if name.endswith(".jsonl"):
        return FRAMES
    if name.endswith(".parquet"):
        return PARQUET
    if name.endswith(".mcap") and topics_of(path, FRAME_MESSAGE):
        return MCAP
    if path.is_dir() and any(path.rglob("*.parquet")):
        return PARQUET
    return ""


def target_of(out: Path, to: str | None) -> str:
    """Which kind of file is to be written.

    Raises:
        MediaError: Neither `to` nor the ending of the name tells.
    """
    known = [*OURS, *FORMATS]
    if to is not None:
        if to not in known:
            raise MediaError(f"'{to}' cannot be written", hint=f"known: {', '.join(known)}")
        return to
    name = out.name.lower()
    for kind, ending in OURS.items():
        if name.endswith(ending):
            return kind
    ending = next((e for e in NATIVE if name.endswith(e)), "")
    if ending:
        return NATIVE[ending]
    if name.endswith(".csv"):
        return "csv"
    raise MediaError(
        f"'{out}' does not tell what is to be written", hint=f"--to one of: {', '.join(known)}"
    )


def convert(
    sources: list[Source],
    out: Path,
    to: str,
    *,
    replace: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Converted:
    """Write sources as one file of another kind.

    Args:
        sources: One; several only for files of smell frames.
        out: The new file (of a bag: folder).
        to: Kind, see `target_of`.
        replace: Also files beside it that exist (sidecars).
        progress: Told the number of readings now and then.

    Raises:
        MediaError: The new kind cannot hold them, or a source is damaged.
    """
    done = Converted(out, to)

    def frames() -> Iterator[SmellFrame]:
        done.rows = 0
        for source in sources:
            for frame in source.frames():
                done.rows += 1
                if done.rows % _TOLD == 0:
                    progress(done.rows)
                yield frame

    if to in OURS:
        _write_own(to, out, frames())
    elif len(sources) > 1:
        raise FormatError(
            out, f"cannot hold {len(sources)} inputs", hint="choose .jsonl or .parquet, or a folder"
        )
    else:
        made, done.lost = _made(sources[0], to, frames, done)
        write(made, out, replace=replace)
    done.left_out = sum(s.recording.damage.rows for s in sources if _can_be_damaged(s))
    return done


def _can_be_damaged(source: Source) -> bool:
    return hasattr(source.recording, "damage")


def _made(
    source: Source, to: str, frames: Callable[[], Iterable[SmellFrame]], done: Converted
) -> tuple[Any, list[str]]:
    """The new file of a foreign kind, and what it cannot hold."""
    recording = source.recording
    if isinstance(recording, FeatureTable):
        done.rows = sum(1 for _ in recording.rows())
        return _features(recording, to), []
    if source.format == to and to not in ("csv", "exchange"):
        done.rows = -1
        return recording, []
    if to == "csv":
        return own_csv(frames)
    if to == "exchange":
        return exchange(frames)
    lost = []
    if to == GasBags.name:  # any readings fit into it, in part
        lost = sorted(overview(frames()).told - {"sensor models"})
    return FORMATS[to].from_frames(frames()), lost


def _features(table: FeatureTable, to: str) -> FeatureTable:
    if to == table.format:
        return table
    if to in ("csv", UciCsv.name):
        return table if table.format == UciCsv.name else UciCsv().of(table)
    if to == UciLibsvm.name:
        return UciLibsvm().of(table)
    raise FormatError(
        table.path or Path("-"),
        f"holds features, not readings: it cannot become '{to}'",
        hint=f"--to {UciCsv.name} or {UciLibsvm.name}",
    )


def _write_own(to: str, out: Path, frames: Iterable[SmellFrame]) -> None:
    if to == FRAMES:
        from thymos.smell.schema import write_lines

        write_lines(out, frames)
    elif to == MCAP:
        write_frames(out, frames)
    else:
        from thymos.smell import parquet

        parquet.write_frames(out, frames)


def _own_frames(path: Path, kind: str) -> Iterator[SmellFrame]:
    if kind == FRAMES:
        from thymos.smell.schema import read_lines

        return read_lines(path)
    if kind == MCAP:
        return read_frames(path)
    from thymos.smell import parquet

    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]  # a dataset, or a file
    return chain.from_iterable(map(parquet.read_frames, files))
