"""Late fusion: from cues to a first affect estimate, without a language model.

**Within a modality** the cues that carry an emotion form one reading: their mean, weighted by
confidence and time span. A modality is heard once, however many cues it sends.

**Calibration.** Each reading is corrected by what was measured on people the models never met
(`thymos.reason.reliability`): temperature, class biases, and below the least evidence measured it
fades to the prior (discounting: Shafer, A Mathematical Theory of Evidence, 1976, §11.4). The
evidence is `confidence × presence`: the mean confidence of the cues, and how long they were there
(a second counts in full).

**Across modalities** the corrected readings are multiplied as evidence, each relative to the prior,
so that the prior counts once (log-linear pool: Genest and Zidek, Statistical Science 1(1), 1986):

    fused ∝ prior · Π (unimodal / prior) ^ (weight · (1 + agreement · (n − 1))),   n = 1 / Σ weight²

The weights follow measured reliability and sum to 1; n is the number of modalities that count.
With one alone nothing changes; several that agree are surer than one, as far as was measured
(`agreement`: 0 if they say the same thing twice, 1 if they are independent). The linear pool
(mixture) that stood here before was worse on held-out people (`docs/conflict.md`). What is known
against a product, that one classifier may veto the others (Kittler et al., IEEE TPAMI 20(3), 1998),
is met by a bound on each reading. The published `unimodal` readings are the corrected ones, so
this can be checked by hand.

**Conflict** of two modalities is the Jensen-Shannon distance of their corrected readings (square
root of the divergence in bits, 0 … 1; Endres and Schindelin, IEEE Trans. Inf. Theory 49(7), 2003)
times the evidence of the fainter one, as a share of what is usual; the conflict of the window is
that of its worst pair. A faint reading cannot contradict loudly.

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
from thymos.reason.reliability import Reading, Table, Trust, table
from thymos.samples import NS_PER_S

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
DISSENT_EVIDENCE = 0.4


@dataclass(frozen=True, slots=True)
class Heard:
    """What one modality says by itself, before anything is known of how far to believe it.

    Attributes:
        raw: Its reading as the perceivers gave it.
        evidence: Mean confidence of its cues × presence, 0 … 1.
        names: Names of the cues in it.
        measured: Values of its cues that are single numbers, by name: qualities may be among them.
    """

    raw: Reading
    evidence: float
    names: frozenset[str]
    measured: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Voice:
    """One modality's say: what it stands for, and how far it is relied on.

    Attributes:
        reading: Corrected.
        force: Weight before it is shared out.
        weight: Share, sums to 1 over the voices.
        evidence: Evidence as a share of what is usual, at most 1.
    """

    reading: Reading
    force: float
    weight: float
    evidence: float


def fuse(cues: Sequence[Cue], known: Table | None = None) -> Affect:
    """Fuse the cues of one window (see the module text for the method).

    Args:
        cues: In any order; the result does not depend on it.
        known: What is known of the modalities beforehand; None is what was measured.

    Returns:
        The estimate. `fused` is empty if no cue carries an emotion; `weights` names every modality
        that sent a cue, with 0 for those that say nothing of the emotion.
    """
    known = known or table()
    by_modality = _sorted_out(cues)
    voices = _voices(by_modality, known)
    present = [m for m, own in by_modality.items() if own]
    weights: dict[Modality, float] = {m: voices[m].weight if m in voices else 0.0 for m in present}
    if not voices:
        weights = {m: 1.0 / len(present) for m in present}
    fused = _pool(voices, known) if voices else {}
    valence, arousal = _core_affect(by_modality, voices, known)
    return Affect(
        fused=fused,
        unimodal={m: v.reading for m, v in voices.items()},
        weights=weights,
        valence=valence,
        arousal=arousal,
        conflict=_conflict(voices),
        dissenting=_dissenting(voices, fused),
    )


def hear(cues: Sequence[Cue]) -> dict[Modality, Heard]:
    """What each modality says by itself; one that says nothing of the emotion is left out."""
    found = {m: _hear(own) for m, own in _sorted_out(cues).items()}
    return {m: heard for m, heard in found.items() if heard is not None}


def corrected(heard: Heard, trust: Trust, prior: Reading) -> Reading:
    """The reading of a modality after what was measured of it."""
    measured = not trust.cue or trust.cue in heard.names
    return trust.corrected(heard.raw, heard.evidence, prior, measured=measured)


def _sorted_out(cues: Sequence[Cue]) -> dict[Modality, list[Cue]]:
    """Cues of each modality, of one person, in an order that does not depend on their arrival."""
    ordered = sorted(cues, key=lambda c: (c.t0_ns, c.t1_ns, c.modality, c.name, c.track, c.id))
    return {m: of_person([c for c in ordered if c.modality == m]) for m in MODALITIES}


def _voices(by_modality: dict[Modality, list[Cue]], known: Table) -> dict[Modality, _Voice]:
    heard = {m: h for m, own in by_modality.items() if (h := _hear(own)) is not None}
    forces = {m: known.trust[m].weight(h.evidence, h.measured) for m, h in heard.items()}
    total = sum(forces.values())
    return {
        m: _Voice(
            corrected(h, known.trust[m], known.prior),
            forces[m],
            forces[m] / total,
            min(1.0, h.evidence / known.trust[m].usual),
        )
        for m, h in heard.items()
    }


def _pool(voices: dict[Modality, _Voice], known: Table) -> Reading:
    """The log-linear pool."""
    count = 1.0 / sum(v.weight**2 for v in voices.values())
    power = 1.0 + known.agreement * (count - 1.0)
    shares = {
        e: known.prior[e]
        * math.prod((v.reading[e] / known.prior[e]) ** (v.weight * power) for v in voices.values())
        for e in EMOTIONS
    }
    total = sum(shares.values())
    return {e: round(p / total, 9) for e, p in shares.items()}


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


def _hear(cues: list[Cue]) -> Heard | None:
    """Reading and evidence of one modality; None if it says nothing of the emotion."""
    heard = [c for c in cues if c.confidence >= MIN_CONFIDENCE]
    readings = [(c, r) for c in heard if (r := _clean(c.emotion)) is not None]
    if not readings:
        return None
    raw = _mix((r, c.confidence * _presence([c])) for c, r in readings)
    numbers = {c.name: float(c.value) for c in heard if isinstance(c.value, float)}
    names = frozenset(c.name for c, _ in readings)
    return Heard(raw, _evidence([c for c, _ in readings]), names, numbers)


def _evidence(cues: Sequence[Cue]) -> float:
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
    pairs = itertools.combinations(voices.values(), 2)
    return max(
        (min(a.evidence, b.evidence) * distance(a.reading, b.reading) for a, b in pairs),
        default=0.0,
    )


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
        if top(v.reading) not in (verdict, "neutral")
        and v.evidence >= DISSENT_EVIDENCE
        and distance(v.reading, fused) >= DISSENT_DISTANCE
    )


def _core_affect(
    by_modality: dict[Modality, list[Cue]], voices: dict[Modality, _Voice], known: Table
) -> tuple[float | None, float | None]:
    """Valence and arousal: what cues measure, else the expectation under the reading."""
    pair: list[float | None] = []
    for axis, name in enumerate(("valence", "arousal")):
        parts: list[tuple[float, float]] = []
        for modality, cues in by_modality.items():
            heard = [c for c in cues if c.confidence >= MIN_CONFIDENCE]
            measured = [c for c in heard if getattr(c, name) is not None]
            voice = voices.get(modality)
            if measured:
                mass = [c.confidence * _presence([c]) for c in measured]
                value = sum(
                    float(getattr(c, name)) * w for c, w in zip(measured, mass, strict=True)
                )
                alone = known.trust[modality].weight(_evidence(measured), {})
                parts.append((value / sum(mass), voice.force if voice else alone))
            elif voice is not None:
                value = sum(voice.reading[e] * COORDINATES[e][axis] for e in EMOTIONS)
                parts.append((value, voice.force))
        total = sum(force for _, force in parts)
        value = sum(v * f for v, f in parts) / total if total > 0 else 0.0
        pair.append(max(-1.0, min(1.0, value)) if total > 0 else None)
    return pair[0], pair[1]
