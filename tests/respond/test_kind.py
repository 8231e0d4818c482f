"""A smell never becomes a remark on a person: not on a body, not on cleanliness, not on drink."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
import yaml

from thymos.reason.check import objection
from thymos.respond import guard
from thymos.respond.responder import StreetResponder
from thymos.respond.templates import templates
from thymos.smell.meaning import meaning_of, table
from thymos.smell.meaning.cues import cues_of_meaning
from thymos.smell.meaning.danger import DangerWatch, Sniff
from thymos.smell.meaning.memory import KINDS

S = 1_000_000_000
BODY = re.compile(
    r"\b(body odou?r|b\.?o\.?|sweat\w*|perspir\w*|armpit\w*|breath (smells|stinks)"
    r"|(bad|your) breath|hygien\w*|unwashed|dirty|filthy|smelly|stink\w*|stench|deodorant"
    r"|shower|feces|faeces|urine"
    r"|flatul\w*|drunk\w*|intoxicat\w*|tipsy|sober|hangover|alcoholic"
    r"|you(r \w+)? (smell|smells|stink|reek)s?)\b",
    re.IGNORECASE,
)
BODY_BANS = ("a remark on a body or its cleanliness", "a guess at drink or drugs")


def sayings() -> list[str]:
    """Everything of ours that the robot may say or show of a smell."""
    found = [row for groups in templates().values() for cell in groups.values() for row in cell]
    found += [guard.rulebook().doubt]
    for signs in guard.rulebook().danger.values():
        found += [signs.text, signs.smelt, signs.hint]
    for row in table().odours:
        found += [row.name, *row.also, row.says, row.family, row.tell, *row.odorants]
        found += [fact.text for fact in row.facts]
        cue = {"id": "", "modality": "smell", "name": "odour", "value": row.name}
        found += [c.text for c in cues_of_meaning(_cue(**cue))]
    scene = yaml.safe_load((files("thymos.reason") / "scene.yaml").read_text(encoding="utf-8"))
    found += [row["says"] for row in scene]
    return [text for text in [*found, *KINDS.values()] if text]


def _cue(**fields):
    from thymos.contract import Cue

    return Cue(**{"confidence": 0.9, "t0_ns": 0, "t1_ns": S, **fields})


def test_nothing_of_ours_speaks_of_bodies_or_drink():
    found = sayings()
    assert len(found) > 400
    assert [text for text in found if BODY.search(text)] == []


@pytest.mark.parametrize("why", BODY_BANS)
def test_our_own_sentences_pass_the_bans(why):
    banned = guard.rulebook().banned[why]
    spoken = [s for signs in guard.rulebook().danger.values()
              for s in (signs.text, signs.smelt, signs.hint)]  # fmt: skip
    spoken += [row.tell for row in table().odours]
    assert [text for text in spoken if banned.search(text)] == []


@pytest.mark.parametrize(
    "said",
    [
        "You smell.",
        "You smell of sweat.",
        "Your clothes smell.",
        "Your feet stink.",
        "Something here is smelly.",
        "There is a body odour.",
        "Is that your breath?",
        "It may be bad breath.",
        "Maybe take a shower first.",
        "You need a bath.",
        "Perhaps some deodorant would be nice.",
        "You seem unwashed.",
        "You look dirty.",
        "Hygiene matters.",
        "You seem drunk.",
        "You are tipsy, that is all right.",
        "Have you been drinking?",
        "You smell of alcohol.",
        "It seems you had a drink.",
        "You seem hungover.",
        "I notice your sweaty hands.",
    ],
)
def test_the_guard_refuses_it_whatever_was_smelt(scene, said):
    smelt = [
        scene.cue("smell", name="odour", value="alcohol", text="alcohol vapour", untrusted=True),
        scene.cue("smell", text="sweat drunk dirty breath you smell of alcohol", value=1.0),
    ]
    every = frozenset(re.findall(r"[a-z]+", said.lower()))  # even if all words were reviewed ones
    fault = guard.objection(said, smelt, every, [])
    assert any(why in fault for why in BODY_BANS) or "claims to know" in fault or "private" in fault


@pytest.mark.parametrize("label", ["sweat", "body odour", "bad breath", "urine", "feet"])
def test_labels_of_bodies_mean_nothing_to_the_robot(scene, label):
    assert not meaning_of(label).known
    smelt = scene.cue("smell", name="odour", value=label, untrusted=True)
    face = scene.cue("face", "disgust")
    made = StreetResponder().respond(*scene.of(face, smelt))
    assert not BODY.search(made.text)
    explained, _ = scene.of(face, smelt)
    assert explained.viewer is not None
    assert not BODY.search(explained.viewer.text)


def test_alcohol_in_the_air_is_told_as_a_matter_of_air():
    watch = DangerWatch()
    for n in range(20):
        watch.take(Sniff(n * S // 10, 0, "alcohol", 0.9))
    (cue,) = watch.drain()
    made = StreetResponder().warn(cue)
    assert made is not None
    assert made.gesture == "tilt_head"  # nothing to be startled by
    assert "hand gel" in made.text
    assert "you" not in re.findall(r"[a-z]+", made.text.lower())
    assert not BODY.search(made.text)


@pytest.mark.parametrize(
    "label", sorted(row.name for row in table().odours if row.danger != "none")
)
def test_every_warning_is_calm_doubts_itself_and_says_what_to_do(label):
    for confidence in (0.9, 0.35):
        watch = DangerWatch()
        for n in range(20):
            watch.take(Sniff(n * S // 10, 0, label, confidence))
        (cue,) = watch.drain()
        made = StreetResponder().warn(cue)
        assert made is not None
        assert "may be wrong" in made.text or "may well be wrong" in made.text
        assert re.search(r"please", made.text, re.IGNORECASE) or meaning_of(label).tell
        assert "!" not in made.text
        assert made.text == made.text.strip()
        assert len(made.text) < 320
        words = set(re.findall(r"[a-z]+", made.text.lower()))
        assert not words & {"panic", "die", "deadly", "lethal", "poison", "poisoned", "explode",
                            "explosion", "sick", "ill", "diagnosis", "symptom"}  # fmt: skip
        if confidence > 0.5 and meaning_of(label).danger != "spoiled_food":
            assert "no certified" in made.text


def test_a_hint_is_rare_and_an_alarm_after_it_is_told():
    responder = StreetResponder()

    def warned(label: str, confidence: float, at_s: float):
        watch = DangerWatch()
        for n in range(20):
            t_ns = round((at_s + n / 10) * S)
            watch.take(Sniff(t_ns, round(at_s * S), label, confidence))
        (cue,) = watch.drain()
        return responder.warn(cue)

    assert warned("smoke", 0.4, 0) is not None
    assert warned("gas", 0.4, 100) is None  # one hint in ten minutes
    assert warned("smoke", 0.9, 130).gesture == "alert"  # but an alarm is told
    assert warned("smoke", 0.9, 150) is None
    assert warned("gas", 0.9, 160).guard.danger == "gas"  # and another danger too
    assert warned("smoke", 0.9, 195) is not None  # again after a minute
    assert warned("smoke", 0.9, 300) is None
    assert warned("smoke", 0.9, 440) is not None  # and after four more
    assert all(warned("smoke", 0.9, 440 + 60 * n) is None for n in range(1, 30))
    assert warned("smoke", 0.9, 440 + 60 * 29 + 301) is not None  # it was over, and is new


@pytest.mark.parametrize(
    "why",
    [
        "They seem disgusted because they smell.",
        "They seem disgusted, the person smells of alcohol.",
        "They seem joyful because they are drunk on alcohol.",
        "Their clothes smell of smoke.",
        "There is a smell of alcohol on them.",
    ],
)
def test_an_explanation_says_no_such_thing_either(scene, why):
    smelt = scene.cue("smell", name="odour", value="alcohol", untrusted=True)
    cues = [smelt, scene.cue("face", "disgust", text="the nose is wrinkled, disgusted, joyful")]
    fault = objection(why, "disgust", cues, level1="disgust")
    assert fault
    assert any(ban in fault for ban in BODY_BANS)
