from __future__ import annotations

import pytest

from thymos.contract import EMOTIONS, MODALITIES
from thymos.reason.check import lexicon, objection


@pytest.fixture
def cues(cue):
    return [
        cue("face", "the corners of the mouth rise", "joy"),
        cue("voice", "the pitch is high and lively", "joy"),
    ]


@pytest.mark.parametrize(
    "why",
    [
        "They seem joyful because the corners of the mouth rise.",
        "The mouth rises and the voice is lively, which fits joy.",
        "They seem happy, the pitch is high.",
        "They seem joyful because the corners of the mouth rise from 0.5 s.",
    ],
)
def test_reasons_from_the_cues_pass(cues, why):
    assert objection(why, "joy", cues, level1="joy") == ""


@pytest.mark.parametrize(
    ("why", "part"),
    [
        ("They smell of smoke.", "no cue of that kind"),
        ("They said something nice.", "no cue of that kind"),
        ("They seem angry because the pitch is high.", "not the label"),
        ("The mouth rises, the mouth rises, the mouth rises.", "repeats"),
        ("", "empty"),
        ("They seem joyful because the mouth rises at 9.9 s.", "nobody measured"),
        ("Yesterday their dog bought a yacht.", "no cue holds"),
    ],
)
def test_what_the_cues_do_not_hold_is_refused(cues, why, part):
    assert part in objection(why, "joy", cues, level1="joy")


def test_the_word_lists_cover_the_contract():
    assert set(lexicon().emotions) == set(EMOTIONS)
    assert set(lexicon().speaks_of) == set(MODALITIES)


def test_a_contrary_cue_may_not_be_the_reason(cue):
    cues = [
        cue("face", "the face looks most like joy", "joy"),
        cue("voice", "the voice sounds most like anger", "anger"),
    ]
    wrong = "They seem joyful because the voice sounds most like anger."
    assert "not the label" in objection(wrong, "joy", cues, level1="joy")
    right = "They seem joyful because the face looks most like joy."
    assert objection(right, "joy", cues, level1="joy") == ""


def test_three_clauses_with_the_same_link_are_no_repetition(cue):
    cues = [cue("face", t, "joy") for t in ("the mouth rises", "the cheeks lift", "the eyes shut")]
    why = "They seem joyful because " + " and ".join(
        f"{t} from 0.5 s" for t in ("the mouth rises", "the cheeks lift", "the eyes shut")
    )
    assert objection(why + ".", "joy", cues, level1="joy") == ""
