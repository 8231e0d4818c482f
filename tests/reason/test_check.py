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
    ],
)
def test_reasons_from_the_cues_pass(cues, why):
    assert objection(why, "joy", cues) == ""


@pytest.mark.parametrize(
    ("why", "part"),
    [
        ("They smell of smoke.", "no cue of that kind"),
        ("They said something nice.", "no cue of that kind"),
        ("They seem angry because the pitch is high.", "not the label"),
        ("The mouth rises, the mouth rises, the mouth rises.", "repeats"),
        ("", "empty"),
        ("Yesterday their dog bought a yacht.", "no cue holds"),
    ],
)
def test_what_the_cues_do_not_hold_is_refused(cues, why, part):
    assert part in objection(why, "joy", cues)


def test_the_word_lists_cover_the_contract():
    assert set(lexicon().emotions) == set(EMOTIONS)
    assert set(lexicon().speaks_of) == set(MODALITIES)
