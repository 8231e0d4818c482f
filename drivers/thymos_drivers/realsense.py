"""Intel RealSense: the colour picture or the depth, through pyrealsense2.

    realsense:                      the first camera
    realsense:923322071234          by serial number
    realsense:/path/session.db3     playback of a recording (.db3, older .bag)
    realsense:?size=640x480&fps=30
    realsense:?set=gain:64          options of the sensor, as realsense-viewer calls them
    realsense:?image=depth          millimetres instead of colours (`Kind.DEPTH`)

Frames come from the sensor's own callback, not from a pipeline: a pipeline repeats and drops
frames of a recording (94 framesets for 60 + 60 frames), the sensor gives each one once.
Colour and depth are two streams, each with the stamps of its own sensor; depth is not brought into
the picture of the colour camera.

All errors of the library are plain RuntimeErrors; here they get types by their text.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.clock import ClockModel, host_stamp_ns
from thymos.errors import (
    ConfigError,
    DeviceError,
    DeviceLostError,
    DeviceNotFoundError,
    DevicePermissionError,
    MediaError,
    ThymosError,
)
from thymos.samples import (
    NS_PER_S,
    Control,
    EndOfStream,
    Flag,
    Health,
    Kind,
    Origin,
    Sample,
    frozen,
)
from thymos_drivers import realsense_controls
from thymos_drivers.base import BaseSource, Inbox, need, number, picture_spec
from thymos_drivers.camera import read_controls
from thymos_drivers.media_info import check_file

QUEUE = 8
_STALL_S = 5.0
_MM_PER_M = 1000.0
_RGB_FROM = {"rgb8": (0, 1, 2), "bgr8": (2, 1, 0), "rgba8": (0, 1, 2), "bgra8": (2, 1, 0)}


def open_realsense(
    rest: str,
    *,
    stream: str = "camera",
    size: str = "640x480",
    fps: str = "30",
    image: str = "color",
    set: str = "",
) -> RealSense:
    """Make the source of `realsense:…`.

    Raises:
        ConfigError: An option is wrong.
    """
    width, _, height = size.partition("x")
    shape = (
        int(number("size", width, low=16, high=8192)),
        int(number("size", height, low=16, high=8192)),
    )
    if image not in ("color", "depth"):
        raise ConfigError(f"option image='{image}' is wrong", hint="image=color or image=depth")
    rate = number("fps", fps, low=1, high=300)
    return RealSense(
        rest,
        stream=stream,
        size=shape,
        fps=rate,
        depth=image == "depth",
        controls=read_controls(set),
    )


class RealSense(BaseSource):
    """The colour or depth sensor of one camera, or of a recording of one.

    Args:
        device: Serial number, path of a recording, or empty for the first camera.
        stream: Stream name.
        size: Wanted width and height; the nearest profile is taken (live).
        fps: Wanted frames per second (live).
        depth: Depth instead of colour.
        controls: Options of the sensor to set when it is opened, by name (live).
        find: Returns a device of the library; for tests with a `software_device`.
    """

    def __init__(
        self,
        device: str = "",
        *,
        stream: str = "camera",
        size: tuple[int, int] = (640, 480),
        fps: float = 30.0,
        depth: bool = False,
        controls: Mapping[str, int] | None = None,
        find: Callable[[Any], Any] | None = None,
    ) -> None:
        self._file = Path(device) if "/" in device or device.endswith((".db3", ".bag")) else None
        self.live = self._file is None
        origin = Origin.LIVE if self._file is None else Origin.RECORDED
        spec = picture_spec(stream, device or "RealSense", origin=origin)
        if depth:
            spec = replace(
                spec,
                kind=Kind.DEPTH,
                shape=(-1, -1),
                unit="mm",
                channels=(),
                frame_id=f"{stream}_depth_optical_frame",
            )
        super().__init__(spec)
        self._serial = device
        self._size, self._fps = size, fps
        self._depth = depth
        self._controls = dict(controls or {})
        self._find = find
        self._context: Any = None
        self._sensor: Any = None
        self._inbox = Inbox(QUEUE, self._counters)
        self._last_number: int | None = None
        self._seq = 0

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Return the next frame.

        Raises:
            DeviceLostError: The camera went away.
            EndOfStream: The recording is over.
        """
        self._check_open()
        sample = self._inbox.get(timeout_s)
        if sample is None and self.live:
            silent_s = (time.monotonic_ns() - self._last_ns) / NS_PER_S
            if silent_s > _STALL_S:
                reason = f"no frame for {silent_s:.0f} s"
                self._say(Health.STALLED, reason, "use a USB 3 port and cable; plug it in again")
        return sample

    def controls(self) -> list[Control]:
        """See `Controlled`; a recording has none."""
        return realsense_controls.controls(self._reach()) if self.live else []

    def set_control(self, name: str, value: int) -> None:
        """See `Controlled`."""
        realsense_controls.turn(self._reach(), {name: value})
        self._controls[name] = value  # for when it is opened again

    def _reach(self) -> Any:
        if self._sensor is None or not self.live:
            raise DeviceError(f"'{self._spec.device}' is no open camera", hint="thymos devices")
        return self._sensor

    # Opening

    def _open(self) -> None:
        rs = need("pyrealsense2", "realsense")
        if self._file is not None:
            check_file(self._file)
        self._inbox = Inbox(QUEUE, self._counters, lossless=not self.live)
        self._clock: ClockModel | None = None
        self._zero_ns: int | None = None
        self._last_number = None
        if not self.live:
            self._seq = 0
        self._last_ns = time.monotonic_ns()
        try:
            device = (self._find or self._choose)(rs)
            self._sensor, profile = self._pick(rs, device)
            self._describe(rs, device, profile)
            if self.live:
                realsense_controls.turn(self._sensor, self._controls)
            self._sensor.open(profile)
            self._watch(rs, device)
            self._sensor.start(lambda frame: self._arrived(rs, frame))
        except RuntimeError as err:
            raise typed_error(str(err), self._spec.device, self._file) from err

    def _choose(self, rs: Any) -> Any:
        self._context = rs.context()
        if self._file is not None:
            return self._context.load_device(str(self._file))
        devices = list(self._context.query_devices())
        for device in devices:
            if self._serial in ("", device.get_info(rs.camera_info.serial_number)):
                return device
        wanted = f" with serial number {self._serial}" if self._serial and devices else ""
        raise DeviceNotFoundError(
            f"there is no RealSense camera{wanted}", hint="plug it into a USB 3 port; lsusb"
        )

    def _pick(self, rs: Any, device: Any) -> tuple[Any, Any]:
        """The sensor with the wanted stream, and the profile nearest to what is wanted."""
        wanted = rs.stream.depth if self._depth else rs.stream.color
        formats = ("z16",) if self._depth else tuple(_RGB_FROM)
        best: tuple[float, Any, Any] | None = None
        for sensor in device.query_sensors():
            for profile in sensor.get_stream_profiles():
                if profile.stream_type() != wanted:
                    continue
                video = profile.as_video_stream_profile()
                if profile.format().name not in formats:
                    continue
                far = abs(video.width() - self._size[0]) + abs(video.height() - self._size[1])
                cost = far + abs(profile.fps() - self._fps) / 1000
                if best is None or cost < best[0]:
                    best = (cost, sensor, profile)
        if best is None:
            what, other = ("depth", "color") if self._depth else ("colour", "depth")
            raise DeviceError(
                f"'{self._spec.device}' has no {what} stream that can be read",
                hint=f"it may have the other: ?image={other}",
            )
        return best[1], best[2]

    def _describe(self, rs: Any, device: Any, profile: Any) -> None:
        video = profile.as_video_stream_profile()
        facts = {"format": profile.format().name}
        for key in ("serial_number", "firmware_version", "usb_type_descriptor"):
            info = getattr(rs.camera_info, key)
            if device.supports(info):
                facts[key] = device.get_info(info)
        if told := lens(video):
            facts["lens"] = told
        name = self._spec.device
        if self.live and device.supports(rs.camera_info.name):
            name = device.get_info(rs.camera_info.name)
        self._order = _RGB_FROM.get(profile.format().name, ())
        self._spec = replace(
            self._spec,
            rate_hz=float(profile.fps()),
            shape=(video.height(), video.width(), *self._spec.shape[2:]),
            device=name,
            extra=facts,
        )
        self._say(Health.STARTING, "waiting for the first frame")

    def _watch(self, rs: Any, device: Any) -> None:
        """Notice the end of a recording, and the unplugging of a camera."""
        if self._file is not None:
            playback = device.as_playback()
            playback.set_real_time(False)
            inbox = self._inbox

            def status(now: Any) -> None:
                if now == rs.playback_status.stopped:
                    inbox.end(EndOfStream())

            playback.set_status_changed_callback(status)
            self._playback = playback
        elif self._context is not None:
            self._context.set_devices_changed_callback(
                lambda change: self._lost() if change.was_removed(device) else None
            )

    # Called by the library's threads

    def _arrived(self, rs: Any, frame: Any) -> None:
        """Take a frame. An exception must not reach the library's thread: it ends the process."""
        try:
            self._take(rs, frame)
        except Exception as err:  # noqa: BLE001
            self._counters.corrupt += 1  # the next number tells that one is missing
            self._say(Health.DEGRADED, f"a frame that makes no sense: {err}")

    def _take(self, rs: Any, frame: Any) -> None:
        now_ns = time.monotonic_ns()
        self._last_ns = now_ns
        number_, pixels = frame.get_frame_number(), frame.get_data()
        payload = self._millimetres(frame, pixels) if self._depth else self._rgb(pixels)
        t_ns, flags = self._stamp(rs, frame, now_ns)
        if self._last_number is not None and number_ > self._last_number + 1:
            lost = number_ - self._last_number - 1
            self._counters.dropped += lost
            self._seq += lost
            flags |= Flag.GAP_BEFORE
        self._last_number = number_
        if self._health.health is not Health.OK:
            self._say(Health.OK)
        received = now_ns if self.live else t_ns
        self._inbox.put(Sample(self._spec.name, self._seq, t_ns, received, frozen(payload), flags))
        self._seq += 1

    def _rgb(self, pixels: Any) -> NDArray[np.uint8]:
        height, width, _ = self._spec.shape
        view = np.asanyarray(pixels).reshape(height, width, -1)  # the library's own memory
        return np.ascontiguousarray(view[..., self._order]).astype(np.uint8, copy=True)

    def _millimetres(self, frame: Any, pixels: Any) -> NDArray[np.uint16]:
        """Depth in mm; what is farther than 65.5 m counts as not measured."""
        raw: NDArray[np.uint16] = np.asanyarray(pixels).reshape(self._spec.shape)
        unit_m = float(frame.as_depth_frame().get_units())
        if not 0.0 < unit_m < 1.0:
            raise ValueError(f"its unit of depth is {unit_m} m")
        if abs(unit_m * _MM_PER_M - 1.0) < 1e-4:
            return raw.copy()
        scaled = np.rint(raw * (unit_m * _MM_PER_M))
        return np.where(scaled > np.iinfo(np.uint16).max, 0, scaled).astype(np.uint16)

    def _stamp(self, rs: Any, frame: Any, now_ns: int) -> tuple[int, Flag]:
        """Frame timestamps are milliseconds of the domain that the frame names."""
        stamp_ns = round(frame.get_timestamp() * 1e6)
        if not self.live:
            self._zero_ns = stamp_ns if self._zero_ns is None else self._zero_ns
            return stamp_ns - self._zero_ns, Flag.OK
        if frame.get_frame_timestamp_domain() == rs.timestamp_domain.hardware_clock:
            self._clock = self._clock or ClockModel(tick_ns=1.0)
            seen = self._clock.observe(stamp_ns, now_ns)
            return seen.t_ns, Flag.TIME_JUMP if seen.jumped else Flag.OK
        t_ns = host_stamp_ns(stamp_ns, now_ns)  # host time, by the library's own estimate
        if t_ns is None:
            return now_ns, Flag.TIME_ESTIMATED
        return min(t_ns, now_ns), Flag.OK

    def _lost(self) -> None:
        self._say(Health.LOST, "the camera went away", "plug it in again")
        self._inbox.end(
            DeviceLostError(f"'{self._spec.device}' went away", hint="plug it in again; lsusb")
        )

    def _close(self) -> None:
        self._inbox.close()
        sensor, self._sensor = self._sensor, None
        if sensor is not None:
            for step in (sensor.stop, sensor.close):
                try:
                    step()
                except RuntimeError:  # not started, or already gone
                    continue
        self._context = None
        self._playback = None


def lens(video: Any) -> str:
    """The factory's intrinsics of a video profile, as JSON; empty if it has none.

    `matrix` (row by row) in pixels, `distortion_model` and `distortion` as in
    sensor_msgs/CameraInfo. As the vendor's ROS driver does, all its Brown-Conrady models are called
    plumb_bob (the coefficients of its rectified pictures are zero).
    """
    try:
        known = video.get_intrinsics()
    except RuntimeError:
        return ""
    model = known.model.name
    if model == "ftheta" or not known.fx > 0:
        return ""
    fisheye = model == "kannala_brandt4"
    told = {
        "width": known.width,
        "height": known.height,
        "matrix": [known.fx, 0.0, known.ppx, 0.0, known.fy, known.ppy, 0.0, 0.0, 1.0],
        "distortion_model": "equidistant" if fisheye else "plumb_bob",
        "distortion": list(known.coeffs[: 4 if fisheye else 5]),
    }
    return json.dumps(told, sort_keys=True)


_TEXTS: tuple[tuple[str, type[DeviceError], str], ...] = (
    ("no device connected", DeviceNotFoundError, "plug it into a USB 3 port; lsusb"),
    ("failed to set power state", DevicePermissionError, "install librealsense's udev rules"),
    ("access", DevicePermissionError, "install librealsense's udev rules, plug it in again"),
    ("permission", DevicePermissionError, "install librealsense's udev rules, plug it in again"),
    ("busy", DeviceError, "another program uses it: close realsense-viewer"),
    ("frame didn't arrive", DeviceLostError, "use a USB 3 port and cable"),
    ("disconnected", DeviceLostError, "plug it in again"),
)


def typed_error(text: str, device: str, file: Path | None = None) -> ThymosError:
    """Give the library's RuntimeError a type, by its text."""
    if file is not None:
        return MediaError(
            f"'{file}' is not a RealSense recording: {text}", hint="record it with .db3 or .bag"
        )
    for part, kind, hint in _TEXTS:
        if part in text.lower():
            return kind(f"RealSense '{device}': {text}", hint=hint)
    return DeviceError(f"RealSense '{device}': {text}", hint="realsense-viewer shows its state")
