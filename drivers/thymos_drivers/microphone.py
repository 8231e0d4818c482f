"""Microphones through PortAudio (sounddevice), stamped by the time of the converter.

    portaudio:default                      the system's choice
    portaudio:USB Audio?channels=2         by (part of) its name, which survives a new order
    portaudio:default?rate=16000&block_ms=32

PortAudio's clock is CLOCK_REALTIME behind PulseAudio and CLOCK_MONOTONIC on a hardware device, so
only differences of it are used; behind PulseAudio the converter's time may even lie in the future,
which is clamped: a block cannot be younger than its own length.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import numpy as np

from thymos.clock import SampleCounter, portaudio_ns
from thymos.errors import (
    DeviceError,
    DeviceLostError,
    DeviceNotFoundError,
    MissingExtraError,
)
from thymos.samples import NS_PER_S, Flag, Health, Kind, Sample, StreamSpec, frozen
from thymos_drivers.base import BaseSource, Inbox, number

_QUEUE_S = 5.0
"""A block said to be older than this has no usable converter time."""
_SILENT_BLOCKS = 5
"""So many block lengths without a block are a stall (a hung sound server says nothing)."""
_MUTED_S = 10.0


def sound_library() -> Any:
    """Import sounddevice.

    Raises:
        MissingExtraError: The Python library is not installed.
        DeviceError: It is, and the system's PortAudio is not.
    """
    try:
        import sounddevice
    except ImportError as err:
        raise MissingExtraError("sounddevice", "microphone") from err
    except OSError as err:
        raise DeviceError(
            f"sound needs a system library: {err}", hint="sudo apt install libportaudio2"
        ) from err
    return sounddevice


def open_portaudio(
    rest: str,
    *,
    stream: str = "microphone",
    rate: str = "",
    channels: str = "1",
    block_ms: str = "32",
    latency: str = "0.1",
) -> Microphone:
    """Make the source of `portaudio:NAME?…`.

    Raises:
        ConfigError: An option is wrong.
    """
    return Microphone(
        rest,
        stream=stream,
        rate_hz=int(number("rate", rate, low=4000, high=384000)) if rate else None,
        channels=int(number("channels", channels, low=1, high=64)),
        block_s=number("block_ms", block_ms, low=5, high=500) / 1000,
        latency_s=number("latency", latency, low=0.005, high=2),
    )


class Microphone(BaseSource):
    """One input device, read by PortAudio's own thread into a bounded queue."""

    live = True

    def __init__(
        self,
        device: str = "default",
        *,
        stream: str = "microphone",
        rate_hz: int | None = None,
        channels: int = 1,
        block_s: float = 0.032,
        latency_s: float = 0.1,
    ) -> None:
        spec = StreamSpec(
            name=stream,
            kind=Kind.AUDIO,
            rate_hz=float(rate_hz or 0),
            shape=(-1, channels),
            unit="s16",
            channels=tuple(f"ch{i}" for i in range(channels)),
            frame_id=f"{stream}_frame",
            device=device or "default",
        )
        super().__init__(spec)
        self._device = device
        self._rate_hz = rate_hz
        self._channels = channels
        self._block_s = block_s
        self._latency_s = latency_s
        self._stream: Any = None
        self._seq = 0
        self._closing = threading.Event()

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Return the next block.

        Raises:
            DeviceLostError: The device or the sound server went away.
        """
        self._check_open()
        sample = self._inbox.get(timeout_s)
        if sample is None:
            silent_s = (time.monotonic_ns() - self._last_ns) / NS_PER_S
            if silent_s > max(1.0, _SILENT_BLOCKS * self._block_s):
                self._say(
                    Health.STALLED,
                    f"'{self._spec.device}' has delivered nothing for {silent_s:.1f} s",
                    "restart the sound server: systemctl --user restart pipewire pulseaudio",
                )
        return sample

    def _open(self) -> None:
        sd = sound_library()
        self._closing = threading.Event()
        wanted: str | int | None = self._device if self._device not in ("", "default") else None
        if isinstance(wanted, str) and wanted.isdigit():
            wanted = int(wanted)
        try:
            info = sd.query_devices(wanted, "input")
            self._rate = int(self._rate_hz or info["default_samplerate"])
            self._begin()
            self._stream = sd.InputStream(
                device=wanted,
                samplerate=self._rate,
                channels=self._channels,
                dtype="int16",
                blocksize=max(1, round(self._rate * self._block_s)),
                latency=self._latency_s,
                callback=self._heard,
                finished_callback=self._finished,
            )
            self._stream.start()
        except (sd.PortAudioError, ValueError) as err:
            raise open_error(self._device or "default", err) from err
        self._rate = int(self._stream.samplerate)  # what it does, not what was asked
        self._spec = replace(
            self._spec,
            rate_hz=float(self._rate),
            device=str(info["name"]),
            extra={"latency_s": f"{self._stream.latency:.3f}"},
        )

    def _begin(self) -> None:
        blocks = max(8, round(_QUEUE_S / self._block_s))
        self._inbox = Inbox(blocks, self._counters)
        self._grid = SampleCounter(self._rate)
        self._next_ns: int | None = None
        self._last_ns = time.monotonic_ns()
        self._muted_s = 0.0
        self._say(Health.STARTING, "waiting for the first block")

    def _close(self) -> None:
        self._closing.set()
        if hasattr(self, "_inbox"):
            self._inbox.close()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.abort(ignore_errors=True)
            stream.close(ignore_errors=True)

    # Called by PortAudio's thread

    def _heard(self, indata: Any, frames: int, times: Any, status: Any) -> None:
        now_ns = time.monotonic_ns()
        self._last_ns = now_ns
        first_ns = portaudio_ns(
            now_ns, times.currentTime - times.inputBufferAdcTime, frames, self._rate
        )
        flags, note = Flag.OK, ""
        if status.input_overflow:
            lost = self._count_lost(first_ns)
            flags |= Flag.GAP_BEFORE
            note = f"the sound card overflowed, about {1000 * lost // self._rate} ms are lost"
            self._seq += max(1, round(lost / frames))
            self._counters.dropped += max(1, round(lost / frames))
        stamp = self._grid.stamp(frames, first_ns)
        if stamp.jumped:
            flags |= Flag.TIME_JUMP | Flag.GAP_BEFORE
        self._next_ns = stamp.t_ns + frames * NS_PER_S // self._rate
        payload = np.array(indata, dtype=np.int16).reshape(frames, self._channels)
        peak = int(np.abs(payload.astype(np.int32)).max(initial=0))
        if peak >= 32767:
            flags |= Flag.CLIPPED
        self._judge(peak, frames)
        self._inbox.put(
            Sample(self._spec.name, self._seq, stamp.t_ns, now_ns, frozen(payload), flags, note)
        )
        self._seq += 1

    def _count_lost(self, first_ns: int) -> int:
        """Frames lost in an overflow; PortAudio says that, not how many: the clock tells."""
        if self._next_ns is None:
            return 0
        lost = max(0, (first_ns - self._next_ns) * self._rate // NS_PER_S)
        self._grid.lost(int(lost))
        return int(lost)

    def _judge(self, peak: int, frames: int) -> None:
        self._muted_s = 0.0 if peak else self._muted_s + frames / self._rate
        if self._muted_s > _MUTED_S:
            reason = f"only digital silence for {self._muted_s:.0f} s: muted, or the wrong input"
            self._say(Health.DEGRADED, reason, "check the mixer: alsamixer or pavucontrol")
        elif self._health.health is not Health.OK:
            self._say(Health.OK)

    def _finished(self) -> None:
        if not self._closing.is_set():
            name = self._spec.device
            self._say(Health.LOST, f"'{name}' went away", "plug it in again")
            self._inbox.end(
                DeviceLostError(
                    f"the microphone '{name}' went away (unplugged, or the sound server ended)",
                    hint="plug it in again; list what there is: thymos devices",
                )
            )


def open_error(device: str, err: BaseException) -> DeviceError:
    """What stands behind a stream that does not open."""
    text = str(err)
    if isinstance(err, ValueError) or "querying device" in text:
        what = f"no microphone '{device}'" if device != "default" else "no microphone"
        return DeviceNotFoundError(
            f"there is {what}: {text}", hint="thymos devices; is this user in the group audio?"
        )
    code = err.args[1] if len(err.args) > 1 else None
    if code == -9997:
        return DeviceError(f"'{device}' cannot do this rate: {text}", hint="add ?rate=48000")
    if code == -9998:
        return DeviceError(f"'{device}' has fewer channels: {text}", hint="add ?channels=1")
    if code == -9985:
        return DeviceError(f"'{device}' is in use: {text}", hint="fuser -v /dev/snd/*")
    return DeviceError(
        f"cannot open the microphone '{device}': {text}",
        hint="does the sound server run? pactl info; else see thymos devices",
    )
