"""Feelings that are named only to be denied.

"I'm not angry at you" is full of anger for a network trained on comments. Denial is found by
grammar: a negation, and within three words of it the name of an unpleasant feeling (the scope of
VADER, Hutto and Gilbert, ICWSM 2014; fillers are not counted). The reading itself is left as it is:
taking the denied class out made it worse on labelled comments (docs/models/text-emotion.md), for
people do deny what they feel. Such words are believed less, so that face and voice decide.

Irony is not looked for: no list of phrases finds it without taking sincere thanks along. Where
voice or face contradict the words, the conflict says so.
"""

from __future__ import annotations

import re

from thymos.contract import Emotion

SCOPE = 3
"""Words between a negation and what it denies, fillers not counted."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FEELINGS: dict[Emotion, str] = {
    "anger": "angry anger mad furious annoyed annoying irritated irritating outraged pissed hate "
    "hated hates resent rage enraged offended jealous bitter frustrated",
    "sadness": "sad sadness unhappy depressed lonely miserable hopeless heartbroken crying cry "
    "disappointed upset hurt gloomy grieving",
    "fear": "afraid scared fear frightened terrified worried worry worrying anxious nervous panic "
    "panicking stressed scary concerned",
    "disgust": "disgusted disgusting disgust disgusts gross revolting sick repulsed nasty",
}
_OF = {word: emotion for emotion, words in _FEELINGS.items() for word in words.split()}
_NOT = frozenset(("not", "never", "no", "nothing", "without", "hardly", "neither", "nor", "cannot"))
_FILLER = _words(
    "a an the at all so very too really even any be been being am is are was were feel "
    "feeling feels felt to get getting got have has had longer more in for of me you"
)
_OTHERWISE = frozenset(("only", "just", "stop", "help", "wonder", "because", "enough", "if"))
"""Behind a negation these turn it round or away: "not only sad", "can't stop crying"."""
_SUBJECT = _words("i you he she we they it that this i'm you're he's she's it's")


def denied(text: str) -> frozenset[Emotion]:
    """Return the unpleasant emotions that are named under a negation and nowhere without one.

    Args:
        text: English, any length (2000 characters are read). Questions deny nothing.
    """
    negated: set[Emotion] = set()
    affirmed: set[Emotion] = set()
    plain = text[:2000].lower().replace("\u2019", "'")
    for clause in re.findall(r"[^.!?;,]+[.!?;,]*", plain.replace(" but ", " , ")):
        words = re.findall(r"[a-z]+(?:'[a-z]+)?", clause)
        question = clause.rstrip().endswith("?")
        for k, word in enumerate(words):
            if word in _OF:
                side = negated if _under_negation(words, k) and not question else affirmed
                side.add(_OF[word])
    return frozenset(negated - affirmed)


def _under_negation(words: list[str], k: int) -> bool:
    """Whether word k stands within `SCOPE` words behind a negation."""
    steps = 0
    for i in range(k - 1, -1, -1):
        word = words[i]
        if word in _OTHERWISE:
            return False
        if word in _SUBJECT:  # another clause: "No I hate it", heard without the comma
            return False
        if word in _NOT or word.endswith("n't"):
            return True
        steps += word not in _FILLER
        if steps > SCOPE:
            return False
    return False
