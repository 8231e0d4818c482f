"""A window between its first, quick stage and its words: cues with ids, fused, of known age."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from thymos.align.window import Window
from thymos.contract import MODALITIES, Cue, SourceInfo
from thymos.reason.base import Affect
from thymos.samples import NS_PER_S, StreamSpec, serial_number


@dataclass(frozen=True, slots=True)
class Estimate:
    """A window after its first, quick stage.

    Attributes:
        window: The window.
        cues: What the quick perceivers saw, numbered.
        affect: Their fusion.
        latency_ms: Wall time so far, by stage.
        notes: What was lacking.
    """

    window: Window
    cues: tuple[Cue, ...]
    affect: Affect
    latency_ms: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def number(window: Window, cues: Sequence[Cue]) -> tuple[Cue, ...]:
    """Give cues their ids, `<window>-<modality><n>`: n counts from 1 in the order given.

    They come in the order of the modalities, whichever stream was there first. What is no number
    goes no further than here, see `finite`.
    """
    count: dict[str, int] = {}
    done: list[Cue] = []
    sound = [kept for cue in cues if (kept := finite(cue)) is not None]
    for cue in sorted(sound, key=lambda c: MODALITIES.index(c.modality)):
        count[cue.modality] = count.get(cue.modality, 0) + 1
        name = f"{window.id}-{cue.modality}{count[cue.modality]}"
        done.append(cue if cue.id == name else cue.model_copy(update={"id": name}))
    return tuple(done)


def finite(cue: Cue) -> Cue | None:
    """The cue without NaN and infinities, which JSON cannot hold; None if nothing is left of it.

    A label whose probability is none is left out; a distribution over emotions with such a value
    says nothing and becomes None.
    """
    value, emotion = cue.value, cue.emotion
    if isinstance(value, dict):
        value = {label: p for label, p in value.items() if math.isfinite(p)}
        if cue.value and not value:
            return None
    elif isinstance(value, float) and not math.isfinite(value):
        return None
    if emotion is not None and not all(map(math.isfinite, emotion.values())):
        emotion = None
    if value == cue.value and emotion == cue.emotion:
        return cue
    return cue.model_copy(update={"value": value, "emotion": emotion})


def source_info(spec: StreamSpec) -> SourceInfo:
    """The published part of a stream's specification."""
    return SourceInfo(
        stream=spec.name,
        device=spec.device,
        origin=spec.origin.value,
        rate_hz=spec.rate_hz if math.isfinite(spec.rate_hz) else 0.0,
        note=spec.extra.get("note", ""),
        serial=serial_number(spec),
    )


def age_ms(window: Window, now_ns: int) -> float:
    """How long ago a window ended, on the robot clock."""
    return (now_ns - window.t1_ns) * 1e3 / NS_PER_S
