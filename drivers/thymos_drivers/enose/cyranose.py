"""The Cyranose 320: 32 polymer sensors, asked one reading at a time.

`RSD` and a carriage return are answered by `SD 02 00 <mask> <32 × 24 bit> <thermistor> <battery>
<reserved> <phase> <tick>`, all hexadecimal. A reading of v counts is 2.21 kΩ · v / (2²⁴ − v). The
tick of the device (0.1 s) does not run at wall speed, so that a reading is stamped with the middle
between question and answer, and the tick only tells whether it was switched off in between.
"""

from __future__ import annotations

import re

import numpy as np

from thymos.clock import midpoint
from thymos_drivers.enose.decoder import Decoder, Reading

BAUD = 57600
QUESTION = b"RSD\r"
CHANNELS = tuple(f"S{i + 1}" for i in range(32))
ANSWER_NS = 1_000_000_000
"""An answer that takes longer than this is lost (measured round trip: 0.36 s)."""
MAX_LINE = 1024
PHASES = {0: "", 1: "the nose is purging", 2: "the nose is drawing in a sample"}
_HEX = re.compile(r"[0-9A-Fa-f]{1,8}")
_CELLS = 4 + len(CHANNELS) + 3 + 2
_FULL = 1 << 24
_OHM = 2210.0


class CyranoseDecoder(Decoder):
    """Asks and reads. Attributes: see `Decoder`.

    Args:
        pause_ns: Least time from one question to the next.
        again: The channels are known from an earlier time.
    """

    protocol = "cyranose"

    def __init__(self, pause_ns: int = 500_000_000, *, again: bool = False) -> None:
        super().__init__()
        self._pause_ns = pause_ns
        self._buffer = bytearray()
        self._asked_ns: int | None = None
        self._waits = False
        self._tick: int | None = None
        self.names = CHANNELS if again else ()
        self.unit = "ohm"
        self._lost = 0

    def again(self) -> CyranoseDecoder:
        """See `Decoder`."""
        return CyranoseDecoder(self._pause_ns, again=True)

    def due(self, now_ns: int) -> bytes:
        """See `Decoder`."""
        since = now_ns - self._asked_ns if self._asked_ns is not None else ANSWER_NS
        if since < (ANSWER_NS if self._waits else self._pause_ns):
            return b""
        if self._waits and self._asked_ns is not None:
            self.bad += self.learnt
            self._lost += self.learnt
        self._buffer.clear()
        self._asked_ns, self._waits = now_ns, True
        return QUESTION

    def feed(self, data: bytes, now_ns: int) -> list[Reading]:
        """See `Decoder`."""
        self._buffer += data.replace(b"\n", b"\r")
        out = []
        *lines, rest = self._buffer.split(b"\r")
        self._buffer = bytearray(rest[-MAX_LINE:])
        for line in lines:
            reading = self._line(bytes(line), now_ns)
            if reading is not None:
                out.append(reading)
        return out

    def _line(self, line: bytes, now_ns: int) -> Reading | None:
        text = line.decode("ascii", errors="replace").strip("\x00 \n\t")
        if not text or text == QUESTION.decode().strip():  # some adapters echo
            return None
        cells = text.split()
        good = len(cells) == _CELLS and cells[0] == "SD"
        if not good or not all(_HEX.fullmatch(cell) for cell in cells[1:]):
            self.noise += 1
            self.bad += self.learnt and self._waits
            self._lost += self.learnt and self._waits
            self._waits = False
            return None
        if not self._waits or self._asked_ns is None:
            return None  # an answer that came too late: nobody knows when it was taken
        self.good += 1
        self.names = CHANNELS
        self._waits = False
        numbers = [int(cell, 16) for cell in cells[1:]]
        mask, phase, tick = numbers[2], numbers[-2], numbers[-1]
        counts = np.array(numbers[3:35], dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            ohm = _OHM * counts / (_FULL - counts)
        ohm[(counts >= _FULL - 1) | ~np.array([mask >> i & 1 for i in range(32)], dtype=bool)] = (
            np.nan
        )
        self.info = {"battery": cells[-4], "thermistor": cells[-5]}
        restarted = self._tick is not None and tick < self._tick
        self._tick = tick
        lost, self._lost = self._lost, 0
        middle_ns = midpoint(self._asked_ns, max(now_ns, self._asked_ns)).t_ns
        note = PHASES.get(phase, f"the nose is in phase {phase}")
        return Reading(ohm, None, middle_ns, lost, restarted=restarted, note=note)
