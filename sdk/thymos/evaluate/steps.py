"""MME-Emotion's Rec, Rea and CoT scores of numbered reasoning steps, with its defects mended.

Source: MME-Emotion (ICLR 2026, arXiv 2508.09210; code, result figures and reviews read, grade P).
A judge marks each step 0 or 1; the last step is the label.

    Rec = mean mark of the last step        Rea = mean over items of the mean mark of the others
    CoT = α·Rec + (1 − α)·Rea, α = 0.5

What is mended here, each with its name in the result:

- *skipped items*: an answer whose marks cannot be read is left out there, which shrinks the
  denominator. Here it counts 0 and `unreadable` tells how many.
- *recall only*: with several true labels the last mark is C/K, so naming every emotion scores 1.
  Here the last mark is F1 of the label sets; `recall_only` is theirs, to compare.
- *terse answers*: an answer of one step has Rea 0, whatever it knows (HumanOmni: Rec 36.0, Rea .3).
  Rea stays 0 there, as published, and `reasoned` is Rea over the answers that give reasons, with
  `one_step` telling how many do not.
- *one parser accepts only `(d)/1`*: marks are read as `C/K` everywhere; K = 0 and C > K are
  refused.
- *marks of a wrong number of steps* pass there; here they make the answer unreadable.
- Two of their examples for fine-grained sentiment contradict each other (the same input gets 0/1
  and 1/1); we have no such examples, and no language model as a judge: see `mark_steps`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from thymos.contract import Cue, Explanation, Step
from thymos.reason.check import lexicon
from thymos.reason.wording import clause

ALPHA = 0.5
_MARK = re.compile(r"step\s*(\d+)\s*:\s*(\d+)\s*/\s*(\d+)", re.IGNORECASE)
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class Marks:
    """Marks of one answer.

    Attributes:
        reasons: Mark of each step before the last, 0 … 1; empty if there is only the label.
        label: Mark of the last step, 0 … 1: F1 of the label sets.
        recall: The same as recall only.
        read: False if the marks could not be read; all of it then counts 0.
    """

    reasons: tuple[float, ...]
    label: float
    recall: float
    read: bool = True


UNREAD = Marks((), 0.0, 0.0, read=False)


def parse_marks(text: str, steps: int) -> Marks:
    """Read `<score>Step 1: 1/1, Step 2: 0/1, Step 3: 2/3</score>` of a judge.

    Args:
        text: What the judge wrote.
        steps: How many steps were to be marked.
    """
    found = [tuple(map(int, m)) for m in _MARK.findall(text)]
    good = all(k > 0 and c <= k for _, c, k in found)
    if not good or [n for n, _, _ in found] != list(range(1, steps + 1)):
        return UNREAD
    shares = [c / k for _, c, k in found]
    return Marks(tuple(shares[:-1]), shares[-1], shares[-1])


def label_mark(truth: Sequence[str], said: Sequence[str]) -> tuple[float, float]:
    """Return (F1, recall) of the labels said, compared without case."""
    true, own = ({w.strip().lower() for w in labels} for labels in (truth, said))
    hits = len(true & own)
    total = len(true) + len(own)
    return (2 * hits / total if total else 0.0), (hits / len(true) if true else 0.0)


@dataclass(frozen=True)
class Scores:
    """Rec, Rea, CoT over items, and what must be read beside them (see the module text)."""

    rec: float
    rea: float
    cot: float
    recall_only: float
    reasoned: float
    items: int
    unreadable: int
    one_step: int
    steps: float


def scores(marks: Sequence[Marks], alpha: float = ALPHA) -> Scores:
    """Score the marks of all items; none is left out."""
    if not marks:
        return Scores(0.0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0, 0.0)
    rea = [float(np.mean(m.reasons)) if m.reasons else 0.0 for m in marks]
    rec = float(np.mean([m.label for m in marks]))
    given = [r for r, m in zip(rea, marks, strict=True) if m.reasons]
    return Scores(
        rec=rec,
        rea=float(np.mean(rea)),
        cot=alpha * rec + (1 - alpha) * float(np.mean(rea)),
        recall_only=float(np.mean([m.recall for m in marks])),
        reasoned=float(np.mean(given)) if given else 0.0,
        items=len(marks),
        unreadable=sum(not m.read for m in marks),
        one_step=sum(m.read and not m.reasons for m in marks),
        steps=float(np.mean([len(m.reasons) + 1 for m in marks if m.read] or [0])),
    )


def mark_steps(explanation: Explanation, cues: Sequence[Cue], truth: Sequence[str]) -> Marks:
    """Mark an explanation against the cues that were measured; no language model judges.

    A step before the last holds (1) if all of this does, else it is 0: it names cues, and they are
    among `cues`; it is of their modality; its time span touches theirs; every word of feeling or
    of the face, voice, words or smell that it uses is one that its cues tell. So a swapped word
    ("smiles" → "frowns") or modality lowers Rea and leaves Rec as it is.

    Args:
        explanation: With steps; an abstention answers no label.
        cues: Of the same window.
        truth: True labels, as classes of the contract.
    """
    said = [] if explanation.abstained else [g.level1 for g in explanation.emotions[:1]]
    f1, recall = label_mark(truth, said)
    if not explanation.steps:
        return UNREAD
    by_id = {cue.id: cue for cue in cues}
    return Marks(tuple(float(_holds(s, by_id)) for s in explanation.steps[:-1]), f1, recall)


def _holds(step: Step, cues: dict[str, Cue]) -> bool:
    own = [cues[i] for i in step.cue_ids if i in cues]
    if not own or len(own) < len(step.cue_ids):
        return False
    if step.modality != "fusion" and any(cue.modality != step.modality for cue in own):
        return False
    if any(step.t1_ns < cue.t0_ns or cue.t1_ns < step.t0_ns for cue in own):
        return False
    told = set(_WORD.findall(" ".join(f"{cue.text} {clause(cue)}" for cue in own).lower()))
    return not (_telling(step.text) - told)


def _telling(text: str) -> set[str]:
    """Words that say something of a person: of feeling, and of what each sense perceives."""
    words = set(_WORD.findall(text.lower()))
    lists = [*lexicon().speaks_of.values(), *lexicon().emotions.values()]
    return words & frozenset().union(*lists)
