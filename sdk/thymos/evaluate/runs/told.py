"""What a run of `thymos eval explain` tells beside the score of the fused answer.

How the explanations do: MME-Emotion's scores, marked without a language model
(`thymos.evaluate.steps`), and whether answer and reason are right (`doubly_right`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from thymos.evaluate.classification import bootstrap, uar
from thymos.evaluate.doubly_right import doubly_right
from thymos.evaluate.runs.items import Answer, Item
from thymos.evaluate.runs.score import Result, sheet
from thymos.evaluate.steps import Marks, label_mark, scores


def told(
    items: Sequence[Item],
    answers: Mapping[str, Answer],
    classes: Sequence[str],
    open_set: bool = False,
) -> Result:
    """Each modality alone on the clips that have it, abstentions, conflicts, answers replaced.

    Args:
        items: All items.
        answers: By key.
        classes: The model's.
        open_set: Answers may name any class.
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
        here = sheet(own, single, classes, open_set=open_set)
        fused = sheet(own, answers, classes, open_set=open_set)
        value = bootstrap(lambda r, t=here: uar(t.truth[r], t.said[r]), range(len(own)))  # type: ignore[misc]
        alone[modality] = {
            "clips": len(own),
            "uar": [round(v, 4) for v in (value.value, value.low, value.high)],
            "fused_uar_there": round(uar(fused.truth, fused.said), 4),
        }
    fused = sheet(read, answers, classes, open_set=open_set)
    said = [fused.names[i] if i >= 0 else "" for i in fused.said]
    true = [item.labels[0] for item in fused.items]
    why = [answers[item.key].why for item in fused.items]
    return {
        "steps": asdict(scores(_marks(fused.items, answers, said))),
        "doubly_right": asdict(doubly_right(true, said, why)),
        "windows": windows,
        "windows_abstained": sum(f["abstained"] for f in facts),
        "clips_in_conflict": sum(f["conflict"] >= 0.5 for f in facts),
        "model_answers_replaced": sum(f["replaced"] for f in facts),
        "steps_a_window": round(sum(f["steps"] * f["windows"] for f in facts) / max(1, windows), 2),
        "alone": alone,
    }


def _marks(
    items: Sequence[Item], answers: Mapping[str, Answer], said: Sequence[str]
) -> list[Marks]:
    """Marks of each clip: all steps of its windows, and its one fused label as the last step."""
    return [
        Marks(
            tuple(answers[item.key].facts["marks"]),
            *label_mark(item.labels, [label] if label else []),
        )
        for item, label in zip(items, said, strict=True)
    ]
