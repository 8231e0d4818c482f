"""What a smell frame may not say: the validator behind `thymos smell check`."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from thymos.samples import CLIMATE
from thymos.smell.codec import LIMITS
from thymos.smell.frame import Fault, Nose, SmellFrame

_AIR_RANGE = {"temperature": (-100.0, 200.0), "humidity": (0.0, 110.0), "pressure": (1.0, 2000.0)}
_SENTINELS = (4294967295.0, 2147483647.0)
_MOST = 100
_MOST_STREAMS = 100_000


class Checker:
    """Checks the frames of one stream, one after the other.

    Attributes:
        frames: Seen so far.
        found: What is wrong, in words, with the first frame (its place, from 0) and how many.
            Of more than 100 kinds of problem the first are kept.
    """

    def __init__(self) -> None:
        self.frames = 0
        self.found: dict[str, tuple[int, int]] = {}
        self._last: dict[tuple[str, str, str], tuple[int, int]] = {}

    def add(self, frame: SmellFrame) -> None:
        """Check one frame, and that it follows the one before of its nose and session."""
        at = self.frames
        words = problems(frame)
        key = (frame.nose.model, frame.nose.serial, frame.session)
        if key in self._last:
            seq, t_ns = self._last[key]
            words += ["seq does not grow"] * (frame.seq <= seq)
            words += ["time goes back"] * (frame.t_ns < t_ns)
        if key in self._last or len(self._last) < _MOST_STREAMS:
            self._last[key] = (frame.seq, frame.t_ns)
        for text in words:
            first, count = self.found.get(text, (at, 0))
            if text in self.found or len(self.found) < _MOST:
                self.found[text] = (first, count + 1)
        self.frames = at + 1


def problems(frame: SmellFrame) -> list[str]:
    """Everything in which a frame breaks the specification, in words; empty if it conforms."""
    found = [*_out_of_limits(frame), *_bad_nose(frame.nose), *_bad_air(frame)]
    for channel, value, fault in zip(frame.nose.channels, frame.values, frame.faults, strict=True):
        if fault is Fault.NONE and math.isnan(value):
            found.append(f"{channel.name}: no value and no reason")
        elif fault is Fault.MISSING and not math.isnan(value):
            found.append(f"{channel.name}: missing, and yet {value:g}")
        elif fault is Fault.NONE and value in _SENTINELS:
            found.append(f"{channel.name}: {value:.0f} stands for no value and is not marked")
    if frame.baseline is not None and not frame.baseline.how:
        found.append("baseline: it does not tell how it was taken")
    found += ["odorant without a name" for odorant in frame.odorants if not odorant.name]
    found += ["percept without a rater" for percept in frame.percepts if not percept.rater]
    return found


def _bad_nose(nose: Nose) -> list[str]:
    found = [] if nose.channels else ["nose: it has no channel"]
    found += [] if nose.model else ["nose: it has no model"]
    for channel in nose.channels:
        if not channel.name.strip():
            found.append("a channel has no name")
        if not channel.unit:
            found.append(f"{channel.name}: no unit (write `unknown` if it is)")
        if channel.name.strip().lower() in CLIMATE:
            found.append(f"{channel.name}: measures the air and is no gas channel")
    return found


def _bad_air(frame: SmellFrame) -> list[str]:
    said = (frame.temperature_celsius, frame.humidity_percent, frame.pressure_hpa)
    found = []
    for (quantity, unit), value in zip(CLIMATE.items(), said, strict=True):
        low, high = _AIR_RANGE[quantity]
        measured, faulty = quantity in frame.nose.air, frame.air_faults.get(quantity)
        if not measured and (faulty or not math.isnan(value)):
            found.append(f"{quantity}: told, but the nose does not measure it (nose.air)")
        elif not faulty and not math.isnan(value) and not low <= value <= high:
            found.append(f"{quantity}: {value:g} {unit} cannot be and is not marked")
    found += [f"{name}: no quantity of the air" for name in frame.air_faults if name not in CLIMATE]
    return found


def _out_of_limits(value: Any) -> list[str]:
    """Numbers beyond `LIMITS`, in a record and all it holds."""
    found: list[str] = []
    kind = type(value).__name__
    for each in dataclasses.fields(value):
        part = getattr(value, each.name)
        inner = part if isinstance(part, tuple) else (part,)
        for record in inner:
            if dataclasses.is_dataclass(record):
                found += _out_of_limits(record)
        low, high = LIMITS.get(f"{kind}.{each.name}", (None, None))
        if (low is not None and part < low) or (high is not None and part > high):
            name = f"{value.name}: " if kind in ("Channel", "Odorant") else ""
            found.append(f"{name}{each.name} is {part:g}, not {_range(low, high)}")
    return found


def _range(low: float | None, high: float | None) -> str:
    return f"at least {low:g}" if high is None else f"{low:g} to {high:g}"
