from __future__ import annotations

import pytest

from thymos.contract import Explanation
from thymos.reason.rules import MAX_STEPS, RulesReasoner


def explain(evidence):
    return RulesReasoner().explain(evidence)


def test_a_smile_is_explained_with_its_second(cue, evidence_of):
    smile = cue("face", "the corners of the mouth rise", "joy", t0=2.1, t1=2.1)
    voice = cue("voice", "the pitch is high", "joy", t0=0.5, t1=3.0)
    made = explain(evidence_of([smile, voice]))
    assert made.emotions[0].label == "joy"
    assert "the corners of the mouth rise (at 2.1 s)" in made.rationale
    assert "0.5–3.0 s" in made.rationale
    assert not made.abstained
    assert made.parse_ok
    assert made.backend == "rules"


def test_steps_are_numbered_cite_cues_and_end_with_the_label(cue, evidence_of):
    given = [cue("face", "a smile", "joy"), cue("voice", "a laugh"), cue("words", "ha", "joy")]
    made = explain(evidence_of(given))
    assert [s.n for s in made.steps] == [1, 2, 3, 4]
    assert {i for s in made.steps[:-1] for i in s.cue_ids} == {c.id for c in given}
    by_id = {c.id: c for c in given}
    for step in made.steps[:-1]:
        (one,) = step.cue_ids
        assert (step.modality, step.t0_ns, step.t1_ns) == (
            by_id[one].modality,
            by_id[one].t0_ns,
            by_id[one].t1_ns,
        )
    last = made.steps[-1]
    assert last.modality == "fusion"
    assert "joy" in last.text


def test_no_modality_fills_the_steps(cue, evidence_of):
    many = [cue("voice", f"voice measure {i}", "joy") for i in range(20)]
    made = explain(evidence_of([*many, cue("face", "a smile", "joy"), cue("words", "hi", "joy")]))
    assert len(made.steps) == MAX_STEPS + 1
    assert {"face", "words", "voice"} <= {s.modality for s in made.steps}


def test_tree_has_three_levels_and_circumstances_stand_beside_it(cue, evidence_of):
    given = [cue("face", "a smile", "joy"), cue("smell", "the air changed")]
    root, place = explain(evidence_of(given)).tree
    assert (root.level, root.label) == ("emotion", "joy")
    assert [n.label for n in root.children] == ["face: joyful"]
    assert [leaf.level for leaf in root.children[0].children] == ["attribute"]
    assert (place.level, place.label) == ("expression", "smell: context")
    assert place.cue_ids == (given[1].id,)


def test_nothing_perceived_abstains(evidence_of):
    made = explain(evidence_of([]))
    assert made.abstained
    assert made.emotions == ()
    assert made.abstain_reason
    assert made.steps[-1].modality == "fusion"
    assert "No emotion is named" in made.rationale


@pytest.mark.parametrize("conf", [0.05, 0.15])
def test_thin_evidence_abstains(cue, evidence_of, conf):
    made = explain(evidence_of([cue("face", "a hint", "joy", conf=conf)]))
    assert made.abstained
    assert "thin" in made.abstain_reason


def test_even_contradiction_abstains_and_says_who(cue, evidence_of):
    given = [
        cue("face", "a smile", "joy", conf=0.8),
        cue("voice", "a low voice", "sadness", conf=0.8),
    ]
    made = explain(evidence_of(given))
    assert made.abstained
    assert "contradict" in made.abstain_reason
    assert made.conflict.modalities == ("voice",)
    assert "the voice says sadness" in made.conflict.text


def test_conflict_in_words_without_abstaining(cue, evidence_of):
    given = [
        cue("face", "a smile", "joy", conf=0.6),
        cue("voice", "a low voice", "sadness", conf=0.8),
        cue("words", "I am alone", "sadness", conf=0.8),
    ]
    made = explain(evidence_of(given))
    assert not made.abstained
    assert made.emotions[0].label == "sadness"
    assert made.conflict.text.startswith("The voice and the words say sadness, while the face")
    assert made.conflict.text in made.rationale


def labels(made):
    return [g.label for g in made.emotions]


def test_finer_labels_need_a_measured_arousal(cue, evidence_of):
    plain = [cue("face", "a smile", "joy", p=0.95), cue("words", "yes", "joy", p=0.95)]
    assert "excited" not in labels(explain(evidence_of(plain)))
    roused = [*plain, cue("voice", "fast and loud", arousal=0.9)]
    made = explain(evidence_of(roused))
    assert made.emotions[0].label == "joy"
    assert "excited" in labels(made)
    assert made.emotions[1].confidence < made.emotions[0].confidence


def test_amused_needs_laughter(cue, evidence_of):
    given = [cue("face", "a smile", "joy", p=0.95), cue("voice", "laughter", "joy", p=0.95)]
    assert "amused" in labels(explain(evidence_of(given)))


def test_laughter_in_the_transcript_is_not_laughter(cue, evidence_of):
    given = [cue("face", "a smile", "joy", p=0.95), cue("words", "laugh laugh", "joy", p=0.95)]
    assert "amused" not in labels(explain(evidence_of(given)))


def test_emotions_are_sorted_and_mapped(cue, evidence_of):
    made = explain(evidence_of([cue("face", "a smile", "joy"), cue("voice", "x", arousal=0.9)]))
    confidences = [g.confidence for g in made.emotions]
    assert confidences == sorted(confidences, reverse=True)
    assert all(g.level1 in ("joy", g.label) for g in made.emotions)


def test_it_survives_the_contract_and_is_deterministic(cue, evidence_of):
    given = evidence_of([cue("face", "a smile", "joy"), cue("words", "hello there", "joy")])
    made = explain(given)
    assert Explanation.model_validate_json(made.model_dump_json()) == made
    assert explain(given).model_dump_json() == made.model_dump_json()


def test_rationale_is_handed_on(cue, evidence_of):
    got: list[str] = []
    made = RulesReasoner().explain(evidence_of([cue("face", "a smile", "joy")]), on_text=got.append)
    assert "".join(got) == made.rationale


def test_epoch_clocks_are_told_from_the_windows_start(cue, evidence_of):
    base = 1_700_000_000.0
    smile = cue("face", "a smile", "joy", t0=base + 1.5, t1=base + 1.5)
    made = explain(evidence_of([smile], t0=base, t1=base + 4))
    assert "at 1.5 s" in made.rationale
