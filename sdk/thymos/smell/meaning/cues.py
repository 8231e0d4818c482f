"""What a recognised odour means, as cues for the reasoner."""

from __future__ import annotations

from thymos.contract import Cue
from thymos.smell.meaning.table import Meaning, meaning_of

PLEASANTNESS = "odour_pleasantness"
PLAIN = 0.15
"""A mean rating nearer to 0 than this is neither pleasant nor unpleasant."""
STRANGERS = 0.6
"""How far the mean of strangers tells what somebody here likes: at most so sure."""


def cues_of_meaning(odour: Cue) -> list[Cue]:
    """The cue `odour_pleasantness` of an `odour` cue, if its label is rated; else nothing.

    It says how people rate such a smell, not how the person here finds it, and carries neither
    emotion nor valence of a person. It is unsure as the recognition is, and more so where people
    disagree. The class of danger is no cue of its own here: see `thymos.smell.meaning.danger`.
    """
    meaning = meaning_of(odour.value) if isinstance(odour.value, str) else None
    if meaning is None or meaning.pleasant is None:
        return []
    rated = meaning.pleasant
    agreed = 1.0 - (0.5 if rated.spread is None else rated.spread)
    return [
        Cue(
            id="",
            modality="smell",
            name=PLEASANTNESS,
            value=rated.mean,
            unit="rating",
            confidence=round(odour.confidence * STRANGERS * agreed, 3),
            t0_ns=odour.t0_ns,
            t1_ns=odour.t1_ns,
            began_ns=odour.began_ns,
            text=f"people in a study rated such a smell as {rated_as(meaning)} "
            f"({rated.mean:+.2f} of 1, for {rated.of})",
        )
    ]


def rated_as(meaning: Meaning) -> str:
    """`pleasant`, `unpleasant`, `neither pleasant nor unpleasant`, or `not rated`."""
    if meaning.pleasant is None:
        return "not rated"
    if abs(meaning.pleasant.mean) < PLAIN:
        return "neither pleasant nor unpleasant"
    return "pleasant" if meaning.pleasant.mean > 0 else "unpleasant"
