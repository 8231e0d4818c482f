"""V4L2 cameras through PyAV (or linuxpy), with the kernel's capture stamps.

    v4l2:/dev/video0?size=640x480&fps=30&format=mjpeg
    v4l2:0                     the same device
    v4l2:C920                  by (part of) its name, which survives a new order of ports
    v4l2:0?set=auto_exposure:1,exposure_time_absolute:157     controls, set in this order
    v4l2:0?format=mjpeg&keep=packets     record.video: mjpeg then keeps the camera's own JPEGs,
                               h264 its H.264 where format=h264
    v4l2:0?reader=linuxpy      the driver's own frame numbers: missing frames are counted, not told
                               from stamps (`pip install 'thymos[v4l2]'`, GPL-3)

The stamp of a frame is the kernel's (CLOCK_MONOTONIC), not the time of its arrival.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from thymos.clock import host_stamp_ns
from thymos.errors import (
    ConfigError,
    DeviceError,
    DeviceNotFoundError,
    DevicePermissionError,
)
from thymos.samples import NS_PER_S, Control
from thymos_drivers.base import number
from thymos_drivers.capture import Capture
from thymos_drivers.linuxpy_reader import LinuxpyReader, check_format
from thymos_drivers.packets import keep_packets
from thymos_drivers.v4l2_controls import V4l2Controls


def open_v4l2(
    rest: str,
    *,
    stream: str = "camera",
    size: str = "640x480",
    fps: str = "30",
    format: str = "",
    set: str = "",
    keep: str = "",
    reader: str = "",
) -> V4l2Camera:
    """Make the source of `v4l2:DEVICE?…`.

    Raises:
        ConfigError: An option is wrong.
    """
    width, _, height = size.partition("x")
    number("size", width, low=16, high=16384)
    number("size", height, low=16, high=16384)
    if not format.replace("_", "").isalnum() and format:
        raise ConfigError(f"option format='{format}' is wrong", hint="format=mjpeg or yuyv422")
    if reader == "linuxpy":
        check_format(format)
    elif reader:
        raise ConfigError(f"option reader='{reader}' is wrong", hint="reader=linuxpy, or nothing")
    options = {"video_size": size, "framerate": f"{number('fps', fps, low=0.1, high=1000):g}"}
    if format:
        options["input_format"] = format
    return V4l2Camera(
        rest,
        stream=stream,
        options=options,
        controls=read_controls(set),
        keep=keep_packets(keep),
        numbered=reader == "linuxpy",
    )


class V4l2Camera(Capture):
    """One camera of Linux.

    Args:
        device: Path, number or (part of the) name.
        stream: Stream name.
        options: Of FFmpeg's v4l2 input.
        controls: V4L2 controls to set when it is opened, by name.
        keep: See `Capture`.
        numbered: Read with linuxpy, which tells the driver's number of each frame.
    """

    def __init__(
        self,
        device: str,
        *,
        stream: str,
        options: dict[str, str],
        controls: dict[str, int] | None = None,
        keep: bool = False,
        numbered: bool = False,
    ) -> None:
        super().__init__(device, stream=stream, keep=keep)
        self._numbered = numbered
        self._device = device
        self._options = options
        self._controls = dict(controls or {})
        self._path = ""

    def controls(self) -> list[Control]:
        """See `Controlled`."""
        return self._reach().all()

    def set_control(self, name: str, value: int) -> None:
        """See `Controlled`."""
        self._reach().set({name: value})
        self._controls[name] = value  # for when it is opened again

    def _reach(self) -> V4l2Controls:
        if not self._opened:
            raise DeviceError(f"'{self._spec.device}' is not open now", hint="thymos devices")
        return V4l2Controls(self._path)

    def _connect(self, av: Any) -> tuple[Any, Any]:
        path = find_camera(self._device)
        if self._controls:
            V4l2Controls(path).set(self._controls)
        try:
            container = self._capture(av, path)
        except (OSError, ValueError, av.error.FFmpegError) as err:
            raise open_error(path, err) from err
        self._path = path
        self._spec = replace(self._spec, device=path)
        return container, container.streams.video[0]

    def _capture(self, av: Any, path: str) -> Any:
        """Open the device; a test puts its own here."""
        if self._numbered:
            return LinuxpyReader(av, path, self._options, self._stop.is_set)
        return av.open(path, format="v4l2", options=self._options)

    def _facts(self) -> dict[str, str]:
        facts = {"asked": str(self._options)}
        if self._numbered:
            facts["reader"] = "linuxpy"
        if self._controls:
            facts["controls"] = str(self._controls)
        if serial := camera_serial(self._spec.device):
            facts["serial"] = serial
        return facts

    def _stamp(self, frame: Any, now_ns: int) -> int | None:
        if frame.pts is None:
            return None
        return host_stamp_ns(int(frame.pts * frame.time_base * NS_PER_S), now_ns)


def read_controls(text: str) -> dict[str, int]:
    """Read `gain:10,auto_exposure:1`.

    Raises:
        ConfigError: A name or a number is wrong.
    """
    found = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition(":")
        if not re.fullmatch(r"[a-z0-9_]+", name) or not re.fullmatch(r"-?\d{1,12}", value):
            raise ConfigError(
                f"option set='{text}' is wrong at '{part}'",
                hint="write set=auto_exposure:1,gain:10; names: thymos devices",
            )
        found[name] = int(value)
    return found


def find_camera(device: str) -> str:
    """The device file of a camera that is given by path, number or (part of its) name.

    Raises:
        DeviceNotFoundError: No camera has this name.
    """
    if not device:
        return "/dev/video0"
    if device.isdigit():
        return f"/dev/video{device}"
    if device.startswith("/"):
        return device
    for path, name in v4l2_names().items():
        if device.lower() in name.lower():
            return path
    raise DeviceNotFoundError(f"no camera is called '{device}'", hint="thymos devices")


def v4l2_names(root: Path = Path("/sys/class/video4linux")) -> dict[str, str]:
    """Device files of cameras and their names; only the first node of each camera captures."""
    found: dict[str, str] = {}
    nodes = sorted(
        root.glob("video*"), key=lambda p: int("".join(filter(str.isdigit, p.name)) or 0)
    )
    for node in nodes:
        try:
            index = (node / "index").read_text().strip()
            name = (node / "name").read_text().strip()
        except OSError:
            continue
        if index == "0":
            found[f"/dev/{node.name}"] = name
    return found


def camera_serial(path: str, root: Path = Path("/sys/class/video4linux")) -> str:
    """Serial number of a USB camera by its device file; empty if it has none.

    Device files are numbered in order of plugging in, so they name no camera for long.
    """
    try:
        usb = (root / Path(path).name / "device").resolve(strict=True).parent
        return (usb / "serial").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def open_error(path: str, err: BaseException) -> DeviceError:
    """What stands behind a camera that does not open, with the command that helps."""
    code = getattr(err, "errno", None)
    if isinstance(err, FileNotFoundError) or code in (2, 6, 19):
        return DeviceNotFoundError(f"there is no camera '{path}'", hint="thymos devices")
    if isinstance(err, PermissionError) or code in (1, 13):
        return DevicePermissionError(
            f"this user may not open '{path}'",
            hint="sudo usermod -aG video $USER, then log in again",
        )
    if code == 16:
        return DeviceError(f"'{path}' is in use by another program", hint=f"fuser -v {path}")
    why = getattr(err, "strerror", None) or str(err)
    return DeviceError(
        f"cannot open the camera '{path}': {why}",
        hint=f"see what it can do: v4l2-ctl -d {path} --list-formats-ext",
    )
