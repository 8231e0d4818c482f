"""Noses that print lines, whatever their firmware."""

from __future__ import annotations

from thymos.clock import midpoint
from thymos_drivers.enose.decoder import Decoder, Reading
from thymos_drivers.enose.framing import Framer
from thymos_drivers.enose.rows import Assembler

SYNC_EVERY_NS = 10_000_000_000
_MILLIS_BITS = 32
_TALK = ("type", "id", "ok", "tick_ms")


class TextDecoder(Decoder):
    """Lines to readings; see `recognise` for what is understood.

    Noses that answer `{"cmd":"sync"}` with their tick are asked every 10 s, and the pair of their
    tick and the middle between question and answer is kept in `synced`.

    Args:
        header: Names of the columns, for a nose that does not send them.
        rows: What an earlier decoder of the same nose has learnt.
    """

    protocol = "text"
    wrap_bits: int | None = _MILLIS_BITS

    def __init__(self, header: tuple[str, ...] = (), rows: Assembler | None = None) -> None:
        super().__init__()
        self._given = header
        self._framer = Framer()
        self.rows = rows or Assembler()
        if header and rows is None:
            self.rows.declare(header)
        self._look()
        self.synced: list[tuple[int, int]] = []
        self._asked: tuple[int, int] | None = None
        self._asked_ns: int | None = None
        self._questions = 0
        self._speaks_json = False

    def feed(self, data: bytes, now_ns: int) -> list[Reading]:
        """See `Decoder`."""
        out: list[Reading] = []
        for raw, arrived_ns in self._framer.feed(data, now_ns):
            readings = self.rows.feed(raw, arrived_ns)
            out += readings
            if readings:
                self._speaks_json = raw.startswith(b'{"')
            if self._asked is not None and self.rows.info.get("type") == "ack":
                self._answered(arrived_ns)
        self._look()
        return out

    def due(self, now_ns: int) -> bytes:
        """See `Decoder`."""
        waited = self._asked_ns is None or now_ns - self._asked_ns >= SYNC_EVERY_NS
        if not (self._speaks_json and waited and self.learnt):
            return b""
        self._questions += 1
        self._asked, self._asked_ns = (self._questions, now_ns), now_ns
        return b'{"cmd":"sync","id":%d}\n' % self._questions

    def _answered(self, now_ns: int) -> None:
        info = self.rows.info
        number, sent_ns = self._asked or (0, 0)
        tick = info.get("tick_ms", "")
        fits = info.get("id") == str(number) and now_ns >= sent_ns
        if fits and tick.isascii() and tick.isdigit() and len(tick) < 16:
            self.synced.append((int(tick), midpoint(sent_ns, now_ns).t_ns))
        info["type"] = "data"
        self._asked = None

    def again(self) -> TextDecoder:
        """See `Decoder`."""
        return TextDecoder(self._given, self.rows.again())

    def _look(self) -> None:
        """Take over what the rows have taught."""
        rows = self.rows
        self.names, self.climate, self.unit, self.whole = (
            rows.names,
            rows.climate,
            rows.unit,
            rows.whole,
        )
        overlong = self._framer.overlong
        self.good, self.noise = rows.good, rows.noise + overlong
        self.bad = rows.bad + (overlong if rows.learnt else 0)
        if rows.fault:
            self.fault, rows.fault = rows.fault, ""
        self.info = {k: v for k, v in rows.info.items() if k not in _TALK}
        interval = rows.info.get("interval_ms", "")
        known = interval.isascii() and interval.isdigit() and len(interval) < 9
        self.rate_hz = 1000.0 / int(interval) if known and int(interval) > 0 else 0.0
