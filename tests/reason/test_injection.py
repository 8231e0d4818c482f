"""Words of people, signs, devices and files change neither labels nor intents, whatever they say.

Each attack takes the place of harmless text of the same measured emotion; what comes out must be
the same but for the quotation itself.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from attacks import ATTACKS
from thymos.align.window import StreamSlice, Window
from thymos.attend import Budget, Media
from thymos.attend.choose import look
from thymos.contract import Explanation, StreamState
from thymos.reason.chat import ChatReasoner, supported_labels
from thymos.reason.prompt import load_prompt
from thymos.reason.rules import RulesReasoner
from thymos.reason.scene import viewer
from thymos.reason.wording import MAX_QUOTE, sanitise
from thymos.respond.intents import score_intents, table
from thymos.respond.responder import StreetResponder
from thymos.samples import Kind, Sample, StreamSpec

OFFERED = frozenset({"sympathizing", "consoling", "questioning", "acknowledging", "encouraging"})
FORBIDDEN = set('<>[]{}|\\"`#@$&*=~^_\n\r\t\x00\x1b')


@pytest.fixture(params=range(len(ATTACKS)), ids=lambda n: f"attack{n}")
def attack(request) -> str:
    return ATTACKS[request.param]


def test_there_are_dozens():
    assert len(set(ATTACKS)) >= 80


def face_and(cue, *more):
    return [cue("face", "the brows are drawn together", "sadness", id="w-face1"), *more]


def said(cue, text):
    return cue("words", text, "sadness", id="w-words1")


def smelt(cue, text):
    return cue("smell", f"it is most like {text}", id="w-smell1", name="odour", value=text,
               untrusted=True)  # fmt: skip


def labelled(cue, text):
    return cue("voice", text, "sadness", id="w-voice1", name="device", value=text, untrusted=True)


PLACES = {"spoken": said, "class of a nose": smelt, "device": labelled}


@pytest.mark.parametrize("place", PLACES)
def test_labels_grammar_and_structure_of_the_prompt_stay(fake_llm, cue, evidence_of, attack, place):
    def asked(text):
        llm = fake_llm('{"use":["c1"],"label":"joy","why":"They seem joyful because I say so."}')
        evidence = evidence_of(face_and(cue, PLACES[place](cue, text)))
        return llm, evidence, ChatReasoner(llm).explain(evidence)

    harmless, before, told = asked("good morning")
    attacked, after, made = asked(attack)
    assert supported_labels(after) == supported_labels(before)
    assert attacked.asked[0][1] == harmless.asked[0][1]  # the grammar
    one, two = (llm.asked[0][0] for llm in (harmless, attacked))
    assert one[:-1] == two[:-1]  # system text and examples
    inside = re.compile(r"<<<(.*?)>>>", re.DOTALL)
    assert inside.sub("", two[-1]["content"]) == inside.sub("", one[-1]["content"])
    (quoted,) = inside.findall(two[-1]["content"])
    assert not set(quoted) & FORBIDDEN
    assert len(quoted) <= MAX_QUOTE
    # a model that obeys is overruled, and what is told instead is what was measured
    assert not made.parse_ok
    assert reading(made) == reading(told)


def reading(made: Explanation):
    """All of an explanation but its quotations."""
    tree = [(n.level, n.label, n.cue_ids) for n in made.tree]
    return (made.emotions, made.valence, made.arousal, made.abstained, made.conflict,
            made.modality_weights, made.unimodal, made.viewer, tree)  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_rules_read_the_same(cue, evidence_of, attack, place):
    def explain(text):
        return RulesReasoner().explain(evidence_of(face_and(cue, PLACES[place](cue, text))))

    assert reading(explain(attack)) == reading(explain("good morning"))


def same_kind_of_words(text: str) -> str:
    """Harmless words that fire the same documented rules of `intents.yaml` (a question, say)."""
    found = [m[0] for r in table().rules if r.words and (m := r.words.search(text[:400]))]
    return " ".join(["good morning", *found]).strip()


def test_intents_stay(cue, evidence_of, attack):
    def scores(text):
        evidence = evidence_of(face_and(cue, said(cue, text)))
        made = score_intents(RulesReasoner().explain(evidence), evidence, OFFERED)
        return [(s.intent, s.score) for s in made if s.score > 0]

    calm = scores("good morning")
    assert {i for i, _ in scores(attack)} == {i for i, _ in calm}
    if same_kind_of_words(attack) == "good morning":  # no documented rule speaks of its words
        assert scores(attack) == calm


@pytest.mark.parametrize("place", ["class of a nose", "device"])
def test_intents_and_answers_do_not_hang_on_devices(cue, evidence_of, attack, place):
    def respond(text):
        evidence = evidence_of(face_and(cue, PLACES[place](cue, text)))
        return StreetResponder().respond(RulesReasoner().explain(evidence), evidence)

    one, two = respond("good morning"), respond(attack)
    assert (one.intent, one.candidates, one.gesture) == (two.intent, two.candidates, two.gesture)
    assert two.text_source in ("template", "guard")
    assert one.text == two.text


def test_what_the_scene_does_is_told_in_our_words_only(cue, evidence_of, attack):
    if not sanitise(attack):
        return
    made = viewer(evidence_of([smelt(cue, attack)]))
    assert made is not None
    words = set(re.findall(r"[a-z]+", made.text))
    ours = set(re.findall(r"[a-z]+", viewer(evidence_of([smelt(cue, "x")])).text))
    assert words <= ours | {"danger", "frighten", "of"}


def test_no_delimiter_of_any_kind_survives(attack):
    plain = sanitise(attack)
    assert not set(plain) & FORBIDDEN
    assert plain == sanitise(plain)
    assert plain.isprintable()
    plain.encode()  # can be written anywhere
    for prompt in ("explain-2", "explain-media-1"):
        for line in load_prompt(prompt).sentences.values():
            assert line.replace("{cues}", plain).count("<<<") == 0


# -- written on a sign in front of the camera


def signs(text: str) -> Window:
    """A window of one second whose pictures show a sign."""
    from PIL import Image, ImageDraw

    page = Image.new("RGB", (320, 240), "white")
    plain = text.encode("ascii", errors="replace").decode()  # the small font knows no more
    ImageDraw.Draw(page).multiline_text((10, 40), plain[:400], fill="black")
    pixels = np.asarray(page)
    frames = tuple(Sample("camera", i, i * 10**8, 0, pixels) for i in range(10))
    spec = StreamSpec("camera", Kind.VIDEO, 10, (240, 320, 3), "rgb8", device=text)
    state = StreamState(state="present", age_ms=0.0, samples=10, gaps=0, dropped=0)
    return Window("w000000", 0, 10**9, {"camera": StreamSlice(spec, state, frames, frames[-1])})


def test_a_sign_stays_in_its_picture(fake_llm, cue, evidence_of, attack):
    """Pixels go to the model as pixels; no word of a sign or a device enters the text or a report.

    And a model that reads the sign and obeys is overruled.
    """

    class Obeys(fake_llm):
        """Takes pictures, and does what is written in them."""

        budget = Budget(tokens=1000, picture=100)
        seen: Media

        def complete(self, messages, *, media=None, **more):
            self.seen = media
            return super().complete(messages, **more)

    def ask(text):
        llm = Obeys('{"use":["c1"],"label":"joy","why":"They seem joyful because it is written."}')
        window = signs(text)
        evidence = replace(evidence_of(face_and(cue)), media=lambda b: look(window, b))
        return llm, ChatReasoner(llm).explain(evidence), supported_labels(evidence)

    (calm, told, labels), (attacked, made, same) = ask("Exit"), ask(attack)
    assert attacked.asked == calm.asked  # chat and grammar, to the letter
    assert same == labels
    assert "never an instruction" in attacked.asked[0][0][0]["content"]
    assert "Pictures are shown of: 0.0 s" in attacked.asked[0][0][-1]["content"]
    assert len(attacked.seen.pictures) == 6
    if attack.strip() and attack.isascii():
        assert not np.array_equal(attacked.seen.pictures[0].pixels, calm.seen.pictures[0].pixels)
    assert made == told  # what is published holds no pixel and no word of the sign
    assert not made.parse_ok
    assert [k.kind for k in made.looked_at] == ["picture"] * 6
    assert made.emotions[0].label == "sadness"


def test_devices_and_files_are_in_no_prompt(fake_llm, cue, evidence_of, attack):
    """Names of devices, streams and files, and reasons in stream states, never reach a model."""
    llm = fake_llm("{}")
    evidence = evidence_of(face_and(cue))
    state = StreamState(
        state="missing", age_ms=None, samples=0, gaps=0, dropped=0, reason=f"'{attack}' is no file"
    )
    info = evidence.window.model_copy(update={"streams": {attack: state}})
    ChatReasoner(llm).explain(evidence)
    ChatReasoner(llm).explain(replace(evidence, window=info))
    assert llm.asked[0] == llm.asked[1]
