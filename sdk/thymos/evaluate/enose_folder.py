"""The drift protocol on a folder of anybody's: tables of features, or SmellFrames as Parquet.

A table (CSV with a header, or Parquet) has one row a sniff: `label`, one of `batch`, `session` or
`device`, and numbers. Columns named temperature, humidity, pressure or altitude are *air*: they
know the room and the day and are never features; a classifier on them alone is scored beside the
rest, and where it does well, the others may be reading the day too. A Parquet file of SmellFrames
becomes one row a recording session and nose, with its day as batch.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from thymos.errors import MediaError
from thymos.evaluate.enose import (
    LABELS,
    ORDERS,
    EnoseResult,
    Experiment,
    Progress,
    run_experiment,
)
from thymos.evaluate.enose_methods import Method, methods
from thymos.evaluate.enose_parts import F64, Labels, Part
from thymos.smell.drift import Discriminant

PROTOCOLS = ("first", "leave-one-out", "previous")
PART_COLUMNS = ("batch", "session", "device")
LABEL_COLUMNS = ("label", "odour", "odor", "gas", "substance", "class")
_IGNORED = ("ppm", "concentration", "time", "timestamp", "t_ns", "t_s", "id", "index")
_AIR = re.compile(r"temp|humid|press|altitude|^rh$|^t$|^p$", re.IGNORECASE)
_MOST_BYTES = 1 << 30
AIR = "LEAK CHECK: temperature, humidity, pressure only"


def folder_set(
    folder: Path,
    *,
    protocol: str = "first",
    by: str = "",
    seed: int = 0,
    orders: int = ORDERS,
    labels: int = LABELS,
    progress: Progress | None = None,
) -> EnoseResult:
    """Score every method on a folder of one's own.

    Args:
        folder: Of `.csv` and `.parquet` files, one such file, or a dataset of SmellFrames.
        protocol: `first`: train on the first part, test on each later one (drift). `previous`:
            train on each part, test on the next. `leave-one-out`: train on all parts but one,
            test on that (new session, new device).
        by: Column that separates parts; the first of `PART_COLUMNS` that is there if empty.
        seed: Of everything random.
        orders: Seeded runs.
        labels: Labelled target samples of a run.
        progress: Told how many cells are done and how many there are.

    Raises:
        MediaError: There is nothing to read, or it has no label, part or number.
    """
    if protocol not in PROTOCOLS:
        raise MediaError(f"no protocol '{protocol}'", hint=f"one of: {', '.join(PROTOCOLS)}")
    kind, parts = read_folder(folder, by)
    plans = _plans([part.name for part in parts], protocol)
    tried = [*_leak(parts), *methods()]
    done, made = 0, []
    total = len(tried) * sum(len(targets) for _, targets in plans)
    for source, targets in plans:

        def tell(now: int, _: int, done: int = done) -> None:
            if progress:
                progress(done + now, total)

        made.append(
            run_experiment(
                parts, source, targets, seed=seed, orders=orders, labels=labels, chosen=tried,
                progress=tell,
            )
        )  # fmt: skip
        done += len(tried) * len(targets)
    notes = _notes(parts, made)
    return EnoseResult(protocol, folder.resolve().name, kind, seed, orders, labels, made, notes)


def _plans(names: Sequence[str], protocol: str) -> list[tuple[list[str], list[str]]]:
    if protocol == "first":
        return [([names[0]], list(names[1:]))]
    if protocol == "previous":
        return [([a], [b]) for a, b in pairwise(names)]
    return [([other for other in names if other != name], [name]) for name in names]


def _leak(parts: Sequence[Part]) -> list[Method]:
    if parts[0].air.shape[1] == 0:
        return []
    places = {id(part.x): part.air for part in parts}

    def answer(source: Part, x: F64, told: Labels) -> Labels:
        made = Discriminant().fit(source.air, source.y)
        return made.predict(places[id(x)])

    return [Method(AIR, "naive", answer)]


def _notes(parts: Sequence[Part], made: Sequence[Experiment]) -> list[str]:
    if parts[0].air.shape[1] == 0:
        return ["no column of temperature, humidity or pressure: a leak of the session is unseen"]
    chance = np.mean([e.line("majority class of the source").mean.value for e in made])
    air = np.mean([e.line(AIR).mean.value for e in made])
    return [
        f"temperature, humidity and pressure alone reach {air:.3f} across parts, the majority "
        f"class {chance:.3f}",
        f"within a part (half against half) they reach {within(parts):.3f}: "
        "as much of a figure within a session may be the session and not the smell",
    ]


def within(parts: Sequence[Part]) -> float:
    """How well air alone tells the label on the other half of the same part; mean over parts."""
    right = []
    for part in parts:
        half = np.random.default_rng(0).permutation(len(part.y)) % 2 == 0
        known = [c for c in np.unique(part.y[half]) if (part.y[half] == c).sum() > 1]
        train = half & np.isin(part.y, known)
        if len(known) > 1:
            said = Discriminant().fit(part.air[train], part.y[train]).predict(part.air[~half])
            right.append(float(np.mean(said == part.y[~half])))
    return float(np.mean(right)) if right else float("nan")


# -- reading


def read_folder(folder: Path, by: str = "") -> tuple[str, list[Part]]:
    """Which column separates the parts, and the parts in the order of their names.

    Raises:
        MediaError: See `folder_set`.
    """
    files = [folder] if folder.is_file() else sorted(p for p in _files(folder) if p.is_file())
    if not files:
        raise MediaError(
            f"'{folder}' holds no .csv or .parquet", hint="docs/drift.md shows the layout"
        )
    tables = [_table(path) for path in files]
    first = tables[0]
    if any(set(t) != set(first) for t in tables):
        raise MediaError(
            f"the files of '{folder}' have different columns", hint="one layout for all files"
        )
    columns = {name: [cell for t in tables for cell in t[name]] for name in first}
    return _parts(columns, by, folder)


def _files(folder: Path) -> list[Path]:
    frames = list((folder / "frames").glob("*.parquet"))  # a dataset of thymos.smell.dataset
    if frames:
        return frames
    return [*folder.glob("*.csv"), *folder.glob("*.parquet")]


def _table(path: Path) -> dict[str, list[str]]:
    if path.stat().st_size > _MOST_BYTES:
        raise MediaError(f"'{path}' is larger than 1 GiB", hint="split it")
    if path.suffix == ".parquet":
        from thymos.evaluate.enose_frames import parquet_rows

        return parquet_rows(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as err:
        raise MediaError(f"cannot read '{path}': {err}", hint="a CSV in UTF-8") from err
    if len(rows) < 2:
        raise MediaError(f"'{path}' has no rows", hint="a header and one row a sniff")
    head = [name.strip() for name in rows[0]]
    if len(set(head)) < len(head):
        raise MediaError(f"'{path}': a column stands twice", hint="rename it")
    odd = next((n for n, row in enumerate(rows, start=1) if len(row) != len(head)), None)
    if odd is not None:
        raise MediaError(f"'{path}', line {odd}: not {len(head)} cells", hint="repair the line")
    return {name: [row[i] for row in rows[1:]] for i, name in enumerate(head)}


def _parts(columns: dict[str, list[str]], by: str, folder: Path) -> tuple[str, list[Part]]:
    names = {name.lower(): name for name in columns}
    label = next((names[n] for n in LABEL_COLUMNS if n in names), None)
    part = by if by in columns else next((names[n] for n in PART_COLUMNS if n in names), None)
    if label is None or part is None or (by and by not in columns):
        raise MediaError(
            f"'{folder}' has no column of labels or of parts",
            hint=f"of: {', '.join(LABEL_COLUMNS)}; and of: {by or ', '.join(PART_COLUMNS)}",
        )
    words = {label, part, *(names[n] for n in (*PART_COLUMNS, *_IGNORED) if n in names)}
    rest = [name for name in columns if name not in words]
    air = [name for name in rest if _AIR.search(name)]
    gas = [name for name in rest if name not in air]
    if not gas:
        raise MediaError(f"'{folder}' has no column of features", hint="numbers beside the label")
    x, a = _numbers(columns, gas, folder), _numbers(columns, air, folder)
    y = np.array([word.strip() for word in columns[label]], dtype=np.str_)
    where = np.array([word.strip() for word in columns[part]], dtype=np.str_)
    order = sorted(set(where.tolist()), key=_natural)
    if len(order) < 2:
        raise MediaError(f"'{part}' is the same in all rows", hint="--by another column")
    return part, [Part(n, x[where == n], y[where == n], a[where == n]) for n in order]


def _numbers(columns: dict[str, list[str]], names: Sequence[str], folder: Path) -> F64:
    rows = len(next(iter(columns.values())))
    table = np.zeros((rows, len(names)))
    for i, name in enumerate(names):
        try:
            table[:, i] = [float(cell) for cell in columns[name]]
        except ValueError as err:
            raise MediaError(
                f"'{folder}', column '{name}': {err}", hint="numbers only; drop other columns"
            ) from err
    if not np.isfinite(table).all():
        bad = names[int((~np.isfinite(table)).any(axis=0).argmax())]
        raise MediaError(
            f"'{folder}', column '{bad}' holds NaN or infinity",
            hint="leave such rows out: a faulty sensor is not a smell",
        )
    return table


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Batch 2 before batch 10."""
    pieces = re.split(r"(\d+)", name)
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in pieces if p]
