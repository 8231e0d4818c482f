"""Responding: explanation → intent, sentence, gesture, and sound."""

from __future__ import annotations

from typing import Any

from thymos.config import Config
from thymos.reason.base import Reasoner
from thymos.reason.llm import Completer
from thymos.respond.base import Responder, Speaker, Speech
from thymos.respond.responder import StreetResponder
from thymos.respond.speech import HibariSpeaker

__all__ = [
    "HibariSpeaker",
    "Responder",
    "Speaker",
    "Speech",
    "StreetResponder",
    "build",
    "build_speaker",
]


def build(config: Config, model: Reasoner | Completer | None = None) -> Responder:
    """Make the responder that the settings name.

    Args:
        config: `respond.use_model` decides whether a model takes part.
        model: A language model, or the reasoner whose model is shared; None for templates alone.
    """
    llm: Any = getattr(model, "llm", model)
    usable = config.respond.use_model and hasattr(llm, "complete")
    return StreetResponder(
        llm if usable else None,
        seed=config.reason.seed,
        deadline_s=config.reason.deadline_s / 2,
    )


def build_speaker(config: Config) -> Speaker:
    """Make the voice; it is loaded at the first sentence.

    Raises:
        MissingExtraError: hibari-tts is not installed.
    """
    import importlib.util

    from thymos.errors import MissingExtraError

    if importlib.util.find_spec("hibari") is None:
        raise MissingExtraError("hibari-tts", "speech")
    return HibariSpeaker(threads=min(2, config.reason.threads))
