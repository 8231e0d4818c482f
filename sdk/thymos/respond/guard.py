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
from thymos.smell.meaning import meaning_of
from thymos.smell.meaning.danger import ALARM, HINT, SURE, Stage

Danger = Literal["none", "smoke", "gas", "spoiled_food", "solvent", "harm"]
ORDER: tuple[Danger, ...] = ("harm", "smoke", "gas", "solvent", "spoiled_food")
OF_CLASS: dict[str, Danger] = {
    "smoke": "smoke",
    "gas_leak": "gas",
    "solvent": "solvent",
    "spoiled_food": "spoiled_food",
}
"""Class of the odour table → name in the contract, which is older."""
NO_ALARM = frozenset({"odour", "odour_pleasantness", "odour_memory", HINT})
"""Smell cues that raise none: what a recogniser says of one reading must hold for a while before it
is believed, and then it stands in a cue `danger` (`thymos.smell.meaning.danger`)."""

SURE_OF_SMELL = SURE
MAX_CHARS = 90
MAX_STRANGE_WORDS = 1
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class Signs:
    """How one danger shows, and what is said then.

    Attributes:
        smell: In the text of a trusted smell cue.
        said: In what people say.
        text: Said when somebody spoke of it.
        smelt: Said when the nose is sure.
        hint: Said when it is not.
        urgent: Seconds count.
    """

    smell: re.Pattern[str] | None
    said: re.Pattern[str] | None
    text: str
    smelt: str
    hint: str
    urgent: bool


@dataclass(frozen=True)
class Rulebook:
    """`guard.yaml`, compiled."""

    danger: dict[Danger, Signs]
    doubt: str
    negation: dict[str, re.Pattern[str]]
    banned: dict[str, re.Pattern[str]]


@dataclass(frozen=True, slots=True)
class Alarm:
    """A danger, where it was noticed, and what to say of it."""

    danger: Danger
    reason: str
    text: str
    smelt: bool = False
    stage: Stage = "alarm"

    @property
    def urgent(self) -> bool:
        """Whether seconds count."""
        return rulebook().danger[self.danger].urgent


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
            smell=compiled(row["smell"]) if "smell" in row else None,
            said=compiled(row["said"]) if "said" in row else None,
            text=row.get("text", ""),
            smelt=row.get("smelt", ""),
            hint=row.get("hint", ""),
            urgent=row["urgent"],
        )
    banned = {why: compiled(pattern) for why, pattern in data["banned"].items()}
    banned |= lexicon().unkind
    negation = {source: compiled(pattern) for source, pattern in data["negation"].items()}
    return Rulebook(danger, data["doubt"], negation, banned)


def alarm(evidence: Evidence) -> Alarm | None:
    """Look for danger in smell and words; the worst one, None if there is none."""
    said = transcript(evidence)
    smells = [
        c
        for c in evidence.cues
        if c.modality == "smell" and c.confidence >= SURE_OF_SMELL and c.name not in NO_ALARM
    ]
    for name in ORDER:
        signs = rulebook().danger[name]
        for cue in smells:
            label = _smells_of(cue, name)
            if label is not None:
                reason = f"the nose reports {name} ({cue.id})"
                return Alarm(name, reason, _warning(name, label, "alarm"), smelt=True)
        if signs.said is not None and _matches(signs.said, said, "said"):
            return Alarm(name, "what was said tells of danger", signs.text)
    return None


def at_once(cue: Cue) -> Alarm | None:
    """What to say of a danger that the nose reports between windows; None if it is none.

    Args:
        cue: Of `thymos.smell.meaning.danger`: `danger` or `possible_danger`.
    """
    stages: dict[str, Stage] = {ALARM: "alarm", HINT: "hint"}
    stage = stages.get(cue.name)
    if stage is None or not isinstance(cue.value, str):
        return None
    name = OF_CLASS.get(meaning_of(cue.value).danger)
    if name is None:
        return None
    sure = "reports" if stage == "alarm" else "suspects"
    text = _warning(name, cue.value, stage)
    return Alarm(name, f"the nose {sure} {name}", text, smelt=True, stage=stage)


def _warning(danger: Danger, label: str, stage: Stage) -> str:
    """Fixed words: those of the odour table for this one, else those of its class."""
    signs = rulebook().danger[danger]
    if stage == "hint":
        return signs.hint
    tell = meaning_of(label).tell
    return f"{tell} {rulebook().doubt}" if tell else signs.smelt


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


def _smells_of(cue: Cue, danger: Danger) -> str | None:
    """The label by which a smell cue is of this danger (empty: by its own words); None if not."""
    if isinstance(cue.value, str):
        names = [cue.value]
    elif isinstance(cue.value, dict):
        names = [name for name, p in cue.value.items() if p >= SURE_OF_SMELL]
    else:
        names = []
    for name in names:
        if OF_CLASS.get(meaning_of(name).danger) == danger:
            return name
    signs = rulebook().danger[danger]
    if signs.smell is None or cue.untrusted:
        return None
    return "" if _matches(signs.smell, cue.text, "smell") else None


def _matches(pattern: re.Pattern[str], text: str, source: str) -> bool:
    """Whether a pattern occurs without a negation before it."""
    negation = rulebook().negation[source]
    return any(not negation.search(text[: m.start()]) for m in pattern.finditer(text))
