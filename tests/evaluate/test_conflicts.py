"""Clips of one's own where picture and sound disagree: subsets and averages by hand."""

from __future__ import annotations

import pytest

from thymos.errors import ConfigError
from thymos.evaluate.runs.conflicts import compared, subsets
from thymos.evaluate.runs.items import Answer, Item


def item(key, label, video, audio):
    return Item(key, key, (label,), key, {"video": video, "audio": audio})


ITEMS = [
    item("v", "joy", "happy", "sad"),
    item("a", "sadness", "happy", "sad"),
    item("c", "joy", "happy", "happy"),
    item("none", "fear", "happy", "sad"),
]


def answer(key, fused, face, voice):
    unimodal = {"face": {face: 0.8, "fear": 0.2}, "voice": {voice: 1.0}}
    return Answer(key, {fused: 1.0}, facts={"unimodal": unimodal})


def test_subsets_by_label():
    assert subsets(ITEMS, {}) == {"v": "video-aligned", "a": "audio-aligned", "c": "consistent"}


def test_labels_of_both_senses_are_needed():
    with pytest.raises(ConfigError, match="no column 'audio'"):
        subsets([Item("v", "v", ("joy",), "v", {"video": "happy"})], {})
    with pytest.raises(ConfigError, match="'wistful'"):
        subsets([item("v", "joy", "wistful", "happy")], {})


def test_fused_beside_each_sense_and_their_mean():
    answers = {
        "v": answer("v", "joy", "joy", "sadness"),
        "a": answer("a", "joy", "joy", "sadness"),
        "c": answer("c", "joy", "joy", "joy"),
        "none": answer("none", "joy", "joy", "joy"),
    }
    found = compared(ITEMS, answers, subsets(ITEMS, {}))
    assert found["in_no_subset"] == 1
    ways = found["ways"]
    assert ways["fused"]["video-aligned"] == 1.0
    assert ways["fused"]["audio-aligned"] == 0.0
    assert ways["fused"]["conflict"][0] == 0.5
    assert ways["fused"]["overall"] == pytest.approx(2 / 3, abs=1e-4)
    assert ways["voice alone"]["audio-aligned"] == ways["plain mean"]["audio-aligned"] == 1.0
    assert ways["face alone"]["conflict"][0] == 0.5
