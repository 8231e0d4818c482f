"""Subset prompts: a modality that is not there drops its line and changes nothing else."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from thymos.attend import Media, Picture, Sound
from thymos.contract import MODALITIES
from thymos.reason.chat import ChatReasoner, supported_labels
from thymos.reason.fusion import fuse
from thymos.reason.prompt import load_prompt, media_sentences, modality_sentences

SUBSETS = [c for n in (1, 2, 3, 4) for c in itertools.combinations(MODALITIES, n)]
BEGINS = {
    "face": "The camera saw: ",
    "voice": "The microphone heard: ",
    "words": "The person said: ",
    "smell": "The nose noticed: ",
}


def given(cue):
    """One cue of each modality."""
    return {
        "face": cue("face", "the brows are drawn together", "sadness"),
        "voice": cue("voice", "the voice is quiet", "sadness"),
        "words": cue("words", "it is late", "sadness"),
        "smell": cue("smell", "the air has changed"),
    }


@pytest.mark.parametrize("name", ["explain-2", "explain-media-1"])
@pytest.mark.parametrize("there", SUBSETS, ids="+".join)
def test_each_subset_has_just_its_lines(cue, there, name):
    cues = given(cue)
    prompt = load_prompt(name)
    ids = {c.id: f"c{n}" for n, c in enumerate(cues.values(), start=1)}
    whole = modality_sentences(prompt, tuple(cues.values()), ids, 0).splitlines()
    lines = modality_sentences(prompt, tuple(cues[m] for m in there), ids, 0).splitlines()
    assert lines == [line for m, line in zip(cues, whole, strict=True) if m in there]
    for modality, begin in BEGINS.items():
        assert any(line.startswith(begin) for line in lines) == (modality in there)
    text = "\n".join(lines)
    assert "{" not in text
    assert not {"none", "missing", "unknown", "0.0"} & set(text.lower().split())


@pytest.mark.parametrize("there", SUBSETS, ids="+".join)
def test_each_subset_goes_through_the_model_and_back(fake_llm, cue, evidence_of, there):
    cues = [given(cue)[m] for m in there]
    if not set(there) - {"smell"}:
        llm = fake_llm("{}")
        made = ChatReasoner(llm).explain(evidence_of(cues))
        assert made.abstained  # the air alone tells of no emotion, and no model is asked
        assert llm.asked == []
        return
    llm = fake_llm('{"use":["c1"],"label":"sadness","why":"x"}')
    made = ChatReasoner(llm).explain(evidence_of(cues))
    turn = llm.asked[0][0][-1]["content"].splitlines()
    assert [line.split(":")[0] + ": " for line in turn[:-1]] == [BEGINS[m] for m in there]
    assert set(made.modality_weights) == set(there)
    assert set(made.unimodal) == set(there) - {"smell"}
    assert {s.modality for s in made.steps} == {*there, "fusion"}


def test_a_modality_that_is_not_there_weighs_nothing_and_the_others_are_as_they_were(cue):
    cues = given(cue)
    whole = fuse(tuple(cues.values()))
    for there in SUBSETS:
        part = fuse([cues[m] for m in there])
        assert set(part.weights) == set(there)
        for modality, reading in part.unimodal.items():
            assert reading == whole.unimodal[modality]


def shown(pictures: int, sounds: int) -> Media:
    pixels, samples = np.zeros((2, 2, 3), np.uint8), np.zeros(4, np.int16)
    return Media(
        tuple(Picture("cam", n * 10**9, pixels, "even", 1) for n in range(pictures)),
        tuple(Sound("mic", 0, (n + 1) * 10**9, 16000, samples, "whole", 1) for n in range(sounds)),
    )


def test_pictures_and_sound_have_a_line_each_if_they_are_there():
    prompt = load_prompt("explain-media-1")
    assert media_sentences(prompt, shown(0, 0), 0) == ""
    assert media_sentences(prompt, shown(2, 0), 0) == "Pictures are shown of: 0.0 s, 1.0 s."
    assert media_sentences(prompt, shown(0, 1), 0) == "Sound is played of: 0.0 s to 1.0 s."
    assert len(media_sentences(prompt, shown(1, 1), 0).splitlines()) == 2
    assert media_sentences(load_prompt("explain-2"), shown(1, 1), 0) == ""


def test_labels_do_not_depend_on_modalities_that_say_nothing(cue, evidence_of):
    cues = given(cue)
    with_air = supported_labels(evidence_of(list(cues.values())))
    del cues["smell"]
    assert supported_labels(evidence_of(list(cues.values()))) == with_air
