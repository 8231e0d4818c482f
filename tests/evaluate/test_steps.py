"""MME-Emotion's scores: golden cases, and explanations that were tampered with."""

from __future__ import annotations

import pytest

from thymos.contract import EMOTIONS, Cue, StreamState, WindowInfo
from thymos.evaluate.steps import UNREAD, Marks, label_mark, mark_steps, parse_marks, scores
from thymos.reason.base import Evidence
from thymos.reason.fusion import fuse
from thymos.reason.rules import RulesReasoner

S = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "steps", "marks"),
    [
        ("<score>Step 1: 1/1, Step 2: 0/1, Step 3: 1/1</score>", 3, Marks((1, 0), 1, 1)),
        ("Step 1: 2/3", 1, Marks((), 2 / 3, 2 / 3)),  # a label alone; C/K
        ("step 1 : 1 / 1 step 2: 1/1", 2, Marks((1,), 1, 1)),
        ("Step 1: 1/1", 2, UNREAD),  # a mark is lacking
        ("Step 1: 1/1, Step 1: 1/1", 2, UNREAD),
        ("Step 1: 3/2", 1, UNREAD),
        ("Step 1: 0/0", 1, UNREAD),
        ("1-10 points, 8", 1, UNREAD),
        ("", 1, UNREAD),
    ],
)
def test_marks_of_a_judge(text, steps, marks):
    assert parse_marks(text, steps) == marks


def test_scores_by_hand():
    found = scores([Marks((1.0, 0.0), 1.0, 1.0), Marks((), 0.5, 1.0), UNREAD])
    assert found.rec == pytest.approx(0.5)
    assert found.rea == pytest.approx(0.5 / 3)  # nothing is left out of the denominator
    assert found.cot == pytest.approx(0.5 * 0.5 + 0.5 * 0.5 / 3)
    assert found.recall_only == pytest.approx(2 / 3)
    assert (found.reasoned, found.items, found.unreadable, found.one_step) == (0.5, 3, 1, 1)
    assert found.steps == 2.0
    assert scores([]).items == 0


def test_naming_everything_does_not_pay():
    f1, recall = label_mark(["Joy"], list(EMOTIONS))
    assert recall == 1.0
    assert f1 == pytest.approx(2 / 8)


def cue(n, modality, text, label):
    return Cue(
        id=f"k{n}",
        modality=modality,
        name="measure",
        value=0.5,
        confidence=0.9,
        t0_ns=n * S // 4,
        t1_ns=n * S // 4 + S,
        text=text,
        emotion={e: 0.85 if e == label else 0.025 for e in EMOTIONS},
    )


@pytest.fixture
def cues():
    return (
        cue(1, "face", "Person 1 smiles.", "joy"),
        cue(2, "voice", "The voice is loud.", "joy"),
        cue(3, "words", "The words express joy most.", "joy"),
    )


@pytest.fixture
def explanation(cues):
    streams = {"camera": StreamState(state="present", age_ms=0, samples=1, gaps=0, dropped=0)}
    info = WindowInfo(id="w000000", t0_ns=0, t1_ns=4 * S, streams=streams)
    return RulesReasoner().explain(Evidence(info, cues, fuse(cues)))


def changed(explanation, n, **update):
    steps = list(explanation.steps)
    steps[n] = steps[n].model_copy(update=update)
    return explanation.model_copy(update={"steps": tuple(steps)})


def test_an_honest_explanation_holds(explanation, cues):
    marks = mark_steps(explanation, cues, ["joy"])
    assert marks == Marks((1.0, 1.0, 1.0), 1.0, 1.0)
    assert mark_steps(explanation, cues, ["anger"]).label == 0.0


@pytest.mark.parametrize(
    "update",
    [
        {"text": "Person 1 frowns."},
        {"modality": "voice"},
        {"cue_ids": ("k2",)},
        {"cue_ids": ("k9",)},
        {"cue_ids": ()},
        {"t0_ns": 9 * S, "t1_ns": 10 * S},
        {"text": "Person 1 smiles, they are sad."},
    ],
)
def test_a_tampered_step_lowers_rea_and_leaves_rec(explanation, cues, update):
    n = next(i for i, step in enumerate(explanation.steps) if step.modality == "face")
    honest = scores([mark_steps(explanation, cues, ["joy"])])
    tampered = scores([mark_steps(changed(explanation, n, **update), cues, ["joy"])])
    assert tampered.rea == pytest.approx(honest.rea - 1 / 3)
    assert tampered.rec == honest.rec == 1.0
