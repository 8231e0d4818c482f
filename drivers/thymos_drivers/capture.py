"""A camera whose pictures FFmpeg decodes: opened, drained by a thread, its frames judged.

A thread always drains the device: a reader that is late loses old frames (counted) and never sees
stale ones.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

from thymos.errors import DeviceError, DeviceLostError
from thymos.samples import (
    NS_PER_S,
    Flag,
    Health,
    Sample,
    frozen,
)
from thymos_drivers.base import BaseSource, Inbox, need, picture_spec
from thymos_drivers.frames import FrameGate
from thymos_drivers.packets import Packets

QUEUE = 8
_STALL_S = 3.0
_JOIN_S = 3.0


class Capture(BaseSource):
    """What all cameras share that FFmpeg decodes; one adds `_connect`, `_stamp`, what errors mean.

    Args:
        device: What people call it.
        stream: Stream name.
        keep: Whether JPEG and H.264 are kept as they came (`Sample.encoded`), for recording.
    """

    live = True
    remedy = "unplug the camera and plug it in again"

    def __init__(self, device: str, *, stream: str, keep: bool = False) -> None:
        super().__init__(picture_spec(stream, device))
        self._keep = keep
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
                what = "the same picture again and again" if self._repeats else "nothing"
                reason = f"'{self._spec.device}' has delivered {what} for {silent_s:.0f} s"
                self._say(Health.STALLED, reason, self.remedy)
        return sample

    def _open(self) -> None:
        av = need("av", "camera")
        self._stop = threading.Event()
        container, video = self._connect(av)
        context = video.codec_context
        # One scaler for all frames: `frame.to_ndarray` would set up another one for each.
        self._reformatter = av.video.reformatter.VideoReformatter()
        self._inbox = Inbox(QUEUE, self._counters)
        self._gate = FrameGate(float(video.average_rate or 0))
        self._size = (int(context.width), int(context.height))
        self._repeats = self._torn = 0
        self._number: int | None = None
        self._last_ns = time.monotonic_ns()
        self._packets = Packets(av, video) if self._keep else Packets()
        facts = {"codec": str(context.name), **self._facts()}
        if self._packets.fact:
            facts["keep"] = self._packets.fact
        self._spec = replace(
            self._spec,
            rate_hz=float(video.average_rate or 0),
            shape=(self._size[1], self._size[0], 3),
            extra=facts,
        )
        self._say(Health.STARTING, "waiting for the first frame")
        self._thread = threading.Thread(
            target=self._drain,
            args=(av, container, video, self._inbox, self._stop),
            name=f"camera-{self._spec.device}",
            daemon=True,
        )
        self._thread.start()

    def _close(self) -> None:
        self._stop.set()
        self._inbox.close()
        if self._thread is not None:
            self._thread.join(_JOIN_S)  # a hung device keeps its (daemon) thread, not us
            self._thread = None

    def _connect(self, av: Any) -> tuple[Any, Any]:
        """Open the device; returns the container and its picture stream.

        Raises:
            DeviceError: It cannot be opened.
        """
        raise NotImplementedError

    def _facts(self) -> dict[str, str]:
        """What else is worth recording of it."""
        return {}

    def _stamp(self, frame: Any, now_ns: int) -> int | None:
        """The capture time of a frame on the robot clock, None if it has none."""
        raise NotImplementedError

    # In the camera's own thread, which also closes the container that only it uses.

    def _drain(
        self, av: Any, container: Any, video: Any, inbox: Inbox, stop: threading.Event
    ) -> None:
        try:
            for packet in container.demux(video):
                if stop.is_set():
                    return
                self._number = getattr(packet, "sequence", None)  # FFmpeg's packets tell none
                self._packets.see(packet)
                try:
                    frames = packet.decode()
                except (av.error.FFmpegError, ValueError):
                    self._counters.corrupt += 1  # a torn JPEG; the next one is whole again
                    self._torn += 1
                    continue
                for frame in frames:
                    if stop.is_set():
                        return
                    sample = self._sample(frame, self._packets.of(frame))
                    if sample is not None:
                        inbox.put(sample)
            if not stop.is_set():
                inbox.end(self._gone("it ended"))
        except (OSError, ValueError, av.error.FFmpegError) as err:
            inbox.end(self._gone(str(err)))
        except Exception as err:  # noqa: BLE001  a reader must not wait for a thread that died
            inbox.end(DeviceError(f"the camera driver failed: {type(err).__name__}: {err}"))
        finally:
            container.close()

    def _sample(self, frame: Any, packet: Any) -> Sample | None:
        now_ns = time.monotonic_ns()
        verdict = self._gate.judge(self._stamp(frame, now_ns), now_ns, self._number)
        if verdict.t_ns is None:
            self._counters.duplicates += 1
            self._repeats += 1
            return None
        self._last_ns, self._repeats = now_ns, 0
        self._seq += max(verdict.lost, self._torn)
        self._counters.dropped += max(0, verdict.lost - self._torn)
        flags, note = verdict.flags, verdict.note
        if self._torn:
            flags, note = flags | Flag.GAP_BEFORE, note or "a damaged picture was left out"
            self._torn = 0
        if frame.is_corrupt:
            self._counters.corrupt += 1
            flags, note = flags | Flag.INVALID, "the picture is damaged"
        if self._health.health is not Health.OK:
            self._say(Health.OK)
        height, width, _ = self._spec.shape
        if (frame.width, frame.height) != self._size:
            self._size = (frame.width, frame.height)
            size = f"{frame.width}x{frame.height}"
            note = note or f"the camera gives {size} now, scaled to {width}x{height}"
        scaled = self._reformatter.reformat(frame, width=width, height=height, format="rgb24")
        encoded = None
        if self._size == (width, height) and not flags & Flag.INVALID:
            encoded = self._packets.encoded(packet)
        rgb = frozen(scaled.to_ndarray())
        seq, self._seq = self._seq, self._seq + 1
        return Sample(self._spec.name, seq, verdict.t_ns, now_ns, rgb, flags, note, encoded)

    def _gone(self, why: str) -> DeviceLostError:
        name = self._spec.device
        self._say(Health.LOST, f"'{name}' went away: {why}", "plug it in again")
        return DeviceLostError(
            f"the camera '{name}' went away: {why}", hint="plug it in again; thymos devices"
        )
