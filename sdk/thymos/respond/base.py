"""The contract of the answering stages: explanation in, words and sound out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from thymos.contract import Cue, Explanation, Response
from thymos.reason.base import Evidence


class Responder(Protocol):
    """Chooses an intent and the words for it."""

    def respond(self, explanation: Explanation, evidence: Evidence) -> Response:
        """Answer one window. Never raises for what a model wrote."""

    def close(self) -> None:
        """Let the model go."""


@runtime_checkable
class AtOnce(Protocol):
    """A responder that also answers a danger between windows."""

    def warn(self, cue: Cue) -> Response | None:
        """Answer a danger in milliseconds, from any thread; None if there is nothing to say."""


@dataclass(frozen=True, slots=True)
class Speech:
    """Synthesised sound.

    Attributes:
        pcm: int16 [frames], mono.
        rate_hz: Frames per second.
        text: What is said.
    """

    pcm: NDArray[np.int16]
    rate_hz: int
    text: str

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.pcm) / self.rate_hz


class Speaker(Protocol):
    """Text to speech, to a file or a sound card, cancellable."""

    def synthesise(self, text: str) -> Speech:
        """Make sound of text.

        Raises:
            ModelError: The voice is missing.
        """

    def save(self, speech: Speech, path: Path) -> None:
        """Write a WAV file, whole or not at all."""

    def play(self, speech: Speech) -> bool:
        """Play on the sound card; False if it was cancelled or there is no sound card."""

    def cancel(self) -> None:
        """Stop playing at once (from any thread)."""
