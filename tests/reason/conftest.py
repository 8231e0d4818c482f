"""Evidence for the reasoner: cues of a face, a voice, words and a nose, written by hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pytest

from thymos.contract import EMOTIONS, MODALITIES, Cue, Emotion, StreamState, WindowInfo
from thymos.reason.base import Evidence
from thymos.reason.fusion import fuse
from thymos.reason.llm import Completion, Message, TextSink
from thymos.reason.reliability import Table, Trust

S = 1_000_000_000

EVEN = Table(
    trust={m: Trust(least=0.5, base=-1.5 if m == "smell" else 0.0) for m in MODALITIES},
    agreement=0.4,
    prior=dict.fromkeys(EMOTIONS, 1 / 7),
)
"""Modalities that are all alike: what is tested with it does not move with the measured table."""


def reading(label: Emotion, p: float = 0.85) -> dict[Emotion, float]:
    """`p` for one class, the rest shared evenly."""
    rest = (1 - p) / (len(EMOTIONS) - 1)
    return {e: p if e == label else rest for e in EMOTIONS}


class Maker:
    """Makes cues with ids that count up, spans in seconds."""

    def __init__(self) -> None:
        self.n = 0

    def __call__(self, modality, text="", label=None, p=0.85, conf=0.9, t0=0.5, t1=3.5, **more):
        self.n += 1
        given = {"name": "expression" if label else "measure", "value": 0.5}
        if modality == "words":
            given = {"name": "transcript", "value": text, "untrusted": True}
            text = ""
        return Cue(
            **{
                "id": f"k{self.n:02d}",
                "modality": modality,
                "confidence": conf,
                "t0_ns": int(t0 * S),
                "t1_ns": int(t1 * S),
                "text": text,
                "emotion": reading(label, p) if label else None,
                **given,
                **more,
            }
        )


def evidence(cues: Sequence[Cue], t0=0.0, t1=4.0, window="w000000") -> Evidence:
    """A window of four seconds around cues."""
    streams = {"camera": StreamState(state="present", age_ms=0, samples=1, gaps=0, dropped=0)}
    info = WindowInfo(id=window, t0_ns=int(t0 * S), t1_ns=int(t1 * S), streams=streams)
    return Evidence(info, tuple(cues), fuse(cues, EVEN))


class FakeLlm:
    """Writes what it is told to, and keeps what it was asked."""

    def __init__(self, *texts: str, size: int = 90_000_000, finish: str = "stop") -> None:
        self.texts = list(texts)
        self.size = size
        self.finish = finish
        self.asked: list[tuple[list[Message], str]] = []
        self.closed = False

    @property
    def name(self) -> str:
        return "fake"

    @property
    def size_bytes(self) -> int:
        return self.size

    def complete(
        self,
        messages: list[Message],
        *,
        grammar: str = "",
        max_tokens: int = 96,
        on_text: TextSink | None = None,
        cancel: threading.Event | None = None,
        deadline_s: float = 8.0,
        slot: int = 0,
        fixed: int = 0,
    ) -> Completion:
        if max_tokens == 0:
            return Completion("", "stop")
        self.asked.append((messages, grammar))
        text = self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]
        if on_text is not None:
            for i in range(0, len(text), 3):
                on_text(text[i : i + 3])
        if cancel is not None and cancel.is_set():
            return Completion("", "cancelled")
        return Completion(text, self.finish)  # type: ignore[arg-type]

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def cue() -> Maker:
    return Maker()


@pytest.fixture
def evidence_of() -> Callable[..., Evidence]:
    return evidence


@pytest.fixture
def fake_llm() -> type[FakeLlm]:
    return FakeLlm


@pytest.fixture
def even() -> Table:
    return EVEN
