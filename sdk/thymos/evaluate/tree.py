"""Tree-edit reward of affective trees (VidEmo): how far an explanation is from the true one.

Source: VidEmo (NeurIPS 2025, arXiv 2511.02712, two summaries read, grade S):
R = exp(−λ · Edit(T_true, T_said)) over the tree attribute → expression → emotion. λ and the costs
are not published; **ours** are unit costs, the edit divided by the number of nodes of both trees so
that long trees are not punished for their length, and λ = 2 (grade I).

Edit distance of ordered trees: Zhang and Shasha, SIAM J. Comput. 18(6), 1989.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

LAMBDA = 2.0


class Node(Protocol):
    """A labelled tree; `thymos.contract.TreeNode` is one."""

    @property
    def label(self) -> str:
        """What the node says."""

    @property
    def children(self) -> Sequence[Node]:
        """Nodes below, in order."""


@dataclass(frozen=True)
class Leaf:
    """A node as plain as can be; also the root that joins the trees of one explanation."""

    label: str
    children: tuple[Node, ...] = ()


def size(tree: Node) -> int:
    """Count the nodes."""
    return 1 + sum(size(child) for child in tree.children)


@dataclass
class _Order:
    """Nodes in postorder: labels, leftmost leaf below each, key roots (Zhang and Shasha)."""

    labels: list[str]
    left: list[int]

    @classmethod
    def of(cls, tree: Node) -> _Order:
        made = cls([], [])
        made._visit(tree)
        return made

    def _visit(self, node: Node) -> int:
        starts = [self._visit(child) for child in node.children]
        first = starts[0] if starts else len(self.labels)
        self.labels.append(node.label.strip().lower())
        self.left.append(first)
        return first

    def key_roots(self) -> list[int]:
        return sorted({first: i for i, first in enumerate(self.left)}.values())


def edit_distance(one: Node, other: Node) -> int:
    """Return the least number of insertions, deletions and renamings between two ordered trees.

    Labels are compared without case. Costs O(n² m²) at worst; trees of explanations have tens of
    nodes.
    """
    a, b = _Order.of(one), _Order.of(other)
    trees = [[0] * len(b.labels) for _ in a.labels]
    for i in a.key_roots():
        for j in b.key_roots():
            _forest(a, b, i, j, trees)
    return trees[-1][-1]


def _forest(a: _Order, b: _Order, i: int, j: int, trees: list[list[int]]) -> None:
    """Distances of all prefixes of the forests below two key roots; fills `trees`."""
    i0, j0 = a.left[i], b.left[j]
    rows, columns = i - i0 + 2, j - j0 + 2
    d = [[x + y for y in range(columns)] for x in range(rows)]  # borders: all deleted, inserted
    for x in range(1, rows):
        for y in range(1, columns):
            p, q = i0 + x - 1, j0 + y - 1
            least = min(d[x - 1][y], d[x][y - 1]) + 1
            if a.left[p] == i0 and b.left[q] == j0:
                d[x][y] = min(least, d[x - 1][y - 1] + (a.labels[p] != b.labels[q]))
                trees[p][q] = d[x][y]
            else:
                d[x][y] = min(least, d[a.left[p] - i0][b.left[q] - j0] + trees[p][q])


def reward(truth: Node, said: Node, lam: float = LAMBDA) -> float:
    """Return R = exp(−λ · Edit / (|T₁| + |T₂|)), 1 for equal trees, at least exp(−λ)."""
    return math.exp(-lam * edit_distance(truth, said) / (size(truth) + size(said)))


def joined(trees: Sequence[Node]) -> Leaf:
    """Put the trees of one explanation (`Explanation.tree`) under one root, to compare them."""
    return Leaf("", tuple(trees))
