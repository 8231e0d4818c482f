"""What a run of `thymos eval explain` tells beside the score of the fused answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from thymos.evaluate.classification import bootstrap, uar
from thymos.evaluate.runs.items import Answer, Item
from thymos.evaluate.runs.score import Result, sheet


def told(items: Sequence[Item], answers: Mapping[str, Answer], classes: Sequence[str]) -> Result:
    """Each modality alone on the clips that have it, abstentions, conflicts, answers replaced.

    Args:
        items: All items.
        answers: By key.
        classes: The model's.
    """
    read = [item for item in items if not answers[item.key].error]
    facts = [answers[item.key].facts for item in read]
    windows = sum(f["windows"] for f in facts)
    alone: Result = {}
    for modality in sorted({m for f in facts for m in f["unimodal"]}):
        own = [item for item in read if modality in answers[item.key].facts["unimodal"]]
        single = {
            item.key: replace(
                answers[item.key], probs=answers[item.key].facts["unimodal"][modality]
            )
            for item in own
        }
        here = sheet(own, single, classes)
        fused = sheet(own, answers, classes)
        value = bootstrap(lambda r, t=here: uar(t.truth[r], t.said[r]), range(len(own)))  # type: ignore[misc]
        alone[modality] = {
            "clips": len(own),
            "uar": [round(v, 4) for v in (value.value, value.low, value.high)],
            "fused_uar_there": round(uar(fused.truth, fused.said), 4),
        }
    return {
        "windows": windows,
        "windows_abstained": sum(f["abstained"] for f in facts),
        "clips_in_conflict": sum(f["conflict"] >= 0.5 for f in facts),
        "model_answers_replaced": sum(f["replaced"] for f in facts),
        "steps_a_window": round(sum(f["steps"] * f["windows"] for f in facts) / max(1, windows), 2),
        "alone": alone,
    }
