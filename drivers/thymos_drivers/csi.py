"""CSI cameras of Nvidia Jetson boards, through GStreamer.

    csi:0?size=1280x720&fps=30

Their pictures pass through the image processor of the chip, which only Nvidia's GStreamer element
`nvarguscamerasrc` drives; FFmpeg and V4L2 see raw Bayer patterns. GStreamer for Python comes from
the distribution (`sudo apt install python3-gst-1.0`), so the virtual environment needs
`--system-site-packages`.

The part that reads a GStreamer pipeline is tested with GStreamer's own live test source; with a CSI
camera it has never run.
"""

from __future__ import annotations

import importlib
import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.errors import ConfigError, DeviceError, DeviceLostError, MissingExtraError
from thymos.samples import NS_PER_S, Flag, Health, Sample, frozen
from thymos_drivers.base import BaseSource, number, picture_spec
from thymos_drivers.frames import FrameGate

_SINK = "appsink name=sink max-buffers=4 drop=true sync=false"
_STALL_S = 3.0


def open_csi(
    rest: str, *, stream: str = "camera", size: str = "1280x720", fps: str = "30"
) -> GstCamera:
    """Make the source of `csi:NUMBER?…`.

    Raises:
        ConfigError: An option is wrong.
    """
    wide, _, high = size.partition("x")
    width = int(number("size", wide, low=16, high=8192))
    height = int(number("size", high, low=16, high=8192))
    rate = round(number("fps", fps, low=1, high=300))
    sensor = rest or "0"
    if not sensor.isdigit():
        raise ConfigError(f"'csi:{rest}' is no number of a camera", hint="csi:0")
    caps = f"video/x-raw(memory:NVMM),width={width},height={height},framerate={rate}/1"
    source = f"nvarguscamerasrc sensor-id={sensor} ! {caps} ! nvvidconv"
    return GstCamera(f"csi:{sensor}", source, stream=stream)


class GstCamera(BaseSource):
    """The picture of a GStreamer pipeline.

    Args:
        device: What people call it.
        source: The pipeline up to what gives raw video of any format that `videoconvert` takes.
        stream: Stream name.
    """

    live = True

    def __init__(self, device: str, source: str, *, stream: str = "camera") -> None:
        super().__init__(picture_spec(stream, device))
        self._text = f"{source} ! videoconvert ! video/x-raw,format=RGB ! {_SINK}"
        self._pipeline: Any = None
        self._seq = 0

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Return the next frame.

        Raises:
            DeviceLostError: The camera went away.
        """
        self._check_open()
        deadline = time.monotonic() + timeout_s
        while not self._closed.is_set():
            left_s = max(0.0, min(0.1, deadline - time.monotonic()))  # `close` is seen in between
            pulled = self._sink.try_pull_sample(int(left_s * NS_PER_S))
            if pulled is not None:
                sample = self._sample(pulled)
                if sample is not None:
                    self._counters.received += 1
                    return sample
            elif (why := self._trouble()) is not None:
                self._say(Health.LOST, why, "check its ribbon cable")
                raise DeviceLostError(f"'{self._spec.device}' went away: {why}", hint=_HINT)
            elif time.monotonic() >= deadline:
                break
        silent_s = (time.monotonic_ns() - self._last_ns) / NS_PER_S
        if silent_s > _STALL_S:
            reason = f"'{self._spec.device}' has delivered nothing for {silent_s:.0f} s"
            self._say(Health.STALLED, reason, _HINT)
        return None

    def _open(self) -> None:
        self._gst = gstreamer()
        try:
            self._pipeline = self._gst.parse_launch(self._text)
        except Exception as err:
            if type(err).__name__ != "GError" and type(err).__name__ != "Error":
                raise
            raise DeviceError(f"'{self._spec.device}': {err}", hint=_HINT) from err
        self._sink = self._pipeline.get_by_name("sink")
        self._pipeline.set_state(self._gst.State.PLAYING)
        self._gate = FrameGate()
        self._last_ns = time.monotonic_ns()
        first = self._sink.try_pull_preroll(10 * NS_PER_S)
        if first is None:
            why = self._trouble() or "no picture within 10 s"
            raise DeviceError(f"'{self._spec.device}' does not open: {why}", hint=_HINT)
        caps = first.get_caps().get_structure(0)
        found, above, below = caps.get_fraction("framerate")
        self._spec = replace(
            self._spec,
            rate_hz=above / below if found and below else 0.0,
            shape=(caps.get_value("height"), caps.get_value("width"), 3),
            extra={"pipeline": self._text},
        )
        self._say(Health.STARTING, "waiting for the first frame")

    def _close(self) -> None:
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.set_state(self._gst.State.NULL)

    def _sample(self, pulled: Any) -> Sample | None:
        now_ns = time.monotonic_ns()
        buffer = pulled.get_buffer()
        stamp_ns = None
        if buffer.pts != self._gst.CLOCK_TIME_NONE:
            # The pipeline runs on its system clock, CLOCK_MONOTONIC; pts count from its base time.
            stamp_ns = int(buffer.pts) + int(self._pipeline.get_base_time())
        verdict = self._gate.judge(stamp_ns, now_ns)
        if verdict.t_ns is None:
            self._counters.duplicates += 1
            return None
        self._last_ns = now_ns
        self._seq += verdict.lost
        self._counters.dropped += verdict.lost
        rgb = self._pixels(buffer)
        flags, note = verdict.flags, verdict.note
        if rgb is None:
            self._counters.corrupt += 1
            rgb, flags = np.zeros(self._spec.shape, np.uint8), flags | Flag.INVALID
            note = "the picture is not of the size that was agreed"
        if self._health.health is not Health.OK:
            self._say(Health.OK)
        seq, self._seq = self._seq, self._seq + 1
        return Sample(self._spec.name, seq, verdict.t_ns, now_ns, frozen(rgb), flags, note)

    def _pixels(self, buffer: Any) -> NDArray[np.uint8] | None:
        """RGB of one buffer; GStreamer pads rows to four bytes."""
        height, width, _ = self._spec.shape
        stride = (3 * width + 3) // 4 * 4
        data = buffer.extract_dup(0, buffer.get_size())
        if len(data) < stride * height:
            return None
        rows = np.frombuffer(data, np.uint8, stride * height).reshape(height, stride)
        return np.ascontiguousarray(rows[:, : 3 * width].reshape(height, width, 3))

    def _trouble(self) -> str | None:
        """What the pipeline complains of; None if it runs."""
        kinds = self._gst.MessageType.ERROR | self._gst.MessageType.EOS
        message = self._pipeline.get_bus().pop_filtered(kinds)
        if message is None:
            return None
        if message.type == self._gst.MessageType.EOS:
            return "it ended"
        return str(message.parse_error()[0].message)


_HINT = "does it run without Thymos? gst-launch-1.0 nvarguscamerasrc ! fakesink"


def gstreamer() -> Any:
    """GStreamer for Python, initialised.

    Raises:
        MissingExtraError: It is not installed, or this virtual environment does not see it.
    """
    try:
        gi = importlib.import_module("gi")
        gi.require_version("Gst", "1.0")
        gi.require_version("GstApp", "1.0")
        gst = importlib.import_module("gi.repository.Gst")
        importlib.import_module("gi.repository.GstApp")  # gives appsink its methods
    except (ImportError, ValueError) as err:
        missing = MissingExtraError("gi (GStreamer)", "")
        missing.hint = (
            "sudo apt install python3-gst-1.0; python3 -m venv --system-site-packages .venv"
        )
        raise missing from err
    gst.init(None)
    return gst
