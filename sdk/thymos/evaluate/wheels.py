"""The emotion-wheel (EW) metric of MER-UniBench, with what it hides printed beside it.

Source: code and paper of MER-UniBench (Lian et al., ICML 2025, arXiv 2501.16566; zeroQiaoba/
MERTools, folder emotion_wheel), read by us, grade P; the golden numbers of our tests are measured,
grade M. The tables are for non-commercial use and are not part of Thymos: give their folder.

Known defects of the metric, which we keep and show: about a quarter of the labels of people is in
no table and dropped silently (`out_of_vocabulary`); a constant list of five labels reaches 80 % of
a real system's score (`baselines`); there is no `neutral`, so a calm person read as calm scores 0;
some merges are odd (doubt → anger; wheel 4: surprise → fear); everyday words are in the tables
(`person` → happy), so free text must go through `thymos.evaluate.extract` first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from thymos.errors import MediaError
from thymos.evaluate.label_sets import Lists, constant, shuffled

Level = Literal["level1", "level2"]
FIVE = ("angry", "happy", "sad", "worried", "surprised")
"""The constant list that games the metric best among short ones we know."""


@dataclass(frozen=True)
class Score:
    """Means over wheels: F of the mean precision and recall (not the mean F), P, R."""

    f: float
    precision: float
    recall: float


@dataclass(frozen=True)
class Report:
    """A score with what must stand beside it.

    Attributes:
        score: Of the answers.
        per_wheel: The same, wheel by wheel.
        clips: Clips scored on each wheel (those whose truth has a label in the tables).
        labels_per_clip: Mean length of the answers.
        out_of_vocabulary: Share of the answers' labels that are on no wheel.
        dropped: The same wheel by wheel: more, since a label may be on some wheels only.
        truth_out_of_vocabulary: The same of the truth; so `truth_dropped`.
        shuffled: Score of the answers given to other clips.
        five: Score of the constant list `FIVE`.
    """

    score: Score
    per_wheel: tuple[Score, ...]
    clips: tuple[int, ...]
    labels_per_clip: float
    out_of_vocabulary: float
    dropped: tuple[float, ...]
    truth_out_of_vocabulary: float
    truth_dropped: tuple[float, ...]
    shuffled: Score
    five: Score


class Wheels:
    """Tables from label to class: word form → base form → place on each of five wheels.

    Args:
        folder: With format_mapping.json, raw_mapping.json and wheel_map_whole.json.

    Raises:
        MediaError: The tables are not there or damaged.
    """

    def __init__(self, folder: Path) -> None:
        def table(name: str) -> dict[str, object]:
            data: dict[str, object] = json.loads((folder / name).read_text("utf-8"))
            return data

        try:
            self._forms: dict[str, list[str]] = table("format_mapping.json")  # type: ignore[assignment]
            self._raws: dict[str, list[str]] = table("raw_mapping.json")  # type: ignore[assignment]
            wheels: dict[str, dict[str, dict[str, str]]] = table("wheel_map_whole.json")  # type: ignore[assignment]
        except (OSError, ValueError) as err:
            raise MediaError(
                f"no emotion wheels in '{folder}': {err}",
                hint="give the folder with format_mapping.json, raw_mapping.json, "
                "wheel_map_whole.json (from MERTools' wheel_mapping.npz)",
            ) from err
        self._wheels = [wheels[name] for name in sorted(wheels)]
        self._memory: dict[tuple[str, int, Level], str | None] = {}

    def __len__(self) -> int:
        return len(self._wheels)

    def place(self, label: str, wheel: int, level: Level = "level1") -> str | None:
        """Return the class of a label on one wheel (from 0); None if it has none.

        All bases of all forms of the label are sorted; the first that is on the wheel decides.
        """
        label = label.lower().strip()
        key = (label, wheel, level)
        if key not in self._memory:
            bases = sorted(b for form in self._forms.get(label, ()) for b in self._bases(form))
            places = self._wheels[wheel][level]
            self._memory[key] = next((places[b] for b in bases if b in places), None)
        return self._memory[key]

    def _bases(self, form: str) -> list[str]:
        return self._raws.get(form, [])

    def known(self, label: str) -> bool:
        """Whether a label is on any wheel."""
        return any(self.place(label, w) is not None for w in range(len(self)))

    def __contains__(self, word: str) -> bool:
        return word in self._forms

    def classes(self, labels: Sequence[str], wheel: int, level: Level = "level1") -> set[str]:
        """Return the classes of labels on one wheel; labels without a place are dropped."""
        return {c for label in labels if (c := self.place(label, wheel, level)) is not None}

    def score(self, truth: Lists, predicted: Lists, level: Level = "level1") -> Score:
        """Score answers, mean over wheels (MER-UniBench, fine-grained)."""
        return _mean(self._each(truth, predicted, level)[0])

    def report(self, truth: Lists, predicted: Lists, level: Level = "level1") -> Report:
        """Score answers and everything that must be read beside the score."""
        each, clips = self._each(truth, predicted, level)
        return Report(
            score=_mean(each),
            per_wheel=tuple(each),
            clips=tuple(clips),
            labels_per_clip=float(np.mean([len(predicted.get(name, ())) for name in truth])),
            out_of_vocabulary=self.lost(predicted),
            dropped=self._dropped(predicted),
            truth_out_of_vocabulary=self.lost(truth),
            truth_dropped=self._dropped(truth),
            shuffled=self.score(truth, shuffled(predicted), level),
            five=self.score(truth, constant(truth, FIVE), level),
        )

    def lost(self, lists: Lists, wheel: int | None = None) -> float:
        """Share of labels that are not on a wheel, or on none."""
        every = [label for labels in lists.values() for label in labels]
        known = self.known if wheel is None else lambda label: self.place(label, wheel) is not None
        return 1.0 - float(np.mean([known(label) for label in every])) if every else 0.0

    def _dropped(self, lists: Lists) -> tuple[float, ...]:
        return tuple(self.lost(lists, wheel) for wheel in range(len(self)))

    def _each(self, truth: Lists, predicted: Lists, level: Level) -> tuple[list[Score], list[int]]:
        scores, counts = [], []
        for wheel in range(len(self)):
            rows = []
            for name, labels in truth.items():
                true = self.classes(labels, wheel, level)
                if not true:
                    continue
                said = self.classes(predicted.get(name, ()), wheel, level)
                hits = len(true & said)
                rows.append((hits / len(said) if said else 0.0, hits / len(true)))
            p, r = np.mean(rows, axis=0).tolist() if rows else (0.0, 0.0)
            scores.append(Score(2 * p * r / (p + r) if p + r else 0.0, p, r))
            counts.append(len(rows))
        return scores, counts

    def hit(self, truth: Mapping[str, str], predicted: Lists, level: Level = "level1") -> float:
        """Return HIT: is the class of the one true label among those of the answers?

        MER-UniBench, basic emotions (grade P): mean over clips, then over wheels. A true label
        without a place on a wheel (as `neutral`) cannot be hit there; such clips are left out of
        that wheel, as the EW metric does.
        """
        means = []
        for wheel in range(len(self)):
            true = {n: c for n, t in truth.items() if (c := self.place(t, wheel, level))}
            hits = [c in self.classes(predicted.get(n, ()), wheel, level) for n, c in true.items()]
            means.append(float(np.mean(hits)) if hits else 0.0)
        return float(np.mean(means))


def _mean(scores: Sequence[Score]) -> Score:
    f, p, r = np.mean([(s.f, s.precision, s.recall) for s in scores], axis=0).tolist()
    return Score(f, p, r)
