"""How a reading came about, for those who want to know: the tree, the scene, what a model saw."""

from __future__ import annotations

from thymos.contract import Explanation, Look, Scene, TreeNode
from thymos.report.axis import Axis
from thymos.report.html import Html, el, join


def scene(viewer: Scene | None) -> Html | None:
    """What the place may make anybody feel; beside the reading, so that nobody takes it for one."""
    if viewer is None:
        return None
    felt = " · ".join(f"{g.label} {g.confidence:.0%}" for g in viewer.emotions)
    return join([el("h4", "The scene, to anybody"), el("p", viewer.text), el("p", felt)])


def tree(said: Explanation) -> Html | None:
    """The affective tree, folded: a list in a list in a list."""
    if not said.tree:
        return None
    return el("details", el("summary", "Affective tree"), _nodes(said.tree), class_="tree")


def _nodes(nodes: tuple[TreeNode, ...]) -> Html:
    return el("ul", [el("li", _node(n), _nodes(n.children) if n.children else None) for n in nodes])


def _node(node: TreeNode) -> list[Html | str]:
    if node.level != "attribute":
        return [el("b", node.label), el("span", f" {node.level}", class_="when")]
    return [node.label, el("span", f" {', '.join(node.cue_ids)}", class_="when")]


def looked_at(said: Explanation, axis: Axis) -> Html | None:
    """What a model was shown and told, in seconds and tokens."""
    parts = [
        _looks("Pictures shown", [k for k in said.looked_at if k.kind == "picture"], axis),
        _looks("Sound played", [k for k in said.looked_at if k.kind == "sound"], axis),
        _tokens(said),
    ]
    told = [el("p", part, class_="when") for part in parts if part]
    return join(told) if told else None


def _looks(title: str, looks: list[Look], axis: Axis) -> str:
    if not looks:
        return ""
    times = [
        f"{axis.seconds(k.t0_ns):.1f}"
        + (f" to {axis.seconds(k.t1_ns):.1f}" if k.t1_ns > k.t0_ns else "")
        + f" s ({k.why})"
        for k in looks
    ]
    return f"{title}: {', '.join(times)}; {sum(k.tokens for k in looks)} tokens."


def _tokens(said: Explanation) -> str:
    asked = said.asked
    if asked is None or asked.prompt_tokens is None:
        return ""
    written = "" if asked.answer_tokens is None else f", {asked.answer_tokens} written"
    return f"The model read {asked.prompt_tokens} tokens{written} ({asked.prompt})."
