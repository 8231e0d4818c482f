"""Sound at another rate, with its time kept (soxr)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from thymos.samples import NS_PER_S
from thymos_drivers.base import need


class Resampler:
    """Turns blocks of one rate into blocks of another, without a seam between them.

    Output frame k of a stretch belongs to the time k / `to_hz` after the first input frame of that
    stretch: soxr compensates the delay of its filter. It holds some frames back, so what comes out
    of one call begins earlier than what went in.

    Args:
        from_hz: Frames per second that go in.
        to_hz: Frames per second that come out.
        channels: Channels.

    Raises:
        MissingExtraError: soxr is not installed.
    """

    def __init__(self, from_hz: int, to_hz: int, channels: int) -> None:
        soxr = need("soxr", "microphone")
        self._from_hz, self._to_hz = from_hz, to_hz
        self._stream = soxr.ResampleStream(from_hz, to_hz, channels, dtype="int16")
        self._taken = self._given = 0

    def push(self, block: NDArray[np.int16]) -> tuple[NDArray[np.int16], int]:
        """Add a block.

        Args:
            block: int16 [frames, channels].

        Returns:
            What is ready, int16 [frames, channels] (often fewer frames than the rates suggest,
            at first none), and how many nanoseconds before the first frame of `block` it begins.
        """
        behind = self._taken * NS_PER_S // self._from_hz - self._given * NS_PER_S // self._to_hz
        ready: NDArray[np.int16] = self._stream.resample_chunk(block)
        self._taken += len(block)
        self._given += len(ready)
        return ready, behind

    def restart(self) -> None:
        """Begin a new stretch after a hole; what was held back (a few ms) is given up."""
        self._stream.clear()
        self._taken = self._given = 0
