"""Smell frames as Parquet: one row a frame, one column a channel, the noses in the metadata.

The columns are listed in docs/smellframe.md. `value.NO2` holds the raw value of channel NO2 as the
nose gave it, NaN included; it is null where the nose of that row has no such channel. A file is
written beside its name and renamed when it is whole, so a file that is there can be read.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.errors import FrameError, MediaError, MissingExtraError
from thymos.samples import Flag
from thymos.smell.frame import F64, VERSION, Nose, SmellFrame
from thymos.smell.parquet_columns import (
    HINT,
    check_columns,
    columns_of,
    frames_of,
    plain_columns,
)
from thymos.smell.schema import check_version, nose_from_dict, nose_to_dict

SUFFIX = ".parquet"
KEY = b"smellframe"
"""Of the metadata: JSON with `version` and `noses`."""
ROWS = 4096
"""Frames held until they are written as one row group, and looked at to learn the channels."""


class FrameFile:
    """Writes one Parquet file, a row group at a time.

    Args:
        path: Of the file; until `close` it is `PATH.part`.
        channels: Names of all channels that its noses have.

    Raises:
        MissingExtraError: pyarrow is not installed.
        FrameError: The file cannot be written.
    """

    def __init__(self, path: Path, channels: Sequence[str]) -> None:
        self._pa, self._pq = _arrow()
        self.path = path
        self.channels = tuple(channels)
        self.count = 0
        self._part = path.with_name(path.name + ".part")
        self._rows: list[SmellFrame] = []
        self._noses: list[Nose] = []
        self._schema = columns_of(self._pa, self.channels)
        try:
            self._writer: Any = self._pq.ParquetWriter(self._part, self._schema, compression="zstd")
        except OSError as err:
            with contextlib.suppress(OSError):
                self._part.unlink(missing_ok=True)  # the disk was full at the first byte
            raise _cannot_write(path, err) from err

    def add(self, frame: SmellFrame) -> None:
        """Take one frame.

        Raises:
            FrameError: It has a channel the file lacks, or the disk is full.
        """
        self._rows.append(frame)
        self.count += 1
        if len(self._rows) >= ROWS:
            self._flush()

    def close(self) -> None:
        """Finish the file and give it its name.

        Raises:
            FrameError: It cannot be written; nothing is left of it.
        """
        try:
            self._flush()
            told = {"version": VERSION, "noses": [nose_to_dict(nose) for nose in self._noses]}
            self._writer.add_key_value_metadata({KEY: json.dumps(told, allow_nan=False)})
            self._writer.close()
            self._part.replace(self.path)
        except OSError as err:
            self.discard()
            raise _cannot_write(self.path, err) from err
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(OSError):
            self._writer.close()
        self._part.unlink(missing_ok=True)

    def __enter__(self) -> FrameFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def _flush(self) -> None:
        if not self._rows:
            return
        try:
            self._writer.write_table(self._table(self._rows))
        except OSError as err:
            raise _cannot_write(self.path, err) from err
        self._rows = []

    def _table(self, rows: list[SmellFrame]) -> Any:
        lacking = {c.name for f in rows for c in f.nose.channels} - set(self.channels)
        if lacking:
            raise FrameError(
                f"'{self.path.name}' has no column for channel '{min(lacking)}'",
                hint="write noses with other channels into another file, or into a dataset folder",
            )
        columns = {name: make(rows) for name, (_, make) in plain_columns(self._pa).items()}
        columns["nose"] = [self._number(frame.nose) for frame in rows]
        columns |= self._channel_columns(rows)
        made = [self._pa.array(columns[f.name], f.type) for f in self._schema]
        return self._pa.Table.from_arrays(made, schema=self._schema)

    def _channel_columns(self, rows: list[SmellFrame]) -> dict[str, Any]:
        values = np.full((len(self.channels), len(rows)), np.nan)
        there = np.zeros(values.shape, dtype=np.bool_)
        faults: list[list[str | None]] = [[None] * len(rows) for _ in self.channels]
        places: dict[int, list[int]] = {}
        for i, frame in enumerate(rows):
            at = places.get(id(frame.nose))
            if at is None:
                at = [self.channels.index(channel.name) for channel in frame.nose.channels]
                places[id(frame.nose)] = at  # the frames, and so their noses, live until the end
            values[at, i] = frame.values
            there[at, i] = True
            for k, fault in zip(at, frame.faults, strict=True):
                faults[k][i] = fault.value
        made: dict[str, Any] = {}
        for k, name in enumerate(self.channels):
            made[f"value.{name}"] = self._pa.array(values[k], mask=~there[k])
            made[f"fault.{name}"] = faults[k]
        return made

    def _number(self, nose: Nose) -> int:
        for i, known in enumerate(self._noses):
            if known is nose or known == nose:
                return i
        self._noses.append(nose)
        return len(self._noses) - 1


def write_frames(path: Path | str, frames: Iterable[SmellFrame]) -> int:
    """Write frames to one file, in their order; returns how many.

    Memory stays bounded: `ROWS` frames. Their channels are those of the file; another channel that
    comes later is refused.

    Raises:
        FrameError: The file cannot be written, or a channel came too late.
        MissingExtraError: pyarrow is not installed.
    """
    rest = iter(frames)
    first = list(islice(rest, ROWS))
    names = dict.fromkeys(c.name for frame in first for c in frame.nose.channels)
    with FrameFile(Path(path), tuple(names)) as file:
        for frame in first:
            file.add(frame)
        for frame in rest:
            file.add(frame)
    return file.count


def read_frames(path: Path | str) -> Iterator[SmellFrame]:
    """The frames of one file, one after the other; one row group is held.

    Raises:
        MediaError: The file is missing or empty.
        FrameError: It is damaged, or has no smell frames, or other columns.
        MissingExtraError: pyarrow is not installed.
    """
    path = Path(path)
    file, noses = _open(path)
    with file:
        for batch in _batches(file, path, None):
            try:
                yield from frames_of(batch, noses)
            except (FrameError, ValueError, TypeError, KeyError, IndexError) as err:
                raise FrameError(f"'{path}': {err}", hint=HINT) from err


@dataclass(frozen=True, slots=True)
class FrameTable:
    """The numbers of a file as arrays, for those who compute with whole recordings.

    Attributes:
        nose: Of all rows.
        t_ns: int64 [rows].
        seq: int64 [rows].
        values: Raw, float64 [rows, channels].
        usable: The same with NaN where a value may not be used.
        session: Of each row.
        label: Names of the odorants of each row, joined by ` + `; empty if none is known.
    """

    nose: Nose
    t_ns: NDArray[np.int64]
    seq: NDArray[np.int64]
    values: F64
    usable: F64
    session: list[str]
    label: list[str]


def read_table(path: Path | str) -> FrameTable:
    """All rows of a file of one nose.

    Raises:
        MediaError: The file is missing or empty.
        FrameError: It is damaged, has no smell frames, or those of several noses.
        MissingExtraError: pyarrow is not installed.
    """
    path = Path(path)
    file, noses = _open(path)
    if len(noses) != 1:
        raise FrameError(f"'{path}' has {len(noses)} noses", hint="read_frames tells them apart")
    names = [channel.name for channel in noses[0].channels]
    wanted = ["t_ns", "seq", "session", "odorants", "flags"]
    wanted += [f"{part}.{name}" for name in names for part in ("value", "fault")]
    with file:
        parts = list(_batches(file, path, wanted))

    def column(name: str) -> list[Any]:
        return [row for part in parts for row in part.column(name).to_pylist()]

    def numbers(name: str, kind: type) -> NDArray[Any]:
        found = [part.column(name).to_numpy(zero_copy_only=False) for part in parts]
        return np.concatenate([*found, np.empty(0, kind)]).astype(kind)

    values = np.stack([numbers(f"value.{name}", np.float64) for name in names], axis=1)
    good = np.array([[f == "" for f in column(f"fault.{name}")] for name in names], np.bool_)
    good = good.T & ((numbers("flags", np.int64) & Flag.INVALID) == 0)[:, None]
    return FrameTable(
        nose=noses[0],
        t_ns=numbers("t_ns", np.int64),
        seq=numbers("seq", np.int64),
        values=values,
        usable=np.where(good & np.isfinite(values), values, np.nan),
        session=column("session"),
        label=[" + ".join(o["name"] for o in row) for row in column("odorants")],
    )


def noses_of(path: Path | str) -> tuple[Nose, ...]:
    """The noses of a file, without reading its rows.

    Raises:
        MediaError: The file is missing or empty.
        FrameError: It is damaged, or has no smell frames.
    """
    file, noses = _open(Path(path))
    file.close()
    return tuple(noses)


# -- reading


def _open(path: Path) -> tuple[Any, list[Nose]]:
    pa, pq = _arrow()
    try:
        if path.stat().st_size == 0:
            raise MediaError(f"'{path}' is empty (0 bytes)", hint="write or copy it again")
        file = pq.ParquetFile(path)
    except OSError as err:
        raise MediaError(f"cannot read '{path}': {err.strerror or err}") from err
    except pa.ArrowException as err:
        raise FrameError(
            f"'{path}' is no Parquet file, or damaged: {_line(err)}", hint="copy it again"
        ) from err
    try:
        told = json.loads((file.metadata.metadata or {})[KEY])
        check_version(told["version"])
        noses = [nose_from_dict(nose) for nose in told["noses"]]
        channels = {channel.name for nose in noses for channel in nose.channels}
        check_columns(file.schema_arrow, columns_of(pa, sorted(channels)))
    except (KeyError, TypeError, ValueError, RecursionError) as err:
        file.close()
        raise FrameError(f"'{path}' has no smell frames (no key 'smellframe')", hint=HINT) from err
    except FrameError as err:
        file.close()
        raise FrameError(f"'{path}': {err}", hint=err.hint) from err
    return file, noses


def _batches(file: Any, path: Path, columns: list[str] | None) -> Iterator[Any]:
    pa, _ = _arrow()
    batches = file.iter_batches(batch_size=ROWS, columns=columns)
    while True:
        try:
            batch = next(batches, None)
        except (OSError, pa.ArrowException) as err:
            raise FrameError(f"'{path}' is damaged: {_line(err)}", hint="copy it again") from err
        if batch is None:
            return
        yield batch


def _cannot_write(path: Path, err: OSError) -> FrameError:
    return FrameError(
        f"cannot write '{path}': {err.strerror or _line(err)}", hint="choose another place"
    )


def _line(err: BaseException) -> str:
    return (str(err).strip() or type(err).__name__).splitlines()[0]


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as err:
        raise MissingExtraError("pyarrow", "parquet") from err
    return pyarrow, parquet
