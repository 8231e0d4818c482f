"""Electronic noses: on a serial port, on I2C, and in files.

    serial:/dev/ttyUSB0            speed and protocol are found by listening
    serial:A50285BI                by the serial number of its USB chip, wherever it is plugged in
    serial:                        the only USB serial port, if there is one
    i2c:1?address=0x76             a BME680 or BME688 on bus 1
    file:PATH                      CSV or .bmerawdata

Options of `serial:`: baud, protocol, channels, rate, probe, air, adc_rail, clock; see
docs/noses.md.
"""

from __future__ import annotations

from thymos.smell.formats.bme_board import SUFFIX
from thymos_drivers.base import number
from thymos_drivers.enose.bme_log import BmeLog
from thymos_drivers.enose.detect import Wish
from thymos_drivers.enose.file import NoseFile
from thymos_drivers.enose.i2c import I2cNose, open_i2c
from thymos_drivers.enose.serial_nose import BAUDS, SerialNose
from thymos_drivers.own_clock import set_clock

__all__ = [
    "BAUDS",
    "BmeLog",
    "I2cNose",
    "NoseFile",
    "SerialNose",
    "Wish",
    "open_file",
    "open_i2c",
    "open_serial",
]


def open_serial(
    rest: str,
    *,
    stream: str = "enose",
    baud: str = "auto",
    protocol: str = "auto",
    channels: str = "",
    rate: str = "0",
    probe: str = "on",
    air: str = "",
    adc_rail: str = "on",
    clock: str = "",
) -> SerialNose:
    """Make the source of `serial:PORT?baud=…`.

    `clock` is a file of `thymos calibrate clock` instead of the newest one of this nose, or `off`.

    Raises:
        ConfigError: An option is wrong.
    """
    bauds = BAUDS if baud == "auto" else (int(number("baud", baud, low=300, high=4_000_000)),)
    wish = Wish(
        protocol=protocol,
        header=tuple(name.strip() for name in channels.split(",") if name.strip()),
        rate_hz=number("rate", rate, low=0, high=1000),
        probe=probe != "off",
    )
    nose = SerialNose(
        rest,
        stream=stream,
        bauds=bauds,
        rails=adc_rail != "off",
        wish=wish,
        air=air,
    )
    set_clock(nose, clock)
    return nose


def open_file(rest: str, *, stream: str = "enose") -> NoseFile | BmeLog:
    """Make the source of `file:PATH` for the nose: CSV, or `.bmerawdata`."""
    if rest.lower().endswith(SUFFIX):
        return BmeLog(rest, stream=stream)
    return NoseFile(rest, stream=stream)
