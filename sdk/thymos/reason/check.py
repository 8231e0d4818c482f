"""Post-check of a model's reason: does it speak of anything the cues do not hold?"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import yaml

from thymos.contract import Cue, Emotion
from thymos.reason.wording import adjective, phrase, seconds

ARGUES = 0.25
"""A cue argues for a class that it gives at least this probability."""

_WORD = re.compile(r"[a-z]+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")

MAX_WORDS = 45
MAX_STRANGE = 0.25
"""Share of content words that need not come from the cues (inflections, synonyms)."""


@dataclass(frozen=True)
class Lexicon:
    """Word lists of `lexicon.yaml`.

    Attributes:
        speaks_of: By modality, words that speak of it.
        emotions: By level-1 class, words that name it.
        circumstance: Names of cues that argue for no emotion.
        plain: Words that add no fact.
    """

    speaks_of: dict[str, frozenset[str]]
    emotions: dict[str, frozenset[str]]
    circumstance: frozenset[str]
    plain: frozenset[str]


@functools.cache
def lexicon() -> Lexicon:
    """Read the word lists of the package, once."""
    text = (files("thymos.reason") / "lexicon.yaml").read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    return Lexicon(
        {name: frozenset(words.split()) for name, words in data["speaks_of"].items()},
        {name: frozenset(words.split()) for name, words in data["emotions"].items()},
        frozenset(data["circumstance"].split()),
        frozenset(data["plain"].split()),
    )


def objection(
    why: str, label: str, cues: Sequence[Cue], *, level1: Emotion, zero_ns: int = 0
) -> str:
    """Say what is wrong with a reason, or nothing.

    Args:
        why: The sentence.
        label: The label it argues for.
        cues: All it may speak of.
        level1: Class of the label.
        zero_ns: Capture time that texts call 0 s.
    """
    words = _WORD.findall(why.lower())
    content = [w for w in words if w not in lexicon().plain]
    if not words or len(words) > MAX_WORDS:
        return "empty or too long"
    if _runs(content):
        return "repeats itself"
    told = {c.id: set(_WORD.findall(phrase(c).lower())) for c in cues}
    known = set().union(*told.values())
    return (
        _absent(words, cues, known)
        or _contrary(words, label, level1, cues, told)
        or _made_up_figure(why, cues, zero_ns)
        or _strange(content, known | {label, adjective(label)} | _names_of(level1))
    )


def _names_of(level1: Emotion) -> frozenset[str]:
    return lexicon().emotions[level1]


def _absent(words: Sequence[str], cues: Sequence[Cue], known: set[str]) -> str:
    """A modality that has no cue."""
    there = {c.modality for c in cues}
    for modality, terms in lexicon().speaks_of.items():
        foreign = sorted((terms & set(words)) - known)
        if foreign and modality not in there:
            return f"speaks of {foreign[0]!r}, but there is no cue of that kind"
    return ""


def _contrary(
    words: Sequence[str],
    label: str,
    level1: Emotion,
    cues: Sequence[Cue],
    told: dict[str, set[str]],
) -> str:
    """Another emotion, unless a cue that argues for the class names it."""
    allowed = {label, adjective(label)} | _names_of(level1)
    for cue in cues:
        if cue.emotion is None or cue.emotion.get(level1, 0.0) >= ARGUES:
            allowed |= told[cue.id]
    for terms in lexicon().emotions.values():
        foreign = sorted((terms & set(words)) - allowed)
        if foreign:
            return f"names {foreign[0]!r}, which is not the label"
    return ""


def _made_up_figure(why: str, cues: Sequence[Cue], zero_ns: int) -> str:
    """A number that is neither in a cue nor the time of one."""
    known: set[str] = set()
    for cue in cues:
        times = f"{seconds(cue.t0_ns, zero_ns)} {seconds(cue.t1_ns, zero_ns)}"
        known.update(_NUMBER.findall(f"{phrase(cue)} {times}"))
    strange = [n for n in _NUMBER.findall(why) if n not in known]
    return f"tells {strange[0]}, which nobody measured" if strange else ""


def _strange(content: Sequence[str], allowed: set[str]) -> str:
    """Too many words that come from nowhere."""
    strange = [w for w in content if not _known(w, allowed)]
    if content and len(strange) / len(content) > MAX_STRANGE:
        return f"speaks of {strange[0]!r}, which no cue holds"
    return ""


def _known(word: str, allowed: set[str]) -> bool:
    """Whether a word, or another form of it, is among those allowed."""
    if word in allowed or any(word in terms for terms in lexicon().speaks_of.values()):
        return True
    stem = word[: max(4, len(word) - 3)]
    return len(word) > 4 and any(a.startswith(stem) for a in allowed)


def _runs(words: Sequence[str]) -> bool:
    """Whether three words in a row come twice."""
    triples = [tuple(words[i : i + 3]) for i in range(len(words) - 2)]
    return len(set(triples)) < len(triples)
