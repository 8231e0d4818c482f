"""`thymos eval conflict` on clips of yours: the three subsets of CA-MER, from labels by sense.

The labels have two more columns: `video` is what the picture alone shows, `audio` what the sound
alone tells (words included); `label` is what both together do. See `thymos.evaluate.camer`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from thymos.contract import EMOTIONS
from thymos.errors import ConfigError
from thymos.evaluate.camer import SUBSETS, Subset, averages, subset_of
from thymos.evaluate.classification import bootstrap
from thymos.evaluate.runs.items import Answer, Item
from thymos.evaluate.runs.labels import Map, translate
from thymos.evaluate.runs.score import Result

SIDES = ("video", "audio")


def subsets(items: Sequence[Item], given: Map) -> dict[str, Subset]:
    """Tell the subset of each clip; clips that are in none are left out.

    Args:
        items: With the tags `video` and `audio`, labels brought to classes.
        given: The user's map, for the tags.

    Raises:
        ConfigError: A column is lacking, or a name in it is no class.
    """
    alone: dict[str, dict[str, str]] = {item.key: {} for item in items}
    for side in SIDES:
        if any(not item.tags.get(side) for item in items):
            raise ConfigError(
                f"the labels have no column '{side}', or it is empty somewhere",
                hint="file,label,video,audio: what both, the picture and the sound tell",
            )
        asked = [replace(item, labels=(item.tags[side],)) for item in items]
        for item in translate(asked, given, EMOTIONS):
            alone[item.key][side] = item.labels[0]
    found = {
        item.key: subset_of(own.get("video", ""), own.get("audio", ""), item.labels[0])
        for item in items
        for own in [alone[item.key]]
    }
    return {key: subset for key, subset in found.items() if subset is not None}


def compared(
    items: Sequence[Item], answers: Mapping[str, Answer], subset: Mapping[str, Subset]
) -> Result:
    """Score the fused answer, each modality alone and their plain mean on the three subsets.

    Raises:
        ConfigError: A subset has no readable clip.
    """
    read = [item for item in items if item.key in subset and not answers[item.key].error]
    ways = {"fused": {item.key: answers[item.key].probs for item in read}}
    alone = {item.key: answers[item.key].facts["unimodal"] for item in read}
    ways["plain mean"] = {key: _mean(list(by.values())) for key, by in alone.items()}
    for modality in sorted({m for by in alone.values() for m in by}):
        ways[f"{modality} alone"] = {key: by.get(modality, {}) for key, by in alone.items()}
    return {
        "clips": {name: sum(subset[item.key] == name for item in read) for name in SUBSETS},
        "in_no_subset": len(items) - len(subset),
        "ways": {name: _scores(read, probs, subset) for name, probs in ways.items()},
    }


def _mean(readings: Sequence[Mapping[str, float]]) -> dict[str, float]:
    if not readings:
        return {}
    return {e: sum(r.get(e, 0.0) for r in readings) / len(readings) for e in EMOTIONS}


def _first(probs: Mapping[str, float]) -> list[str]:
    return [max(EMOTIONS, key=lambda e: probs.get(e, 0.0))] if probs else []


def _scores(
    items: Sequence[Item],
    probs: Mapping[str, Mapping[str, float]],
    subset: Mapping[str, Subset],
) -> Result:
    said = {key: _first(p) for key, p in probs.items()}
    truth = {item.key: item.labels for item in items}
    means = averages(truth, said, {item.key: subset[item.key] for item in items})
    right = np.array([item.labels[0] in said[item.key] for item in items], dtype=float)
    places = np.array([SUBSETS.index(subset[item.key]) for item in items])

    def conflict(rows: NDArray[np.int64]) -> float:
        own = [right[rows[places[rows] == n]] for n in (0, 1)]
        return float(np.mean([part.mean() for part in own if len(part)] or [0.0]))

    value = bootstrap(conflict, [item.group for item in items])
    return {
        **{name: round(means.subsets[name].mean, 4) for name in SUBSETS},
        "conflict": [round(v, 4) for v in (means.conflict, value.low, value.high)],
        "overall": round(means.overall, 4),
    }
