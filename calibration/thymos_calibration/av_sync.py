"""Offset between a camera and a microphone: by claps or flashes, or by a talking face.

The result says how much later the sound's stamps are than the picture's for one and the same event.
It is given only when it can be trusted; otherwise the reason is, and what to do.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from thymos.errors import CalibrationError
from thymos.samples import Origin, StreamSpec
from thymos.supervise import OFFSET_KEY
from thymos_calibration.av_events import (
    MAX_RIVAL,
    MIN_PAIRS,
    Paired,
    clap_times,
    click_times,
    flash_times,
    pair,
)
from thymos_calibration.av_observe import Observed
from thymos_calibration.av_talking import (
    MAX_OFFSET_S,
    MIN_SECONDS,
    Peak,
    SpeechModel,
    find_peak,
    packaged_model,
)
from thymos_calibration.store import Calibration, identity

KIND = "av-sync"
Method = Literal["auto", "talking", "events"]

MIN_EVIDENCE = 0.88
"""Least peak height × √seconds. Of 640 pairs of a face and somebody else's voice, 1 % reach .96
and 0.3 % pass all gates; with the right voice 5 to 16 s of speech gave .92 to 1.48."""
_CHANCE_AT, _CHANCE_SCALE = 0.428, 0.116
"""Gumbel distribution of that evidence for the wrong voice, fitted to its median and 99 %."""
MIN_STANDS_OUT = 1.5
MIN_CONFIDENCE = 0.75
SILENCE_PEAK = 10 ** (-50 / 20)


@dataclass(frozen=True, slots=True)
class AvOffset:
    """The answer, or why there is none.

    Attributes:
        method: `talking`, `flash`, `clap`, or what was tried.
        offset_ms: Sound after picture; positive if the sound is late; None if withheld.
        uncertainty_ms: About one standard deviation; None likewise.
        confidence: 0 to 1.
        reason: Why there is no answer; empty if there is one.
        hint: What to do then.
        figures: What it rests on.
    """

    method: str
    offset_ms: float | None
    uncertainty_ms: float | None
    confidence: float
    reason: str = ""
    hint: str = ""
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def answered(self) -> bool:
        """Whether there is an answer."""
        return self.offset_ms is not None


def offset(
    seen: Observed,
    *,
    method: Method = "auto",
    max_offset_s: float = MAX_OFFSET_S,
    model: SpeechModel | None = None,
) -> AvOffset:
    """Work out the offset from what was seen and heard.

    Args:
        seen: From `observe`.
        method: `auto` takes claps or flashes if there are enough of them, else talking faces.
        max_offset_s: Offsets looked for.
        model: Weights for talking faces; None for those that come with Thymos.
    """
    if seen.voice is None or seen.peak < SILENCE_PEAK or seen.silent > 0.9:
        return _none(method, "there is no sound to speak of", "check that the microphone is on")
    events = by_events(seen, max_offset_s) if method != "talking" else None
    if method == "events" or (events is not None and events.answered):
        assert events is not None  # noqa: S101
        return events
    return by_talking(seen, max_offset_s, model or packaged_model())


def by_events(seen: Observed, max_offset_s: float) -> AvOffset:
    """By claps or flashes: whichever pairs better."""
    clicks = click_times(seen.loudness)
    sights = {
        "flash": flash_times(seen.frames_ns, seen.brightness),
        "clap": clap_times(seen.frames_ns, seen.motion),
    }
    found = [pair(clicks, times, kind, max_offset_s) for kind, times in sights.items()]
    best = max((p for p in found if p is not None), key=lambda p: p.confidence, default=None)
    again = "clap or flash eight times, unevenly, in view and near the microphone"
    if best is None or best.pairs < MIN_PAIRS:
        heard = f"{len(clicks)} clicks were heard, {best.pairs if best else 0} of them seen"
        return _none("events", f"{heard} (at least {MIN_PAIRS} are needed)", again, best)
    if best.rival > MAX_RIVAL * best.pairs:
        return _none(best.kind, "the beat is too even to tell one event from the next", again, best)
    if best.confidence < 0.5:
        return _none(best.kind, "too many clicks and sights have no partner", again, best)
    if abs(best.offset_s) > max_offset_s:
        return _none(best.kind, _beyond(best.offset_s, max_offset_s), "raise --max-offset", best)
    return AvOffset(
        best.kind,
        round(best.offset_s * 1000, 1),
        round(best.uncertainty_s * 1000, 1),
        round(best.confidence, 3),
        figures=asdict(best),
    )


def by_talking(seen: Observed, max_offset_s: float, model: SpeechModel) -> AvOffset:
    """By the face whose mouth follows the voice best."""
    longer = "record 15 s of one person talking to the camera, well lit, in a quiet room"
    if not seen.mouths or max(m.seconds for m in seen.mouths) < MIN_SECONDS:
        return _none("talking", "no face was in view for long enough", longer)
    assert seen.voice is not None  # noqa: S101
    peaks = [find_peak(m, seen.voice, model, max_offset_s=max_offset_s) for m in seen.mouths[:3]]
    found = sorted((p for p in peaks if p is not None), key=lambda p: -evidence(p))
    if not found:
        return _none("talking", "face and sound are hardly there at the same time", longer)
    best = found[0]
    figures = asdict(best) | {"evidence": evidence(best), "faces": len(seen.mouths)}
    sure = confidence(best)
    weak = best.rival > 0 and best.height < MIN_STANDS_OUT * best.rival
    if evidence(best) < MIN_EVIDENCE or weak or sure < MIN_CONFIDENCE:
        why = "the mouth and the sound hardly go together (dubbed, music, noise, or too short)"
        return _none("talking", why, longer, figures=figures, sure=sure)
    if best.beyond:
        why = _beyond(best.offset_s, max_offset_s)
        return _none("talking", why, "raise --max-offset", figures=figures, sure=sure)
    return AvOffset(
        "talking",
        round(best.offset_s * 1000, 1),
        round(max(best.spread_s, 0.005) * 1000, 1),
        round(sure, 3),
        figures=figures,
    )


def evidence(peak: Peak) -> float:
    """Height of a peak, for its length: chance falls with the root of time."""
    return peak.height * math.sqrt(peak.seconds)


def confidence(peak: Peak) -> float:
    """Probability-like: the redrawn clips agree, and a wrong voice would not do so well."""
    by_chance = -math.expm1(-math.exp(-(evidence(peak) - _CHANCE_AT) / _CHANCE_SCALE))
    return peak.agreement * (1.0 - by_chance)


def calibration(seen: Observed, found: AvOffset) -> Calibration:
    """A result that can be stored.

    Raises:
        CalibrationError: There is no answer.
    """
    if not found.answered:
        raise CalibrationError(f"no offset: {found.reason}", hint=found.hint)
    camera, microphone = identity(seen.camera), identity(seen.microphone)
    # What a recording was moved by already belongs to the devices all the same.
    moved_ms = _moved_ms(seen.microphone) - _moved_ms(seen.camera)
    origin = Origin.LIVE if seen.camera.origin is Origin.LIVE else seen.camera.origin
    return Calibration(
        kind=KIND,
        device=f"{camera}+{microphone}",
        values={
            "offset_ms": round((found.offset_ms or 0.0) - moved_ms, 1),
            "camera": camera,
            "microphone": microphone,
            "meaning": "subtract offset_ms from the stamps of the sound",
        },
        method=f"{found.method}: sound against picture",
        quality={
            "uncertainty_ms": found.uncertainty_ms,
            "confidence": found.confidence,
            "origin": origin.value,
            **found.figures,
        },
    )


def _moved_ms(spec: StreamSpec) -> float:
    """By how much the stamps of a stream were moved before it was looked at."""
    try:
        moved = float(spec.extra.get(OFFSET_KEY, 0.0))
    except ValueError:  # a recording may say anything
        return 0.0
    return moved if math.isfinite(moved) else 0.0


def _beyond(found_s: float, limit_s: float) -> str:
    return (
        f"they are {abs(found_s) * 1000:.0f} ms apart, beyond the {limit_s * 1000:.0f} looked for"
    )


def _none(
    method: str,
    reason: str,
    hint: str,
    paired: Paired | None = None,
    *,
    figures: dict[str, Any] | None = None,
    sure: float = 0.0,
) -> AvOffset:
    facts = figures if figures is not None else (asdict(paired) if paired is not None else {})
    return AvOffset(method, None, None, round(sure, 3), reason, hint, facts)
