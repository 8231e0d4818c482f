from __future__ import annotations

import pytest

from thymos.respond import guard
from thymos.respond.templates import known_words


def danger(scene, *cues) -> str:
    found = guard.alarm(scene.evidence(cues))
    return found.danger if found else "none"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("smoke", "smoke"),
        ("burning", "smoke"),
        ("methane", "gas"),
        ("carbon_monoxide", "gas"),
        ("Acetone", "solvent"),
        ("coffee", "none"),
        ("gasp", "none"),
        ({"smoke": 0.7, "coffee": 0.3}, "smoke"),
        ({"smoke": 0.3, "coffee": 0.7}, "none"),
        (12.5, "none"),
    ],
)
def test_classes_of_the_nose(scene, value, expected):
    assert danger(scene, scene.cue("smell", value=value)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the air smells like smoke", "smoke"),
        ("there is no smoke in the air", "none"),
        ("clean air, without any trace of acetone", "none"),
        ("the air changed 12 %", "none"),
    ],
)
def test_words_of_a_smell_cue(scene, text, expected):
    assert danger(scene, scene.cue("smell", text=text)) == expected


def test_a_faint_smell_raises_no_alarm(scene):
    assert danger(scene, scene.cue("smell", value="smoke", conf=0.3)) == "none"


def test_an_untrusted_device_label_in_its_text_raises_no_alarm(scene):
    label = scene.cue("smell", value=1.0, text="there is smoke", untrusted=True)
    assert danger(scene, label) == "none"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("I want to kill myself.", "harm"),
        ("Sometimes I want to die", "harm"),
        ("I'll stab him", "harm"),
        ("he hits me every day", "harm"),
        ("I can't breathe", "harm"),
        ("There's a fire in the kitchen", "smoke"),
        ("it smells like gas in here", "gas"),
        ("no it smells like gas", "gas"),
        ("no there's a fire", "smoke"),
        ("it does not smell like gas", "none"),
        ("I don't want to die", "none"),
        ("this is killing me, so funny", "none"),
        ("you are fired", "none"),
        ("I am dying to see it", "none"),
        ("put some gas in the car", "none"),
        ("I could kill for a coffee", "none"),
    ],
)
def test_what_people_say(scene, said, expected):
    assert danger(scene, scene.cue("words", value=said)) == expected


def test_harm_comes_before_smoke(scene):
    cues = [scene.cue("smell", value="smoke"), scene.cue("words", value="I want to die")]
    assert danger(scene, *cues) == "harm"


@pytest.mark.parametrize("name", guard.ORDER)
def test_warnings_are_calm_and_say_what_to_do(name):
    signs = guard.rulebook().danger[name]
    texts = [text for text in (signs.text, signs.smelt, signs.hint) if text]
    assert texts
    for text in texts:
        assert "please" in text.lower()
        assert "!" not in text
        assert len(text) < 200


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "empty"),
        ("That is good to see. " * 9, "too long"),
        ("You are sad.", "claims to know"),
        ("I know how you feel.", "claims to know"),
        ("I love you.", "claims to be human"),
        ("You should see a doctor.", "health"),
        ("All right, honey.", "pet name"),
        ("How old are you?", "private"),
        ("I promise all will be well.", "promise"),
        ("You must stay with me.", "pressure"),
        ("That is stupid.", "rude"),
        ("The fire is your sanctuary.", "nobody noticed"),
        ("Your smile is good to see.", "nobody noticed"),
        ("That that is good.", "stutters"),
        ("I am sorry, that sounds hard.", "nobody noticed"),
        ("That is good to see", "just said"),
    ],
)
def test_sentences_of_a_model_that_may_not_be_spoken(text, part):
    assert part in guard.objection(text, [], known_words("bright"), ["That is good to see."])


def test_what_the_face_shows_may_be_spoken_of(scene):
    smile = scene.cue("face", "joy", text="the mouth shows a smile")
    assert guard.objection("That is a nice smile.", [smile], known_words("bright"), []) == ""
    voice = scene.cue("voice", "joy", text="the voice is lively")
    assert guard.objection("That mouth is nice.", [voice], known_words("bright"), [])
