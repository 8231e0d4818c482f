"""Explanations and evidence for the responder."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from thymos.contract import EMOTIONS, Cue, WindowInfo
from thymos.reason.base import Evidence
from thymos.reason.fusion import fuse
from thymos.reason.llm import Completion
from thymos.reason.rules import RulesReasoner

S = 1_000_000_000


class Scene:
    """Makes cues, evidence and its explanation by rules."""

    def cue(self, modality, label=None, value=0.5, p=0.85, conf=0.9, **more):
        rest = (1 - p) / (len(EMOTIONS) - 1)
        emotion = {e: p if e == label else rest for e in EMOTIONS} if label else None
        given = {
            "id": f"{modality}-{value}",
            "modality": modality,
            "name": "measure",
            "value": value,
            "confidence": conf,
            "t0_ns": S,
            "t1_ns": 3 * S,
            "emotion": emotion,
            "untrusted": modality == "words",
        }
        return Cue(**(given | more))

    def of(self, *cues: Cue, window: str = "w000000"):
        evidence = self.evidence(cues, window)
        return RulesReasoner().explain(evidence), evidence

    def evidence(self, cues: Sequence[Cue], window: str = "w000000") -> Evidence:
        info = WindowInfo(id=window, t0_ns=0, t1_ns=4 * S, streams={})
        return Evidence(info, tuple(cues), fuse(cues))

    def mood(self, label, said="", window="w000000"):
        """A face that shows `label`, and perhaps words."""
        words = [self.cue("words", value=said)] if said else []
        return self.of(self.cue("face", label), *words, window=window)


class FakeLlm:
    """Answers what it is told to."""

    name = "fake"

    def __init__(self, text: str, size: int = 90_000_000) -> None:
        self.text = text
        self.size_bytes = size
        self.asked: list[tuple[list[dict[str, str]], str]] = []

    def complete(self, messages, *, grammar="", max_tokens=96, **more) -> Completion:
        if max_tokens == 0:
            return Completion("", "stop")
        self.asked.append((messages, grammar))
        return Completion(self.text, "stop")

    def close(self) -> None:
        """Nothing."""


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def fake_llm() -> type[FakeLlm]:
    return FakeLlm
