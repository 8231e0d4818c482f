"""What a nose shows of itself at one moment: plain values, ready for a terminal, a page or JSON.

`SmellView` holds no method of olfaction. What computes it is `thymos.smell.watch`; what draws it
are `thymos smell live` and the report. Equal views draw equal pictures.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thymos.smell.frame import Fault, Phase
from thymos.smell.signal.features import heater_groups

PAST_BINS = 60
"""Length of `ChannelView.past`."""
FAULT_WORDS = {
    Fault.SENTINEL: "the number stands for no reading",
    Fault.RAIL: "it is at the end of its range",
    Fault.STUCK: "it repeats where a live sensor cannot",
    Fault.WARM_UP: "it has not settled since it was switched on",
    Fault.OUT_OF_RANGE: "no such sensor can measure this",
    Fault.UNSTABLE: "the device itself calls it invalid",
    Fault.MISSING: "it gave no number",
}
"""Why a channel is not used, for people."""
HOW_WORDS = {
    "": "not known yet",
    "calibrated": "clean air as calibrated",
    "first_seconds": "the air of the first seconds",
    "followed": "clean air, drift followed",
    "file": "from the file",
}
"""`BaselineAir.how`, for people."""
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class ChannelView:
    """One gas channel.

    Attributes:
        name: As the nose calls it.
        unit: Of `value`.
        value: Newest raw reading, NaN if there is none.
        response: How far it is from clean air, (x - x0)/x0, signed as the raw value moves; NaN
            where it may not be used or clean air is not known.
        threshold: Smallest |response| that counts.
        fault: Why the newest reading may not be used.
        why: The same in words, empty if it may.
        past: Mean response of each of the last `PAST_BINS` bins of `SmellView.bin_s`, oldest
            first, NaN where none.
    """

    name: str
    unit: str
    value: float = NAN
    response: float = NAN
    threshold: float = NAN
    fault: Fault = Fault.NONE
    why: str = ""
    past: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class AirView:
    """The air around the nose, NaN where it is not measured."""

    temperature_celsius: float = NAN
    humidity_percent: float = NAN
    pressure_hpa: float = NAN


@dataclass(frozen=True, slots=True)
class BaselineView:
    """What the readings are compared with.

    Attributes:
        how: As in `BaselineAir.how`; empty while there is none.
        age_s: Since it was taken; NaN if unknown (a file without a date).
        learnt: Share of the readings it needs that have come, 1 when there is one.
        rezero_in_s: Seconds of clean air still needed before it may follow drift; 0 while it
            does, NaN if unknown.
    """

    how: str = ""
    age_s: float = NAN
    learnt: float = 0.0
    rezero_in_s: float = NAN


@dataclass(frozen=True, slots=True)
class LinkView:
    """How the readings come in.

    Attributes:
        declared_hz: Readings a second by the nose's own account, 0 if it declares none.
        measured_hz: By capture times of the last minute, 0 if not known yet.
        age_s: Of the newest reading; NaN before the first.
        received: Readings that came.
        lost: Readings the nose made that never came.
        invalid: Readings of which nothing could be used.
        reconnects: How often it was lost and came back.
        state: `waiting`, `ok`, `quiet`, or what the source says of itself.
    """

    declared_hz: float = 0.0
    measured_hz: float = 0.0
    age_s: float = NAN
    received: int = 0
    lost: int = 0
    invalid: int = 0
    reconnects: int = 0
    state: str = "waiting"


@dataclass(frozen=True, slots=True)
class OdourView:
    """What it may be.

    Attributes:
        shares: (label, probability), most probable first, `unknown` among them; empty while
            nothing smells.
        confidence: In the first of them.
        since_ns: When the sensors showed that the smell began, None while nothing smells.
        began_ns: Earliest and latest moment at which it began in the air, as known by now.
        text: One sentence about it.
    """

    shares: tuple[tuple[str, float], ...] = ()
    confidence: float = 0.0
    since_ns: int | None = None
    began_ns: tuple[int, int] | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class DangerView:
    """A smell that may harm.

    Attributes:
        kind: By the odour table: `smoke`, `gas_leak` …
        confidence: How sure that is.
        since_ns: When the smell began.
        text: In words.
        known_ns: When it was found to be a danger.
        sure: An alarm; otherwise a hint.
    """

    kind: str
    confidence: float
    since_ns: int
    text: str
    known_ns: int = 0
    sure: bool = True


@dataclass(frozen=True, slots=True)
class DriftView:
    """How far the sensors are from what their models know.

    Attributes:
        score: 0 as when learnt, 1 at the limit; may go beyond.
        needed: Whether the nose asks to be calibrated again.
        reason: In words.
        command: What to type then.
    """

    score: float
    needed: bool
    reason: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class EventView:
    """Something that happened.

    Attributes:
        name: `odour_onset`, `odour_timed` (the same, timed better), `odour_fading`,
            `odour_cleared`, `danger`, `link`.
        known_ns: When it could be known.
        earliest_ns: Earliest moment at which it happened in the air: sensors lag.
        latest_ns: Latest such moment.
        text: In words.
    """

    name: str
    known_ns: int
    earliest_ns: int
    latest_ns: int
    text: str


@dataclass(frozen=True, slots=True)
class SmellView:
    """All there is to show of one nose at one moment.

    Attributes:
        stream: Name of the stream.
        device: What people call the nose.
        origin: `live`, `recorded`, `synthesised` or `simulated`.
        now_ns: The moment.
        begin_ns: Capture time of the first reading: 0 s of all texts; None before it.
        channels: Gas channels, in the order of the nose.
        bin_s: Length of one bin of their past: 1 s, longer for a nose that is slower.
        phase: Of the sniff.
        phase_since_ns: When it began, None if unknown.
        warm: Share of the warm-up that is over; NaN if the nose tells nothing about it.
        warm_left_s: Seconds it still takes, NaN if unknown.
        danger: None if nothing dangerous is smelt.
        drift: None if nothing was learnt that could drift.
        events: Newest last.
        notes: What is lacking now.
    """

    stream: str
    device: str
    origin: str
    now_ns: int
    begin_ns: int | None
    channels: tuple[ChannelView, ...]
    link: LinkView
    baseline: BaselineView
    bin_s: int = 1
    air: AirView = AirView()
    phase: Phase = Phase.UNKNOWN
    phase_since_ns: int | None = None
    warm: float = NAN
    warm_left_s: float = NAN
    odour: OdourView = OdourView()
    danger: DangerView | None = None
    drift: DriftView | None = None
    events: tuple[EventView, ...] = ()
    notes: tuple[str, ...] = ()

    def seconds(self, t_ns: int) -> float:
        """Seconds since the first reading."""
        return 0.0 if self.begin_ns is None else (t_ns - self.begin_ns) / 1e9


def by_sensor(names: Sequence[str]) -> dict[str, list[int]]:
    """Positions of channels by sensor, in order of the nose; heater steps of one sensor together.

    Args:
        names: Of the channels: `s0_h0`, `s0_h1` are steps of `s0`, `NO2` is a sensor.
    """
    steps = {at: group for group in heater_groups(names) for at in group}
    found: dict[str, list[int]] = {}
    for at, name in enumerate(names):
        group = steps.get(at)
        label = name
        if group is not None:
            first = names[group[0]].rstrip("0123456789")
            label = first.removesuffix("h").rstrip("_") or first
        found.setdefault(label, []).append(at)
    return found


def as_json(view: SmellView, *, past: bool = False) -> dict[str, Any]:
    """The view as JSON values: NaN becomes null, numbers keep six digits.

    Args:
        view: What to tell.
        past: Whether the last minute of each channel is told too.
    """
    told: dict[str, Any] = _plain(dataclasses.asdict(view))
    told["odour"]["shares"] = dict(told["odour"]["shares"])
    for channel in told["channels"]:
        if not past:
            del channel["past"]
    return told


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, (Fault, Phase)) else value
