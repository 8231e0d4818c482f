"""Rows of the fault table (docs/reliability.md), written by the tests that make the faults."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Protocol


class Seen(Protocol):
    """What people read while it happened; see `witness`."""

    @property
    def diagnostics(self) -> str:
        """`/diagnostics`: level, message, remedy, counters."""

    @property
    def terminal(self) -> str:
        """The lines of `thymos run`."""

    @property
    def samples(self) -> str:
        """What the samples carry."""


def fault_row(
    device: str,
    what: str,
    seen: Seen,
    *,
    family: str,
    lost: int | None = None,
    reported: int | None = None,
    good_again_s: float | None = None,
) -> None:
    """Add one row, if THYMOS_FAULT_TABLE names a file for it.

    Args:
        device: Which device, and how it was played.
        what: What happened to it.
        seen: What was said.
        family: Heading it stands under.
        lost: Samples that the device made and that never reached the reader, counted by the test
            itself; None where nothing was being read.
        reported: Samples that the driver says are lost.
        good_again_s: From the end of the fault to the next good sample.
    """
    path = os.environ.get("THYMOS_FAULT_TABLE")
    if not path:
        return
    row = {
        "family": family,
        "device": device,
        "what": what,
        "diagnostics": seen.diagnostics,
        "terminal": seen.terminal,
        "samples": seen.samples,
        "lost": lost,
        "reported": reported,
        "good_again_s": None if good_again_s is None else round(good_again_s, 2),
    }
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
