"""Explaining without a model: numbered steps, affective tree, conflict and rationale in words.

The steps follow MME-Emotion (arXiv 2508.09210, §3): each names one modality and its evidence, the
last one is the label. The tree follows VidEmo (arXiv 2511.02712): attributes support expressions,
expressions support the emotion. Everything said is derived from the cues; nothing is added.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Literal

from thymos.contract import (
    EMOTIONS,
    MODALITIES,
    Conflict,
    Cue,
    EmotionGuess,
    Explanation,
    Modality,
    Step,
    TreeNode,
)
from thymos.reason.base import Affect, Evidence, TextSink
from thymos.reason.check import lexicon
from thymos.reason.context import context_text
from thymos.reason.fusion import of_person, top
from thymos.reason.labels import table
from thymos.reason.scene import viewer
from thymos.reason.wording import (
    MODALITY_NOUN,
    adjective,
    clause,
    listing,
    phrase,
    sentence,
    span,
)

MIN_PROBABILITY = 0.40
"""Below this the likeliest class is more often wrong than right (risk-coverage curve of held-out
people, `docs/conflict.md`)."""
UNCLEAR = "unclear"
"""Label of the tree when no emotion is named."""
EVEN = 0.2
"""Arousal nearer to 0 than this is neither roused nor subdued."""
MIN_MARGIN = 0.05
"""The likeliest class must lead by this much."""
CONFLICT_TOLD = 0.60
"""Degree from which a conflict is put into words. Where half of the windows are in conflict, at
least two of three that are told are real (held-out people, `docs/conflict.md`)."""
MAX_STEPS = 6
"""Evidence steps, the label not counted."""
FINER_PROBABILITY = 0.55
FINER_SHARE = 0.8
"""A finer label is a little less sure than its class."""


class RulesReasoner:
    """The backend that needs no model and never fails. Also the fallback of all others."""

    def __init__(self, note: str = "") -> None:
        self._note = note

    @property
    def backend(self) -> str:
        """Name of the backend."""
        return "rules"

    @property
    def model(self) -> str:
        """Name of the rule set."""
        return "thymos-rules-1"

    def explain(
        self,
        evidence: Evidence,
        *,
        cancel: threading.Event | None = None,
        on_text: TextSink | None = None,
    ) -> Explanation:
        """Explain one window by rules (`cancel` is not needed: it takes about a millisecond)."""
        affect = evidence.affect
        reason = abstain_reason(affect)
        emotions = guesses(evidence)
        cues = choose_cues(evidence)
        rationale = rationale_text(evidence, cues, emotions, reason)
        if on_text is not None:
            on_text(rationale)
        return Explanation(
            emotions=emotions,
            valence=affect.valence,
            arousal=affect.arousal,
            steps=steps(evidence, cues, emotions, reason),
            tree=tree(evidence, emotions, reason),
            conflict=conflict(affect),
            modality_weights=dict(affect.weights),
            unimodal={m: dict(r) for m, r in affect.unimodal.items()},
            rationale=rationale,
            abstained=bool(reason),
            abstain_reason=reason,
            backend=self.backend,
            model=self.model,
            parse_ok=True,
            fallback=self._note,
            viewer=viewer(evidence),
        )

    def close(self) -> None:
        """Nothing to let go."""


def abstain_reason(affect: Affect) -> str:
    """Why no label should be relied on; empty if one may be."""
    if not affect.fused:
        return "nothing that was perceived tells of an emotion"
    ranked = sorted(affect.fused.values(), reverse=True)
    best = top(affect.fused)
    if ranked[0] < MIN_PROBABILITY:
        return f"the evidence is thin (at most {ranked[0]:.0%} for {best})"
    if ranked[0] - ranked[1] < MIN_MARGIN:
        second = top({e: p for e, p in affect.fused.items() if e != best})
        if affect.dissenting:
            return f"the senses contradict each other ({best} or {second})"
        return f"{best} and {second} are equally likely"
    return ""


def guesses(evidence: Evidence) -> tuple[EmotionGuess, ...]:
    """Emotions, most likely first: the fused classes and, if supported, one finer label."""
    fused = evidence.affect.fused
    found = [table()[e].guess(min(1.0, fused[e])) for e in EMOTIONS if fused.get(e, 0.0) >= 0.05]
    finer = finer_label(evidence)
    if finer:
        found.append(table()[finer].guess(fused[top(fused)] * FINER_SHARE))
    return tuple(sorted(found, key=lambda g: -g.confidence))


def finer_label(evidence: Evidence) -> str:
    """A shade of the likeliest class, only where a cue measures what makes the difference.

    The shades differ in arousal (circumplex, Russell 1980), hence a *measured* arousal is asked
    for; `amused` needs laughter.
    """
    affect = evidence.affect
    if not affect.fused or abstain_reason(affect) or affect.dissenting:
        return ""
    level1 = top(affect.fused)
    if affect.fused[level1] < FINER_PROBABILITY:
        return ""
    trusted = [c for c in evidence.cues if not c.untrusted and c.confidence >= 0.5]
    if level1 == "joy" and any("laugh" in f"{c.name} {c.value} {c.text}".lower() for c in trusted):
        return "amused"
    if not any(c.arousal is not None for c in trusted) or affect.arousal is None:
        return ""
    low, high, below, above = {
        "joy": (0.1, 0.45, "content", "excited"),
        "fear": (0.4, 0.6, "worried", "frightened"),
        "anger": (0.3, 0.7, "annoyed", "furious"),
    }.get(level1, (-2.0, 2.0, "", ""))
    if affect.arousal <= low:
        return below
    return above if affect.arousal >= high else ""


def choose_cues(evidence: Evidence) -> tuple[Cue, ...]:
    """The cues that matter most, in order of time.

    Round-robin over the modalities, so that none fills the list by number: the most telling cue of
    each, then the second of each, up to `MAX_STEPS`.
    """
    best = top(evidence.affect.fused) if evidence.affect.fused else None

    def worth(cue: Cue) -> tuple[bool, float, int, str]:
        support = (cue.emotion or {}).get(best, 0.0) if best else 0.0
        return (not bears_affect(cue), -cue.confidence * (0.5 + support), cue.t0_ns, cue.id)

    queues = [
        sorted(_telling(of_person([c for c in evidence.cues if c.modality == m])), key=worth)
        for m in MODALITIES
    ]
    chosen: list[Cue] = []
    for rank in range(MAX_STEPS):
        chosen += [queue[rank] for queue in queues if rank < len(queue)]
    return tuple(sorted(chosen[:MAX_STEPS], key=lambda c: (c.t0_ns, c.t1_ns, c.id)))


def _telling(cues: list[Cue]) -> list[Cue]:
    """Without cues of mere circumstances, unless there are no others."""
    return [c for c in cues if c.name not in lexicon().circumstance] or cues


def bears_affect(cue: Cue) -> bool:
    """Whether a cue tells something of the emotion by itself, or holds the person's words."""
    measured = cue.valence is not None or cue.arousal is not None
    return cue.emotion is not None or measured or (cue.modality == "words" and cue.untrusted)


def steps(
    evidence: Evidence, cues: Sequence[Cue], emotions: Sequence[EmotionGuess], reason: str
) -> tuple[Step, ...]:
    """Numbered evidence; the last step is the label (or that there is none)."""
    made = [
        Step(
            n=n,
            text=sentence(clause(cue)),
            modality=cue.modality,
            t0_ns=cue.t0_ns,
            t1_ns=cue.t1_ns,
            cue_ids=(cue.id,),
        )
        for n, cue in enumerate(cues, start=1)
    ]
    made.append(
        Step(
            n=len(made) + 1,
            text=verdict(emotions, reason),
            modality="fusion",
            t0_ns=min((c.t0_ns for c in cues), default=evidence.window.t0_ns),
            t1_ns=max((c.t1_ns for c in cues), default=evidence.window.t1_ns),
            cue_ids=tuple(c.id for c in cues),
        )
    )
    return tuple(made)


def verdict(emotions: Sequence[EmotionGuess], reason: str) -> str:
    """The last step in words."""
    if reason:
        return sentence(f"together: no clear reading, {reason}")
    best = emotions[0]
    finer = next((g.label for g in emotions if g.label != g.level1), "")
    shade = f", more exactly {finer}" if finer else ""
    return f"Together: {best.label} ({best.confidence:.0%}){shade}."


def rationale_text(
    evidence: Evidence, cues: Sequence[Cue], emotions: Sequence[EmotionGuess], reason: str
) -> str:
    """Why, in plain English with seconds."""
    parts = [evidence_sentence(evidence, cues)]
    if reason:
        parts.append(sentence(f"no emotion is named: {reason}"))
    else:
        finer = next((g.label for g in emotions if g.label != g.level1), "")
        seems = adjective(emotions[0].label)
        seems += f", more exactly {finer}" if finer else ""
        parts.append(f"They seem {seems} ({emotions[0].confidence:.0%}).")
    parts += [conflict(evidence.affect).text, context_text(evidence, cues)]
    return " ".join(p for p in parts if p)


def evidence_sentence(evidence: Evidence, cues: Sequence[Cue]) -> str:
    """The cues as one sentence, each with its time."""
    if not cues:
        return "Nothing was perceived in this window."
    return sentence(evidence_clauses(evidence, cues))


def evidence_clauses(evidence: Evidence, cues: Sequence[Cue]) -> str:
    """The cues as a list of clauses, each with its time."""
    return listing([f"{clause(c)} ({span(c, evidence.zero_ns)})" for c in cues])


def conflict(affect: Affect) -> Conflict:
    """Degree of disagreement, who disagrees, and that in words."""
    text = ""
    if affect.dissenting and affect.conflict >= CONFLICT_TOLD:
        verdict_ = top(affect.fused)
        others = [_says(affect, m) for m in affect.dissenting]
        agree = [m for m in affect.unimodal if top(affect.unimodal[m]) == verdict_]
        side = listing([MODALITY_NOUN[m] for m in agree]) or "the whole"
        verb = "say" if len(agree) > 1 or agree == ["words"] else "says"
        text = sentence(f"{side} {verb} {verdict_}, while {listing(others)}")
    return Conflict(degree=min(1.0, affect.conflict), modalities=affect.dissenting, text=text)


def _says(affect: Affect, modality: Modality) -> str:
    verb = "say" if modality == "words" else "says"
    reading = affect.unimodal[modality]
    label = top(reading)
    return f"{MODALITY_NOUN[modality]} {verb} {label} ({reading[label]:.0%})"


def tree(
    evidence: Evidence, emotions: Sequence[EmotionGuess], reason: str = ""
) -> tuple[TreeNode, ...]:
    """Affective tree of the person: attributes → expressions → emotion.

    What tells of the emotion stands below one root, one expression a modality; circumstances stand
    beside it as trees of their own, for they argue for nothing. Every cue of the person and of the
    place is one attribute, and each node cites just the cues of the attributes below it.

    Args:
        evidence: Cues and their fusion.
        emotions: The first one labels the root.
        reason: Why no label is relied on: the root is then `unclear`.
    """
    telling: list[TreeNode] = []
    beside: list[TreeNode] = []
    for modality in MODALITIES:
        own = of_person([c for c in evidence.cues if c.modality == modality])
        argues = any(bears_affect(c) for c in own)
        for cues, place in (
            ([c for c in own if argues and not _circumstance(c)], telling),
            ([c for c in own if not argues or _circumstance(c)], beside),
        ):
            if cues:
                shown = _shown(evidence, modality) if place is telling else "context"
                leaves = [
                    TreeNode(level="attribute", label=phrase(c), cue_ids=(c.id,)) for c in cues
                ]
                place.append(_over("expression", f"{modality}: {shown}", leaves))
    if telling:
        label = emotions[0].label if emotions and not reason else UNCLEAR
        beside.insert(0, _over("emotion", label, telling))
    return tuple(beside)


def _over(
    level: Literal["expression", "emotion"], label: str, children: Sequence[TreeNode]
) -> TreeNode:
    """A node that cites what its children cite."""
    ids = tuple(dict.fromkeys(i for child in children for i in child.cue_ids))
    return TreeNode(level=level, label=label, cue_ids=ids, children=tuple(children))


def _circumstance(cue: Cue) -> bool:
    return cue.name in lexicon().circumstance and not bears_affect(cue)


def _shown(evidence: Evidence, modality: Modality) -> str:
    """What a modality shows, as an adjective: its class, else how roused it is."""
    reading = evidence.affect.unimodal.get(modality)
    if reading:
        return adjective(top(reading))
    heard = [c.arousal for c in evidence.cues if c.modality == modality and c.arousal is not None]
    roused = sum(heard) / len(heard) if heard else 0.0
    return "roused" if roused > EVEN else "subdued" if roused < -EVEN else "even"
