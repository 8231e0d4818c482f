"""The time of decoded frames: rising, shared by picture and sound, honest about guesses."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.samples import NS_PER_S, Flag

_RESTART_NS = NS_PER_S
"""A step back of this much is a clock that started again, a smaller one a bad stamp."""

_AUDIO_SLACK_NS = 20_000_000
"""Containers round audio stamps (FLV and Matroska to 1 ms) and decoders trim frames; below this
difference counting samples is the better clock."""


def stamp_ns(pts: int | None, time_base: Fraction | None, start: Fraction) -> int | None:
    """Time since the common start of the file, None if the frame has no stamp."""
    if pts is None or not time_base:
        return None
    return int((pts * time_base - start) * NS_PER_S)


class FrameClock:
    """Stamps of pictures: strictly rising; missing and falling ones are estimated and flagged."""

    def __init__(self, rate_hz: float) -> None:
        self._period_ns = int(NS_PER_S / rate_hz) if rate_hz > 0 else NS_PER_S // 30
        self._last: int | None = None
        self._shift = 0

    def stamp(self, t_ns: int | None) -> tuple[int, Flag]:
        """Return the time of the next frame and its flags."""
        last = self._last
        flags = Flag.OK
        if t_ns is not None:
            t_ns += self._shift
        if t_ns is None:
            t_ns, flags = (last + self._period_ns if last is not None else 0), Flag.TIME_ESTIMATED
        elif last is not None and t_ns <= last - _RESTART_NS:
            self._shift += last + self._period_ns - t_ns
            t_ns, flags = last + self._period_ns, Flag.TIME_JUMP | Flag.TIME_ESTIMATED
        elif last is not None and t_ns <= last:
            t_ns, flags = last + max(1, self._period_ns // 2), Flag.TIME_ESTIMATED
        self._last = t_ns
        return t_ns, flags


class AudioClock:
    """Stamps of sound: counts samples, follows the container's stamps where they really jump."""

    def __init__(self, rate_hz: int) -> None:
        self._rate = rate_hz
        self._anchor: int | None = None
        self._count = 0
        self._shift = 0

    def stamp(self, t_ns: int | None, frames: int) -> tuple[int, Flag]:
        """Return the time of the next decoded block of `frames` samples and its flags."""
        flags = Flag.OK
        if self._anchor is None:
            self._anchor = t_ns if t_ns is not None else 0
            flags = Flag.OK if t_ns is not None else Flag.TIME_ESTIMATED
        expected = self._anchor + self._count * NS_PER_S // self._rate
        if t_ns is not None:
            off = t_ns + self._shift - expected
            if off > _AUDIO_SLACK_NS:  # a hole
                self._anchor, self._count, expected = expected + off, 0, expected + off
                flags |= Flag.GAP_BEFORE
            elif off < -_AUDIO_SLACK_NS:  # back in time: sound that was heard cannot be unheard
                self._shift -= off
                flags |= Flag.TIME_JUMP | Flag.TIME_ESTIMATED
        self._count += frames
        return expected, flags


class Blocks:
    """Cuts sound into blocks of one length; only a block before a gap or the end is shorter."""

    def __init__(self, frames: int, rate_hz: int) -> None:
        self._frames = frames
        self._rate = rate_hz
        self._parts: list[NDArray[np.int16]] = []
        self._have = 0
        self._t_ns = 0
        self._flags = Flag.OK

    def push(
        self, t_ns: int, data: NDArray[np.int16], flags: Flag
    ) -> list[tuple[int, NDArray[np.int16], Flag]]:
        """Add decoded sound; return the blocks (time, data, flags) that are complete."""
        out = self.flush() if flags else []
        if not self._have:
            self._t_ns, self._flags = t_ns, flags
        self._parts.append(data)
        self._have += len(data)
        if self._have < self._frames:
            return out
        joined = np.concatenate(self._parts)
        whole = self._have // self._frames * self._frames
        for at in range(0, whole, self._frames):
            out.append((self._at(at), joined[at : at + self._frames], self._flags))
            self._flags = Flag.OK
        self._t_ns = self._at(whole)
        self._parts, self._have = [joined[whole:]], len(joined) - whole
        return out

    def flush(self) -> list[tuple[int, NDArray[np.int16], Flag]]:
        """Return what is left, if anything."""
        rest = [(self._t_ns, np.concatenate(self._parts), self._flags)] if self._have else []
        self._parts, self._have, self._flags = [], 0, Flag.OK
        return rest

    def _at(self, frame: int) -> int:
        return self._t_ns + frame * NS_PER_S // self._rate


def to_s16(data: NDArray[Any], *, planar: bool, channels: int) -> NDArray[np.int16]:
    """Turn decoded sound of any FFmpeg format into int16 [frames, channels], full scale kept.

    Args:
        data: [channels, frames] if planar, else [1, frames * channels].
        planar: How `data` lies.
        channels: Number of channels.
    """
    table: NDArray[Any] = data.T if planar else data.reshape(-1, channels)
    if table.dtype == np.int16:
        return np.ascontiguousarray(table)
    if table.dtype == np.uint8:
        return ((table.astype(np.int16) - 128) << 8).astype(np.int16)
    if table.dtype == np.int32:
        wide = (table.astype(np.int64) + 0x8000) >> 16
        short: NDArray[np.int16] = np.clip(wide, -32768, 32767).astype(np.int16)
        return short
    if np.issubdtype(table.dtype, np.floating):
        level = np.nan_to_num(table, nan=0.0, posinf=1.0, neginf=-1.0)
        full: NDArray[np.int16] = np.clip(np.rint(level * 32768.0), -32768, 32767).astype(np.int16)
        return full
    raise ValueError(f"sound format {table.dtype} is not known")
