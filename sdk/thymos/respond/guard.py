"""The guard: danger is answered by fixed sentences, and no sentence leaves unchecked.

Danger comes first and never reaches a language model: told of a fire, a small one answered "The
fire is your sanctuary" (docs/responding.md).
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

import yaml

from thymos.contract import Cue
from thymos.reason.base import Evidence
from thymos.reason.check import lexicon
from thymos.respond.intents import transcript

Danger = Literal["none", "smoke", "gas", "solvent", "harm"]
ORDER: tuple[Danger, ...] = ("harm", "smoke", "gas", "solvent")

SURE_OF_SMELL = 0.5
MAX_CHARS = 90
MAX_STRANGE_WORDS = 1
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class Signs:
    """How one danger shows, and what is said then."""

    label: re.Pattern[str] | None
    smell: re.Pattern[str] | None
    said: re.Pattern[str]
    text: str


@dataclass(frozen=True)
class Rulebook:
    """`guard.yaml`, compiled."""

    danger: dict[Danger, Signs]
    negation: dict[str, re.Pattern[str]]
    banned: dict[str, re.Pattern[str]]


@dataclass(frozen=True, slots=True)
class Alarm:
    """A danger and where it was noticed."""

    danger: Danger
    reason: str
    text: str


@functools.cache
def rulebook() -> Rulebook:
    """Read `guard.yaml`, once."""
    text = (files("thymos.respond") / "guard.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = yaml.safe_load(text)

    def compiled(pattern: str) -> re.Pattern[str]:
        return re.compile(pattern, re.IGNORECASE)

    danger: dict[Danger, Signs] = {}
    for name in ORDER:
        row = data["danger"][name]
        danger[name] = Signs(
            label=compiled(rf"^({row['label']})$") if "label" in row else None,
            smell=compiled(row["smell"]) if "smell" in row else None,
            said=compiled(row["said"]),
            text=row["text"],
        )
    banned = {why: compiled(pattern) for why, pattern in data["banned"].items()}
    negation = {source: compiled(pattern) for source, pattern in data["negation"].items()}
    return Rulebook(danger, negation, banned)


def alarm(evidence: Evidence) -> Alarm | None:
    """Look for danger in smell and words; the worst one, None if there is none."""
    said = transcript(evidence)
    smells = [c for c in evidence.cues if c.modality == "smell" and c.confidence >= SURE_OF_SMELL]
    for name in ORDER:
        signs = rulebook().danger[name]
        for cue in smells:
            if _smells_of(cue, signs):
                return Alarm(name, f"the nose reports {name} ({cue.id})", signs.text)
        if _matches(signs.said, said, "said"):
            return Alarm(name, "what was said tells of danger", signs.text)
    return None


def objection(text: str, cues: Iterable[Cue], known: frozenset[str], recent: Iterable[str]) -> str:
    """Say why a sentence may not be spoken, or nothing.

    Args:
        text: The sentence.
        cues: All it may speak of.
        known: Words of the reviewed sentences of this mood: others would strike a wrong note.
        recent: What was said last.
    """
    if not text.strip() or len(text) > MAX_CHARS:
        return "empty or too long"
    for why, pattern in rulebook().banned.items():
        if pattern.search(text):
            return f"it holds {why}"
    words = _WORD.findall(text.lower())
    if words in [_WORD.findall(old.lower()) for old in recent]:
        return "it was just said"
    if any(first == second for first, second in itertools.pairwise(words)):
        return "it stutters"
    return _invention(words, cues, known)


def _invention(words: list[str], cues: Iterable[Cue], known: frozenset[str]) -> str:
    """Say what the words speak of that neither the cues nor reviewed sentences hold."""
    there: set[str] = set()
    told: set[str] = set()
    for cue in cues:
        there.add(cue.modality)
        told.update(_WORD.findall(cue.text.lower()) if not cue.untrusted else ())
    for modality, terms in lexicon().speaks_of.items():
        foreign = sorted((terms & set(words)) - known - told)
        if foreign and modality not in there:
            return f"it speaks of {foreign[0]!r}, which nobody noticed"
    strange = [w for w in words if w not in known | told | lexicon().plain]
    if len(strange) > MAX_STRANGE_WORDS:
        return f"it speaks of {strange[0]!r}, which nobody noticed"
    return ""


def _smells_of(cue: Cue, signs: Signs) -> bool:
    """Whether a smell cue is of this danger: by its class, or by its own words."""
    if signs.label is not None:
        if isinstance(cue.value, str):
            names = [cue.value]
        elif isinstance(cue.value, dict):
            names = [name for name, p in cue.value.items() if p >= SURE_OF_SMELL]
        else:
            names = []
        if any(signs.label.match(name.replace("_", " ").strip()) for name in names):
            return True
    return (
        signs.smell is not None and not cue.untrusted and _matches(signs.smell, cue.text, "smell")
    )


def _matches(pattern: re.Pattern[str], text: str, source: str) -> bool:
    """Whether a pattern occurs without a negation before it."""
    negation = rulebook().negation[source]
    return any(not negation.search(text[: m.start()]) for m in pattern.finditer(text))
