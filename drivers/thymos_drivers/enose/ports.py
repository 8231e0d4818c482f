"""Serial ports: by path, by the serial number of the USB chip, or the only one there is."""

from __future__ import annotations

import contextlib
from typing import Any

from thymos.errors import (
    DeviceError,
    DeviceLostError,
    DeviceNotFoundError,
    DevicePermissionError,
)
from thymos_drivers.base import need

FAULTS = (OSError, TypeError, ValueError)
"""What a port that went away raises, besides `termios.error` where that exists."""


def faults() -> tuple[type[BaseException], ...]:
    """All that a serial port may raise; `termios.error` is no OSError."""
    serial = need("serial", "enose")
    found: list[type[BaseException]] = [serial.SerialException, *FAULTS]
    try:
        import termios
    except ImportError:  # Windows
        return tuple(found)
    return (*found, termios.error)


def connect(path: str, baud: int) -> Any:
    """Open a port for this process alone.

    Raises:
        DeviceError: It is missing, not allowed, or taken.
    """
    serial = need("serial", "enose")
    broken = faults()
    port = None
    try:
        if "://" in path:  # socket://host:port of a networked nose
            return serial.serial_for_url(path, baud, timeout=0.05)
        port = serial.Serial(path, baud, timeout=0.05, write_timeout=0.2, exclusive=True)
        port.reset_input_buffer()
    except broken as err:
        hang_up(port)
        raise open_error(path, err) from err
    return port


def hang_up(port: Any) -> None:
    """Close a port, also one that is gone."""
    if port is None:
        return
    broken: tuple[type[BaseException], ...] = (*faults(), AttributeError)
    for step in ("cancel_read", "close"):
        with contextlib.suppress(*broken):  # a port that is gone cannot be closed tidily
            getattr(port, step)()


def find(name: str, usb_serial: str = "") -> str:
    """The path of the port called `name` now.

    Args:
        name: A path, a URL (`socket://…`), the serial number of a USB chip, or empty for the only
            port there is.
        usb_serial: Serial number of the chip found at `name` before, empty if it has none. The
            port it is at now comes first: paths are given anew each time something is plugged in.

    Raises:
        DeviceNotFoundError: None, or several to choose from.
    """
    if usb_serial:
        now = _by_serial_number(usb_serial)
        if now:
            return now
        raise DeviceNotFoundError(
            f"the nose with the USB serial number '{usb_serial}' is not plugged in",
            hint="plug it in again",
        )
    if not name:
        return _only_port()
    if "/" in name or name.upper().startswith("COM"):
        return name
    found = _by_serial_number(name)
    if not found:
        raise DeviceNotFoundError(
            f"no serial port has the USB serial number '{name}'", hint="thymos devices"
        )
    return found


def usb_serial_number(path: str) -> str:
    """Serial number of the USB chip behind a port; empty if it has none or two have the same."""
    numbers = {str(port.device): str(port.serial_number or "") for port in _ports()}
    number = numbers.get(path, "")
    return number if list(numbers.values()).count(number) == 1 else ""


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


def gone(port: str, err: BaseException) -> DeviceLostError:
    """The error for a port that went away while it was read."""
    return DeviceLostError(f"'{port}' went away: {err}", hint="check the cable; plug it in again")


def _ports() -> list[Any]:
    from serial.tools import list_ports

    return list(list_ports.comports())


def _by_serial_number(number: str) -> str:
    same = [str(p.device) for p in _ports() if (p.serial_number or "").lower() == number.lower()]
    return same[0] if len(same) == 1 else ""


def _only_port() -> str:
    ports = sorted(str(port.device) for port in _ports() if port.vid is not None)
    if len(ports) == 1:
        return ports[0]
    what = f"several serial ports: {', '.join(ports)}" if ports else "no USB serial port"
    raise DeviceNotFoundError(f"there is {what}", hint="name one: serial:/dev/ttyUSB0")
