"""Our own wire protocol: framed, checked, numbered, with the device's clock, describing itself.

The reference is docs/wire-protocol.md; drivers/arduino/thymos_nose speaks it. All numbers are
little endian.

    AA 55 | version u8 | type u8 | length u16 | payload | crc u16

    H  describes the nose, as text: nose=Grove;fw=1.0;tick_ns=1000000;rate_hz=10;
                                    channels=NO2:ohm,CO:ohm,temperature:degC
    D  a reading: config u16 | seq u32 | ticks u32 | flags u8 | float32 for each channel
    T  text for people; with a leading `!` a fault

The checksum is CRC-16/IBM-3740 (polynomial 1021, start FFFF) over version … payload; `config` is
that of the H payload a reading belongs to, so that no reading is read with the wrong channels.
"""

from __future__ import annotations

import binascii
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thymos.samples import CLIMATE
from thymos_drivers.enose.decoder import Decoder, Reading

SYNC = b"\xaa\x55"
VERSION = 1
MAX_PAYLOAD = 1024
MAX_CHANNELS = 64
UNITS = ("ohm", "adc", "volt", "ppm")
WARMUP, FAULT = 1, 2
ASK = b"?\n"
"""Sent by the host: describe yourself."""
ASK_EVERY_NS = 1_000_000_000

_HEAD = struct.Struct("<2sBBH")
_DATA = struct.Struct("<HIIB")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,23}")
_HALF_OF_COUNTER = 1 << 31


def crc16(data: bytes) -> int:
    """CRC-16/IBM-3740 of `data`; of b"123456789" it is 0x29B1."""
    return binascii.crc_hqx(data, 0xFFFF)


def frame(kind: bytes, payload: bytes) -> bytes:
    """One frame of type `kind` (one letter).

    Raises:
        ValueError: The payload is too long.
    """
    if len(payload) > MAX_PAYLOAD or len(kind) != 1:
        raise ValueError(f"a frame holds at most {MAX_PAYLOAD} bytes")
    head = _HEAD.pack(SYNC, VERSION, kind[0], len(payload))
    return head + payload + struct.pack("<H", crc16(head[2:] + payload))


@dataclass(frozen=True, slots=True)
class Description:
    """What an H frame says.

    Attributes:
        channels: Name and unit of each, in the order of a reading.
        tick_ns: Nanoseconds of one tick of the device.
        rate_hz: Nominal rate, 0 if it varies.
        info: The other facts, by key.
    """

    channels: tuple[tuple[str, str], ...]
    tick_ns: int = 1_000_000
    rate_hz: float = 0.0
    info: tuple[tuple[str, str], ...] = ()

    @property
    def payload(self) -> bytes:
        """As the text of an H frame."""
        facts = [*self.info, ("tick_ns", f"{self.tick_ns}"), ("rate_hz", f"{self.rate_hz:g}")]
        facts.append(("channels", ",".join(f"{name}:{unit}" for name, unit in self.channels)))
        return ";".join(f"{key}={value}" for key, value in facts).encode()

    @property
    def config(self) -> int:
        """What ties a reading to this description."""
        return crc16(self.payload)


def read_description(payload: bytes) -> Description:
    """Read an H frame.

    Raises:
        ValueError: It is not of this form, or its gas channels differ in unit.
    """
    facts = dict(part.split("=", 1) for part in payload.decode("ascii").split(";") if part)
    channels = tuple(_channel(cell) for cell in facts.pop("channels", "").split(","))
    names = [name for name, _ in channels]
    units = {unit for name, unit in channels if name not in CLIMATE}
    if len(units) != 1 or len(set(names)) < len(names) or len(names) > MAX_CHANNELS:
        raise ValueError("channels need different names, and gas channels one unit")
    tick_ns, rate_hz = int(facts.pop("tick_ns", "1000000")[:12]), float(facts.pop("rate_hz", "0"))
    if not (0 < tick_ns <= 10**9 and 0 <= rate_hz <= 1e5):
        raise ValueError(f"tick_ns={tick_ns} or rate_hz={rate_hz:g} is out of range")
    return Description(
        channels, tick_ns, rate_hz, tuple((k[:40], v[:120]) for k, v in facts.items())
    )


def _channel(cell: str) -> tuple[str, str]:
    name, _, unit = cell.partition(":")
    if not _NAME.fullmatch(name) or unit not in (CLIMATE.get(name, ""), *UNITS):
        raise ValueError(f"'{cell[:40]}' is no name:unit")
    if (name in CLIMATE) != (unit == CLIMATE.get(name)):
        raise ValueError(f"{name} is in {CLIMATE.get(name)}, and only there")
    return name, unit


class WireEncoder:
    """The device's side: what a nose sends. For simulations and tests.

    Args:
        description: What the nose is.
    """

    def __init__(self, description: Description) -> None:
        self.description = description

    def header(self) -> bytes:
        """The frame that describes the nose; sent on starting, on `?`, and every few seconds."""
        return frame(b"H", self.description.payload)

    def data(self, seq: int, ticks: int, values: Sequence[float], flags: int = 0) -> bytes:
        """One reading; NaN where a sensor gave none.

        Raises:
            ValueError: There are more or fewer values than channels.
        """
        if len(values) != len(self.description.channels):
            raise ValueError(f"{len(values)} values for {len(self.description.channels)} channels")
        head = _DATA.pack(self.description.config, seq % 2**32, ticks % 2**32, flags)
        return frame(b"D", head + np.asarray(values, "<f4").tobytes())

    @staticmethod
    def text(text: str) -> bytes:
        """Words for people."""
        return frame(b"T", text.encode()[:MAX_PAYLOAD])


class WireDecoder(Decoder):
    """The host's side: bytes to readings. Attributes: see `Decoder`."""

    protocol = "thymos"
    wrap_bits: int | None = 32

    def __init__(self, known: Description | None = None) -> None:
        super().__init__()
        self._buffer = bytearray()
        self._known = known
        self._order: list[int] = []
        self._config = -1
        self._seq: int | None = None
        self._asked_ns = -ASK_EVERY_NS
        self._wanted = False
        if known is not None:
            self._describe(known)

    def again(self) -> WireDecoder:
        """See `Decoder`."""
        made = WireDecoder(self._known)
        # A nose that was not switched off counts on, with the same description.
        made._seq, made._config = self._seq, self._config
        return made

    def due(self, now_ns: int) -> bytes:
        """See `Decoder`: asks for the description while readings cannot be understood."""
        if not self._wanted or now_ns - self._asked_ns < ASK_EVERY_NS:
            return b""
        self._asked_ns = now_ns
        return ASK

    def feed(self, data: bytes, now_ns: int) -> list[Reading]:
        """See `Decoder`."""
        self._buffer += data
        out: list[Reading] = []
        while True:
            found = self._next()
            if found is None:
                return out
            kind, payload = found
            self.good += 1
            if kind == b"D":
                reading = self._reading(payload, now_ns)
                if reading is not None:
                    out.append(reading)
            elif kind == b"H":
                self._header(payload)
            elif kind == b"T" and payload.startswith(b"!"):
                self.fault = payload[1:121].decode(errors="replace")

    def _next(self) -> tuple[bytes, bytes] | None:
        """Cut the next good frame out of the buffer; None if it is not all there yet."""
        buffer = self._buffer
        while True:
            start = buffer.find(SYNC)
            if start != 0:
                # A sync may be half here: its first byte stays.
                end = start if start > 0 else len(buffer) - buffer.endswith(SYNC[:1])
                self._skip(end)
            if len(buffer) < _HEAD.size:
                return None
            _, version, kind, length = _HEAD.unpack_from(buffer)
            if version != VERSION or not self._plausible(kind, length):
                self._skip(len(SYNC))
                continue
            whole = _HEAD.size + length + 2
            if len(buffer) < whole:
                return None
            body = bytes(buffer[2 : whole - 2])
            if crc16(body) != int.from_bytes(buffer[whole - 2 : whole], "little"):
                self.bad += self.learnt
                self._skip(len(SYNC))  # a good frame may begin inside the broken one
                continue
            del buffer[:whole]
            return bytes([kind]), body[_HEAD.size - 2 :]

    def _plausible(self, kind: int, length: int) -> bool:
        if kind == ord("D") and self.learnt:
            return length == _DATA.size + 4 * len(self._order)
        return kind in b"HDT" and length <= MAX_PAYLOAD

    def _skip(self, count: int) -> None:
        self.noise += count > 0
        del self._buffer[:count]

    def _header(self, payload: bytes) -> None:
        try:
            told = read_description(payload)
        except ValueError as err:
            self.fault = f"it describes itself wrongly: {err}"
            return
        self._wanted = False
        if self._known is not None and told.channels != self._known.channels:
            self.fault = "its channels have changed: start anew to read it"
            return
        self._config = crc16(payload)
        self._describe(told)

    def _describe(self, told: Description) -> None:
        gas = [i for i, (name, _) in enumerate(told.channels) if name not in CLIMATE]
        names = [name for name, _ in told.channels]
        air = [names.index(name) for name in CLIMATE if name in names]
        self._known = told
        self._order = gas + air
        self.names = tuple(names[i] for i in gas)
        self.climate = tuple(names[i] for i in air)
        self.unit = told.channels[gas[0]][1]
        self.rate_hz, self.tick_ns = told.rate_hz, float(told.tick_ns)
        self.info = dict(told.info)

    def _reading(self, payload: bytes, now_ns: int) -> Reading | None:
        config, seq, ticks, flags = _DATA.unpack_from(payload.ljust(_DATA.size, b"\0"))
        if not self.learnt or config != self._config:
            self._wanted = True
            return None
        values = np.frombuffer(payload, "<f4", offset=_DATA.size).astype(np.float64)
        lost, restarted = None, False
        if self._seq is not None:
            step = (seq - self._seq) % 2**32
            restarted = not 0 < step < _HALF_OF_COUNTER
            lost = None if restarted else step - 1
        self._seq = seq
        if flags & FAULT and not self.fault:
            self.fault = "a sensor or heater fails"
        warmup = bool(flags & WARMUP)
        return Reading(values[self._order], ticks, now_ns, lost, restarted=restarted, warmup=warmup)
