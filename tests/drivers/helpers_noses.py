"""Firmware of real noses, byte for byte as they print, and a board that runs it on a pty.

The board hears what a microcontroller hears: that its port is opened (it restarts, as by DTR, if
`resets`), at which speed (at a wrong one the host gets garbage), and what it is told.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import struct
import termios
import threading
import time
import tty
from collections.abc import Callable

import numpy as np

from fault_table import Seen, fault_row
from thymos_drivers.enose.wire import Description, WireEncoder


def note_down(
    device: str,
    what: str,
    seen: Seen,
    *,
    lost: int | None = None,
    reported: int | None = None,
    again_s: float | None = None,
) -> None:
    """Add a row to the fault table, if THYMOS_FAULT_TABLE names a file for it."""
    more = {"lost": lost, "reported": reported, "good_again_s": again_s}
    fault_row(device, what, seen, family="Electronic noses", **more)  # type: ignore[arg-type]


BOOT = b"ets Jun  8 2016 00:22:57\r\nrst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"
SPEEDS = {termios.B9600: 9600, termios.B19200: 19200, termios.B57600: 57600}
SPEEDS[termios.B115200] = 115200
SEEED = ("GM102B", "GM302B", "GM502B", "GM702B")


class Firmware:
    """One kind of nose. Reading n has n % 500 + 100 in its first gas channel (`first`)."""

    name = ""
    baud = 115200
    boot = b""
    gas = 4
    climate = 0
    ticks = False
    polled = False
    """Sends only what it is asked for."""

    def row(self, n: int, ms: int) -> bytes:
        """The bytes of reading n, `ms` after the board started."""
        raise NotImplementedError

    def told(self, data: bytes, ms: int) -> bytes:
        """What it answers."""
        return b""

    def first(self, n: int) -> float:
        """What the first gas channel of reading n must be."""
        return float(count(n))


def count(n: int) -> int:
    return n % 500 + 100


class OpenSmell(Firmware):
    name, gas = "OpenSmell OSM", 6
    boot = BOOT + b"INFO,universal-esp32,1.0.0,6,interval_ms=500\n"

    def row(self, n: int, ms: int) -> bytes:
        return b"OSM,%d,512,498,300,200,100\n" % count(n)


class OpenSmellOld(Firmware):
    name, gas = "OpenSmell, bare CSV", 6

    def row(self, n: int, ms: int) -> bytes:
        return b"%d,511,498,700,333,221\n" % count(n)


class SmellNet(Firmware):
    name, gas, climate = "SmellNet CSV", 7, 3
    boot = (
        b"NO2,C2H5OH,VOC,CO,Alcohol,LPG,Benzene,Temperature,Pressure,Humidity,Gas_Resistance,"
        b"Altitude\r\n"
    )

    def row(self, n: int, ms: int) -> bytes:
        return b"%d,67,75,818,2,29,17,25.59,1015.15,38.72,242.43,15.44\r\n" % count(n)


class ArtificialNose(Firmware):
    name = "artificial-nose"

    def row(self, n: int, ms: int) -> bytes:
        return b"%d,818,67,75\r\n" % count(n)


class Seeed(Firmware):
    name, baud = "Seeed background", 9600

    def row(self, n: int, ms: int) -> bytes:
        values = (count(n), 400, 300, 200)
        rows = (
            b"%s: %d  eq  1.65V\r\n" % (k.encode(), v) for k, v in zip(SEEED, values, strict=True)
        )
        return b"".join(rows)


class Parallel(Firmware):
    name, gas, climate, ticks = "Bosch parallel mode", 3, 3, True
    boot = (
        b"TimeStamp(ms), Temperature(deg C), Pressure(Pa), Humidity(%), Gas resistance(ohm), "
        b"Status, Gas index\r\n"
    )

    def row(self, n: int, ms: int) -> bytes:
        steps = (count(n), 5e4 + n, 6e4 + n)
        return b"".join(
            b"%d, 25.31, 101325.00, 45.12, %.2f, b0, %d\r\n" % (ms, ohm, k)
            for k, ohm in enumerate(steps)
        )


class DevKit(Firmware):
    name, gas, climate, ticks = "BME688 dev kit", 24, 3, True
    boot = (
        b"TimeStamp(ms),Sensor Index,Temperature(deg C),Pressure(Pa),Humidity(%),"
        b"Gas Resistance(ohm),Gas Index,Meas Index,idac,Status,Gas Valid,Heater Stable\r\n"
    )

    def row(self, n: int, ms: int) -> bytes:
        return b"".join(
            b"%d,%d,25.31,101325.00,45.12,%.2f,%d,17,90,b0,32,16\r\n"
            % (ms, s, count(n) if s == h == 0 else 1e5 + 100 * s + 10 * h + n, h)
            for h in range(3)
            for s in range(8)
        )


class Bsec(Firmware):
    name, gas, climate, ticks = "BSEC", 1, 3, True
    boot = (
        "BSEC library version 1.4.8.0\r\n"
        "Timestamp [ms], raw temperature [°C], pressure [hPa], raw relative humidity [%], "
        "gas [Ohm], IAQ, IAQ accuracy, temperature [°C], relative humidity [%], Static IAQ, "
        "CO2 equivalent, breath VOC equivalent\r\n"
    ).encode()

    def row(self, n: int, ms: int) -> bytes:
        return b"%d, 25.31, 1013.25, 45.12, %d, 25.00, 0, 25.25, 45.40, 25.00, 500.00, 0.50\r\n" % (
            ms,
            count(n),
        )


class RpiOdor(Firmware):
    name, gas, climate, ticks = "rpi_odor JSON", 8, 3, True
    boot = BOOT + b'{"type":"ready","version":"2.1.0","sensors":8}\n'
    asked = 0

    def row(self, n: int, ms: int) -> bytes:
        return b"".join(
            b'{"type":"data","tick":%d,"s":%d,"id":1234567,"v":%.1f,"st":"mox_d","gi":3,'
            b'"T":25.32,"H":45.12,"P":1013.25}\n' % (ms, s, count(n) if s == 0 else 1e5 + s + n)
            for s in range(8)
        )

    def told(self, data: bytes, ms: int) -> bytes:
        if b'"sync"' not in data:
            return b""
        self.asked += 1
        number = int(data.split(b'"id":')[1].split(b"}")[0])
        return b'{"type":"ack","id":%d,"ok":true,"tick_ms":%d}\n' % (number, ms)


class Tue(Firmware):
    name, gas, ticks = "TU/e binary", 8, True
    boot = b"ready\r\n"
    runs = False

    def row(self, n: int, ms: int) -> bytes:
        values = (count(n), 200, 300, 400, 500, 600, 700, 800)
        return struct.pack("<f8h", ms / 1000 + 0.01, *values) if self.runs else b""

    def told(self, data: bytes, ms: int) -> bytes:
        self.runs = (self.runs or b"m" in data) and b"r" not in data
        return b"ok\r\n" if b"m" in data else b""


class Arcwy(Firmware):
    name, baud, gas = "17-MOX nose", 9600, 17

    def row(self, n: int, ms: int) -> bytes:
        return b" ".join(b"%d" % (count(n) if i == 0 else 500 + i) for i in range(17)) + b"\r\n"


class Cyranose(Firmware):
    name, baud, gas, polled = "Cyranose 320", 57600, 32, True
    n = 0

    def told(self, data: bytes, ms: int) -> bytes:
        return self.answer(ms) if b"RSD\r" in data else b""

    def answer(self, ms: int) -> bytes:
        raw = [0x921BDC + 16 * i + self.n % 7 for i in range(32)]
        raw[0] = round(2**24 * count(self.n) / (2210 + count(self.n)))
        self.n += 1
        cells = " ".join(f"{v:06X}" for v in raw)
        return f"SD 02 00 FFFFFFFF {cells} 3E7103 7CA7A6 000FFF 00 {ms // 100:06X}\r".encode()

    def row(self, n: int, ms: int) -> bytes:
        return b""


class Labels(Firmware):
    name, baud, gas, ticks = "Ms| rows", 19200, 2, True

    def row(self, n: int, ms: int) -> bytes:
        text = "Ms|%d|0|CH4_MQ4_Description for MQ4|%d|1|CO_MQ7_Description for MQ7|300|\r\n"
        return (text % (ms, count(n))).encode()


class Named(Firmware):
    name, gas = "label: value lines", 2

    def row(self, n: int, ms: int) -> bytes:
        return b"NO2: %d PPM\r\nCO: 1.2 PPM\r\n" % count(n)


class SniffSniff(Firmware):
    name, gas, ticks = "sniffsniff", 6, True
    boot = b"t,c0,c1,c2,c3,c4,c5\r\n"

    def row(self, n: int, ms: int) -> bytes:
        return b"%d,%d,200,300,400,500,600\r\n" % (ms, count(n))


class Own(Firmware):
    name, gas, climate, ticks = "Thymos wire", 2, 1, True

    def __init__(self) -> None:
        channels = (("NO2", "ohm"), ("CO", "ohm"), ("temperature", "degC"))
        self.wire = WireEncoder(Description(channels, 1_000_000, 10.0))
        self.boot = self.wire.header()
        self.base = 0

    def row(self, n: int, ms: int) -> bytes:
        return self.wire.data(n - self.base, ms, (count(n), 2e4 + n, 21.5))

    def told(self, data: bytes, ms: int) -> bytes:
        return self.wire.header() if b"?" in data else b""


ALL: tuple[type[Firmware], ...] = (
    OpenSmell, OpenSmellOld, SmellNet, ArtificialNose, Seeed, Parallel, DevKit, Bsec, RpiOdor, Tue,
    Arcwy, Cyranose, Labels, Named, SniffSniff, Own,
)  # fmt: skip


class Board:
    """Runs firmware on a pty; restarts when its port is opened.

    Args:
        firmware: What it runs.
        hz: Readings a second.
        faults: What is done to the bytes of reading n; counted over restarts.
    """

    def __init__(
        self,
        firmware: Firmware,
        hz: float = 50.0,
        faults: dict[int, Callable[[bytes], bytes]] | None = None,
    ) -> None:
        self.firmware, self.hz, self.faults = firmware, hz, faults or {}
        self.n = 0
        self.opened = 0
        self.resets = True
        self.restart = threading.Event()
        self.mute = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.plug()

    def plug(self) -> None:
        """Plug it in; the port may have another name than before."""
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.port = os.ttyname(slave)
        os.close(slave)  # from now on only who opens the port holds it
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def unplug(self) -> None:
        """Pull the plug."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
            os.close(self.master)

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    def _run(self) -> None:
        began, due, is_open = time.monotonic(), 0.0, False
        noise = np.random.default_rng(7)
        poll = select.poll()
        poll.register(self.master, select.POLLIN | select.POLLHUP)
        while not self._stop.is_set():
            events = dict(poll.poll(1)).get(self.master, 0)
            if events & select.POLLHUP:
                is_open = is_open and not self.resets
                if is_open and time.monotonic() - began >= due:  # it goes on, unheard
                    due += 1.0 / self.hz
                    self.n += 1
                self._stop.wait(0.002)
                continue
            now = time.monotonic()
            if not is_open or self.restart.is_set():
                is_open, began, due = True, now, 0.0
                self.restart.clear()
                self._boot()
            ms = int((now - began) * 1000)
            out = b""
            if events & select.POLLIN:
                with contextlib.suppress(OSError):
                    out += self.firmware.told(os.read(self.master, 4096), ms)
            if (now - began) >= due and not self.mute.is_set():
                out += self._reading(int(due * 1000))
                due += 1.0 / self.hz
            self._send(out, noise)

    def _boot(self) -> None:
        self.opened += 1
        if isinstance(self.firmware, Own):
            self.firmware.base = self.n
        if isinstance(self.firmware, Tue):
            self.firmware.runs = False
        time.sleep(0.02)
        self._send(b"\r\n" + self.firmware.boot, np.random.default_rng(1))

    def _reading(self, ms: int) -> bytes:
        row = self.firmware.row(self.n, ms)
        if not row:
            return b""
        row = self.faults.get(self.n, lambda data: data)(row)
        self.n += 1
        return row

    def _send(self, data: bytes, noise: np.random.Generator) -> None:
        with contextlib.suppress(OSError, termios.error):
            speed = SPEEDS.get(termios.tcgetattr(self.master)[4])
            if data and speed != self.firmware.baud:
                data = noise.integers(128, 256, len(data), np.uint8).tobytes()
            if data:
                os.write(self.master, data)
