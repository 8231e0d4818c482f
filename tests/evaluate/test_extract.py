"""Labels and clues out of free text, on sentences of our own."""

from __future__ import annotations

import pytest

from thymos.evaluate.doubly_right import doubly_right, repredict, without_labels
from thymos.evaluate.extract import (
    extract_clues,
    extract_labels,
    feeling_of,
    split_sentences,
    tally,
)

STORY = (
    "In the video, a man lowers his head. His brows are drawn together. In the audio, he sighs. "
    'In the text, the subtitle reads: "I am happy. Really!" This may be an excuse. '
    "Based on his low head and the sigh, he is not angry. He feels sad and disappointed."
)


def test_labels_of_the_inference():
    found = extract_labels(STORY)
    assert found.labels == ("sad", "disappointed")
    assert found.classes == ("sadness",)
    assert found.outcome == "labels"


def test_quoted_speech_is_no_judgement():
    assert "happy" not in extract_labels(STORY, sentences=99).labels


def test_denied_feelings_are_left_out():
    assert extract_labels("She is not angry.").labels == ()
    assert extract_labels("She isn’t at all angry but sad.").labels == ("sad",)


@pytest.mark.parametrize(
    "text",
    ["We cannot recognise his emotional state.", "It is impossible to determine how she feels."],
)
def test_cannot_tell_gives_no_labels(text):
    found = extract_labels(text)
    assert (found.labels, found.outcome) == ((), "none")


def test_a_failure_to_parse_is_told_apart():
    assert extract_labels("The table is brown.").outcome == "unparsed"
    assert extract_labels("").outcome == "unparsed"
    counted = tally([STORY, "The table is brown.", "We cannot recognise the emotion."])
    assert (counted.labels, counted.none, counted.unparsed) == (1, 1, 1)
    assert counted.missing["audio"] == 2


@pytest.mark.parametrize("word", ["person", "see", "face", "open", "low", "left", "moves", "bit"])
def test_everyday_words_are_no_feelings(word):
    assert feeling_of(word) is None


def test_clues_by_sense():
    clues = extract_clues(STORY)
    assert clues.video == "In the video, a man lowers his head. His brows are drawn together."
    assert clues.audio == "In the audio, he sighs."
    assert clues.text.startswith("In the text, the subtitle reads:")
    assert "happy" not in clues.text
    assert clues.inference.startswith("Based on his low head")
    assert clues.missing == ()
    assert extract_clues("In the audio, he sighs.").missing == ("video", "text", "inference")


def test_a_very_long_or_odd_text_is_read_in_time():
    assert extract_labels('"' * 50_000 + "a. " * 50_000 + " He is sad.").labels == ("sad",)
    assert split_sentences("") == []


def test_reasons_without_labels():
    assert without_labels("She is happy: she smiles happily.") == "She is : she smiles ."
    assert repredict("she smiles and laughs") == "joy"
    assert repredict("she sits at a table") == ""
    assert repredict("he smiles and weeps") == ""  # a tie tells nothing


def test_doubly_right_by_hand():
    truth = ["joy", "joy", "sadness", "sadness"]
    said = ["joy", "joy", "joy", ""]
    reasons = ["She smiles.", "She is joyful.", "Tears are seen.", "He smiles."]
    score = doubly_right(truth, said, reasons)
    assert (score.rr, score.rw, score.wr, score.ww) == (0.25, 0.25, 0.25, 0.25)
    assert score.told == 0.75
    assert doubly_right([], [], []).items == 0
