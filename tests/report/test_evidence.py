"""The page shows the tree, the scene and what a model was shown; nothing where there is nothing."""

from __future__ import annotations

from thymos.contract import Asked, Conflict, EmotionGuess, Explanation, Look, Scene, TreeNode
from thymos.report.axis import Axis
from thymos.report.evidence import looked_at, scene, tree

S = 1_000_000_000
AXIS = Axis(0, 10 * S)
BARE = Explanation(
    emotions=(),
    valence=None,
    arousal=None,
    steps=(),
    conflict=Conflict(degree=0, modalities=()),
    modality_weights={},
    rationale="",
    abstained=True,
    backend="rules",
    model="rules",
    parse_ok=True,
)


def test_nothing_is_shown_of_nothing() -> None:
    assert tree(BARE) is None
    assert scene(BARE.viewer) is None
    assert looked_at(BARE, AXIS) is None


def test_a_tree_is_a_list_in_a_list_and_its_text_is_escaped() -> None:
    leaf = TreeNode(level="attribute", label="<b>smile", cue_ids=("k1",))
    branch = TreeNode(level="expression", label="face: joyful", cue_ids=("k1",), children=(leaf,))
    root = TreeNode(level="emotion", label="joy", cue_ids=("k1",), children=(branch,))
    page = tree(BARE.model_copy(update={"tree": (root,)}))
    assert page is not None
    assert page.count("<ul>") == 3
    assert "&lt;b&gt;smile" in page
    assert "k1" in page


def test_the_scene_is_told_in_its_own_place() -> None:
    fear = EmotionGuess(label="fear", confidence=0.5, level1="fear")
    seen = Scene(emotions=(fear,), valence=-0.5, arousal=0.5, cue_ids=("k",), text="To anybody.")
    page = scene(seen)
    assert page is not None
    assert "anybody" in page
    assert "fear 50%" in page


def test_what_a_model_was_shown_is_told_in_seconds_and_tokens() -> None:
    looks = (
        Look(kind="picture", stream="camera", t0_ns=S, t1_ns=S, why="first", tokens=256),
        Look(kind="sound", stream="mic", t0_ns=0, t1_ns=4 * S, why="whole", tokens=100),
    )
    asked = Asked(prompt="p-1", text="t", answer="a", prompt_tokens=700, answer_tokens=40)
    page = looked_at(BARE.model_copy(update={"looked_at": looks, "asked": asked}), AXIS)
    assert page is not None
    assert "Pictures shown: 1.0 s (first); 256 tokens." in page
    assert "Sound played: 0.0 to 4.0 s (whole); 100 tokens." in page
    assert "700 tokens, 40 written (p-1)" in page
