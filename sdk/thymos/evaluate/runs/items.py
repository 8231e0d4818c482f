"""What is asked and what was answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Item:
    """One labelled clip, picture or line.

    Attributes:
        key: Its name in the labels, unique: `a/b.wav`, `00.npz#17`, `lines.csv#3`.
        path: The file; empty if `text` is all there is.
        labels: True labels; several if more than one holds (text).
        group: Whom it is from (a person, a set of equal pictures); its own key if unknown.
        tags: Further columns of the labels (sex, device, room …), for scores by value.
        text: The line, for text.
        index: Place inside an archive of pictures; -1 if the file is one item.
    """

    key: str
    path: str
    labels: tuple[str, ...]
    group: str
    tags: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    index: int = -1


@dataclass(frozen=True)
class Answer:
    """What was answered to one item.

    Attributes:
        key: Of the item.
        probs: Probability of each class; empty if there is no answer (no face, abstained).
        found: Classes said to hold, if each is decided on its own (text).
        why: The explanation, or why there is no answer.
        error: Why the item could not be read at all; it is then listed and not scored.
        facts: What else the task tells (numbers, readings of each modality).
    """

    key: str
    probs: Mapping[str, float] = field(default_factory=dict)
    found: tuple[str, ...] = ()
    why: str = ""
    error: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


class Task(Protocol):
    """Who answers. Made anew in each process that works; holds the models."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """What the answers depend on besides the items: weights, settings. JSON values."""

    def answer(self, items: Sequence[Item]) -> list[Answer]:
        """Answer items, in order. What is wrong with one item is told in its answer."""

    def close(self) -> None:
        """Let models go."""
