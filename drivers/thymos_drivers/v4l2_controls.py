"""Controls of V4L2 cameras, asked and set by the kernel's own calls (linux/videodev2.h).

Names are those of `v4l2-ctl --list-ctrls`. A second handle on the device is enough for that, also
while somebody captures from it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from thymos.errors import DeviceError
from thymos.samples import Control

_QUERYCTRL, _QUERYMENU, _G_CTRL, _S_CTRL = 0xC0445624, 0xC02C5625, 0xC008561B, 0xC008561C
_CTRL = struct.Struct("=II32s4iI8x")
"""v4l2_queryctrl: id, type, name, minimum, maximum, step, default, flags."""
_MENU = struct.Struct("=II32s4x")
"""v4l2_querymenu: id, index, name (or, of a menu of numbers, an int64 in its place)."""
_VALUE = struct.Struct("=Ii")
"""v4l2_control: id, value."""
_DISABLED, _GRABBED, _READ_ONLY, _INACTIVE, _NEXT = 1, 2, 4, 0x10, 0x80000000
_INTEGER, _BOOLEAN, _MENU_TYPE, _INTEGER_MENU = 1, 2, 3, 9
_MOST = 256
"""More controls, or choices of one, are not looked at."""

Ioctl = Callable[[int, int, bytearray], object]


class V4l2Controls:
    """The controls of one camera.

    Args:
        path: Device file.
        ioctl: The kernel's call; tests put their own here.
    """

    def __init__(self, path: str, ioctl: Ioctl = fcntl.ioctl) -> None:
        self._path = path
        self._ioctl = ioctl

    def all(self) -> list[Control]:
        """What the camera has: numbers, switches and choices (no buttons, no texts).

        Raises:
            DeviceError: It cannot be opened, or does not answer.
        """
        with self._handle() as handle:
            return [control for _, control in self._each(handle)]

    def set(self, wanted: Mapping[str, int]) -> None:
        """Set some, in this order: the first may make the second possible.

        Raises:
            DeviceError: There is no such control, the value is not allowed, or it is refused.
        """
        with self._handle() as handle:
            for name, value in wanted.items():
                there = {control.name: (key, control) for key, control in self._each(handle)}
                if name not in there:
                    raise self._refused(name, value, "it has no such control")
                key, control = there[name]
                if why := control.wrong(value):
                    raise self._refused(name, value, why)
                try:
                    self._ioctl(handle, _S_CTRL, bytearray(_VALUE.pack(key, value)))
                except OSError as err:
                    raise self._refused(name, value, control.state or str(err.strerror)) from err

    def _refused(self, name: str, value: int, why: str) -> DeviceError:
        return DeviceError(
            f"'{self._path}' does not take {name}={value}: {why}",
            hint=f"thymos devices, or v4l2-ctl -d {self._path} --list-ctrls",
        )

    @contextmanager
    def _handle(self) -> Iterator[int]:
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as err:
            raise DeviceError(
                f"the controls of '{self._path}' cannot be reached: {err.strerror}",
                hint="thymos devices",
            ) from err
        try:
            yield handle
        except OSError as err:
            raise DeviceError(
                f"'{self._path}' does not tell its controls: {err.strerror}", hint="thymos devices"
            ) from err
        finally:
            os.close(handle)

    def _each(self, handle: int) -> Iterator[tuple[int, Control]]:
        """Number and description of each control."""
        key = 0
        for _ in range(_MOST):
            asked = bytearray(_CTRL.pack(key | _NEXT, 0, b"", 0, 0, 0, 0, 0))
            try:
                self._ioctl(handle, _QUERYCTRL, asked)
            except OSError as err:
                if err.errno in (errno.EINVAL, errno.ENOTTY):  # there are no more, or none at all
                    return
                raise
            told = _CTRL.unpack(asked)
            if told[0] <= key:  # a driver that does not know how to go on
                return
            key = told[0]
            kinds = (_INTEGER, _BOOLEAN, _MENU_TYPE, _INTEGER_MENU)
            if told[1] in kinds and not told[7] & _DISABLED:
                found = self._control(handle, told)
                if found is not None:
                    yield key, found

    def _control(
        self, handle: int, told: tuple[int, int, bytes, int, int, int, int, int]
    ) -> Control | None:
        key, kind, name, low, high, step, default, flags = told
        asked = bytearray(_VALUE.pack(key, 0))
        try:
            self._ioctl(handle, _G_CTRL, asked)
        except OSError:  # write-only, or the camera is asleep
            return None
        choices = {}
        if kind in (_MENU_TYPE, _INTEGER_MENU):
            choices = self._choices(handle, key, low, high, numbers=kind == _INTEGER_MENU)
        state = "cannot be changed" if flags & _READ_ONLY else ""
        state = "cannot be changed while it is used" if flags & _GRABBED else state
        state = "without effect now: something automatic is on" if flags & _INACTIVE else state
        return Control(
            name=_plain(name),
            value=_VALUE.unpack(asked)[1],
            low=low,
            high=high,
            step=max(1, step),
            default=default,
            choices=choices,
            switch=kind == _BOOLEAN,
            state=state,
        )

    def _choices(
        self, handle: int, key: int, low: int, high: int, *, numbers: bool
    ) -> dict[int, str]:
        found = {}
        for index in range(low, min(high, low + _MOST) + 1):
            asked = bytearray(_MENU.pack(key, index, b""))
            try:
                self._ioctl(handle, _QUERYMENU, asked)
            except OSError:  # a hole in the menu
                continue
            text = _MENU.unpack(asked)[2]
            found[index] = str(struct.unpack("=q", text[:8])[0]) if numbers else _text(text)
        return found


def _text(name: bytes) -> str:
    return name.partition(b"\0")[0].decode("utf-8", "replace")


def _plain(name: bytes) -> str:
    """`Exposure Time, Absolute` as `exposure_time_absolute`, as v4l2-ctl does."""
    return re.sub(r"[^a-z0-9]+", "_", _text(name).lower()).strip("_")
