"""Tells user code about samples that found no place; a fault in it changes nothing here."""

from __future__ import annotations

import sys
from collections.abc import Callable

from thymos.samples import Sample

OnUnmatched = Callable[[Sample, str], None]
"""Told each sample that found no place in what was given out, and why, in words."""

MAX_COMPLAINTS = 20  # a callback that fails at 30 Hz must not fill a terminal


class Unmatched:
    """Samples without a place: counted at once, told when the caller's state is whole again.

    Attributes:
        counts: How many so far, by stream.
    """

    def __init__(self, callback: OnUnmatched | None) -> None:
        self.counts: dict[str, int] = {}
        self._callback = callback
        self._waiting: list[tuple[Sample, str]] = []
        self._complaints = 0

    def __bool__(self) -> bool:
        """Whether there is something to tell."""
        return bool(self._waiting)

    def add(self, sample: Sample, why: str) -> None:
        """Note a sample without a place."""
        self.counts[sample.stream] = self.counts.get(sample.stream, 0) + 1
        if self._callback is not None:
            self._waiting.append((sample, why))

    def tell(self) -> None:
        """Call the callback; what it raises is reported on stderr."""
        told, self._waiting = self._waiting, []
        for sample, why in told:
            try:
                assert self._callback is not None  # noqa: S101
                self._callback(sample, why)
            except Exception as err:  # noqa: BLE001  a broken callback must not stop the robot
                self._complain(err)

    def _complain(self, err: Exception) -> None:
        self._complaints += 1
        if self._complaints <= MAX_COMPLAINTS:
            print(f"on_unmatched failed: {type(err).__name__}: {err}", file=sys.stderr)
