"""Electronic noses on a serial port: found by what they say, whatever their firmware."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np

from thymos.clock import ClockModel
from thymos.errors import DeviceError, DeviceLostError
from thymos.samples import (
    CLIMATE,
    NS_PER_S,
    EndOfStream,
    Flag,
    Health,
    Kind,
    Sample,
    StreamSpec,
    frozen,
)
from thymos_drivers.base import BaseSource, need
from thymos_drivers.enose.decoder import Decoder, Reading
from thymos_drivers.enose.detect import Wish, listen
from thymos_drivers.enose.losses import Clarity, Losses
from thymos_drivers.enose.ports import connect, faults, find, gone, hang_up, usb_serial_number
from thymos_drivers.enose.second_port import NAMES as AIR_NAMES
from thymos_drivers.enose.second_port import AirPort
from thymos_drivers.enose.text import TextDecoder
from thymos_drivers.enose.validity import Validity

BAUDS = (115200, 9600, 57600, 19200)
"""Tried in this order."""

_SILENT_S = 10.0
_GIVE_UP_S = 30.0
"""Silence after which reading ends with an error, so that whoever supervises opens it anew."""
_RESTARTED_S = 5.0
"""How long health tells of a restart."""
_USELESS = 10
"""A channel that gave nothing so many readings in a row is a complaint."""
_CHECK_CABLE = "check cable, ground and speed of the port"
_BEHIND_S = 2.0
"""A reading may be so much older than the answer to a question that came before it."""
_MAX_READ = 65536


class SerialNose(BaseSource):
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
        self._seq = 0
        self._decoder: Decoder | None = None
        self._clock: ClockModel | None = None
        self._port_lock = threading.Lock()
        self._faults: tuple[type[BaseException], ...] = (OSError,)
        self._ready: deque[Sample] = deque()

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
        heard = ""
        for baud in self._bauds:
            self._port = connect(self._path, baud)
            known = self._decoder.again() if self._decoder is not None else None
            found, heard = listen(self._exchange, baud, self._wish, self._closed, known)
            if found is not None:
                self._settle(found, baud)
                return
            self._drop_port()
        tried = ", ".join(str(baud) for baud in self._bauds)
        raise DeviceError(
            f"'{self._path}' sends nothing that looks like an electronic nose "
            f"(listened at {tried} baud; last: {heard})",
            hint="check cable and firmware, or give the speed: serial:PORT?baud=9600",
        )

    def _settle(self, decoder: Decoder, baud: int) -> None:
        """A nose that comes back keeps its channels: others rely on the spec by now."""
        self._decoder = decoder
        self._bauds = (baud, *(b for b in self._bauds if b != baud))
        self._usb_serial = usb_serial_number(self._path)
        climate = decoder.climate
        if self._air is not None and not climate:
            self._air.open()
            climate = AIR_NAMES
        self._checks = Validity(decoder.names, decoder.unit if self._rails else "raw", climate)
        self._losses, self._clarity = Losses(), Clarity()
        self._good_before, self._bad_before = decoder.good, decoder.bad
        self._hole = False
        self._newest_tick = None
        if self._clock is not None:
            self._clock.restart()  # the same oscillator, counting from anywhere
        self._restarted_ns: int | None = None
        self._last_ns = time.monotonic_ns()
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
        self._say(Health.OK)

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
        decoder = self._decoder
        if decoder is None:
            raise EndOfStream
        data, now_ns = self._exchange(decoder.due(time.monotonic_ns()), timeout_s)
        readings = decoder.feed(data, now_ns)
        good, bad = decoder.good - self._good_before, decoder.bad - self._bad_before
        self._good_before, self._bad_before = decoder.good, decoder.bad
        self._clarity.add(good=good, bad=bad)
        self._counters.corrupt += bad
        # Of several readings at once nobody knows which one the unreadable piece preceded.
        self._losses.unreadable(bad)
        if isinstance(decoder, TextDecoder):
            self._synchronise(decoder)
        for reading in readings:
            self._ready.append(self._sample(reading, decoder))

    def _sample(self, reading: Reading, decoder: Decoder) -> Sample:
        self._last_ns = reading.arrived_ns
        lost = self._losses.before(
            reading.ticks, reading.lost_before, whole=decoder.whole, restarted=reading.restarted
        )
        self._counters.dropped += lost
        self._seq += lost
        values = reading.values
        if self._air is not None and not decoder.climate:
            values = np.append(values, self._air.values(reading.arrived_ns))
        values, note = self._checks.check(values)
        gas = values[: len(decoder.names)]
        t_ns, flags = self._time(reading, decoder)
        flags |= Flag.GAP_BEFORE if lost or self._hole or reading.restarted else Flag.OK
        flags |= Flag.WARMUP if reading.warmup else Flag.OK
        flags |= Flag.CLIPPED if self._checks.clipped else Flag.OK
        flags |= Flag.INVALID if bool(np.isnan(gas).all()) else Flag.OK
        self._hole = False
        note = "; ".join(filter(None, (reading.note, note)))
        sample = Sample(
            self._spec.name, self._seq, t_ns, reading.arrived_ns, frozen(values), flags, note
        )
        self._seq += 1
        self._judge(reading, decoder)
        return sample

    def _time(self, reading: Reading, decoder: Decoder) -> tuple[int, Flag]:
        """Capture time, and what has to be said about it."""
        if reading.ticks is None:
            return reading.arrived_ns, Flag.TIME_ESTIMATED
        if self._clock is None:
            self._clock = ClockModel(decoder.tick_ns, wrap_bits=decoder.wrap_bits)
        elif reading.restarted:
            self._clock.restart()
            self._newest_tick = None
        if (
            self._newest_tick is not None
            and 0 < self._newest_tick - reading.ticks < _BEHIND_S * NS_PER_S / decoder.tick_ns
        ):
            # The device answered a question with a newer tick than that of the reading before it.
            return min(self._clock.to_robot_ns(reading.ticks), reading.arrived_ns), Flag.OK
        self._newest_tick = None
        stamp = self._clock.observe(reading.ticks, reading.arrived_ns)
        return stamp.t_ns, Flag.TIME_JUMP if stamp.jumped else Flag.OK

    def _synchronise(self, decoder: TextDecoder) -> None:
        """Learn from answers of the device: they tell the transport delay, arrivals do not."""
        for ticks, middle_ns in decoder.synced:
            if self._clock is not None:
                self._clock.observe(ticks, middle_ns)
                self._newest_tick = ticks
        decoder.synced.clear()

    _newest_tick: int | None

    # Health

    def _judge(self, reading: Reading, decoder: Decoder) -> None:
        if reading.restarted:
            self._restarted_ns = reading.arrived_ns
        useless = self._checks.useless(_USELESS)
        fault, decoder.fault = decoder.fault, ""
        since = reading.arrived_ns - (self._restarted_ns or -(2**63))
        if fault:
            self._say(Health.DEGRADED, f"the nose reports: {fault}", "see its manual")
        elif self._clarity.complaint:
            self._say(Health.DEGRADED, self._clarity.complaint, _CHECK_CABLE)
        elif since < _RESTARTED_S * NS_PER_S:
            self._say(Health.DEGRADED, "the nose restarted by itself", "check its power supply")
        elif useless:
            self._say(Health.DEGRADED, useless, "check this sensor; the others are used")
        else:
            self._say(Health.OK)

    def _watch(self) -> None:
        silent_s = (time.monotonic_ns() - self._last_ns) / NS_PER_S
        garbled = self._clarity.complaint
        what = "has sent nothing readable" if garbled else "has been silent"
        reason = f"'{self._path}' {what} for {silent_s:.0f} s"
        remedy = _CHECK_CABLE if garbled else "check its power; unplug it and plug it in again"
        if silent_s > _GIVE_UP_S:
            self._say(Health.LOST, reason, remedy)
            raise DeviceLostError(reason, hint=remedy)
        if silent_s > _SILENT_S:
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
