"""Post-check of a model's reason: does it speak of anything the cues do not hold?"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import yaml

from thymos.contract import Cue, Emotion
from thymos.reason.wording import adjective, phrase, seconds, smells_like
from thymos.smell.meaning.order import Relation
from thymos.smell.meaning.order import words as order_words

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
        unkind: What is said of nobody, by what it holds.
    """

    speaks_of: dict[str, frozenset[str]]
    emotions: dict[str, frozenset[str]]
    circumstance: frozenset[str]
    plain: frozenset[str]
    unkind: dict[str, re.Pattern[str]]


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
        {why: re.compile(text, re.IGNORECASE) for why, text in data["unkind"].items()},
    )


def objection(
    why: str,
    label: str,
    cues: Sequence[Cue],
    *,
    level1: Emotion,
    zero_ns: int = 0,
    orders: Sequence[Relation] = (),
) -> str:
    """Say what is wrong with a reason, or nothing.

    Args:
        why: The sentence.
        label: The label it argues for.
        cues: All it may speak of.
        level1: Class of the label.
        zero_ns: Capture time that texts call 0 s.
        orders: What is known of smells and other cues in time; nothing else may be claimed.
    """
    words = _WORD.findall(why.lower())
    content = [w for w in words if w not in lexicon().plain]
    if not words or len(words) > MAX_WORDS:
        return "empty or too long"
    if _runs(content):
        return "repeats itself"
    told = {c.id: set(_WORD.findall(phrase(c).lower())) for c in cues}
    known = set().union(*told.values())
    ordered = " ".join(order_words(r) for r in orders)
    known |= set(_WORD.findall(f"{ordered} began begins")) if orders else set()
    return (
        _absent(words, cues, known)
        or _unkind(why)
        or _contrary(words, label, level1, cues, told)
        or _made_up_figure(why, cues, zero_ns, ordered)
        or _made_up_order(why, cues, orders)
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


def _unkind(why: str) -> str:
    """A remark that nobody wants to hear, whatever was smelt."""
    found = [what for what, pattern in lexicon().unkind.items() if pattern.search(why)]
    return f"it holds {found[0]}" if found else ""


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


def _made_up_figure(why: str, cues: Sequence[Cue], zero_ns: int, ordered: str) -> str:
    """A number that is neither in a cue nor the time of one, nor of their order."""
    known = set(_NUMBER.findall(ordered))
    for cue in cues:
        times = f"{seconds(cue.t0_ns, zero_ns)} {seconds(cue.t1_ns, zero_ns)}"
        known.update(_NUMBER.findall(f"{phrase(cue)} {times}"))
    strange = [n for n in _NUMBER.findall(why) if n not in known]
    return f"tells {strange[0]}, which nobody measured" if strange else ""


_EARLIER = re.compile(
    r"\b(before|prior to|precede[ds]?|preceding|followed by|and then|then|and later|later"
    r"|(?:led|leads|leading) to|cause[ds]?|causing|trigger(?:s|ed)?|made|makes|until)\b"
)
"""What stands left of these came first …"""
_LATER = re.compile(
    r"\b((?:cause|trigger|precede)d by|after|following|follow(?:s|ed)?(?! by)|since|once"
    r"|because of|due to|thanks to|in response to|reacting to)\b"
)
"""… and of these, second."""
_TOGETHER = re.compile(r"\b((?:at )?(?:about )?the same time|meanwhile|while|during)\b")


def _made_up_order(why: str, cues: Sequence[Cue], orders: Sequence[Relation]) -> str:
    """An order of a smell and something else that the evidence does not bear out.

    A smell that is said to be the cause is said to have come first.
    """
    text = why.lower()
    kinds = _mentions(text, cues)
    if {kind for _, kind in kinds} != {"smell", "other"}:
        return ""
    borne_out = {r.order for r in orders}
    taken: list[tuple[int, int]] = []
    for pattern, left_first in ((_LATER, False), (_EARLIER, True), (_TOGETHER, None)):
        for match in pattern.finditer(text):
            if any(start < match.end() and match.start() < end for start, end in taken):
                continue  # "caused by" holds "caused"
            taken.append(match.span())
            claimed = _claim(text, kinds, match, left_first)
            if claimed and claimed not in borne_out:
                return f"claims that the smell came {claimed!r}, which the evidence does not hold"
    return ""


def _claim(
    text: str, kinds: Sequence[tuple[int, str]], match: re.Match[str], left_first: bool | None
) -> str:
    """What is claimed of the smell: `before`, `after`, `same`; empty if nothing."""
    left = [kind for at, kind in kinds if at < match.start()]
    right = [(at, kind) for at, kind in kinds if at >= match.end()]
    if not right:
        return ""
    first, second = (left[-1] if left else ""), right[0][1]
    if not left:  # "Before the frown, a smell …"
        comma = text.find(",", match.end())
        beyond = [kind for at, kind in right if comma >= 0 and at > comma]
        first = beyond[0] if beyond else ""
    if {first, second} != {"smell", "other"}:
        return ""
    if left_first is None:
        return "same"
    return "before" if (first == "smell") is left_first else "after"


def _mentions(text: str, cues: Sequence[Cue]) -> list[tuple[int, str]]:
    """Where a text speaks of a smell, and where of something else, in order."""
    speaks = lexicon().speaks_of
    smells, others = set(speaks["smell"]), set().union(*speaks.values()) - speaks["smell"]
    for cue in cues:
        own = set(_WORD.findall(f"{phrase(cue)} {smells_like(cue)}".lower())) - lexicon().plain
        (smells if cue.modality == "smell" else others).update(w for w in own if len(w) > 2)
    both = smells & others
    return [
        (m.start(), "smell" if m[0] in smells else "other")
        for m in _WORD.finditer(text)
        if m[0] in (smells | others) - both
    ]


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
