"""What the scene may make anybody present feel: the viewer's emotion, apart from the person's.

StimuVAR (arXiv 2409.00304) asks what somebody who sees a scene would feel. On a robot that predicts
how the place affects whoever stands there, which is another question than what one person shows.
So it has a field of its own: made from circumstances only (smell, sound events, sudden movement),
by the table `scene.yaml`. No cue that reads a face, a voice or words takes part, and none of this
enters the fusion, the labels or the intents of the person.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import yaml

from thymos.contract import EMOTIONS, Cue, Emotion, Scene
from thymos.reason.base import Evidence
from thymos.reason.labels import table
from thymos.reason.wording import listing, onset, sentence
from thymos.smell.meaning import meaning_of

MIN_CONFIDENCE = 0.25
MIN_SHARE = 0.05
NOT_THE_PERSON = "This is about the place, not about what the person feels."


@dataclass(frozen=True, slots=True)
class Row:
    """One row of `scene.yaml`: what is noticed, and what it may make somebody feel."""

    name: str
    value: re.Pattern[str] | None
    smells: frozenset[str]
    feel: dict[Emotion, float]
    valence: float
    arousal: float
    says: str

    def fits(self, cue: Cue) -> bool:
        """Whether the cue is of this row."""
        if cue.name != self.name:
            return False
        said = cue.value.replace("_", " ") if isinstance(cue.value, str) else ""
        if self.smells:
            meaning = meaning_of(said)
            return bool(self.smells & {meaning.danger, meaning.family})
        return self.value is None or self.value.fullmatch(said.strip()) is not None


@functools.cache
def rows() -> tuple[Row, ...]:
    """Read the table of the package, once."""
    text = (files("thymos.reason") / "scene.yaml").read_text(encoding="utf-8")
    return tuple(_row(entry) for entry in yaml.safe_load(text))


def _row(entry: dict[str, str]) -> Row:
    shares = dict(part.split() for part in entry["feel"].split(","))
    feel: dict[Emotion, float] = {e: float(shares.get(e, 0.0)) for e in EMOTIONS}
    feel["neutral"] = 1.0 - sum(feel.values())
    value = re.compile(entry["value"], re.IGNORECASE) if "value" in entry else None
    smells = frozenset(part.strip() for part in entry.get("smells", "").split(",") if part.strip())
    valence, arousal = float(entry["valence"]), float(entry["arousal"])
    return Row(entry["name"], value, smells, feel, valence, arousal, entry["says"])


def viewer(evidence: Evidence) -> Scene | None:
    """Say what the scene may make anybody feel; None if nothing of it was noticed.

    The readings of the rows that fit are mixed by the confidence of their cues and discounted by
    it: what is not sure counts for neutral. A sudden sound while somebody speaks may be their
    voice, which is the person's: it is left out.
    """
    found = [(cue, row) for cue in evidence.cues if (row := _fitting(cue, evidence.cues))]
    if not found:
        return None
    mass = sum(cue.confidence for cue, _ in found)
    sure = mass / len(found)
    mixed = {e: sum(c.confidence * row.feel[e] for c, row in found) / mass for e in EMOTIONS}
    felt = {e: sure * p + (1.0 - sure) * (e == "neutral") for e, p in mixed.items()}
    ranked = sorted((e for e in EMOTIONS if felt[e] >= MIN_SHARE), key=lambda e: -felt[e])
    valence = sum(c.confidence * row.valence for c, row in found) / mass * sure
    arousal = sum(c.confidence * row.arousal for c, row in found) / mass * sure
    return Scene(
        emotions=tuple(table()[e].guess(min(1.0, felt[e])) for e in ranked),
        valence=round(valence, 4),
        arousal=round(arousal, 4),
        cue_ids=tuple(cue.id for cue, _ in found),
        text=_told(found, evidence.zero_ns),
    )


def _fitting(cue: Cue, cues: Sequence[Cue]) -> Row | None:
    """The row of a circumstance; a cue that carries an emotion is none."""
    if cue.modality == "words" or cue.emotion or cue.confidence < MIN_CONFIDENCE:
        return None
    if cue.name == "sudden_sound" and any(_speech(c, cue) for c in cues):
        return None
    return next((row for row in rows() if row.fits(cue)), None)


def _speech(cue: Cue, sound: Cue) -> bool:
    """Whether somebody speaks at the time of a sound."""
    speaks = cue.name == "activity" and isinstance(cue.value, float) and cue.value > 0
    return speaks and cue.t0_ns < sound.t1_ns and sound.t0_ns < cue.t1_ns


def _told(found: Sequence[tuple[Cue, Row]], zero_ns: int) -> str:
    """One clause for each row, with the time of its first cue, in order of time."""
    clauses: dict[str, str] = {}
    for cue, row in sorted(found, key=lambda f: (f[0].t0_ns, f[0].id)):
        clauses.setdefault(row.says, f"{row.says} ({onset(cue, zero_ns)})")
    told = sentence(f"to anybody here: {listing(list(clauses.values()))}")
    return f"{told} {NOT_THE_PERSON}"
