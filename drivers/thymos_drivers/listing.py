"""What is plugged in: cameras, microphones and noses, with the reason where one cannot be used.

`thymos devices` finds these functions through the entry-point group `thymos.listing`. Listing never
takes a device away from others and never fails: a library that is missing is an entry that says so.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from thymos.errors import ThymosError
from thymos_drivers.base import need
from thymos_drivers.camera import camera_serial, v4l2_names
from thymos_drivers.enose.ports import usb_serial_number
from thymos_drivers.microphone import sound_library
from thymos_drivers.v4l2_controls import V4l2Controls

_SERIAL_NOSE_CHIPS = {
    0x2341: "Arduino",
    0x2A03: "Arduino",
    0x1A86: "CH340 (ESP32, Arduino clones)",
    0x10C4: "CP210x (ESP32)",
    0x0403: "FTDI",
    0x303A: "Espressif",
    0x2886: "Seeed",
    0x239A: "Adafruit",
    0x2E8A: "Raspberry Pi Pico",
}

_NOT_FOR_SENSORS = ("smbus", "i915", "nvidia", "amdgpu", "radeon", "hdmi", "ddc", "aux", "dpm")
"""Buses of mainboards, graphics cards and screens."""


@dataclass(frozen=True, slots=True)
class FoundDevice:
    """One device, or one reason why a kind of device cannot be listed.

    Attributes:
        uri: What to type: `v4l2:/dev/video0`; empty if nothing can be opened.
        name: What people call it.
        detail: Chip, channels, rate …; or why it cannot be used.
        usable: Whether opening it has a chance.
        reason: Why not.
        remedy: What to do about it.
        controls: What may be changed while it runs, each with its value and its limits.
    """

    uri: str
    name: str
    detail: str = ""
    usable: bool = True
    reason: str = ""
    remedy: str = ""
    controls: tuple[str, ...] = ()


def cameras() -> list[FoundDevice]:
    """V4L2 and RealSense cameras."""
    found = []
    for path, name in v4l2_names().items():
        entry = _checked(f"v4l2:{path}", name, Path(path), "video")
        serial = camera_serial(path)
        more = f"{path}, serial {serial}" if serial else path
        controls = _controls(path) if entry.usable else ()
        found.append(replace(entry, detail=entry.reason or more, controls=controls))
    return found + _realsense()


def _controls(path: str) -> tuple[str, ...]:
    """Of a camera, in words; none if it cannot be asked now."""
    try:
        return tuple(str(control) for control in V4l2Controls(path).all())
    except ThymosError:
        return ()


def microphones() -> list[FoundDevice]:
    """Input devices of PortAudio."""
    try:
        sd = sound_library()
    except ThymosError as err:
        return [_unlisted("microphones", err)]
    try:
        devices = list(sd.query_devices())
    except sd.PortAudioError as err:
        return [FoundDevice("", "microphones", str(err), usable=False, reason=str(err))]
    return [
        FoundDevice(
            uri=f"portaudio:{device['name']}",
            name=str(device["name"]),
            detail=f"{device['max_input_channels']} channels, "
            f"{device['default_samplerate']:.0f} Hz",
        )
        for device in devices
        if device["max_input_channels"] > 0
    ]


def enoses() -> list[FoundDevice]:
    """Serial ports on USB that a nose may hang on; listening tells whether one does."""
    try:
        need("serial", "enose")
    except ThymosError as err:
        return [_unlisted("electronic noses", err)]
    from serial.tools import list_ports

    found = []
    for port in sorted(list_ports.comports(), key=lambda p: str(p.device)):
        if port.vid is None:
            continue  # the mainboard's own ports
        chip = _SERIAL_NOSE_CHIPS.get(port.vid, f"USB {port.vid:04x}:{port.pid or 0:04x}")
        name = port.product or port.description or port.device
        number = usb_serial_number(str(port.device))
        serial = f", {port.device}, serial {number}" if number else ""
        # By its serial number it is found again wherever it is plugged in next time.
        uri = f"serial:{number}" if _names(number) else f"serial:{port.device}"
        entry = _checked(uri, str(name), Path(port.device), "dialout")
        found.append(replace(entry, detail=entry.reason or chip + serial))
    return found + i2c_buses()


def _names(number: str) -> bool:
    """Whether a serial number can stand in a URI and be told from a path."""
    return bool(number) and not set(number) & set("/?&# %") and not number.upper().startswith("COM")


def port_serial(path: str) -> str:
    """Serial number of the USB chip behind a serial port; empty if it has none."""
    try:
        return usb_serial_number(path) if need("serial", "enose") else ""
    except ThymosError:
        return ""


def i2c_buses(
    devices: Path = Path("/dev"), names: Path = Path("/sys/class/i2c-dev")
) -> list[FoundDevice]:
    """I2C buses that a BME680 or BME688 may hang on; nothing is asked on the bus."""
    found = []
    buses = [p for p in devices.glob("i2c-*") if p.name[4:].isdigit()]
    for path in sorted(buses, key=lambda p: int(p.name[4:])):
        try:
            name = (names / path.name / "name").read_text(encoding="utf-8", errors="replace")
        except OSError:
            name = "I2C bus"
        if any(word in name.lower() for word in _NOT_FOR_SENSORS):
            continue
        entry = _checked(f"i2c:{path.name[4:]}", name.strip(), path, "i2c")
        found.append(replace(entry, detail=entry.reason or f"{path}, for a BME680 or BME688"))
    return found


def _checked(uri: str, name: str, path: Path, group: str) -> FoundDevice:
    reason, remedy = "", ""
    if not path.exists():
        reason = f"{path} is missing"
    elif not os.access(path, os.R_OK | os.W_OK):
        reason = f"this user is not in the group '{group}'"
        remedy = f"sudo usermod -aG {group} $USER, then log in again"
    return FoundDevice(uri, name, reason or str(path), not reason, reason, remedy)


def _unlisted(what: str, err: ThymosError) -> FoundDevice:
    return FoundDevice("", what, str(err), usable=False, reason=str(err), remedy=err.hint)


def _realsense() -> list[FoundDevice]:
    try:
        rs: Any = need("pyrealsense2", "realsense")
    except ThymosError:
        return []  # not installed: most robots have none, and V4L2 lists it too
    try:
        devices = list(rs.context().query_devices())
    except RuntimeError as err:
        return [FoundDevice("", "RealSense", str(err), usable=False, reason=str(err))]
    found = []
    for device in devices:
        serial = device.get_info(rs.camera_info.serial_number)
        name = device.get_info(rs.camera_info.name)
        found.append(FoundDevice(f"realsense:{serial}", name, f"serial {serial}"))
    return found
