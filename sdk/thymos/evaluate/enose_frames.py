"""Parquet for the drift protocol: a table of features as it is, SmellFrames one row a recording."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np

from thymos.errors import MediaError, MissingExtraError
from thymos.smell.frame import SmellFrame

STEPS = ("first", "low", "median", "high", "last")
"""What is kept of each channel over a recording."""
LEAST = 5
"""Readings a recording must have."""


def parquet_rows(path: Path) -> dict[str, list[str]]:
    """Columns as text.

    Raises:
        MediaError: It is damaged, or its frames have no label or too few readings.
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as err:
        raise MissingExtraError("pyarrow", "parquet") from err
    try:
        file = pq.ParquetFile(path)
        if b"smellframe" in (file.metadata.metadata or {}):
            return _of_frames(path)
        table = file.read().to_pydict()
    except (OSError, pa.ArrowException) as err:
        raise MediaError(f"cannot read '{path}': {err}", hint="write it again") from err
    return {name: [str(cell) for cell in cells] for name, cells in table.items()}


def _of_frames(path: Path) -> dict[str, list[str]]:
    from thymos.smell.parquet import read_frames

    rows: list[dict[str, str]] = []
    for (session, device, label), frames in groupby(read_frames(path), key=_whose):
        kept = list(frames)
        if label and len(kept) >= LEAST:
            row = {"label": label, "batch": _day(kept[0]), "session": session, "device": device}
            rows.append(row | _features(kept))
    if not rows:
        raise MediaError(
            f"'{path}' has no labelled recording of {LEAST} readings",
            hint="frames need odorants and a session, see docs/smellframe.md",
        )
    if any(row.keys() != rows[0].keys() for row in rows):
        raise MediaError(
            f"'{path}' holds noses with other channels", hint="one file a kind of nose"
        )
    return {name: [row[name] for row in rows] for name in rows[0]}


def _whose(frame: SmellFrame) -> tuple[str, str, str]:
    device = f"{frame.nose.model} {frame.nose.serial}".strip()
    return frame.session, device, " + ".join(o.name for o in frame.odorants)


def _day(frame: SmellFrame) -> str:
    """Day of the recording (UTC), the part of a drift protocol."""
    return str(np.datetime64(frame.t_ns, "ns").astype("datetime64[D]"))


def _features(frames: list[SmellFrame]) -> dict[str, str]:
    """Five order statistics of each channel, and the mean air."""
    made: dict[str, str] = {}
    usable = np.array([frame.usable for frame in frames])
    for i, channel in enumerate(frames[0].nose.channels):
        values = usable[:, i][np.isfinite(usable[:, i])]
        if len(values) == 0:
            found = [float("nan")] * len(STEPS)
        else:
            low, middle, high = np.quantile(values, (0.02, 0.5, 0.98))
            found = [values[0], low, middle, high, values[-1]]
        made |= {f"{channel.name}_{s}": repr(float(v)) for s, v in zip(STEPS, found, strict=True)}
    air = np.array([frame.air for frame in frames], dtype=np.float64).reshape(len(frames), -1)
    for i, name in enumerate(frames[0].nose.air):
        there = air[:, i][np.isfinite(air[:, i])]
        made[name] = repr(float(there.mean()) if len(there) else float("nan"))
    return made
