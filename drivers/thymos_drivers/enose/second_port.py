"""A sensor of the air on a port of its own, beside a nose that has none (Arcwy0/e-nose).

It prints temperature, relative humidity, CO2, H2S and CH2O with tabs between them. The air is
taken as channels of the nose; the gases are not, as they are in another unit: whoever wants them
reads the port as a nose of its own.
"""

from __future__ import annotations

import math
from typing import Any

from thymos.errors import DeviceError
from thymos_drivers.enose.ports import connect, faults, find, hang_up
from thymos_drivers.enose.text import TextDecoder

COLUMNS = ("temperature", "humidity", "CO2", "H2S", "CH2O")
NAMES = ("temperature", "humidity")
BAUD = 9600
_STALE_NS = 30_000_000_000
_RETRY_NS = 5_000_000_000


class AirPort:
    """The newest reading of the air; NaN when there is none or it is older than 30 s.

    It never raises while reading: a nose without its thermometer is still a nose.
    """

    def __init__(self, name: str, baud: int = BAUD) -> None:
        self._name, self._baud = name, baud
        self._port: Any = None
        self._decoder = TextDecoder(COLUMNS)
        self._values = (math.nan, math.nan)
        self._read_ns = 0
        self._tried_ns = 0

    def open(self) -> None:
        """Open the port.

        Raises:
            DeviceError: It is missing, not allowed, or taken.
        """
        self._port = connect(find(self._name), self._baud)

    def values(self, now_ns: int) -> tuple[float, float]:
        """Temperature [degC] and humidity [%] now."""
        self._poll(now_ns)
        return self._values if now_ns - self._read_ns < _STALE_NS else (math.nan, math.nan)

    def close(self) -> None:
        """Close the port."""
        hang_up(self._port)
        self._port = None

    def _poll(self, now_ns: int) -> None:
        if self._port is None:
            if now_ns - self._tried_ns < _RETRY_NS:
                return
            self._tried_ns = now_ns
            try:
                self.open()
            except DeviceError:
                return
        try:
            data = self._port.read(self._port.in_waiting or 0)
        except faults():
            self.close()
            return
        for reading in self._decoder.feed(data, now_ns):
            self._values = (float(reading.values[-2]), float(reading.values[-1]))
            self._read_ns = now_ns
