"""The TU/e nose: binary records of eight MQ sensors, without sync, length or checksum.

20 bytes: float32 seconds, then 8 × int16 counts (0 to 1023), little endian. It prints `ready`,
starts on `m`, stops on `r`, takes a rate as `s<Hz>`, and mixes text into the records. Where a
record begins is told by what it must hold: counts in range and a time that rises.
"""

from __future__ import annotations

import math
import struct

import numpy as np

from thymos_drivers.enose.decoder import Decoder, Reading

_RECORD = struct.Struct("<f8h")
_SIZE = _RECORD.size
CHANNELS = tuple(f"MQ{i}" for i in range(8))
MAX_COUNT = 1023
_HIGH = MAX_COUNT >> 8
MAX_STEP_S = 5.0
"""Two records further apart than this are not neighbours."""
RECORDS_TO_LEARN = 4
START, STOP = b"m", b"r"
ASK_EVERY_NS = 1_000_000_000
_READY = b"ready"


class TueDecoder(Decoder):
    """Finds records in the bytes. Attributes: see `Decoder`.

    Args:
        rate_hz: Rate to ask for; 0 leaves it as it is.
        starts: It may be started when it says that it is ready.
        silent: It is not heard: do not wait until it says so.
        again: The channels are known from an earlier time.
    """

    protocol = "tue"
    tick_ns = 1e3

    def __init__(
        self,
        rate_hz: float = 0.0,
        *,
        starts: bool = True,
        silent: bool = False,
        again: bool = False,
    ) -> None:
        super().__init__()
        self.timed = True
        self._buffer = bytearray()
        self._tail = b""
        self._last_s: float | None = None
        self._in_step = False
        self._row = 0
        self._starts = starts
        self._start = silent or again
        self._asked_ns = -ASK_EVERY_NS
        self.names = CHANNELS if again else ()
        self.rate_hz = rate_hz
        self._restarted = False

    def again(self) -> TueDecoder:
        """See `Decoder`."""
        return TueDecoder(self.rate_hz, again=True)

    def due(self, now_ns: int) -> bytes:
        """See `Decoder`: starts a nose that says it is ready, once a second until it sends."""
        if not self._start or now_ns - self._asked_ns < ASK_EVERY_NS:
            return b""
        self._asked_ns = now_ns
        rate = b"s%d\n" % round(self.rate_hz) if self.rate_hz else b""
        return rate + START

    def farewell(self) -> bytes:
        """See `Decoder`."""
        return STOP if self.learnt else b""

    def feed(self, data: bytes, now_ns: int) -> list[Reading]:
        """See `Decoder`."""
        self._listen(data)
        self._buffer += data
        out = []
        position, lost_step = 0, False
        # Where it is not in step, a record counts only if the next one confirms it.
        while len(self._buffer) - position >= _SIZE * (1 if self._in_step else 2):
            record = self._at(position, self._last_s if self._in_step else None)
            if record is None or not (self._in_step or self._confirmed(position, record[0])):
                lost_step |= self._in_step
                self._in_step = False
                position += 1
                continue
            position += _SIZE
            out += self._take(record, now_ns)
        self.bad += lost_step and self.learnt
        self.noise += lost_step or (position > 0 and not out)
        del self._buffer[:position]
        return out

    def _listen(self, data: bytes) -> None:
        """Hear `ready` and errors between the records, also when they come in halves."""
        before, heard = len(self._tail), self._tail + data[-4096:]
        self._tail = heard[-64:]
        fresh = heard.rfind(_READY)
        if fresh >= 0 and fresh + len(_READY) > before:
            self._start, self._in_step = self._starts, False
            self._asked_ns = -ASK_EVERY_NS
            self._restarted = self._last_s is not None
            self._last_s = None
        _, error, text = heard.partition(b"error:")
        if error and b"\n" in text:
            self.fault = text.split(b"\n", 1)[0].decode("ascii", errors="replace").strip()
            self._tail = b""

    def _at(self, position: int, after_s: float | None) -> tuple[float, ...] | None:
        if self._buffer[position + 5] > _HIGH or self._buffer[position + 19] > _HIGH:
            return None  # no count: most places are told apart by this alone
        record: tuple[float, ...] = _RECORD.unpack_from(self._buffer, position)
        seconds = record[0]
        if not (math.isfinite(seconds) and 0 <= seconds < 2**24):
            return None
        if after_s is not None and not after_s < seconds <= after_s + MAX_STEP_S:
            return None
        return record if all(0 <= count <= MAX_COUNT for count in record[1:]) else None

    def _confirmed(self, position: int, seconds: float) -> bool:
        return self._at(position + _SIZE, seconds) is not None

    def _take(self, record: tuple[float, ...], now_ns: int) -> list[Reading]:
        seconds = record[0]
        back = self._last_s is not None and seconds <= self._last_s
        restarted, self._restarted = self._restarted or back, False
        self._last_s, self._in_step, self._start = seconds, True, False
        self.good += 1
        self._row += 1
        if not self.learnt:
            if self._row < RECORDS_TO_LEARN:
                return []
            self.names = CHANNELS
        ticks = round(seconds * 1e6)
        values = np.array(record[1:], dtype=np.float64)
        return [Reading(values, ticks, now_ns, restarted=restarted)]
