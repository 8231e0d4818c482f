"""Heater scans of a BME688 as CSV without a header: 50 values a row, 5 cycles of 10 steps.

As of the public collection `bme688_keras_experiments` (gat3way): a row is one duty cycle of one
sensor, in ohm; the name of the file is the odour. Rows know nothing of each other's time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from thymos.smell.formats.base import Dialect, FormatError, Row
from thymos.smell.formats.bme_config import BoardConfig, read_config
from thymos.smell.formats.opening import Head
from thymos.smell.formats.tables import Plan, TableFormat
from thymos.smell.frame import Channel, Nose, Odorant

STEPS, CYCLES = 10, 5
_UNLABELLED = {"test", "train", "data"}
_CONFIG = "BoardConfiguration.bmeconfig"


class BmeScans(TableFormat):
    """One reading is one row: channels `c0_h0` (cycle 0, step 0) … `c4_h9`."""

    name = "bme-scans"
    title = "BME688 scans, CSV without header"
    suffixes = (".csv",)
    columns = tuple(f"c{cycle}_h{step}" for cycle in range(CYCLES) for step in range(STEPS))

    def sniff(self, head: Head) -> bool:
        """A first row of 50 numbers."""
        cells = head.first.split(",")
        return len(cells) == STEPS * CYCLES and all(map(_is_number, cells))

    def delimiter(self, head: Head) -> str:
        """Always a comma."""
        return ","

    def is_remark(self, line: str) -> bool:
        """None."""
        return False

    def plan(self, dialect: Dialect, path: Path, rows: Sequence[Row]) -> Plan:
        """Set points by the board configuration beside the file or one folder up."""
        config = _config(path)
        profile = config.profiles[0] if config and config.profiles else None
        channels = []
        for name in self.columns:
            step = int(name.rpartition("h")[2])
            known = profile is not None and step < len(profile.steps)
            celsius, hold = profile.steps[step] if known and profile else (float("nan"), 0)
            channels.append(
                Channel(
                    name, "ohm", sensor_model="BME688", heater_step=step, heater_celsius=celsius,
                    heater_ns=hold, heater_profile=profile.name if profile else "",
                )
            )  # fmt: skip
        cycle = sum(hold for _, hold in profile.steps) if profile else 10**9
        label = "" if path.stem in _UNLABELLED else path.stem
        odorants = (Odorant(label),) if label else ()
        return Plan(
            Nose("BME688 scan", "", tuple(channels)),
            tuple(range(STEPS * CYCLES)),
            period_ns=CYCLES * cycle,
            odorants=lambda _: odorants,
            session=path.stem,
            warnings=("no time column: the rows are in order, nothing more is known",),
        )


def _config(path: Path) -> BoardConfig | None:
    for folder in (path.parent, path.parent.parent):
        beside = folder / _CONFIG
        if beside.is_file():
            try:
                return read_config(beside)
            except FormatError:
                return None
    return None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
