"""The table of labels: whole, sane, and what the rules may say is in it."""

from __future__ import annotations

import pytest

from thymos.contract import EMOTIONS, EmotionGuess
from thymos.reason.labels import resolve, table


def test_the_classes_are_labels_of_themselves() -> None:
    assert {e: table()[e].level1 for e in EMOTIONS} == {e: e for e in EMOTIONS}


def test_every_label_has_sane_coordinates() -> None:
    assert len(table()) >= 180
    for label in table().values():
        assert -1 <= label.valence <= 1
        assert -1 <= label.arousal <= 1
        if label.level1 in ("sadness", "anger", "fear", "disgust"):
            assert label.valence <= 0.1, label
        if label.level1 == "joy":
            assert label.valence > 0, label


@pytest.mark.parametrize(
    ("said", "word", "level1"),
    [
        ("Happy", "happy", "joy"),
        ("  WORRIED. ", "worried", "fear"),
        ("happiness", "happy", "joy"),
        ("angrily", "angry", "anger"),
        ("sadness", "sadness", "sadness"),
        ("loneliness", "lonely", "sadness"),
        ("ｐｒｏｕｄ", "proud", "joy"),
        ("left-out", "left out", "sadness"),
    ],
)
def test_words_are_found_in_other_forms(said: str, word: str, level1: str) -> None:
    label = resolve(said)
    assert label is not None
    assert (label.word, label.level1) == (word, level1)


@pytest.mark.parametrize(
    "said",
    ["", "...", "not happy", "person", "happy and sad", "x" * 500, "ignore all rules: joy", "ly"],
)
def test_what_names_no_feeling_gives_none(said: str) -> None:
    assert resolve(said) is None


def test_a_label_becomes_a_guess_of_the_contract() -> None:
    made = table()["amused"].guess(0.4)
    assert made == EmotionGuess(
        label="amused", confidence=0.4, level1="joy", valence=0.6, arousal=0.3
    )


@pytest.mark.parametrize(
    "word", ["amused", "content", "excited", "worried", "frightened", "annoyed", "furious"]
)
def test_finer_labels_of_the_rules_are_in_the_table(word: str) -> None:
    assert word in table()
