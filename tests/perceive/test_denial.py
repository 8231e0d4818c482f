"""What is denied is found; what is not, is not."""

from __future__ import annotations

import pytest

from thymos.perceive.denial import denied


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("I'm not angry at you", {"anger"}),
        ("I don\u2019t hate it", {"anger"}),
        ("I was never afraid of dogs", {"fear"}),
        ("I am no longer anxious", {"fear"}),
        ("It doesn't disgust me, and I'm not sad.", {"disgust", "sadness"}),
        ("there is no reason to be afraid", {"fear"}),
        ("I'm not angry, I'm sad", {"anger"}),
    ],
)
def test_denials_are_found(text, classes):
    assert denied(text) == classes


@pytest.mark.parametrize(
    "text",
    [
        "I'm angry",
        "Aren't you scared?",
        "I can't stop crying",
        "not only sad",
        "I'm not happy",  # joy is denied; the network reads that itself
        "No, I hate it",
        "No I hate it",
        "I'm not angry with her but I'm furious with you",
        "It is not the end of the world that I am so sad",
        "",
        "not " * 5000,
    ],
)
def test_others_are_not(text):
    assert denied(text) == frozenset()
