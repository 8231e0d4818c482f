"""Label sets: parser, set metric, sentiment, CA-MER averages, against values by hand."""

from __future__ import annotations

import pytest

from thymos.errors import ConfigError
from thymos.evaluate.camer import averages, subset_of
from thymos.evaluate.label_sets import constant, parse_labels, sentiment, set_score, shuffled


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("['happy', 'calm']", ["happy", "calm"]),
        ('["happy", "it\'s fine"]', ["happy", "it", "s fine"]),  # as the source does, not as JSON
        ("[]", []),
        ("happy, sad", ["happy", "sad"]),
        ("[['a', 'b']]", ["[", "a", "b", "]"]),
        ("", []),
    ],
)
def test_the_parser_is_that_of_the_source(text, labels):
    assert parse_labels(text) == labels


def test_set_score_by_hand():
    truth = {"a": ["Happy", "glad"], "b": ["sad"], "c": []}
    said = {"a": ["joyful", "angry"], "c": ["happy"]}
    groups = {"a": [["happy", "glad", "joyful"], ["angry"]]}
    score = set_score(truth, said, groups)
    # a: truth {happy}, said {happy, angry}: 1/2 and 1; b: no answer, 0 and 0; c: no truth, left out
    assert (score.accuracy, score.recall, score.mean, score.clips) == (0.25, 0.5, 0.375, 2)


def test_sentiment_leaves_out_true_zero_and_punishes_said_zero():
    score = sentiment([1.0, -0.5, 0.0, 2.0], [0.4, 0.0, 1.0, 3.0])
    assert (score.accuracy, score.clips) == (pytest.approx(2 / 3), 3)
    assert sentiment([0.0], [1.0]).clips == 0


def test_shuffling_keeps_the_answers_and_moves_them():
    said = {str(n): [str(n)] for n in range(50)}
    mixed = shuffled(said)
    assert sorted(mixed.values()) == sorted(said.values())
    assert sum(mixed[n] == said[n] for n in said) < 10
    assert constant(["a", "b"], ["x"]) == {"a": ["x"], "b": ["x"]}


def test_subsets_of_camer():
    assert subset_of("joy", "joy", "joy") == "consistent"
    assert subset_of("joy", "anger", "joy") == "video-aligned"
    assert subset_of("joy", "anger", "anger") == "audio-aligned"
    assert subset_of("joy", "anger", "fear") is None
    assert subset_of("joy", "joy", "fear") is None


def test_camer_averages_by_hand():
    subset = {"v": "video-aligned", "a": "audio-aligned", "c": "consistent", "c2": "consistent"}
    truth = {name: ["angry"] for name in subset}
    score = averages(truth, {"v": ["angry", "sad"], "a": [], "c": ["angry"]}, subset)
    assert score.subsets["video-aligned"].mean == 0.75
    assert score.subsets["consistent"].clips == 2  # no answer counts 0, it is not left out
    assert score.conflict == 0.375
    assert score.overall == pytest.approx((0.75 + 0 + 0.5) / 3)
    with pytest.raises(ConfigError, match="audio-aligned"):
        averages({"v": ["angry"]}, {}, {"v": "video-aligned"})
