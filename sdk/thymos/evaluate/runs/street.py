"""The whole street on each clip: from picture and sound to the explanation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import thymos
from thymos.config import Config
from thymos.contract import EMOTIONS, Modality, WindowReport
from thymos.errors import MediaError, RecordingError
from thymos.evaluate.runs.items import Answer, Item
from thymos.evaluate.runs.shared import named, shipped
from thymos.evaluate.steps import mark_steps

MAX_WINDOWS_KEPT = 8
"""Of a long clip so many rationales are kept with the answer."""


@dataclass(frozen=True)
class Told:
    """What all windows of one clip told, averaged over those that did not abstain.

    Attributes:
        probs: Of the seven classes; empty if every window abstained.
        unimodal: The same for each modality alone, over the windows that have it.
        why: Rationales in order of time.
        facts: Windows, abstentions, strongest conflict, answers replaced by rules, marks of the
            steps before the label (`thymos.evaluate.steps`), notes.
    """

    probs: dict[str, float]
    unimodal: dict[str, dict[str, float]]
    why: str
    facts: dict[str, Any]


def tell(path: Path, config: Config) -> Told:
    """Explain one clip and sum up.

    Raises:
        MediaError: It cannot be read.
        RecordingError: Likewise, a recording.
    """
    from thymos.explainer import explain

    return summed(list(explain(path, config=config)))


def summed(reports: Sequence[WindowReport]) -> Told:
    """Sum up the windows of one clip; a window counts as long as it is."""
    spoke = [r for r in reports if r.explanation.emotions and not r.explanation.abstained]
    probs = _mean([(_classes(r), _length(r)) for r in spoke])
    alone: dict[Modality, list[tuple[Mapping[str, float], float]]] = {}
    for report in reports:
        for modality, reading in report.explanation.unimodal.items():
            own: dict[str, float] = dict(reading.items())
            alone.setdefault(modality, []).append((own, _length(report)))
    why = " / ".join(r.explanation.rationale for r in (spoke or reports)[:MAX_WINDOWS_KEPT])
    facts = {
        "windows": len(reports),
        "abstained": len(reports) - len(spoke),
        "conflict": round(max((r.explanation.conflict.degree for r in reports), default=0.0), 4),
        "steps": round(sum(len(r.explanation.steps) for r in reports) / max(1, len(reports)), 2),
        "replaced": sum(not r.explanation.parse_ok for r in reports),
        "backends": sorted({r.explanation.backend for r in reports}),
        "marks": [mark for r in reports for mark in mark_steps(r.explanation, r.cues, ()).reasons],
        "notes": sorted({note for r in reports for note in r.notes})[:MAX_WINDOWS_KEPT],
    }
    return Told(probs, {m: _mean(parts) for m, parts in sorted(alone.items())}, why, facts)


def _length(report: WindowReport) -> float:
    return float(report.window.t1_ns - report.window.t0_ns)


def _classes(report: WindowReport) -> Mapping[str, float]:
    """The classes of one window: a finer label says nothing beyond its class."""
    found: dict[str, float] = {}
    for guess in report.explanation.emotions:
        found[guess.level1] = max(found.get(guess.level1, 0.0), guess.confidence)
    return found


def _mean(parts: Sequence[tuple[Mapping[str, float], float]]) -> dict[str, float]:
    total = sum(length for _, length in parts)
    if not total:
        return {}
    sums = [sum(p.get(e, 0.0) * length for p, length in parts) / total for e in EMOTIONS]
    return named(EMOTIONS, sums)


class Street:
    """Explains each clip with the settings given.

    Args:
        config: Settings; nothing is spoken.
    """

    def __init__(self, config: Config) -> None:
        self._config = config.model_copy(
            update={"respond": config.respond.model_copy(update={"speak": False})}
        )
        settings = self._config.model_dump(include={"window", "perceive", "reason"})
        self.identity: Mapping[str, Any] = {
            "task": "explain",
            "thymos": thymos.__version__,
            "weights": shipped(),
            **settings,
        }

    def answer(self, items: Sequence[Item]) -> list[Answer]:
        """Explain clips, in order."""
        return [self._one(item) for item in items]

    def _one(self, item: Item) -> Answer:
        try:
            told = tell(Path(item.path), self._config)
        except (MediaError, RecordingError) as err:
            return Answer(item.key, error=str(err))
        facts = {**told.facts, "unimodal": told.unimodal}
        why = told.why or "no window: shorter than half a second"
        return Answer(item.key, told.probs, why=why, facts=facts)

    def close(self) -> None:
        """Nothing to let go: each clip makes and closes its own street."""
