from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thymos.contract import EMOTIONS, MODALITIES, Cue
from thymos.reason.fusion import COORDINATES, distance, fuse, top
from thymos.reason.reliability import AGAINST, table

S = 1_000_000_000


def test_nothing_perceived_gives_nothing():
    affect = fuse([])
    assert affect.fused == {}
    assert affect.weights == {}
    assert affect.valence is None
    assert affect.arousal is None


def test_one_sure_modality_leads(cue, even):
    affect = fuse([cue("face", "smile", "joy", p=0.88, conf=0.9)], even)
    assert top(affect.fused) == "joy"
    assert affect.fused["joy"] == pytest.approx(0.88)
    assert affect.weights == {"face": 1.0}
    assert affect.valence == pytest.approx(0.88 * 0.8 + 0.12 / 6 * -2.3)
    assert affect.conflict == 0.0


def test_little_evidence_is_nearly_what_is_usual(cue, even):
    faint = cue("face", "smile", "joy", p=0.95, conf=0.05, t0=1.0, t1=1.0)
    assert max(fuse([faint], even).fused.values()) < 0.17
    prior = table().prior
    assert fuse([faint]).fused == pytest.approx(prior, abs=0.04)


def test_fused_can_be_checked_by_hand(cue):
    affect = fuse([cue("face", "a", "joy"), cue("voice", "b", "fear"), cue("words", "c", "anger")])
    known = table()
    count = 1 / sum(w**2 for w in affect.weights.values())
    power = 1 + known.agreement * (count - 1)
    shares = {
        e: known.prior[e]
        * math.prod(
            (r[e] / known.prior[e]) ** (affect.weights[m] * power)
            for m, r in affect.unimodal.items()
        )
        for e in EMOTIONS
    }
    for e in EMOTIONS:
        assert affect.fused[e] == pytest.approx(shares[e] / sum(shares.values()), abs=1e-7)


def test_two_that_agree_are_surer_than_one_and_a_faint_third_changes_little(cue, even):
    face, voice = cue("face", "a", "joy", p=0.6), cue("voice", "b", "joy", p=0.6)
    one, two = fuse([face], even), fuse([face, voice], even)
    assert two.fused["joy"] > one.fused["joy"] + 0.05
    faint = cue("words", "c", "anger", p=0.9, conf=0.01)
    assert fuse([face, voice, faint], even).fused["joy"] == pytest.approx(
        two.fused["joy"], abs=0.02
    )


def test_modalities_that_contradict_are_never_surer_than_the_surest(cue, even):
    """Agreement makes surer, contradiction does not: both peaks stay."""
    for a, b in itertools.permutations(EMOTIONS, 2):
        affect = fuse([cue("face", "a", a, p=0.8), cue("voice", "b", b, p=0.8)], even)
        assert max(affect.fused.values()) <= 0.5
        assert {a, b} == set(sorted(EMOTIONS, key=lambda e: -affect.fused[e])[:2])


def test_no_modality_vetoes(cue, even):
    """Two that agree are not overruled by a third, however sure it is that they are wrong."""
    never = {e: (0.0 if e == "joy" else 1 / 6) for e in EMOTIONS}
    given_ = [cue("face", "a", "joy", p=0.8), cue("voice", "b", "joy", p=0.8)]
    affect = fuse([*given_, cue("words", "c", emotion=never)], even)
    assert top(affect.fused) == "joy"


def test_no_modality_wins_by_number_of_cues(cue):
    one = fuse([cue("face", "a", "joy"), cue("voice", "b", "sadness")])
    many = fuse([cue("face", "a", "joy")] + [cue("voice", f"b{i}", "sadness") for i in range(20)])
    assert many.weights == pytest.approx(one.weights)
    assert many.fused == pytest.approx(one.fused)


def test_evidence_shifts_the_weight(cue, even):
    given_ = [cue("face", "a", "joy", conf=0.9), cue("voice", "b", "sadness", conf=0.3)]
    affect = fuse(given_, even)
    assert affect.weights["face"] == pytest.approx(0.75)
    assert top(affect.fused) == "joy"


def test_short_evidence_counts_less(cue):
    long = fuse([cue("face", "a", "joy", t0=0, t1=3)])
    short = fuse([cue("face", "a", "joy", t0=0, t1=0.4)])
    assert short.fused["joy"] < long.fused["joy"]


def test_overlapping_spans_are_not_counted_twice(cue):
    twice = fuse([cue("face", "a", "joy", t0=0, t1=0.5), cue("face", "b", "joy", t0=0, t1=0.5)])
    once = fuse([cue("face", "a", "joy", t0=0, t1=0.5)])
    assert twice.fused == pytest.approx(once.fused)


def test_contradiction_is_seen_and_named(cue, even):
    given_ = [cue("face", "a", "joy", conf=0.9), cue("words", "b", "sadness", conf=0.95)]
    affect = fuse(given_, even)
    assert affect.conflict > 0.6
    assert affect.dissenting == ("face",)
    assert top(affect.fused) == "sadness"


def test_agreement_is_no_conflict(cue, even):
    affect = fuse([cue("face", "a", "joy"), cue("words", "b", "joy")], even)
    assert affect.conflict < 0.05
    assert affect.dissenting == ()


def test_a_faint_voice_cannot_contradict_loudly(cue):
    affect = fuse([cue("face", "a", "joy", conf=0.9), cue("voice", "b", "anger", conf=0.1)])
    assert affect.dissenting == ()
    assert affect.conflict < 0.3


def test_neutral_is_absence_not_contradiction(cue):
    affect = fuse([cue("face", "a", "neutral", conf=0.5), cue("voice", "b", "anger", conf=0.9)])
    assert affect.dissenting == ()


def test_smell_is_context(cue):
    face = cue("face", "a", "joy")
    plain = fuse([face])
    affect = fuse([face, cue("smell", "the air changed")])
    assert affect.fused == plain.fused
    assert affect.weights == {"face": 1.0, "smell": 0.0}
    telling = fuse([face, cue("smell", "rot", "disgust", conf=0.9)])
    assert 0 < telling.weights["smell"] < 0.3


def test_smell_alone_says_nothing_of_the_emotion(cue):
    affect = fuse([cue("smell", "the air changed")])
    assert affect.fused == {}
    assert affect.weights == {"smell": 1.0}


def test_measured_arousal_is_taken_before_the_table(cue):
    affect = fuse([cue("voice", "calm", "anger", arousal=-0.5)])
    assert affect.arousal == pytest.approx(-0.5)
    assert affect.valence < 0


def test_with_two_people_the_one_with_most_evidence_counts(cue):
    here = [cue("face", "a", "joy", track="P1"), cue("face", "b", "joy", track="P1")]
    passing = cue("face", "c", "anger", track="P2", t0=0, t1=0.3, conf=0.5)
    assert fuse([*here, passing]).fused == fuse(here).fused


def test_unusable_distributions_are_left_out(cue):
    empty = cue("voice", "b", emotion={})
    zero = cue("voice", "b", emotion={"joy": 0.0})
    odd = cue("voice", "b", emotion={"joy": float("nan"), "anger": -1.0})
    good = cue("face", "a", "joy")
    assert fuse([good, empty, zero, odd]).fused == fuse([good]).fused


def test_a_partial_distribution_is_completed(cue):
    affect = fuse([cue("face", "a", emotion={"joy": 3.0, "neutral": 1.0})])
    assert sum(affect.fused.values()) == pytest.approx(1.0)
    assert set(affect.fused) == set(EMOTIONS)


def test_distance_is_a_distance():
    p = {"joy": 1.0}
    q = {"sadness": 1.0}
    full = dict.fromkeys(EMOTIONS, 0.0)
    assert distance({**full, **p}, {**full, **q}) == pytest.approx(1.0)
    assert distance({**full, **p}, {**full, **p}) == 0.0


def test_every_class_has_coordinates():
    assert set(COORDINATES) == set(EMOTIONS)


cues = st.lists(
    st.builds(
        lambda n, m, c, t, d, e, v, track: Cue(
            id=f"k{n}", modality=m, name="x", value="x", confidence=c, t0_ns=t, t1_ns=t + d,
            emotion=e, valence=v, track=track,
        ),
        st.integers(0, 10**6),
        st.sampled_from(MODALITIES),
        st.floats(0, 1),
        st.integers(0, 4 * S),
        st.integers(0, 4 * S),
        st.none()
        | st.dictionaries(st.sampled_from(EMOTIONS), st.floats(0, 1), max_size=7),
        st.none() | st.floats(-1, 1),
        st.sampled_from(["", "P1", "P2"]),
    ),
    max_size=8,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(cues)
def test_whatever_comes_the_estimate_is_proper_and_bounded(many):
    affect = fuse(many)
    readings = [affect.fused, *affect.unimodal.values()]
    for reading in [r for r in readings if r]:
        assert sum(reading.values()) == pytest.approx(1.0)
        assert min(reading.values()) >= 0
    if affect.weights:
        assert sum(affect.weights.values()) == pytest.approx(1.0)
    assert 0 <= affect.conflict <= 1
    for value in (affect.valence, affect.arousal):
        assert value is None or (math.isfinite(value) and -1 <= value <= 1)
    if affect.fused:
        # With one modality alone nothing is added; several are bounded by the odds of each.
        if len(affect.unimodal) == 1:
            assert affect.fused == pytest.approx(next(iter(affect.unimodal.values())), abs=1e-6)
        for reading in affect.unimodal.values():
            assert all(p >= table().prior[e] / AGAINST / 2 for e, p in reading.items())


def test_order_of_arrival_changes_nothing(cue):
    given_ = [
        cue("face", "a", "joy"),
        cue("voice", "b", "fear", conf=0.6),
        cue("words", "c", "joy"),
    ]
    results = {repr(fuse(p)) for p in itertools.permutations(given_)}
    assert len(results) == 1
