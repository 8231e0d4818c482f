"""Tree edit distance: axioms on random trees, the published example, what the reward should say."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thymos.contract import TreeNode
from thymos.evaluate.tree import Leaf, edit_distance, joined, reward, size

LABELS = st.sampled_from("abc")
TREES = st.recursive(
    LABELS.map(Leaf),
    lambda inner: st.builds(Leaf, LABELS, st.lists(inner, max_size=3).map(tuple)),
    max_leaves=7,
)


def tree(text: str) -> Leaf:
    """`f(d(a c(b)) e)` as a tree."""
    stack: list[list[Leaf]] = [[]]
    names: list[str] = []
    for char in text:
        if char == "(":
            names.append(stack[-1].pop().label)
            stack.append([])
        elif char == ")":
            children = tuple(stack.pop())
            stack[-1].append(Leaf(names.pop(), children))
        elif char != " ":
            stack[-1].append(Leaf(char))
    return stack[0][0]


def plain(a: tuple[Leaf, ...], b: tuple[Leaf, ...]) -> int:
    """The definition, by brute force over forests."""
    if not a or not b:
        return sum(map(size, a + b))
    (*rest_a, last_a), (*rest_b, last_b) = a, b
    return min(
        plain((*rest_a, *last_a.children), b) + 1,
        plain(a, (*rest_b, *last_b.children)) + 1,
        plain(tuple(rest_a), tuple(rest_b))
        + plain(last_a.children, last_b.children)
        + (last_a.label != last_b.label),
    )


def test_the_example_of_the_paper():
    assert edit_distance(tree("f(d(a c(b)) e)"), tree("f(c(d(a b)) e)")) == 2


@given(TREES)
def test_identity(one):
    assert edit_distance(one, one) == 0
    assert reward(one, one) == 1.0


@given(TREES, TREES)
def test_symmetry(one, other):
    assert edit_distance(one, other) == edit_distance(other, one)


@given(TREES, TREES, TREES)
def test_triangle(a, b, c):
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)


@settings(max_examples=40, deadline=None)
@given(
    st.recursive(
        LABELS.map(Leaf),
        lambda inner: st.builds(Leaf, LABELS, st.lists(inner, max_size=2).map(tuple)),
        max_leaves=3,
    ),
    st.recursive(
        LABELS.map(Leaf),
        lambda inner: st.builds(Leaf, LABELS, st.lists(inner, max_size=2).map(tuple)),
        max_leaves=3,
    ),
)
def test_equal_to_brute_force(one, other):
    assert edit_distance(one, other) == plain((one,), (other,))


TRUE = TreeNode(
    level="emotion",
    label="joy",
    children=(
        TreeNode(
            level="expression",
            label="face: joyful",
            children=(
                TreeNode(level="attribute", label="person 1 smiles"),
                TreeNode(level="attribute", label="cheeks raised"),
            ),
        ),
        TreeNode(
            level="expression",
            label="voice: roused",
            children=(TreeNode(level="attribute", label="high pitch"),),
        ),
    ),
)


def test_a_renamed_leaf_costs_less_than_a_lost_expression():
    face, voice = TRUE.children
    wrong = face.children[0].model_copy(update={"label": "person 1 frowns"})
    renamed = TRUE.model_copy(
        update={
            "children": (face.model_copy(update={"children": (wrong, face.children[1])}), voice)
        }
    )
    lost = TRUE.model_copy(update={"children": (voice,)})
    assert 1.0 > reward(TRUE, renamed) > reward(TRUE, lost)
    assert reward(joined((TRUE,)), joined(())) == pytest.approx(math.exp(-2 * 6 / 8))


def test_reward_falls_with_every_corruption():
    labels = ["a", "b", "c", "d", "e"]
    whole = Leaf("r", tuple(map(Leaf, labels)))
    rewards = [
        reward(whole, Leaf("r", tuple(Leaf("x" if i < k else n) for i, n in enumerate(labels))))
        for k in range(6)
    ]
    assert rewards == sorted(rewards, reverse=True)
    assert len(set(rewards)) == 6
