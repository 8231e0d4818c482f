"""The columns of a Parquet file of smell frames: how they are filled and read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from thymos.errors import FrameError
from thymos.samples import CLIMATE, Flag
from thymos.smell.frame import (
    F64,
    BaselineAir,
    Fault,
    Nose,
    Odorant,
    Percept,
    Phase,
    SmellFrame,
    TimeSource,
)
from thymos.smell.message import ALL_FLAGS
from thymos.smell.message import plain_text as text

MAX_CHANNELS = 4096
_MAY_BE_NULL = ("tick", "baseline.", "value.", "fault.")
HINT = "docs/smellframe.md lists the columns"


Column = tuple[Any, Callable[[list[SmellFrame]], list[Any]]]


def plain_columns(pa: Any) -> dict[str, Column]:
    """The columns that do not depend on the channels: type, and how it is filled."""
    words = pa.dictionary(pa.int16(), pa.string())
    row = pa.list_(pa.float64())
    odorant = pa.struct(
        [
            ("name", pa.string()),
            ("cas", pa.string()),
            ("amount", pa.float64()),
            ("unit", pa.string()),
        ]
    )
    percept = pa.struct(
        [
            ("rater", pa.string()),
            ("descriptors", pa.list_(pa.string())),
            ("pleasantness", pa.float64()),
            ("intensity", pa.float64()),
        ]
    )

    def clean(get: Callable[[BaselineAir], Any]) -> Callable[[list[SmellFrame]], list[Any]]:
        return lambda fs: [None if f.baseline is None else get(f.baseline) for f in fs]

    def fault(name: str) -> Callable[[list[SmellFrame]], list[Any]]:
        return lambda fs: [f.air_faults.get(name, Fault.NONE).value for f in fs]

    return {
        "nose": (pa.int32(), lambda fs: [0] * len(fs)),
        "session": (words, lambda fs: [text(f.session) for f in fs]),
        "seq": (pa.int64(), lambda fs: [f.seq for f in fs]),
        "t_ns": (pa.int64(), lambda fs: [f.t_ns for f in fs]),
        "t_recv_ns": (pa.int64(), lambda fs: [f.t_recv_ns for f in fs]),
        "time_source": (words, lambda fs: [f.time_source.value for f in fs]),
        "tick": (pa.int64(), lambda fs: [f.tick for f in fs]),
        "rate_hz": (pa.float64(), lambda fs: [f.rate_hz for f in fs]),
        "temperature_celsius": (pa.float64(), lambda fs: [f.temperature_celsius for f in fs]),
        "humidity_percent": (pa.float64(), lambda fs: [f.humidity_percent for f in fs]),
        "pressure_hpa": (pa.float64(), lambda fs: [f.pressure_hpa for f in fs]),
        **{f"air_fault.{name}": (words, fault(name)) for name in CLIMATE},
        "offset_ns": (pa.list_(pa.int64()), lambda fs: [list(f.offset_ns) for f in fs]),
        "on_for_ns": (pa.int64(), lambda fs: [f.on_for_ns for f in fs]),
        "phase": (words, lambda fs: [f.phase.value for f in fs]),
        "baseline.values": (row, clean(lambda b: b.values)),
        "baseline.spread": (row, clean(lambda b: b.spread)),
        "baseline.taken_ns": (pa.int64(), clean(lambda b: b.taken_ns)),
        "baseline.how": (words, clean(lambda b: text(b.how))),
        "baseline.readings": (pa.int64(), clean(lambda b: b.readings)),
        "odorants": (pa.list_(odorant), lambda fs: [[_told(o) for o in f.odorants] for f in fs]),
        "percepts": (pa.list_(percept), lambda fs: [[_told(p) for p in f.percepts] for f in fs]),
        "flags": (pa.int32(), lambda fs: [int(f.flags) for f in fs]),
        "note": (pa.string(), lambda fs: [text(f.note) for f in fs]),
        "extra": (
            pa.map_(pa.string(), pa.string()),
            lambda fs: [[(text(k), text(v)) for k, v in f.extra.items()] for f in fs],
        ),
    }


def _told(part: Odorant | Percept) -> dict[str, Any]:
    found = {name: getattr(part, name) for name in part.__slots__}
    return {
        name: text(value)
        if isinstance(value, str)
        else [text(word) for word in value]
        if isinstance(value, tuple)
        else value
        for name, value in found.items()
    }


def columns_of(pa: Any, channels: Sequence[str]) -> Any:
    """The schema of a file with these channels.

    Raises:
        FrameError: They are too many.
    """
    if len(channels) > MAX_CHANNELS:
        raise FrameError(f"{len(channels)} channels in one file", hint=f"at most {MAX_CHANNELS}")
    fields = [pa.field(name, kind) for name, (kind, _) in plain_columns(pa).items()]
    words = pa.dictionary(pa.int8(), pa.string())
    for name in channels:
        fields += [pa.field(f"value.{name}", pa.float64()), pa.field(f"fault.{name}", words)]
    return pa.schema(fields)


def check_columns(found: Any, wanted: Any) -> None:
    """Refuse a file of another layout.

    Raises:
        FrameError: A column is missing, or of another type.
    """
    for field in wanted:
        at = found.get_field_index(field.name)
        if at < 0:
            raise FrameError(f"it has no column '{field.name}'", hint=HINT)
        if found.field(at).type != field.type:
            raise FrameError(
                f"column '{field.name}' is {found.field(at).type}, not {field.type}", hint=HINT
            )


def frames_of(batch: Any, noses: Sequence[Nose]) -> Iterator[SmellFrame]:
    """The frames of a batch of rows.

    Raises:
        FrameError: A row contradicts itself.
        ValueError, TypeError, KeyError: The same.
    """
    for name in batch.schema.names:
        if batch.column(name).null_count and not name.startswith(_MAY_BE_NULL):
            raise FrameError(f"column '{name}' has no value in some row", hint=HINT)
    matrix = {
        name: batch.column(name).to_numpy(zero_copy_only=False)
        for name in batch.schema.names
        if name.startswith("value.")
    }
    rest = {n: batch.column(n).to_pylist() for n in batch.schema.names if n not in matrix}
    for i in range(batch.num_rows):
        row = {name: column[i] for name, column in rest.items()}
        if not 0 <= row["nose"] < len(noses):
            raise FrameError(f"row {i} is of nose {row['nose']}, and {len(noses)} are described")
        names = [channel.name for channel in noses[row["nose"]].channels]
        values = np.array([matrix[f"value.{name}"][i] for name in names])
        yield _frame(row, noses[row["nose"]], values, names)


def _frame(row: dict[str, Any], nose: Nose, values: F64, names: list[str]) -> SmellFrame:
    air = {name: Fault(row[f"air_fault.{name}"]) for name in CLIMATE}
    return SmellFrame(
        nose=nose,
        seq=row["seq"],
        t_ns=row["t_ns"],
        values=values,
        faults=tuple(Fault(row[f"fault.{name}"]) for name in names),
        offset_ns=tuple(row["offset_ns"]),
        t_recv_ns=row["t_recv_ns"],
        time_source=TimeSource(row["time_source"]),
        tick=row["tick"],
        rate_hz=row["rate_hz"],
        temperature_celsius=row["temperature_celsius"],
        humidity_percent=row["humidity_percent"],
        pressure_hpa=row["pressure_hpa"],
        air_faults={name: fault for name, fault in air.items() if fault},
        baseline=_baseline(row),
        on_for_ns=row["on_for_ns"],
        phase=Phase(row["phase"]),
        odorants=tuple(Odorant(**o) for o in row["odorants"]),
        percepts=tuple(
            Percept(**p | {"descriptors": tuple(p["descriptors"])}) for p in row["percepts"]
        ),
        session=row["session"],
        flags=Flag(row["flags"] & ALL_FLAGS),
        note=row["note"],
        extra=dict(row["extra"]),
    )


def _baseline(row: dict[str, Any]) -> BaselineAir | None:
    if row["baseline.values"] is None:
        return None
    return BaselineAir(
        np.array(row["baseline.values"], np.float64),
        np.array(row["baseline.spread"], np.float64),
        row["baseline.taken_ns"],
        row["baseline.how"],
        row["baseline.readings"],
    )
