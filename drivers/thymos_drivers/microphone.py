"""Microphones through PortAudio (sounddevice), stamped by the time of the converter.

    portaudio:default                      the system's choice
    portaudio:USB Audio?channels=2         by (part of) its name, which survives a new order
    portaudio:default?rate=16000&block_ms=32
    portaudio:default?clock=off            without what `thymos calibrate clock` stored of it

A rate that the device cannot do is resampled from one that it can.

PortAudio's clock is CLOCK_REALTIME behind PulseAudio and CLOCK_MONOTONIC on a hardware device, so
only differences of it are used; behind PulseAudio the converter's time may even lie in the future,
which is clamped: a block cannot be younger than its own length.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from thymos.clock import SampleCounter, portaudio_ns
from thymos.errors import DeviceError, DeviceLostError
from thymos.samples import NS_PER_S, Flag, Health, Kind, Sample, StreamSpec, frozen
from thymos_drivers.base import Inbox, number
from thymos_drivers.own_clock import OwnClock, set_clock
from thymos_drivers.resample import Resampler
from thymos_drivers.sound import (
    RATE_REFUSED,
    error_code,
    find_input,
    look_again,
    sound_error,
    sound_library,
)

__all__ = ["Microphone", "open_portaudio", "sound_library"]

_QUEUE_S = 5.0
"""A block said to be older than this has no usable converter time."""
_SILENT_BLOCKS = 5
"""So many block lengths without a block are a stall (a hung sound server says nothing)."""
_MUTED_S = 10.0
_JOIN_S = 3.0


def open_portaudio(
    rest: str,
    *,
    stream: str = "microphone",
    rate: str = "",
    channels: str = "1",
    block_ms: str = "32",
    latency: str = "0.1",
    clock: str = "",
) -> Microphone:
    """Make the source of `portaudio:NAME?…`.

    Raises:
        ConfigError: An option is wrong.
    """
    microphone = Microphone(
        rest,
        stream=stream,
        rate_hz=int(number("rate", rate, low=4000, high=384000)) if rate else None,
        channels=int(number("channels", channels, low=1, high=64)),
        block_s=number("block_ms", block_ms, low=5, high=500) / 1000,
        latency_s=number("latency", latency, low=0.005, high=2),
    )
    set_clock(microphone, clock)
    return microphone


class Microphone(OwnClock):
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
        self._inbox = Inbox(1, self._counters)
        self._resampler: Resampler | None = None
        self._unsaid = (Flag.OK, "")

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
        try:
            self._open_stream(sd)
        except DeviceError:
            self._close()
            # It may have been plugged in, or renumbered, since PortAudio looked.
            if not look_again(sd):
                raise
            self._open_stream(sd)

    def _open_stream(self, sd: Any) -> None:
        """Find the device and begin; at its own rate if it refuses the one that is wanted."""
        number_ = find_input(sd, self._device)
        try:
            info = sd.query_devices(number_, "input")
            own_hz = int(info["default_samplerate"])
            wanted_hz = self._rate_hz or own_hz
            self._known_clock(replace(self._spec, device=str(info["name"])))
            try:
                self._start(sd, number_, wanted_hz)
            except sd.PortAudioError as err:
                if error_code(err) != RATE_REFUSED or wanted_hz == own_hz:
                    raise
                self._resampler = Resampler(own_hz, wanted_hz, self._channels)
                self._start(sd, number_, own_hz)
        except (sd.PortAudioError, ValueError) as err:
            raise sound_error(self._device or "default", err) from err
        facts = {"latency_s": f"{self._stream.latency:.3f}", **self._clock_facts()}
        if self._resampler is not None:
            facts["resampled_from_hz"] = str(self._rate)
        self._spec = replace(
            self._spec,
            rate_hz=float(self._rate if self._resampler is None else wanted_hz),
            device=str(info["name"]),
            extra=facts,
        )

    def _start(self, sd: Any, number_: int | None, rate_hz: int) -> None:
        self._rate = rate_hz
        self._begin()
        # Bound to this opening: what an ended stream still calls must not speak for the next one.
        inbox = self._inbox
        self._stream = sd.InputStream(
            device=number_,
            samplerate=rate_hz,
            channels=self._channels,
            dtype="int16",
            blocksize=max(1, round(rate_hz * self._block_s)),
            latency=self._latency_s,
            callback=partial(self._heard, inbox),
            finished_callback=partial(self._finished, inbox),
        )
        self._rate = int(self._stream.samplerate)  # what it does, not what was asked
        self._stream.start()

    def _begin(self) -> None:
        blocks = max(8, round(_QUEUE_S / self._block_s))
        self._inbox = Inbox(blocks, self._counters)
        self._grid = SampleCounter(self._rate, calibration=self._warm)
        self._next_ns: int | None = None
        self._last_ns = time.monotonic_ns()
        self._muted_s = 0.0
        self._say(Health.STARTING, "waiting for the first block")

    def _close(self) -> None:
        self._inbox.close()
        self._resampler, self._unsaid = None, (Flag.OK, "")
        stream, self._stream = self._stream, None
        if stream is not None:
            # A sound server that hangs never answers: it keeps this thread, not us.
            ending = threading.Thread(target=_end, args=(stream,), name="sound-end", daemon=True)
            ending.start()
            ending.join(_JOIN_S)

    # Called by PortAudio's thread

    def _heard(self, inbox: Inbox, indata: Any, frames: int, times: Any, status: Any) -> None:
        if inbox.over:
            return
        now_ns = time.monotonic_ns()
        self._last_ns = now_ns
        first_ns = portaudio_ns(
            now_ns, times.currentTime - times.inputBufferAdcTime, frames, self._rate
        )
        flags, notes = Flag.OK, []
        if status.input_overflow:
            lost = self._count_lost(first_ns)
            flags |= Flag.GAP_BEFORE
            notes.append(
                f"the sound card overflowed, about {1000 * lost // self._rate} ms are lost"
            )
            self._seq += max(1, round(lost / frames))
            self._counters.dropped += max(1, round(lost / frames))
        stamp = self._grid.stamp(frames, first_ns)
        if stamp.jumped:
            flags |= Flag.TIME_JUMP | Flag.GAP_BEFORE
            step_ns = stamp.t_ns - (self._next_ns or stamp.t_ns)
            notes.append(f"the time of the sound card jumped by {step_ns / 1e6:+.0f} ms")
        self._next_ns = stamp.t_ns + frames * NS_PER_S // self._rate
        payload = np.array(indata, dtype=np.int16).reshape(frames, self._channels)
        peak = int(np.abs(payload.astype(np.int32)).max(initial=0))
        if peak >= 32767:
            flags |= Flag.CLIPPED
        self._judge(peak, frames)
        t_ns = stamp.t_ns
        if self._resampler is not None:
            if flags & Flag.GAP_BEFORE:
                self._resampler.restart()
            payload, behind_ns = self._resampler.push(payload)
            t_ns -= behind_ns
        self._hand_over(
            inbox,
            Sample(
                self._spec.name, self._seq, t_ns, now_ns, frozen(payload), flags, "; ".join(notes)
            ),
        )

    def _hand_over(self, inbox: Inbox, sample: Sample) -> None:
        """Give a block to the reader; what an empty one has to say goes with the next."""
        flags, note = self._unsaid
        sample = replace(sample, flags=sample.flags | flags, note=sample.note or note)
        if not len(sample.payload):  # the resampler fills its filter
            self._unsaid = sample.flags, sample.note
            return
        self._unsaid = Flag.OK, ""
        inbox.put(sample)
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

    def _finished(self, inbox: Inbox) -> None:
        if not inbox.over:
            name = self._spec.device
            self._say(Health.LOST, f"'{name}' went away", "plug it in again")
            inbox.end(
                DeviceLostError(
                    f"the microphone '{name}' went away (unplugged, or the sound server ended)",
                    hint="plug it in again; list what there is: thymos devices",
                )
            )


def _end(stream: Any) -> None:
    stream.abort(ignore_errors=True)
    stream.close(ignore_errors=True)
