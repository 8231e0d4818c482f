"""Labels and clues out of a free-text explanation, without a language model.

Explanations of people and of emotion models (EMER, AffectGPT) follow a pattern: what the video
shows, what the audio tells, what the subtitle says, then the inference. Labels are read from the
last sentences, where the inference is, and from a list of words that name feelings
(`feelings.yaml`); everyday words that the emotion wheels also hold (`person`, `see`, `left`) are
therefore never labels. Words inside quotation marks are somebody's speech, not a judgement.

How it was made and what it scores: `docs/evaluation.md`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

import yaml

SENTENCES = 3
"""Labels are read from so many sentences at the end."""
MAX_CHARACTERS = 20_000

Part = Literal["video", "audio", "text", "inference"]
PARTS: tuple[Part, ...] = ("video", "audio", "text", "inference")

_QUOTED = re.compile(r"“[^“”]*”|\"[^\"]*\"|「[^「」]*」")
_END = re.compile(r"(?<=[.!?。])[\s\"”]*(?=[A-Z“\"]|$)")
_WORD = re.compile(r"[a-z]+(?:[-'’][a-z]+)*")
_BEGINS: Mapping[Part, re.Pattern[str]] = {
    "video": re.compile(
        r"^(?:input:\s*)?(?:in|from|throughout) the (?:video|screen|footage|pictures?)\b"
    ),
    "audio": re.compile(r"^(?:in|from) the (?:audio|voice|sound)\b"),
    "text": re.compile(r"^(?:in|from) the (?:text|subtitles?)\b|^the subtitles?\b"),
    "inference": re.compile(
        r"^(?:based on|combin|considering|taking|therefore|overall|in (?:conclusion|summary)"
        r"|together|according to|given)"
    ),
}


@dataclass(frozen=True)
class Words:
    """The lists of `feelings.yaml`, compiled."""

    feelings: Mapping[str, re.Pattern[str]]
    denials: frozenset[str]
    reach: int
    cannot_tell: re.Pattern[str]


@functools.cache
def words() -> Words:
    """Read the lists of the package, once."""
    data = yaml.safe_load((files("thymos.evaluate") / "feelings.yaml").read_text("utf-8"))
    feelings = {
        name: re.compile("|".join(_pattern(w) for w in listed.split()))
        for name, listed in data["feelings"].items()
    }
    cannot = re.compile(" ".join(data["cannot_tell"].split()))
    return Words(feelings, frozenset(data["denials"].split()), data["denial_reach"], cannot)


def _pattern(word: str) -> str:
    return re.escape(word.rstrip("*")) + (r"[a-z-]*" if word.endswith("*") else "")


@dataclass(frozen=True)
class Labels:
    """What an explanation names.

    Attributes:
        labels: Words of feeling as they stand there, each once, in order.
        classes: Their level-1 classes (`other` left out), each once, in order.
        outcome: `labels`; `none` if it says that the feeling cannot be told; `unparsed` if nothing
            was found although it does not say so: count these, they are the extractor's failures.
    """

    labels: tuple[str, ...]
    classes: tuple[str, ...]
    outcome: Literal["labels", "none", "unparsed"]


def extract_labels(text: str, sentences: int = SENTENCES) -> Labels:
    """Read the labels of an explanation.

    Args:
        text: English free text; only its end of `MAX_CHARACTERS` is read.
        sentences: How many sentences at the end count.
    """
    end = " ".join(split_sentences(text)[-sentences:]).lower()
    tokens = _WORD.findall(end)
    found: dict[str, str] = {}
    for i, token in enumerate(tokens):
        kind = feeling_of(token)
        if kind is not None and not _denied(tokens, i):
            found.setdefault(token, kind)
    if found:
        classes = tuple(dict.fromkeys(c for c in found.values() if c != "other"))
        return Labels(tuple(found), classes, "labels")
    return Labels((), (), "none" if words().cannot_tell.search(end) else "unparsed")


def feeling_of(word: str) -> str | None:
    """Return the level-1 class of a word of feeling, `other`, or None if it is no such word."""
    return next((kind for kind, p in words().feelings.items() if p.fullmatch(word)), None)


def _denied(tokens: Sequence[str], i: int) -> bool:
    return any(token in words().denials for token in tokens[max(0, i - words().reach) : i])


def _stop(quoted: re.Match[str]) -> str:
    """What stands for a quotation: its full stop, which may end the sentence around it too."""
    last = quoted.group()[-2]
    return f" {last} " if last in ".!?。" else " "


def split_sentences(text: str) -> list[str]:
    """Split into sentences after taking out what is quoted."""
    plain = _QUOTED.sub(_stop, text[-MAX_CHARACTERS:].replace("’", "'"))
    parts = (part.strip(' "”\n\t') for part in _END.split(plain))
    return [part for part in parts if _WORD.search(part.lower())]


@dataclass(frozen=True)
class Clues:
    """The parts of an explanation; a part that is not there is empty.

    Attributes:
        missing: Parts that were not found: a failure to parse, or an incomplete explanation.
    """

    video: str
    audio: str
    text: str
    inference: str

    @property
    def missing(self) -> tuple[Part, ...]:
        """Parts that are empty."""
        return tuple(part for part in PARTS if not getattr(self, part))


def extract_clues(text: str) -> Clues:
    """Split an explanation into what each sense tells and what is inferred.

    A part begins at the sentence that says so ("In the audio, …") and goes on until another
    begins; the inference begins after the text part ("Based on …"). Quoted speech is left out.
    """
    kept: dict[Part, list[str]] = {part: [] for part in PARTS}
    now: Part | None = None
    for sentence in split_sentences(text):
        low = sentence.lower()
        for part in PARTS:
            if _BEGINS[part].search(low) and not (part == "inference" and now != "text"):
                now = part if now != "inference" else now
        if now is not None:
            kept[now].append(sentence)
    return Clues(**{part: " ".join(kept[part]) for part in PARTS})


@dataclass(frozen=True)
class Tally:
    """How many explanations could be read, and how."""

    labels: int
    none: int
    unparsed: int
    missing: Mapping[Part, int]


def tally(texts: Sequence[str]) -> Tally:
    """Count the outcomes over many explanations."""
    outcomes = [extract_labels(text).outcome for text in texts]
    parts = [extract_clues(text).missing for text in texts]
    lack = {part: sum(part in missing for missing in parts) for part in PARTS}
    count = outcomes.count
    return Tally(count("labels"), count("none"), count("unparsed"), lack)
