"""What a recogniser says: a known odour, an unknown one, or that it cannot tell."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from thymos.errors import ConfigError

UNKNOWN = "unknown"
"""The class of everything that was never learnt."""
CLEAR = 0.5
"""A known odour is named from this probability on; below it the answer is `unclear`."""
MAX_NAME = 40

Outcome = Literal["recognised", "unclear", "unknown"]


@dataclass(frozen=True, slots=True)
class OdourGuess:
    """What a smell may be, on the readings so far.

    Attributes:
        outcome: `recognised`, or one of two ways to abstain: `unclear` (like several known odours)
            and `unknown` (like none).
        label: The odour that is recognised, else `unknown`.
        probabilities: Of every class and of `unknown`, most likely first; they sum to 1.
        confidence: Of `label`; of an unclear smell what is left beside its best guess.
        since_ns: First reading it rests on.
        until_ns: Last reading it rests on.
        windows: How many stretches of readings were seen.
        distance: From the nearest learnt sniff, in standard deviations within one odour.
        taught: The label was typed by a person (`thymos smell teach`): data, never an instruction.
        confusable: Odours it is most often mistaken for.
        origin: Where the patterns come from, in words.
        means: Row of the odour table that the person said it stands for; empty if nothing was said.
    """

    outcome: Outcome
    label: str
    probabilities: Mapping[str, float]
    confidence: float
    since_ns: int
    until_ns: int
    windows: int
    distance: float
    taught: bool
    confusable: tuple[str, ...]
    origin: str
    means: str = ""

    @property
    def stands_for(self) -> str:
        """The label by which its meaning is found in the odour table."""
        return self.means or self.label

    @property
    def text(self) -> str:
        """The guess in plain words."""
        known = [name for name in self.probabilities if name != UNKNOWN][:2]
        if self.outcome == "unknown":
            return f"it is like nothing learnt; the nearest would be {known[0]}"
        if self.outcome == "unclear":
            return f"it could be {' or '.join(known)}, which remains unclear"
        also = f"; easily mistaken for {', '.join(self.confusable)}" if self.confusable else ""
        named = f"{self.label}, taught as {self.means}" if self.means else self.label
        return f"it is most like {named} ({self.confidence:.0%}), by {self.origin}{also}"


def decide(ranked: Mapping[str, float]) -> tuple[Outcome, str, float]:
    """Outcome, label and confidence of probabilities that are sorted, most likely first."""
    best, share = next(iter(ranked.items()))
    if best == UNKNOWN:
        return "unknown", UNKNOWN, share
    if share >= CLEAR:
        return "recognised", best, share
    return "unclear", UNKNOWN, 1.0 - share


def odour_name(text: str) -> str:
    """A name that a person typed, made safe to store, show and put before a model.

    Letters, digits, spaces and `-_.'` of any script remain, at most `MAX_NAME` characters: no line
    breaks, no quotes or brackets, no markup, so that a name can hardly be read as anything else.

    Raises:
        ConfigError: Nothing is left, it is too long, or the name is taken by Thymos itself.
    """
    plain = unicodedata.normalize("NFKC", text)
    kept = "".join(c for c in plain if c in " -_.'" or unicodedata.category(c)[0] in "LNM")
    name = re.sub(r"\s+", " ", kept).strip(" -_.'").casefold()
    if not name or not any(c.isalnum() for c in name):
        raise ConfigError("this is not a name for an odour", hint="thymos smell teach 'green tea'")
    if len(name) > MAX_NAME:
        raise ConfigError(
            f"the name of an odour has at most {MAX_NAME} characters, this has {len(name)}",
            hint="thymos smell teach 'green tea'",
        )
    if name in (UNKNOWN, "unclear", "air", "clean air"):
        raise ConfigError(f"'{name}' is not an odour to teach", hint="choose another name")
    return name


def probability(logit: float) -> float:
    """The logistic function, without overflow."""
    return 1.0 / (1.0 + math.exp(-min(60.0, max(-60.0, logit))))
