"""A loudspeaker by PortAudio that knows when its sound leaves."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.errors import DeviceError
from thymos.samples import NS_PER_S
from thymos_drivers.microphone import sound_library

F64 = NDArray[np.float64]

_LEAD_S = 0.15
"""Silence before the sound, so that the stream has settled when it comes."""


class PortAudioSpeaker:
    """An output device; use as a context manager.

    Args:
        device: (Part of) its name; empty for the system's choice.
        rate: Frames per second.

    Raises:
        DeviceError: On entering: there is none, or it cannot be opened.
        MissingExtraError: sounddevice is not installed.
    """

    def __init__(self, device: str, rate: int) -> None:
        self._device = device
        self._rate = rate
        self._lock = threading.Lock()
        self._queue: NDArray[np.float32] = np.zeros(0, dtype=np.float32)
        self._left_ns: int | None = None
        self._waiting = False
        self._stream: Any = None

    def __enter__(self) -> PortAudioSpeaker:
        sd = sound_library()
        try:
            self._stream = sd.OutputStream(
                device=self._device or None,
                samplerate=self._rate,
                channels=1,
                dtype="float32",
                latency=0.1,
                callback=self._fill,
            )
            self._stream.start()
        except (sd.PortAudioError, ValueError) as err:
            raise DeviceError(
                f"the loudspeaker '{self._device or 'default'}' cannot be opened: {err}",
                hint="python -m sounddevice lists them",
            ) from err
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()

    def play(self, sound: F64, rate: int) -> int:
        """See `Speaker`.

        Raises:
            DeviceError: The device does not take it within two seconds.
        """
        if rate != self._rate:
            raise ValueError(f"the speaker runs at {self._rate} Hz, not {rate}")
        lead = np.zeros(round(_LEAD_S * rate), dtype=np.float32)
        with self._lock:
            self._queue = np.concatenate([lead, sound.astype(np.float32)])
            self._left_ns, self._waiting = None, True
        deadline = time.monotonic() + 2.0
        while time.monotonic() < deadline:
            with self._lock:
                if self._left_ns is not None:
                    return self._left_ns + len(lead) * NS_PER_S // rate
            time.sleep(0.005)
        raise DeviceError("the loudspeaker plays nothing", hint="check its volume and its cable")

    def _fill(self, out: Any, frames: int, when: Any, _status: object) -> None:
        """PortAudio's thread: only differences of its clock are used (its epoch varies)."""
        with self._lock:
            part, self._queue = self._queue[:frames], self._queue[frames:]
            if self._waiting and len(part):
                ahead = min(max(0.0, when.outputBufferDacTime - when.currentTime), 2.0)
                self._left_ns = time.monotonic_ns() + round(ahead * NS_PER_S)
                self._waiting = False
        out[:] = 0
        out[: len(part), 0] = part
