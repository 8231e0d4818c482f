"""Frames of a V4L2 camera read with linuxpy, which tells the driver's own number of each.

FFmpeg does not hand on `v4l2_buffer.sequence`; with it the frames that the driver or the camera
left out are counted, not guessed from stamps. linuxpy is GPL-3 and therefore never installed by
Thymos unless it is asked for: `pip install 'thymos[v4l2]'`, then `v4l2:0?reader=linuxpy`.

To `Capture` this looks like a container of PyAV, so everything behind it is shared.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import numpy as np

from thymos.errors import ConfigError, DeviceError
from thymos_drivers.base import need

_ASKED = {"": "YUYV", "yuyv422": "YUYV", "mjpeg": "MJPG"}
"""FFmpeg's name of a format, and its four letters."""
_CODECS = {"YUYV": "rawvideo", "MJPEG": "mjpeg", "JPEG": "mjpeg"}
"""linuxpy's name of a format, and FFmpeg's decoder."""
_BUFFERS = 8
_WAKE_MS = 200
"""How long a silent camera is waited for until it is asked whether to go on."""
_ERROR = 0x40
"""V4L2_BUF_FLAG_ERROR: the driver knows that the data are damaged."""
_MICROSECOND = Fraction(1, 1_000_000)


def check_format(name: str) -> None:
    """Refuse what this reader does not read.

    Raises:
        ConfigError: It is neither YUYV nor MJPEG.
    """
    if name not in _ASKED:
        raise ConfigError(
            f"reader=linuxpy does not read format={name}",
            hint="format=mjpeg or yuyv422, or leave out reader=linuxpy",
        )


class LinuxpyReader:
    """One open camera, as much of `av.container.InputContainer` as `Capture` uses.

    Args:
        av: PyAV, which decodes.
        path: Device file.
        options: `video_size`, `framerate`, `input_format`, as for FFmpeg's v4l2 input.
        stopped: Asked again and again whether to end.

    Raises:
        MissingExtraError: linuxpy is not installed.
        DeviceError: The device captures nothing, or in a format that is not read here.
        OSError: It cannot be opened, or is in use.
    """

    def __init__(
        self, av: Any, path: str, options: Mapping[str, str], stopped: Callable[[], bool]
    ) -> None:
        need("linuxpy", "v4l2")
        v4l2 = need("linuxpy.video.device", "v4l2")
        self._av, self._path, self._stopped = av, path, stopped
        self._capture: Any = None
        self._device = v4l2.Device(path)
        self._device.open()
        try:
            self._capture = v4l2.VideoCapture(self._device, _BUFFERS, v4l2.MemoryMap)
            self.streams = SimpleNamespace(video=[self._begin(options)])
        except v4l2.V4L2Error as err:
            self.close()
            raise DeviceError(f"'{path}' is no camera: {err}", hint="thymos devices") from err
        except BaseException:
            self.close()
            raise

    def demux(self, _video: Any) -> Iterator[NumberedPacket]:
        """Frames as the driver gives them, until `stopped`.

        Raises:
            OSError: The camera went away.
        """
        waiting = select.poll()
        waiting.register(self._device.fileno(), select.POLLIN)
        while not self._stopped():
            if not waiting.poll(_WAKE_MS):
                continue
            try:
                frame = self._capture.buffer.raw_read()
            except BlockingIOError:
                continue
            yield self._packet(frame)

    def close(self) -> None:
        """Give everything back; a camera that is gone refuses most of it."""
        if self._capture is not None:
            with suppress(OSError):
                self._capture.close()
            if self._capture.buffer is not None:  # each mapped buffer would hold the device open
                with suppress(OSError):
                    self._capture.disarm()
        with suppress(OSError):
            self._device.close()

    def _begin(self, options: Mapping[str, str]) -> SimpleNamespace:
        """Agree on a format and start; the picture stream as PyAV tells it."""
        width, _, height = options["video_size"].partition("x")
        self._capture.set_format(int(width), int(height), _ASKED[options.get("input_format", "")])
        with suppress(OSError):  # some have one rate only, and nothing to set it with
            self._capture.set_fps(float(options["framerate"]))
        self._format = self._capture.get_format()
        name = self._format.pixel_format.name
        if name not in _CODECS:
            raise DeviceError(
                f"'{self._path}' gives {name}, which reader=linuxpy does not read",
                hint="leave out reader=linuxpy",
            )
        codec = self._av.CodecContext.create(_CODECS[name], "r")
        codec.width, codec.height = self._format.width, self._format.height
        if codec.name == "rawvideo":
            codec.pix_fmt = "yuyv422"
        self._codec = codec
        self._capture.open()
        return SimpleNamespace(codec_context=codec, average_rate=self._rate())

    def _rate(self) -> float:
        try:
            return float(self._capture.get_fps())
        except (OSError, ZeroDivisionError):
            return 0.0

    def _packet(self, frame: Any) -> NumberedPacket:
        told, data = frame.buff, frame.data
        row = 2 * self._format.width
        if self._codec.name == "rawvideo" and self._format.bytes_per_line > row:
            data = _unpadded(data, self._format.height, self._format.bytes_per_line, row)
        return NumberedPacket(
            data=b"" if told.flags & _ERROR else data,
            pts=told.timestamp.secs * 1_000_000 + told.timestamp.usecs,
            sequence=told.sequence,
            decoder=self._decode,
        )

    def _decode(self, data: bytes) -> list[Any]:
        return list(self._codec.decode(self._av.Packet(data)))


@dataclass(frozen=True, slots=True)
class NumberedPacket:
    """One buffer of the driver, as much of `av.Packet` as `Capture` uses.

    Attributes:
        data: As the camera gave it; empty if the driver says that it is damaged.
        pts: The kernel's stamp, microseconds.
        sequence: The driver's number of the frame; missing frames leave a hole.
        decoder: From data to pictures.
    """

    data: bytes
    pts: int
    sequence: int
    decoder: Callable[[bytes], list[Any]]

    def __bytes__(self) -> bytes:
        return self.data

    def decode(self) -> list[Any]:
        """Its picture.

        Raises:
            ValueError: The data are damaged (or FFmpeg's error of the kind).
        """
        if not self.data:
            raise ValueError("the driver says that this picture is damaged")
        frames = self.decoder(self.data)
        for frame in frames:
            frame.pts, frame.time_base = self.pts, _MICROSECOND
        return frames


def _unpadded(data: bytes, rows: int, stride: int, row: int) -> bytes:
    """Rows without what some drivers put between them; as it is if bytes are missing."""
    if len(data) < rows * stride:
        return data
    return np.frombuffer(data, np.uint8, rows * stride).reshape(rows, stride)[:, :row].tobytes()
