"""The affective tree and the steps hold for any evidence: every id exists, parents cite the sum."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from thymos.contract import EMOTIONS, MODALITIES, Cue, StreamState, TreeNode, WindowInfo
from thymos.reason.base import Evidence
from thymos.reason.check import lexicon
from thymos.reason.fusion import fuse, of_person
from thymos.reason.rules import RulesReasoner

S = 1_000_000_000
ORDER = {"emotion": 0, "expression": 1, "attribute": 2}

unit = st.floats(0, 1)
signed = st.none() | st.floats(-1, 1)
readings = st.none() | st.dictionaries(st.sampled_from(EMOTIONS), unit, min_size=1)
names = st.sampled_from(["expression", "pitch", "odour", *sorted(lexicon().circumstance)])


@st.composite
def cue_lists(draw: st.DrawFn) -> list[Cue]:
    made = []
    for n in range(draw(st.integers(0, 9))):
        t0 = draw(st.integers(0, 4 * S))
        made.append(
            Cue(
                id=f"k{n}",
                modality=draw(st.sampled_from(MODALITIES)),
                name=draw(names),
                value=draw(st.sampled_from([0.5, "some words", "laughter"])),
                confidence=draw(unit),
                t0_ns=t0,
                t1_ns=t0 + draw(st.integers(0, S)),
                text=draw(st.sampled_from(["", "a smile", "the pitch is high (3 Hz)"])),
                emotion=draw(readings),
                valence=draw(signed),
                arousal=draw(signed),
                track=draw(st.sampled_from(["", "p1", "p2"])),
                untrusted=draw(st.booleans()),
            )
        )
    return made


def evidence(cues: list[Cue]) -> Evidence:
    state = StreamState(state="present", age_ms=0, samples=1, gaps=0, dropped=0)
    info = WindowInfo(id="w000000", t0_ns=0, t1_ns=4 * S, streams={"camera": state})
    return Evidence(info, tuple(cues), fuse(cues))


def nodes(trees: tuple[TreeNode, ...]) -> Iterator[TreeNode]:
    for node in trees:
        yield node
        yield from nodes(node.children)


@settings(deadline=None, max_examples=200)
@given(cue_lists())
def test_every_node_cites_what_stands_below_it(cues: list[Cue]) -> None:
    made = RulesReasoner().explain(evidence(cues))
    there = {c.id for c in cues}
    for node in nodes(made.tree):
        assert set(node.cue_ids) <= there
        assert len(set(node.cue_ids)) == len(node.cue_ids) > 0
        assert all(ORDER[child.level] == ORDER[node.level] + 1 for child in node.children)
        if node.level == "attribute":
            assert len(node.cue_ids) == 1
            assert node.children == ()
        else:
            below = {i for child in node.children for i in child.cue_ids}
            assert set(node.cue_ids) == below
    leaves = [n.cue_ids[0] for n in nodes(made.tree) if n.level == "attribute"]
    people = [c for m in MODALITIES for c in of_person([c for c in cues if c.modality == m])]
    assert sorted(leaves) == sorted(c.id for c in people)
    roots = [n for n in made.tree if n.level == "emotion"]
    assert len(roots) <= 1
    if roots and not made.abstained:
        assert roots[0].label == made.emotions[0].label
    if made.abstained:
        assert made.abstain_reason
        assert all(r.label == "unclear" for r in roots)


@settings(deadline=None, max_examples=200)
@given(cue_lists())
def test_steps_are_numbered_with_modality_span_and_cues_and_end_with_the_label(cues) -> None:
    made = RulesReasoner().explain(evidence(cues))
    by_id = {c.id: c for c in cues}
    assert [s.n for s in made.steps] == list(range(1, len(made.steps) + 1))
    for step in made.steps[:-1]:
        (cue,) = (by_id[i] for i in step.cue_ids)
        assert (step.modality, step.t0_ns, step.t1_ns) == (cue.modality, cue.t0_ns, cue.t1_ns)
        assert step.text
    last = made.steps[-1]
    assert last.modality == "fusion"
    assert set(last.cue_ids) == {i for s in made.steps[:-1] for i in s.cue_ids}
    assert (
        "no clear reading" in last.text if made.abstained else made.emotions[0].label in last.text
    )
