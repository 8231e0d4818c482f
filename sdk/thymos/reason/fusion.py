"""Late fusion: from cues to a first affect estimate, without a language model.

**Within a modality** the cues that carry an emotion form one reading: their mean, weighted by
confidence and time span. A modality is heard once, however many cues it sends.

**Reliability** of a modality is `confidence × presence × prior`: the mean confidence of its cues,
how long evidence was there (a second counts in full), and `PRIOR`. Each reading is then
*discounted*: what is not reliable counts for the uniform distribution, `q·p + (1 − q)·u` (Shafer,
A Mathematical Theory of Evidence, 1976, §11.4). Little evidence therefore gives a flat estimate.

**Across modalities** the discounted readings are mixed, weights ∝ reliability: the linear opinion
pool (Stone, Ann. Math. Stat. 1961), the sum rule of classifier combination, which is the least
sensitive to errors of the single classifiers (Kittler et al., IEEE TPAMI 20(3), 1998, §5). A
product (log-linear pool) would sharpen readings that are not independent and let one classifier
veto another; a mixture is never surer than its surest part and leaves a conflict visible as two
peaks. The published `unimodal` readings are the discounted ones, so that
`fused = Σ weight · unimodal` can be checked by hand.

**Conflict** of two modalities is the Jensen-Shannon distance of their own readings (square root of
the divergence in bits, 0 … 1; Endres and Schindelin, IEEE Trans. Inf. Theory 49(7), 2003) times the
reliability of the less reliable one; the conflict of the window is that of its worst pair. A faint
reading cannot contradict loudly, and two that differ only in sureness hardly do.

Smell is context: it takes part only when a cue itself carries an emotion, and then with little
weight. With several people in view the track with most evidence is the person; others are left out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from thymos.contract import EMOTIONS, MODALITIES, Cue, Emotion, Modality
from thymos.reason.base import Affect
from thymos.samples import NS_PER_S

Reading = dict[Emotion, float]

PRIOR: dict[Modality, float] = {"face": 1.0, "voice": 1.0, "words": 1.1, "smell": 0.3}
"""How much a modality is believed before looking, face = 1. Words a little more: alone they reach
67.4 against 60.5 (face) and 60.1 (voice) in the input ablation of AffectGPT (arXiv 2501.16566).
The small value for smell is ours: an odour tells of the room sooner than of the person."""

COORDINATES: dict[Emotion, tuple[float, float]] = {
    "neutral": (0.0, 0.0),
    "joy": (0.8, 0.4),
    "sadness": (-0.7, -0.4),
    "anger": (-0.6, 0.6),
    "fear": (-0.6, 0.7),
    "disgust": (-0.6, 0.3),
    "surprise": (0.2, 0.7),
}
"""Valence and arousal of each class: placed by hand, to a tenth, after the circumplex of Russell
(J. Pers. Soc. Psychol. 39(6), 1980). Used only where no cue measures valence or arousal."""

MIN_CONFIDENCE = 1e-3
"""Cues less sure than this say nothing."""
PRESENCE_FULL_NS = NS_PER_S
PRESENCE_FLOOR = 0.25  # a single frame is evidence too
DISSENT_DISTANCE = 0.25
DISSENT_RELIABILITY = 0.25


@dataclass(frozen=True, slots=True)
class _Voice:
    """One modality's say: its own reading, and how far it is relied on (0 … 1)."""

    raw: Reading
    discounted: Reading
    reliability: float


def fuse(cues: Sequence[Cue]) -> Affect:
    """Fuse the cues of one window (see the module text for the method).

    Args:
        cues: In any order; the result does not depend on it.

    Returns:
        The estimate. `fused` is empty if no cue carries an emotion; `weights` names every modality
        that sent a cue, with 0 for those that say nothing of the emotion.
    """
    ordered = sorted(cues, key=lambda c: (c.t0_ns, c.t1_ns, c.modality, c.name, c.track, c.id))
    by_modality = {m: of_person([c for c in ordered if c.modality == m]) for m in MODALITIES}
    voices: dict[Modality, _Voice] = {}
    for modality, own in by_modality.items():
        voice = _listen(modality, own)
        if voice is not None:
            voices[modality] = voice
    total = sum(PRIOR[m] * v.reliability for m, v in voices.items())
    present = [m for m, own in by_modality.items() if own]
    weights: dict[Modality, float] = {
        m: PRIOR[m] * voices[m].reliability / total if m in voices else 0.0 for m in present
    }
    if not voices:
        weights = {m: 1.0 / len(present) for m in present}
    unimodal = {m: v.discounted for m, v in voices.items()}
    fused = _mix((unimodal[m], weights[m]) for m in voices) if voices else {}
    valence, arousal = _core_affect(by_modality, voices)
    return Affect(
        fused=fused,
        unimodal=unimodal,
        weights=weights,
        valence=valence,
        arousal=arousal,
        conflict=_conflict(voices),
        dissenting=_dissenting(voices, fused),
    )


def top(reading: Reading) -> Emotion:
    """The likeliest class; the earlier in `EMOTIONS` on a tie."""
    return max(EMOTIONS, key=lambda e: (reading.get(e, 0.0), -EMOTIONS.index(e)))


def distance(p: Reading, q: Reading) -> float:
    """Jensen-Shannon distance of two readings, 0 … 1."""
    return math.sqrt(min(1.0, max(0.0, _divergence([(p, 0.5), (q, 0.5)]))))


def of_person(cues: list[Cue]) -> list[Cue]:
    """Keep the track with most evidence, and cues that belong to no track."""
    mass: dict[str, float] = {}
    for cue in cues:
        if cue.track:
            mass[cue.track] = mass.get(cue.track, 0.0) + cue.confidence * _presence([cue])
    if len(mass) < 2:
        return cues
    person = min(mass, key=lambda track: (-mass[track], track))
    return [c for c in cues if c.track in ("", person)]


def _listen(modality: Modality, cues: list[Cue]) -> _Voice | None:
    """Reading and reliability of one modality; None if it says nothing of the emotion."""
    heard = [c for c in cues if c.confidence >= MIN_CONFIDENCE]
    readings = [(c, r) for c in heard if (r := _clean(c.emotion)) is not None]
    if not readings:
        return None
    parts = [(r, c.confidence * _presence([c])) for c, r in readings]
    raw = _mix(parts)
    q = _reliability([c for c, _ in readings])
    uniform = 1.0 / len(EMOTIONS)
    discounted: Reading = {e: q * raw[e] + (1.0 - q) * uniform for e in EMOTIONS}
    return _Voice(raw, discounted, q)


def _reliability(cues: Sequence[Cue]) -> float:
    """Mean confidence, weighted by span, times presence; 0 … 1."""
    spans = [_presence([c]) for c in cues]
    mean = sum(c.confidence * s for c, s in zip(cues, spans, strict=True)) / sum(spans)
    return mean * _presence(cues)


def _presence(cues: Sequence[Cue]) -> float:
    """Share of one second that the union of the spans covers, at least `PRESENCE_FLOOR`."""
    covered, reached = 0, None
    for t0, t1 in sorted((c.t0_ns, c.t1_ns) for c in cues):
        start = t0 if reached is None else max(t0, reached)
        covered += max(0, t1 - start)
        reached = t1 if reached is None else max(t1, reached)
    return max(PRESENCE_FLOOR, min(1.0, covered / PRESENCE_FULL_NS))


def _clean(emotion: dict[Emotion, float] | None) -> Reading | None:
    """A proper distribution over all classes, or None if there is nothing in it."""
    if not emotion:
        return None
    kept = {e: emotion.get(e, 0.0) for e in EMOTIONS}
    kept = {e: p if math.isfinite(p) and p > 0 else 0.0 for e, p in kept.items()}
    total = sum(kept.values())
    return {e: p / total for e, p in kept.items()} if total > 0 else None


def _mix(parts: Iterable[tuple[Reading, float]]) -> Reading:
    """Weighted mean of readings, normalised."""
    sums: Reading = dict.fromkeys(EMOTIONS, 0.0)
    total = 0.0
    for reading, weight in parts:
        total += weight
        for e in EMOTIONS:
            sums[e] += weight * reading[e]
    return {e: sums[e] / total for e in EMOTIONS}


def _entropy(reading: Reading) -> float:
    """Shannon entropy, bits."""
    return -sum(p * math.log2(p) for p in reading.values() if p > 0)


def _divergence(parts: Sequence[tuple[Reading, float]]) -> float:
    """Jensen-Shannon divergence of weighted readings, bits."""
    return _entropy(_mix(parts)) - sum(w * _entropy(r) for r, w in parts)


def _conflict(voices: dict[Modality, _Voice]) -> float:
    """Conflict of the pair of modalities that contradict each other most."""
    heard = [(v.raw, v.reliability * min(1.0, PRIOR[m])) for m, v in voices.items()]
    pairs = itertools.combinations(heard, 2)
    return max((min(q1, q2) * distance(p1, p2) for (p1, q1), (p2, q2) in pairs), default=0.0)


def _dissenting(voices: dict[Modality, _Voice], fused: Reading) -> tuple[Modality, ...]:
    """Modalities that are reliable enough to be heard and read another class than the whole.

    A neutral reading is absence of expression, not contradiction: it dissents from nothing.
    """
    if len(voices) < 2:
        return ()
    verdict = top(fused)
    return tuple(
        m
        for m, v in voices.items()
        if top(v.raw) not in (verdict, "neutral")
        and v.reliability >= DISSENT_RELIABILITY
        and distance(v.raw, fused) >= DISSENT_DISTANCE
    )


def _core_affect(
    by_modality: dict[Modality, list[Cue]], voices: dict[Modality, _Voice]
) -> tuple[float | None, float | None]:
    """Valence and arousal: what cues measure, else the expectation under the reading."""
    pair: list[float | None] = []
    for axis, name in enumerate(("valence", "arousal")):
        parts: list[tuple[float, float]] = []
        for modality, cues in by_modality.items():
            heard = [c for c in cues if c.confidence >= MIN_CONFIDENCE]
            measured = [c for c in heard if getattr(c, name) is not None]
            if measured:
                mass = [c.confidence * _presence([c]) for c in measured]
                value = sum(
                    float(getattr(c, name)) * w for c, w in zip(measured, mass, strict=True)
                )
                parts.append((value / sum(mass), PRIOR[modality] * _reliability(measured)))
            elif modality in voices:
                voice = voices[modality]
                value = sum(voice.raw[e] * COORDINATES[e][axis] for e in EMOTIONS)
                parts.append((value, PRIOR[modality] * voice.reliability))
        total = sum(weight for _, weight in parts)
        value = sum(v * w for v, w in parts) / total if total > 0 else 0.0
        pair.append(max(-1.0, min(1.0, value)) if total > 0 else None)
    return pair[0], pair[1]
