"""Contract ↔ messages: explanations and responses, both ways, nothing lost. See `convert`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from thymos_msgs import msg

from thymos import contract
from thymos_nodes.convert import (
    header,
    latency_to_msg,
    number_from_msg,
    number_to_msg,
    scores_from_msg,
    scores_to_msg,
    unimodal_from_msg,
    unimodal_to_msg,
)
from thymos_nodes.ros_time import to_msg, to_ns


def tree_to_msg(roots: Iterable[contract.TreeNode]) -> list[msg.TreeNode]:
    """Flatten trees, depth first: a parent comes before its children."""
    flat: list[msg.TreeNode] = []

    def add(node: contract.TreeNode, parent: int) -> None:
        own = len(flat)
        flat.append(
            msg.TreeNode(
                parent=parent, level=node.level, label=node.label, cue_ids=list(node.cue_ids)
            )
        )
        for child in node.children:
            add(child, own)

    for root in roots:
        add(root, -1)
    return flat


def tree_from_msg(flat: list[msg.TreeNode]) -> tuple[contract.TreeNode, ...]:
    """Rebuild trees.

    Raises:
        ValueError: A parent does not come before its child.
    """
    below: dict[int, list[contract.TreeNode]] = {}
    for i in range(len(flat) - 1, -1, -1):
        m = flat[i]
        if not -1 <= m.parent < i:
            raise ValueError(f"tree node {i} names node {m.parent} as its parent")
        node = contract.TreeNode(
            level=m.level,
            label=m.label,
            cue_ids=tuple(m.cue_ids),
            children=tuple(reversed(below.get(i, []))),
        )
        below.setdefault(m.parent, []).append(node)
    return tuple(reversed(below.get(-1, [])))


def _step_to_msg(step: contract.Step) -> msg.EvidenceStep:
    return msg.EvidenceStep(
        n=step.n,
        text=step.text,
        modality=step.modality,
        t0=to_msg(step.t0_ns),
        t1=to_msg(step.t1_ns),
        cue_ids=list(step.cue_ids),
    )


def _step_from_msg(m: msg.EvidenceStep) -> contract.Step:
    return contract.Step(
        n=m.n,
        text=m.text,
        modality=m.modality,
        t0_ns=to_ns(m.t0),
        t1_ns=to_ns(m.t1),
        cue_ids=tuple(m.cue_ids),
    )


def _guess_to_msg(guess: contract.EmotionGuess) -> msg.EmotionGuess:
    return msg.EmotionGuess(
        label=guess.label,
        confidence=float(guess.confidence),
        level1=guess.level1,
        valence=number_to_msg(guess.valence),
        arousal=number_to_msg(guess.arousal),
    )


def _guess_from_msg(m: msg.EmotionGuess) -> contract.EmotionGuess:
    return contract.EmotionGuess(
        label=m.label,
        confidence=m.confidence,
        level1=m.level1,
        valence=number_from_msg(m.valence),
        arousal=number_from_msg(m.arousal),
    )


def _scene_to_msg(scene: contract.Scene) -> msg.Scene:
    return msg.Scene(
        emotions=[_guess_to_msg(g) for g in scene.emotions],
        valence=number_to_msg(scene.valence),
        arousal=number_to_msg(scene.arousal),
        cue_ids=list(scene.cue_ids),
        text=scene.text,
    )


def _scene_from_msg(m: msg.Scene) -> contract.Scene:
    return contract.Scene(
        emotions=tuple(_guess_from_msg(g) for g in m.emotions),
        valence=number_from_msg(m.valence),
        arousal=number_from_msg(m.arousal),
        cue_ids=tuple(m.cue_ids),
        text=m.text,
    )


def explanation_to_msg(
    explanation: contract.Explanation,
    window: contract.WindowInfo,
    latency_ms: Mapping[str, float] | None = None,
) -> msg.Explanation:
    """An explanation with the window it explains. Its stamp is the end of that window."""
    e = explanation
    return msg.Explanation(
        header=header(window.t1_ns),
        window_id=window.id,
        t0=to_msg(window.t0_ns),
        t1=to_msg(window.t1_ns),
        emotions=[_guess_to_msg(g) for g in e.emotions],
        valence=number_to_msg(e.valence),
        arousal=number_to_msg(e.arousal),
        steps=[_step_to_msg(s) for s in e.steps],
        tree=tree_to_msg(e.tree),
        conflict=msg.Conflict(
            degree=float(e.conflict.degree),
            modalities=list(e.conflict.modalities),
            text=e.conflict.text,
        ),
        modality_weights=scores_to_msg(e.modality_weights),
        unimodal=unimodal_to_msg(e.unimodal),
        rationale=e.rationale,
        abstained=e.abstained,
        abstain_reason=e.abstain_reason,
        backend=e.backend,
        model=e.model,
        parse_ok=e.parse_ok,
        fallback=e.fallback,
        viewer=[] if e.viewer is None else [_scene_to_msg(e.viewer)],
        latency=latency_to_msg(latency_ms or {}),
    )


def explanation_from_msg(m: msg.Explanation) -> contract.Explanation:
    """The way back (the window it explains is named by `window_id`).

    Raises:
        ValueError: The message breaks the contract (pydantic's ValidationError is one).
    """
    return contract.Explanation(
        emotions=tuple(_guess_from_msg(g) for g in m.emotions),
        valence=number_from_msg(m.valence),
        arousal=number_from_msg(m.arousal),
        steps=tuple(_step_from_msg(s) for s in m.steps),
        tree=tree_from_msg(m.tree),
        conflict=contract.Conflict(
            degree=m.conflict.degree,
            modalities=tuple(m.conflict.modalities),
            text=m.conflict.text,
        ),
        modality_weights=scores_from_msg(m.modality_weights),
        unimodal=unimodal_from_msg(m.unimodal),
        rationale=m.rationale,
        abstained=m.abstained,
        abstain_reason=m.abstain_reason,
        backend=m.backend,
        model=m.model,
        parse_ok=m.parse_ok,
        fallback=m.fallback,
        viewer=_scene_from_msg(m.viewer[0]) if m.viewer else None,
    )


# -- response


def response_to_msg(
    response: contract.Response, t_ns: int, latency_ms: Mapping[str, float] | None = None
) -> msg.Response:
    """A response; `t_ns` is the end of the window it answers (capture time)."""
    r = response
    return msg.Response(
        header=header(t_ns),
        window_id=r.answers,
        intent=r.intent,
        candidates=[
            msg.IntentScore(intent=c.intent, score=float(c.score), why=c.why) for c in r.candidates
        ],
        text=r.text,
        text_source=r.text_source,
        gesture=r.gesture,
        guard_action=r.guard.action,
        guard_reason=r.guard.reason,
        danger=r.guard.danger,
        spoken=r.spoken,
        latency=latency_to_msg(latency_ms or {}),
    )


def response_from_msg(m: msg.Response) -> contract.Response:
    """The way back.

    Raises:
        ValueError: The message breaks the contract (pydantic's ValidationError is one).
    """
    return contract.Response(
        intent=m.intent,
        candidates=tuple(
            contract.IntentScore(intent=c.intent, score=c.score, why=c.why) for c in m.candidates
        ),
        text=m.text,
        text_source=m.text_source,
        gesture=m.gesture,
        guard=contract.Guard(action=m.guard_action, reason=m.guard_reason, danger=m.danger),
        answers=m.window_id,
        spoken=m.spoken,
    )
