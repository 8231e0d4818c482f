"""CA-MER averages: how a system does where the senses contradict each other.

Source: MoSEAR / CA-MER (Han et al., ACM MM 2025, abstract read, grade P), and the description and
re-evaluation by VISTA, grade S: the metric code itself could not be read. Three subsets, told apart
by the labels people gave to the picture alone (v), the sound alone (a) and both (av):

    video-aligned   v ≡ av ≢ a        audio-aligned   a ≡ av ≢ v        consistent   v ≡ a ≡ av

Clips whose labels all differ, or where v ≡ a ≢ av, are in none. Per subset Acc = |P∩G|/|P|,
Rec = |P∩G|/|G|, Avg their mean, averaged over clips (`thymos.evaluate.label_sets.set_score`).
The conflict average is the mean of the two unequal subsets, overall is the mean of all three. An
answer that cannot be read is an empty set: it counts 0, it is never left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from thymos.errors import ConfigError
from thymos.evaluate.label_sets import Lists, SetScore, set_score

Subset = Literal["video-aligned", "audio-aligned", "consistent"]
SUBSETS: tuple[Subset, ...] = ("video-aligned", "audio-aligned", "consistent")


def subset_of(video: str, audio: str, both: str) -> Subset | None:
    """Return which subset a clip belongs to by its three labels; None if to none."""
    if video == audio == both:
        return "consistent"
    if both == video:
        return "video-aligned"
    return "audio-aligned" if both == audio else None


@dataclass(frozen=True)
class Averages:
    """Acc, Rec, Avg of each subset; `conflict` and `overall` are means of Avg."""

    subsets: Mapping[Subset, SetScore]
    conflict: float
    overall: float


def averages(truth: Lists, predicted: Lists, subset: Mapping[str, Subset]) -> Averages:
    """Score answers, subset by subset.

    Args:
        truth: Labels of each clip, brought to the vocabulary of the answers.
        predicted: Answers; a lacking or empty one counts 0.
        subset: Which subset each clip is of.

    Raises:
        ConfigError: A subset has no clip: the averages would not mean what they say.
    """
    parts = {}
    for name in SUBSETS:
        own = {clip: labels for clip, labels in truth.items() if subset.get(clip) == name}
        if not own:
            raise ConfigError(f"no clip is {name}", hint="CA-MER needs all three subsets")
        parts[name] = set_score(own, predicted)
    video, audio, consistent = (parts[name].mean for name in SUBSETS)
    return Averages(parts, (video + audio) / 2, (video + audio + consistent) / 3)
