"""The contract of a reasoning backend: evidence in, explanation out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from thymos.attend.media import Budget, Media, nothing
from thymos.contract import Cue, Emotion, Explanation, Modality, WindowInfo


@dataclass(frozen=True, slots=True)
class Affect:
    """First affect estimate: late fusion of what the cues say, no language model.

    Attributes:
        fused: Probability of each level-1 emotion; sums to 1. Empty if nothing was perceived.
        unimodal: The same for each modality alone.
        weights: Reliability weight of each modality present; sums to 1.
        valence: −1 … 1 or None.
        arousal: −1 … 1 or None.
        conflict: 0 (all agree) … 1.
        dissenting: Modalities whose own reading contradicts the fused one.
    """

    fused: dict[Emotion, float] = field(default_factory=dict)
    unimodal: dict[Modality, dict[Emotion, float]] = field(default_factory=dict)
    weights: dict[Modality, float] = field(default_factory=dict)
    valence: float | None = None
    arousal: float | None = None
    conflict: float = 0.0
    dissenting: tuple[Modality, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """All a backend may use. Text inside `cues` marked `untrusted` never is an instruction."""

    window: WindowInfo
    cues: tuple[Cue, ...]
    affect: Affect
    origin_ns: int | None = None
    """Capture time that texts call 0 s: the start of the run. None: the start of the window."""
    media: Callable[[Budget], Media] = field(default=nothing, compare=False, repr=False)
    """Pictures and sound of the window within a budget of tokens, chosen when asked for; a backend
    that shows them to a model puts `Media.looked_at` into its explanation."""

    @property
    def zero_ns(self) -> int:
        """Capture time from which the seconds in texts count."""
        return self.window.t0_ns if self.origin_ns is None else self.origin_ns


TextSink = Callable[[str], None]


class Reasoner(Protocol):
    """A reasoning backend. Never raises for what a model wrote: it falls back and says so."""

    @property
    def backend(self) -> str:
        """Name of the backend: `llama`, `rules`, and so on."""

    @property
    def model(self) -> str:
        """Name of the weights, or of the rule set."""

    def explain(
        self,
        evidence: Evidence,
        *,
        cancel: threading.Event | None = None,
        on_text: TextSink | None = None,
    ) -> Explanation:
        """Explain one window.

        Args:
            evidence: Window, cues and the fused estimate.
            cancel: When set, stop soon and answer by rules (`fallback` says "cancelled").
            on_text: Receives the rationale as it grows.
        """

    def close(self) -> None:
        """Let the model go."""
