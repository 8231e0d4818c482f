"""V4L2 cameras through PyAV, with the kernel's capture stamps.

    v4l2:/dev/video0?size=640x480&fps=30&format=mjpeg
    v4l2:0                     the same device
    v4l2:C920                  by (part of) its name, which survives a new order of ports

The stamp of a frame is the kernel's (CLOCK_MONOTONIC), not the time of its arrival. A thread always
drains the device: a reader that is late loses old frames (counted) and never sees stale ones.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from thymos.clock import host_stamp_ns
from thymos.errors import (
    ConfigError,
    DeviceError,
    DeviceLostError,
    DeviceNotFoundError,
    DevicePermissionError,
)
from thymos.samples import NS_PER_S, Flag, Health, Kind, Sample, StreamSpec, frozen
from thymos_drivers.base import BaseSource, Inbox, need, number

QUEUE = 8
_STALL_S = 3.0
_JOIN_S = 3.0


def open_v4l2(
    rest: str, *, stream: str = "camera", size: str = "640x480", fps: str = "30", format: str = ""
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
    options = {"video_size": size, "framerate": f"{number('fps', fps, low=0.1, high=1000):g}"}
    if format:
        options["input_format"] = format
    return V4l2Camera(rest, stream=stream, options=options)


class V4l2Camera(BaseSource):
    """One camera; also the base for whatever FFmpeg can capture from (see `_connect`)."""

    live = True

    def __init__(self, device: str, *, stream: str, options: dict[str, str]) -> None:
        spec = StreamSpec(
            name=stream,
            kind=Kind.VIDEO,
            rate_hz=0.0,
            shape=(-1, -1, 3),
            unit="rgb8",
            channels=("r", "g", "b"),
            frame_id=f"{stream}_optical_frame",
            device=device,
        )
        super().__init__(spec)
        self._device = device
        self._options = options
        self._thread: threading.Thread | None = None
        self._reformatter: Any = None
        self._stop = threading.Event()
        self._inbox = Inbox(QUEUE, self._counters)
        self._seq = 0

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Return the next frame.

        Raises:
            DeviceLostError: The camera went away.
        """
        self._check_open()
        sample = self._inbox.get(timeout_s)
        if sample is None:
            silent_s = (time.monotonic_ns() - self._last_ns) / NS_PER_S
            if silent_s > _STALL_S:
                reason = f"'{self._spec.device}' has delivered nothing for {silent_s:.0f} s"
                self._say(Health.STALLED, reason, "unplug the camera and plug it in again")
        return sample

    def _open(self) -> None:
        av = need("av", "camera")
        path = find_camera(self._device)
        try:
            container = self._connect(av, path)
        except (OSError, ValueError, av.error.FFmpegError) as err:
            raise open_error(path, err) from err
        video = container.streams.video[0]
        context = video.codec_context
        # One scaler for all frames: `frame.to_ndarray` would set up another one for each.
        self._reformatter = av.video.reformatter.VideoReformatter()
        self._stop = threading.Event()
        self._inbox = Inbox(QUEUE, self._counters)
        self._last_ns = time.monotonic_ns()
        self._spec = replace(
            self._spec,
            rate_hz=float(video.average_rate or 0),
            shape=(int(context.height), int(context.width), 3),
            device=path,
            extra={"codec": str(context.name), "asked": str(self._options)},
        )
        self._say(Health.STARTING, "waiting for the first frame")
        self._thread = threading.Thread(
            target=self._drain,
            args=(av, container, video, self._inbox, self._stop),
            name=f"camera-{path}",
            daemon=True,
        )
        self._thread.start()

    def _connect(self, av: Any, path: str) -> Any:
        """Open the device; a test or another capture API puts its own here."""
        return av.open(path, format="v4l2", options=self._options)

    def _close(self) -> None:
        self._stop.set()
        self._inbox.close()
        if self._thread is not None:
            self._thread.join(_JOIN_S)  # a hung device keeps its (daemon) thread, not us
            self._thread = None

    # In the camera's own thread, which also closes the container that only it uses.

    def _drain(
        self, av: Any, container: Any, video: Any, inbox: Inbox, stop: threading.Event
    ) -> None:
        try:
            for packet in container.demux(video):
                if stop.is_set():
                    return
                try:
                    frames = packet.decode()
                except (av.error.FFmpegError, ValueError):
                    self._counters.corrupt += 1  # a torn JPEG; the next one is whole again
                    self._seq += 1
                    continue
                for frame in frames:
                    inbox.put(self._sample(frame, self._seq))
                    self._seq += 1
            inbox.end(self._gone("it ended"))
        except (OSError, ValueError, av.error.FFmpegError) as err:
            inbox.end(self._gone(str(err)))
        except Exception as err:  # noqa: BLE001  a reader must not wait for a thread that died
            inbox.end(DeviceError(f"the camera driver failed: {type(err).__name__}: {err}"))
        finally:
            container.close()

    def _sample(self, frame: Any, seq: int) -> Sample:
        now_ns = time.monotonic_ns()
        self._last_ns = now_ns
        flags, note = Flag.OK, ""
        t_ns = None
        if frame.pts is not None:
            t_ns = host_stamp_ns(int(frame.pts * frame.time_base * NS_PER_S), now_ns)
        if t_ns is None:
            t_ns, flags, note = now_ns, Flag.TIME_ESTIMATED, "no capture stamp: time of arrival"
        if frame.is_corrupt:
            self._counters.corrupt += 1
            flags, note = flags | Flag.INVALID, "the picture is damaged"
        if self._health.health is not Health.OK:
            self._say(Health.OK)
        height, width, _ = self._spec.shape
        scaled = self._reformatter.reformat(frame, width=width, height=height, format="rgb24")
        rgb = scaled.to_ndarray()
        return Sample(self._spec.name, seq, t_ns, now_ns, frozen(rgb), flags, note)

    def _gone(self, why: str) -> DeviceLostError:
        name = self._spec.device
        self._say(Health.LOST, f"'{name}' went away: {why}", "plug it in again")
        return DeviceLostError(
            f"the camera '{name}' went away: {why}", hint="plug it in again; thymos devices"
        )


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
