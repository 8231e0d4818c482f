"""Smell as context in an explanation: when it began, beside what the person did.

It argues for nothing: that one has to do with the other is not known, and the sentence says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from thymos.contract import Cue
from thymos.reason.base import Evidence
from thymos.reason.check import lexicon
from thymos.reason.wording import phrase, sentence, smells_like
from thymos.smell.meaning.order import ONSET_NAMES, Relation, relations, words

UNPROVEN = "That one has to do with the other is not known."


def smell_order(evidence: Evidence, cues: Sequence[Cue]) -> list[Relation]:
    """How the newest smell of the window lies to these cues in time, as far as it can be said."""
    return relations(evidence.cues, cues, evidence.window.t0_ns)


def told(evidence: Evidence, cues: Sequence[Cue]) -> Relation | None:
    """The relation that is worth telling; None if there is none.

    A firm order before about the same time, what reads an emotion before what does not, the surer
    before the less sure. Circumstances (who is in view, other sounds) are left out.
    """

    def worth(found: Relation) -> tuple[bool, bool, float, int, str]:
        other = found.other
        return (found.order == "same", not other.emotion, -other.confidence, other.t0_ns, other.id)

    found = [r for r in smell_order(evidence, cues) if r.other.name not in lexicon().circumstance]
    return min(found, key=worth, default=None)


def context_text(evidence: Evidence, cues: Sequence[Cue]) -> str:
    """`A smell like smoke began about 4 s before this: …`; empty if nothing can be said."""
    best = told(evidence, cues)
    if best is None:
        return ""
    what = sentence(f"{_named(evidence)} began {words(best)} this: {phrase(best.other)}")
    return f"{what} {UNPROVEN}"


def asides(evidence: Evidence, cues: Sequence[Cue], ids: Mapping[str, str]) -> dict[str, str]:
    """The same for a prompt: what is added to a smell cue, by its id, with the model's names."""
    best = told(evidence, cues)
    smells = [c for c in cues if c.modality == "smell"]
    smells.sort(key=lambda c: c.name not in ONSET_NAMES)
    if best is None or not smells or best.other.id not in ids:
        return {}
    return {smells[0].id: f"the smell began {words(best)} {ids[best.other.id]}"}


def _named(evidence: Evidence) -> str:
    """The smell in our own words; a name that is not in the odour table is not told."""
    names = [smells_like(c) for c in evidence.cues if c.modality == "smell" and smells_like(c)]
    return f"a smell like {names[-1]}" if names else "a smell"
