"""Which of the nine intents answers what a person seems to feel.

Score of intent i = Σ over level-1 emotions e of P(e) · lift(i | e), where the lift is the mean over
the emotions of EmpatheticIntents that belong to e (`intents.yaml` gives numbers and source). Lift
rather than P(i | e): questioning and acknowledging are so frequent that the raw probability picks
them for almost every emotion. Words, uncertainty and conflict then multiply the scores; each factor
that took part is told in `why`. Intents for which the group has no sentence are not offered.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml

from thymos.contract import EMOTIONS, INTENTS, Emotion, Explanation, Intent, IntentScore
from thymos.reason.base import Evidence
from thymos.reason.rules import CONFLICT_TOLD
from thymos.reason.wording import adjective

UNSURE_BELOW = 0.45
NAMED_FROM = 0.50
"""A less sure emotion is explained, and not answered as if it were known."""
MAX_WORDS_READ = 400

GROUP: dict[Emotion, str] = {
    "joy": "bright",
    "sadness": "low",
    "anger": "upset",
    "disgust": "upset",
    "fear": "uneasy",
    "surprise": "startled",
    "neutral": "even",
}
"""Level-1 class → group of templates."""


@dataclass(frozen=True)
class Rule:
    """One adjustment of `intents.yaml`."""

    when: str
    words: re.Pattern[str] | None
    why: str
    factor: dict[Intent, float]


@dataclass(frozen=True)
class Table:
    """Lift by level-1 class and intent, and the adjustments."""

    lift: dict[Emotion, dict[Intent, float]]
    rules: tuple[Rule, ...]


@functools.cache
def table() -> Table:
    """Read `intents.yaml`, once."""
    text = (files("thymos.respond") / "intents.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.safe_load(text)
    lift: dict[Emotion, dict[Intent, float]] = {"neutral": dict(data["neutral"])}
    for emotion, members in data["members"].items():
        rows = [data["lift"][m] for m in members]
        lift[emotion] = {
            i: sum(row.get(i, data["lift_unlisted"]) for row in rows) / len(rows) for i in INTENTS
        }
    rules = tuple(
        Rule(
            row["when"],
            re.compile(row["words"], re.IGNORECASE) if "words" in row else None,
            row["why"],
            dict(row["factor"]),
        )
        for row in data["adjust"]
    )
    return Table(lift, rules)


def group_of(explanation: Explanation) -> str:
    """Group of templates: that of the first emotion, `even` if none is named or it is a guess."""
    if explanation.abstained or not explanation.emotions:
        return "even"
    if explanation.emotions[0].confidence < NAMED_FROM:
        return "even"
    return GROUP[explanation.emotions[0].level1]


def score_intents(
    explanation: Explanation, evidence: Evidence, offered: frozenset[str]
) -> tuple[IntentScore, ...]:
    """Rival intents, best first; scores sum to 1.

    Args:
        explanation: Emotions, conflict, abstention.
        evidence: The words, for the adjustments.
        offered: Intents that have sentences for this group.
    """
    probabilities = _probabilities(explanation)
    lift = table().lift
    scores: dict[Intent, float] = {
        i: sum(p * lift[e].get(i, 0.0) for e, p in probabilities.items()) for i in INTENTS
    }
    why: dict[Intent, list[str]] = {i: [] for i in INTENTS}
    for rule in _applying(explanation, evidence):
        for intent, factor in rule.factor.items():
            scores[intent] *= factor
            why[intent].append(f"{rule.why} (×{factor:g})")
    total = sum(s for i, s in scores.items() if i in offered)
    named = _named(explanation)
    return tuple(
        IntentScore(
            intent=i,
            score=min(1.0, scores[i] / total) if i in offered and total > 0 else 0.0,
            why="; ".join([named, *why[i]]) if i in offered else "has no sentence for this mood",
        )
        for i in sorted(INTENTS, key=lambda i: (i not in offered, -scores[i], INTENTS.index(i)))
    )


def transcript(evidence: Evidence) -> str:
    """What was said in the window, untrusted, cut."""
    said = [c.value for c in evidence.cues if c.modality == "words" and isinstance(c.value, str)]
    return " ".join(said)[:MAX_WORDS_READ]


def _probabilities(explanation: Explanation) -> dict[Emotion, float]:
    """Level-1 probabilities; finer labels repeat their class and are left out."""
    found: dict[Emotion, float] = {
        g.level1: g.confidence for g in explanation.emotions if g.label == g.level1
    }
    if explanation.abstained or not found:
        return {"neutral": 1.0}
    total = sum(found.values())
    return {e: found[e] / total for e in EMOTIONS if e in found}


def _applying(explanation: Explanation, evidence: Evidence) -> list[Rule]:
    said = transcript(evidence)
    best = explanation.emotions[0].confidence if explanation.emotions else 0.0
    state = {
        "unsure": not explanation.abstained and best < UNSURE_BELOW,
        "conflict": bool(explanation.conflict.modalities)
        and explanation.conflict.degree >= CONFLICT_TOLD,
        "abstained": explanation.abstained,
    }
    return [
        rule
        for rule in table().rules
        if (rule.words.search(said) if rule.words else state.get(rule.when, False))
    ]


def _named(explanation: Explanation) -> str:
    if explanation.abstained or not explanation.emotions:
        return "no emotion is named"
    return f"they seem {adjective(explanation.emotions[0].label)}"
