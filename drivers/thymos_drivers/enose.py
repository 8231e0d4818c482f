"""Electronic noses on a serial port: found by what they say, whatever their firmware.

    serial:/dev/ttyUSB0            baud and protocol are found by listening
    serial:/dev/ttyACM0?baud=9600  baud is given
    serial:                        the only port that looks like a nose, if there is one

Protocols: see `enose_protocols`. Polled and binary noses (Cyranose 320, TU/e) are not handled yet.
Payloads hold the gas channels only; temperature, humidity and derived indices of the same rows
are left out, since a class learnt from them would recognise the room and not the smell.

Framing is our own: `readline` with a timeout returns halves of lines as if they were whole.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np

from thymos.clock import ClockModel
from thymos.errors import (
    DeviceError,
    DeviceLostError,
    DeviceNotFoundError,
    DevicePermissionError,
)
from thymos.samples import (
    NS_PER_S,
    EndOfStream,
    Flag,
    Health,
    Kind,
    Sample,
    StreamSpec,
    frozen,
)
from thymos_drivers.base import BaseSource, need, number
from thymos_drivers.enose_file import NoseFile
from thymos_drivers.enose_rows import Assembler, Reading, Validity

BAUDS = (115200, 9600, 57600, 19200)
"""Tried in this order."""

MAX_LINE = 4096
_LISTEN_S = 4.0
"""How long one baud rate is listened to before the next is tried."""
_LEARN_S = 60.0
"""How long a nose that is understood may take to show all its channels (slow heater scans)."""
_SILENT_S = 10.0
_GIVE_UP_S = 30.0
"""Silence after which reading ends with an error, so that whoever supervises opens it anew."""
_GARBAGE_LINES = 6
_MILLIS_BITS = 32
_MAX_TICK_MS = 2**53


def open_serial(
    rest: str, *, stream: str = "enose", baud: str = "auto", adc_rail: str = "on"
) -> SerialNose:
    """Make the source of `serial:PORT?baud=…`.

    Raises:
        ConfigError: An option is wrong.
    """
    bauds = BAUDS if baud == "auto" else (int(number("baud", baud, low=300, high=4_000_000)),)
    return SerialNose(rest, stream=stream, bauds=bauds, rails=adc_rail != "off")


def open_file(rest: str, *, stream: str = "enose") -> NoseFile:
    """Make the source of `file:PATH` for the nose."""
    return NoseFile(rest, stream=stream)


class Framer:
    """Cuts bytes into lines; each line knows when its first byte arrived.

    The first line after opening may be half and is thrown away. A line longer than `MAX_LINE` is
    thrown away as well, so that a stream of garbage cannot grow.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._began_ns = 0
        self._skip = True
        self.overlong = 0

    def feed(self, data: bytes, now_ns: int) -> list[tuple[bytes, int]]:
        """Take what arrived at `now_ns`; return the lines that are complete."""
        lines = []
        for piece in data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").splitlines(keepends=True):
            if not self._buffer:
                self._began_ns = now_ns
            self._buffer += piece
            if piece.endswith(b"\n"):
                if not self._skip:
                    lines.append((bytes(self._buffer), self._began_ns))
                self._skip = False
                self._buffer.clear()
            elif len(self._buffer) > MAX_LINE:
                self._buffer.clear()
                self._skip = True
                self.overlong += 1
        return lines


class SerialNose(BaseSource):
    """A nose that prints lines on a serial port.

    Capture time: the device's own tick through a `ClockModel` if it prints one, else the arrival
    of the first byte of the line (flagged TIME_ESTIMATED).
    """

    live = True

    def __init__(
        self,
        port: str,
        *,
        stream: str = "enose",
        bauds: tuple[int, ...] = BAUDS,
        rails: bool = True,
        listen_s: float = _LISTEN_S,
    ) -> None:
        super().__init__(
            StreamSpec(stream, Kind.GAS, 0.0, (-1,), "adc", frame_id=f"{stream}_frame", device=port)
        )
        self._port_name = port
        self._bauds = bauds
        self._rails = rails
        self._listen_s = listen_s
        self._port: Any = None
        self._seq = 0
        self._baud: int | None = None
        self._rows = Assembler()
        self._port_lock = threading.Lock()
        self._faults: tuple[type[BaseException], ...] = (OSError, TypeError)
        self._ready: deque[Sample] = deque()

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Return the next reading.

        Raises:
            DeviceLostError: The port went away, or nothing was heard for 30 s.
        """
        self._check_open()
        deadline = time.monotonic() + timeout_s
        while not self._ready:
            left = deadline - time.monotonic()
            if left <= 0:
                self._watch()
                return None
            for raw, arrived_ns in self._lines(min(left, 0.2)):
                self._take(raw, arrived_ns)
        self._counters.received += 1
        return self._ready.popleft()

    # Opening

    def _open(self) -> None:
        import termios

        serial = need("serial", "enose")
        self._faults = (serial.SerialException, OSError, termios.error, TypeError, ValueError)
        if not self._port_name:
            self._port_name = _only_port()
            self._spec = replace(self._spec, device=self._port_name)
        bauds = self._bauds if self._baud is None else (self._baud,)
        for baud in bauds:
            self._begin(serial, baud)
            if self._listen():
                self._settle(baud)
                return
            self._drop_port()
        tried = ", ".join(str(baud) for baud in bauds)
        raise DeviceError(
            f"'{self._port_name}' sends nothing that looks like an electronic nose "
            f"(listened at {tried} baud; last: {self._heard})",
            hint="check cable and firmware, or give the speed: serial:PORT?baud=9600",
        )

    def _begin(self, serial: Any, baud: int) -> None:
        self._framer = Framer()
        # A nose that comes back keeps its channels: others rely on the spec by now.
        self._rows = Assembler() if self._baud is None else self._rows.again()
        self._bad_before = 0
        self._hole = False
        self._clock: ClockModel | None = None
        self._ready.clear()
        self._heard = "silence"
        try:
            self._port = serial.Serial(self._port_name, baud, timeout=0.05, exclusive=True)
            self._port.reset_input_buffer()
        except self._faults as err:
            raise open_error(self._port_name, err) from err

    def _listen(self) -> bool:
        """Listen at one speed; True once the channels are known."""
        began = time.monotonic()
        rows = self._rows
        while not self._closed.is_set():
            waited = time.monotonic() - began
            if waited > (_LEARN_S if rows.good >= 2 else self._listen_s):
                break
            for raw, arrived_ns in self._lines(0.1):
                self._heard = f"{rows.good} readable and {rows.noise} unreadable lines"
                self._take(raw, arrived_ns)
            if rows.learnt and rows.good:
                return True
            if rows.noise + self._framer.overlong >= _GARBAGE_LINES and not rows.good:
                break
        return False

    def _settle(self, baud: int) -> None:
        rows = self._rows
        interval = rows.info.get("interval_ms", "")
        rate = 1000.0 / float(interval) if interval.isdigit() and int(interval) > 0 else 0.0
        self._checks = Validity(rows.names, rows.unit if self._rails else "raw")
        facts = {"baud": str(baud)} | {f"device_{k}": v for k, v in rows.info.items()}
        self._spec = replace(
            self._spec,
            rate_hz=rate,
            shape=(len(rows.names),),
            unit=rows.unit,
            channels=rows.names,
            extra=facts,
        )
        self._baud = baud
        self._bad_before = rows.bad
        self._last_ns = time.monotonic_ns()
        self._say(Health.OK)

    # Reading

    def _lines(self, timeout_s: float) -> list[tuple[bytes, int]]:
        port = self._port
        if port is None:
            raise EndOfStream
        try:
            port.timeout = timeout_s
            data = port.read(1)
            now_ns = time.monotonic_ns()
            if data:
                data += port.read(min(port.in_waiting, 65536))
        except self._faults as err:
            if self._closed.is_set():
                raise EndOfStream from err
            self._say(Health.LOST, f"'{self._port_name}' went away", "plug it in again")
            raise DeviceLostError(
                f"'{self._port_name}' went away: {err}", hint="check the cable; plug it in again"
            ) from err
        return self._framer.feed(data, now_ns)

    def _take(self, raw: bytes, arrived_ns: int) -> None:
        reading = self._rows.feed(raw, arrived_ns)
        if not self._rows.learnt or self._health.health is Health.STARTING:
            return  # rows that taught the channels are not delivered: their time is unsure
        lost = self._rows.bad - self._bad_before
        self._bad_before = self._rows.bad
        if lost:
            self._counters.corrupt += lost
            self._counters.dropped += lost
            self._seq += lost
            self._hole = True
        if reading is not None:
            self._ready.append(self._sample(reading))

    def _sample(self, reading: Reading) -> Sample:
        self._last_ns = reading.arrived_ns
        if self._rows.fault:
            self._say(Health.DEGRADED, f"the nose reports: {self._rows.fault}")
            self._rows.fault = ""
        else:
            self._say(Health.OK)
        values, note = self._checks.check(reading.values)
        flags = Flag.GAP_BEFORE if self._hole else Flag.OK
        self._hole = False
        if bool(np.isnan(values).all()):
            flags |= Flag.INVALID
        t_ns = reading.arrived_ns
        if reading.tick_ms is None or not abs(reading.tick_ms) < _MAX_TICK_MS:  # or NaN
            flags |= Flag.TIME_ESTIMATED
        else:
            if self._clock is None:
                self._clock = ClockModel(tick_ns=1e6, wrap_bits=_MILLIS_BITS)
            stamp = self._clock.observe(round(reading.tick_ms), reading.arrived_ns)
            t_ns = stamp.t_ns
            flags |= Flag.TIME_JUMP if stamp.jumped else Flag.OK
        sample = Sample(
            self._spec.name, self._seq, t_ns, reading.arrived_ns, frozen(values), flags, note
        )
        self._seq += 1
        return sample

    def _watch(self) -> None:
        silent_s = (time.monotonic_ns() - self._last_ns) / NS_PER_S
        reason = f"'{self._port_name}' has been silent for {silent_s:.0f} s"
        remedy = "check its power; unplug it and plug it in again"
        if silent_s > _GIVE_UP_S:
            self._say(Health.LOST, reason, remedy)
            raise DeviceLostError(reason, hint=remedy)
        if silent_s > _SILENT_S:
            self._say(Health.STALLED, reason, remedy)

    # Closing

    def _close(self) -> None:
        self._drop_port()

    def _drop_port(self) -> None:
        with self._port_lock:
            port, self._port = self._port, None
        if port is None:
            return
        for step in (port.cancel_read, port.close):
            try:
                step()
            except self._faults:  # a port that is gone cannot be closed tidily
                continue


def open_error(port: str, err: BaseException) -> DeviceError:
    """What stands behind a port that does not open, with the command that helps."""
    number_ = getattr(err, "errno", None)
    if number_ == 2:
        return DeviceNotFoundError(f"there is no port '{port}'", hint="thymos devices")
    if number_ == 13:
        return DevicePermissionError(
            f"this user may not open '{port}'",
            hint="sudo usermod -aG dialout $USER, then log in again",
        )
    if number_ in (11, 16):
        return DeviceError(f"'{port}' is in use by another program", hint=f"fuser -v {port}")
    return DeviceError(f"cannot open '{port}': {err}", hint="thymos devices")


def _only_port() -> str:
    """The one USB serial port there is.

    Raises:
        DeviceNotFoundError: None, or several to choose from.
    """
    from serial.tools import list_ports

    ports = sorted(port.device for port in list_ports.comports() if port.vid is not None)
    if len(ports) == 1:
        return str(ports[0])
    what = f"several serial ports: {', '.join(ports)}" if ports else "no USB serial port"
    raise DeviceNotFoundError(f"there is {what}", hint="name one: serial:/dev/ttyUSB0")
