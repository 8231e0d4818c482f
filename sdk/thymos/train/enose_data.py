"""Electronic-nose data for the recipes: read, cleaned, with the leaky columns left out.

Files are read by `thymos.smell.formats`, as tables of numbers (`formats.numbers`): recipes need no
smell frames.

DATA/enose/smellnet/{train,test}/SUBSTANCE/*.csv     SmellNet, one row a second
DATA/enose/bme688/gat3way/test/ODOUR.csv             heater scans, no header, ohm
DATA/enose/uci_drift/batchN.csv                      UCI gas sensor array drift, gas and ppm
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thymos.errors import MediaError
from thymos.smell.formats.smellnet import TYPOS
from thymos.smell.recognise.online import read

F64 = NDArray[np.float64]

GASES = ("NO2", "C2H5OH", "VOC", "CO", "Alcohol", "LPG")
"""Gas channels of SmellNet. Benzene is left out: it is 0, or the sentinel in a third of all rows,
and whether it is tells the session, not the smell."""
OFFSET = (5.0, 5.0, 5.0, 5.0, 1.0, 3.0)
"""Added before the logarithm, so that counts near 0 do not shout."""
CLIMATE = ("Temperature", "Pressure", "Humidity", "Altitude")
"""What leaks the session; read for the line that shows it."""
SENTINEL = 4294967295.0
ROWS_A_BIN = 5


@dataclass(frozen=True)
class Sniff:
    """One recording.

    Attributes:
        substance: Its class.
        name: Of the file.
        rows: Raw gas readings [n, 6], NaN where there is none.
        climate: Temperature, pressure, humidity and altitude [n, 4].
    """

    substance: str
    name: str
    rows: F64
    climate: F64

    @property
    def bins(self) -> F64:
        """Mean log readings of each five seconds [n // 5, 6], as `Recogniser` makes them."""
        logs = read(self.rows, np.array(OFFSET))
        whole = len(logs) // ROWS_A_BIN
        return np.asarray(logs[: whole * ROWS_A_BIN].reshape(whole, ROWS_A_BIN, -1).mean(axis=1))

    @property
    def humidity(self) -> float:
        """Its middle; 100 where the environment sensor is stuck."""
        return float(np.nanmedian(self.climate[:, CLIMATE.index("Humidity")]))


def smellnet(folder: Path, part: str) -> list[Sniff]:
    """The recordings of SmellNet's `train` or `test`, in order of substance and file.

    Raises:
        MediaError: There are none, or one cannot be read.
    """
    files = sorted((folder / part).glob("*/*.csv"))
    if not files:
        raise MediaError(
            f"no SmellNet recordings in '{folder / part}'",
            hint="give the folder that holds train/SUBSTANCE/*.csv and test/SUBSTANCE/*.csv",
        )
    return [_sniff(path) for path in files]


def _sniff(path: Path) -> Sniff:
    names, values = _table(path, "smellnet")
    header = [TYPOS.get(name, name) for name in names]
    lacking = [name for name in (*GASES, *CLIMATE) if name not in header]
    if lacking:
        raise MediaError(
            f"'{path}' is no SmellNet recording: it has no column {lacking[0]}",
            hint="see docs/models/smell.md",
        )
    values[values >= SENTINEL] = np.nan
    gas, air = ([header.index(name) for name in names] for names in (GASES, CLIMATE))
    return Sniff(path.parent.name, path.name, values[:, gas], values[:, air])


def _table(path: Path, kind: str) -> tuple[tuple[str, ...], F64]:
    """Names of the columns, and all cells of a file as numbers.

    Raises:
        MediaError: It is damaged or of another kind.
    """
    from thymos.smell import formats

    hint = f"thymos smell check '{path}'"
    try:
        recording = formats.read(path)
        if isinstance(recording, formats.Recording) and recording.format == kind:
            return recording.dialect.names, formats.numbers(recording)
    except MediaError as err:  # its hint speaks of options that recipes do not have
        raise MediaError(str(err), hint=hint) from err
    raise MediaError(f"'{path}' is not {formats.FORMATS[kind].title}", hint=hint)


def gat3way(folder: Path) -> tuple[F64, NDArray[np.int64], tuple[str, ...]]:
    """BME688 scans: resistances [scans, 50] in ohm (NaN where there is none), class, class names.

    The files have no header. Rows are in order of time within each class.

    Raises:
        MediaError: There are none, or a file holds something else.
    """
    files = sorted(folder.glob("test/*.csv"))
    if not files:
        raise MediaError(f"no scans in '{folder}/test'", hint="give the folder gat3way")
    tables = [_table(path, "bme-scans")[1] for path in files]
    scans = np.concatenate(tables)
    scans[~(scans > 0)] = np.nan
    owner = np.repeat(np.arange(len(tables)), [len(t) for t in tables])
    return scans, owner, tuple(f.stem for f in files)


@dataclass(frozen=True)
class Batch:
    """One batch of the UCI drift set: features [n, 128], gas and ppm of each row."""

    features: F64
    gas: NDArray[np.str_]
    ppm: F64


def uci_drift(folder: Path, number: int) -> Batch:
    """A batch of the UCI gas sensor array drift set, `batchN.csv` or `batchN.dat`.

    Raises:
        MediaError: It is missing or damaged.
    """
    from thymos.smell.formats import read as read_file
    from thymos.smell.formats.uci_drift import FeatureTable

    names = (folder / f"batch{number}.csv", folder / f"batch{number}.dat")
    path = next((path for path in names if path.is_file()), names[0])
    table = read_file(path)
    rows = list(table.exposures()) if isinstance(table, FeatureTable) else []
    values = np.array([row.values for row in rows], dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != 128 or not np.isfinite(values).all():
        raise MediaError(f"'{path}' is no batch of the drift set", hint="give uci_drift")
    return Batch(values, np.array([r.gas for r in rows]), np.array([r.ppm for r in rows]))


def later_batches(folder: Path) -> list[Batch]:
    """Batches 4 to 10, those that are there."""
    there = {path.stem for path in folder.glob("batch*.*")}
    return [uci_drift(folder, n) for n in range(4, 11) if f"batch{n}" in there]
