"""What the capture stamps of a camera tell: lost frames, repeated ones, time that goes back."""

from __future__ import annotations

from dataclasses import dataclass

from thymos.samples import NS_PER_S, Flag

_LONG = 1.75
"""A step of so many periods means that at least one frame is missing."""
_CHANGED = 3
"""So many long steps in a row are a new rate (a camera exposes longer in the dark), not losses."""
_SHARE = 1 / 8
"""How fast the period follows the steps."""
_TURN = 1 << 32
"""The driver's number begins at 0 again after so many."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one frame is worth.

    Attributes:
        t_ns: Capture time to use; None: the same frame once more.
        lost: Frames that are missing before it.
        flags: What to flag.
        note: Why, for people.
    """

    t_ns: int | None
    lost: int = 0
    flags: Flag = Flag.OK
    note: str = ""


class FrameGate:
    """Judges the frames of one camera by their stamps, and by the driver's numbers of them.

    FFmpeg does not hand on the driver's sequence number, so missing frames are told from a step of
    two periods or more. That is exact as long as the rate holds; when the rate falls, up to two
    frames are called lost that never were. Numbers, where there are any,
    tell exactly.

    Args:
        rate_hz: Frames per second as the camera says; 0 if it does not.
    """

    def __init__(self, rate_hz: float = 0.0) -> None:
        self._raw: int | None = None
        self._given: int | None = None
        self._number: int | None = None
        self._period = NS_PER_S / rate_hz if rate_hz > 0 else None
        self._long = self._short = 0

    def judge(self, stamp_ns: int | None, now_ns: int, number: int | None = None) -> Verdict:
        """Judge the next frame.

        Args:
            stamp_ns: Its capture stamp on the robot clock, None if there is no usable one.
            now_ns: When it arrived.
            number: The driver's number of it (32 bits, one more each frame), None if unknown.
        """
        last, self._raw = self._raw, stamp_ns
        if stamp_ns is not None and stamp_ns == last:
            if self._number is not None and number is not None and number != self._number:
                self._number += 1  # a picture that came twice is not missing
            return Verdict(None)
        lost = self._skipped(number)
        if stamp_ns is None:
            note = "no capture stamp: time of arrival"
            return self._give(now_ns, lost or 0, Flag.TIME_ESTIMATED, note)
        if last is not None and stamp_ns < last:
            flags = Flag.TIME_JUMP | Flag.TIME_ESTIMATED
            note = f"the capture stamp went back by {(last - stamp_ns) / 1e6:.0f} ms"
            return self._give(now_ns, lost or 0, flags, note)
        if self._given is not None and stamp_ns <= self._given:
            note = "the capture stamp is from before the last frame: time of arrival"
            return self._give(now_ns, lost or 0, Flag.TIME_ESTIMATED, note)
        if lost is None:
            lost = self._missing(stamp_ns - last) if last is not None else 0
        return self._give(stamp_ns, lost, Flag.OK, "")

    def _give(self, t_ns: int, lost: int, flags: Flag, note: str) -> Verdict:
        if self._given is not None:
            t_ns = max(t_ns, self._given + 1)
        self._given = t_ns
        if lost:
            flags |= Flag.GAP_BEFORE
            missing = "1 frame is missing" if lost == 1 else f"{lost} frames are missing"
            note = f"{note}; {missing}" if note else missing
        return Verdict(t_ns, lost, flags, note)

    def _skipped(self, number: int | None) -> int | None:
        """Frames left out by the driver's count; None if it has none or began to count anew."""
        last, self._number = self._number, number
        if last is None or number is None:
            return None
        step = (number - last) % _TURN
        return step - 1 if 0 < step < _TURN // 2 else None

    def _missing(self, step_ns: int) -> int:
        if self._period is None:
            self._period = float(step_ns)
            return 0
        if step_ns < self._period / _LONG:  # the first step spanned a hole, or the rate rose
            self._short += 1
            if self._short >= 2:
                self._period = float(step_ns)
            return 0
        self._short = 0
        if step_ns < _LONG * self._period:
            self._long = 0
            self._period += (step_ns - self._period) * _SHARE
            return 0
        self._long += 1
        if self._long >= _CHANGED:
            self._period, self._long = float(step_ns), 0
            return 0
        return round(step_ns / self._period) - 1
