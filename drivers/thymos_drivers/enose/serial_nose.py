"""Electronic noses on a serial port: found by what they say, whatever their firmware."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from dataclasses import replace
from typing import Any

from thymos.clock import ClockModel
from thymos.errors import DeviceError, DeviceLostError
from thymos.samples import (
    CLIMATE,
    NS_PER_S,
    EndOfStream,
    Health,
    Kind,
    Sample,
    StreamSpec,
)
from thymos_drivers.base import need
from thymos_drivers.enose.decoder import Decoder
from thymos_drivers.enose.detect import Wish, listen
from thymos_drivers.enose.intake import CHECK_CABLE, Intake
from thymos_drivers.enose.ports import connect, faults, find, gone, hang_up, usb_serial_number
from thymos_drivers.enose.second_port import NAMES as AIR_NAMES
from thymos_drivers.enose.second_port import AirPort
from thymos_drivers.own_clock import OwnClock

BAUDS = (115200, 9600, 57600, 19200)
"""Tried in this order."""

_SILENT_S = 10.0
_GIVE_UP_S = 30.0
"""Silence after which reading ends with an error, so that whoever supervises opens it anew."""
_SCAN_FACTOR = 6
"""Noses that scan their heaters sleep between scans, by their duty cycle for up to two minutes."""
_MAX_READ = 65536


class SerialNose(OwnClock):
    """A nose on a serial port.

    Capture time: the device's own tick through a `ClockModel` if it has one, else the arrival of
    the first byte of the line, or the middle of the question to a polled nose (both flagged
    TIME_ESTIMATED).

    Args:
        port: Path, URL, serial number of the USB chip, or empty for the only port.
        stream: Stream name.
        bauds: Speeds to try.
        rails: The end of the converter's range means that there is no reading.
        wish: What is known about the nose.
        air: Port of a separate sensor of the air, empty if there is none.
    """

    live = True

    def __init__(
        self,
        port: str,
        *,
        stream: str = "enose",
        bauds: tuple[int, ...] = BAUDS,
        rails: bool = True,
        wish: Wish | None = None,
        air: str = "",
    ) -> None:
        super().__init__(
            StreamSpec(stream, Kind.GAS, 0.0, (-1,), "adc", frame_id=f"{stream}_frame", device=port)
        )
        self._name = port
        self._path = port
        self._usb_serial = ""
        self._bauds = bauds
        self._rails = rails
        self._wish = wish or Wish()
        self._air = AirPort(air) if air else None
        self._port: Any = None
        self._decoder: Decoder | None = None
        self._intake: Intake | None = None
        self._port_lock = threading.Lock()
        self._faults: tuple[type[BaseException], ...] = (OSError,)
        self._ready: deque[Sample] = deque()

    @property
    def clock(self) -> ClockModel | None:
        """The nose's own clock as learnt so far; None if it sends no ticks."""
        return self._intake.clock if self._intake is not None else None

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Return the next reading.

        Raises:
            DeviceLostError: The port went away, or nothing was understood for 30 s.
        """
        self._check_open()
        deadline = time.monotonic() + timeout_s
        while not self._ready:
            left = deadline - time.monotonic()
            if left <= 0:
                self._watch()
                return None
            self._pump(min(left, 0.1))
        self._counters.received += 1
        return self._ready.popleft()

    # Opening

    def _open(self) -> None:
        need("serial", "enose")
        self._faults = faults()
        self._ready.clear()
        self._path = find(self._name, self._usb_serial)
        words = ""
        for baud in self._bauds:
            self._port = connect(self._path, baud)
            known = self._decoder.again() if self._decoder is not None else None
            heard = listen(self._exchange, baud, self._wish, self._closed, known)
            if heard.decoder is not None:
                intake = self._settle(heard.decoder, baud)
                self._ready.extend(intake.take(heard.readings))
                return
            words = heard.words
            self._drop_port()
        tried = ", ".join(str(baud) for baud in self._bauds)
        raise DeviceError(
            f"'{self._path}' sends nothing that looks like an electronic nose "
            f"(listened at {tried} baud; last: {words})",
            hint="check cable and firmware, or give the speed: serial:PORT?baud=9600",
        )

    def _settle(self, decoder: Decoder, baud: int) -> Intake:
        """A nose that comes back keeps its channels: others rely on the spec by now."""
        self._decoder = decoder
        self._bauds = (baud, *(b for b in self._bauds if b != baud))
        self._usb_serial = usb_serial_number(self._path)
        climate = decoder.climate
        if self._air is not None and not climate:
            self._air.open()
            climate = AIR_NAMES
        facts = {"baud": str(baud), "protocol": decoder.protocol, "port": self._path}
        facts |= {"serial_number": self._usb_serial} if self._usb_serial else {}
        facts |= {f"unit.{name}": CLIMATE[name] for name in climate}
        facts |= {f"device_{key}": value for key, value in decoder.info.items()}
        self._spec = replace(
            self._spec,
            rate_hz=decoder.rate_hz,
            shape=(len(decoder.names) + len(climate),),
            unit=decoder.unit,
            channels=decoder.names + climate,
            device=self._name or self._path,
            extra=facts,
        )
        warm = self._known_clock(self._spec)
        self._spec = replace(self._spec, extra=facts | self._clock_facts())
        before = self._intake
        self._intake = intake = Intake(
            self._spec.name,
            decoder,
            self._counters,
            seq=before.seq if before else 0,
            clock=before.clock if before else None,
            warm=warm,
            rails=self._rails,
            climate=climate,
            air=self._air.values if self._air is not None and not decoder.climate else None,
            serial=self._usb_serial,
            frame_id=self._spec.frame_id,
        )
        self._last_ns = time.monotonic_ns()
        self._say(Health.OK)
        return intake

    # Reading

    def _exchange(self, question: bytes, timeout_s: float) -> tuple[bytes, int]:
        """Write, then wait for bytes; returns them and when the first of them arrived."""
        port = self._port
        if port is None:
            raise EndOfStream
        try:
            if question:
                self._write(port, question)
            port.timeout = timeout_s
            data = port.read(1)
            now_ns = time.monotonic_ns()
            if data:
                data += port.read(min(port.in_waiting, _MAX_READ))
        except self._faults as err:
            if self._closed.is_set():
                raise EndOfStream from err
            lost = gone(self._path, err)
            self._say(Health.LOST, f"'{self._path}' went away", lost.hint)
            raise lost from err
        return data, now_ns

    @staticmethod
    def _write(port: Any, question: bytes) -> None:
        serial = need("serial", "enose")
        try:
            port.write(question)
        except serial.SerialTimeoutException:  # it does not take questions now; it will be asked
            return  # again

    def _pump(self, timeout_s: float) -> None:
        decoder, intake = self._decoder, self._intake
        if decoder is None or intake is None:
            raise EndOfStream
        data, now_ns = self._exchange(decoder.due(time.monotonic_ns()), timeout_s)
        good = decoder.good
        samples = intake.feed(data, now_ns)
        if decoder.good > good:
            self._last_ns = now_ns
        if samples:
            self._ready.extend(samples)
            self._health = intake.health()

    def _watch(self) -> None:
        silent_s = (time.monotonic_ns() - self._last_ns) / NS_PER_S
        garbled = self._intake is not None and self._intake.garbled
        what = "has sent nothing readable" if garbled else "has been silent"
        reason = f"'{self._path}' {what} for {silent_s:.0f} s"
        remedy = CHECK_CABLE if garbled else "check its power; unplug it and plug it in again"
        patience = 1 if self._decoder is None or self._decoder.whole else _SCAN_FACTOR
        if silent_s > _GIVE_UP_S * patience:
            self._say(Health.LOST, reason, remedy)
            raise DeviceLostError(reason, hint=remedy)
        if silent_s > _SILENT_S * patience:
            self._say(Health.STALLED, reason, remedy)

    # Closing

    def _close(self) -> None:
        port, decoder = self._port, self._decoder
        if port is not None and decoder is not None and decoder.farewell():
            with contextlib.suppress(*self._faults):  # it may be gone already
                port.write(decoder.farewell())
        if self._air is not None:
            self._air.close()
        self._drop_port()

    def _drop_port(self) -> None:
        with self._port_lock:
            port, self._port = self._port, None
        hang_up(port)
