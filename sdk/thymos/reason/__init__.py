"""Reasoning: cues → fused estimate → explanation."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from thymos.config import Config
from thymos.errors import MissingExtraError, ModelError
from thymos.reason.base import Affect, Evidence, Reasoner
from thymos.reason.fusion import fuse
from thymos.reason.rules import RulesReasoner

__all__ = ["Affect", "Evidence", "Reasoner", "RulesReasoner", "build", "fuse"]


class Store(Protocol):
    """What finds weights: `thymos.models.ModelStore`."""

    def path(self, role: str) -> Path:
        """File of a role; ModelError if it is not here."""


def build(config: Config, store: Store) -> Reasoner:
    """Make the reasoner that the settings name.

    `auto` takes the language model if its library and weights are here, else rules; the rules then
    say in each explanation (`fallback`) why they stand in.

    Raises:
        ModelError: `llama` was asked for by name and cannot run.
        MissingExtraError: Likewise for its library.
    """
    wanted = config.reason.backend
    if wanted == "rules":
        return RulesReasoner()
    try:
        return _llama(config, store)
    except (ModelError, MissingExtraError) as err:
        if wanted == "llama":
            raise
        hint = f" ({err.hint})" if err.hint else ""
        return RulesReasoner(note=f"no language model: {err}{hint}")


def _llama(config: Config, store: Store) -> Reasoner:
    from thymos.reason.llama import LlamaReasoner
    from thymos.reason.llm import LocalLlm

    name = config.reason.model
    path = Path(name).expanduser() if name.endswith(".gguf") else store.path(name)
    llm = LocalLlm(path, threads=config.reason.threads, seed=config.reason.seed)
    return LlamaReasoner(llm, deadline_s=config.reason.deadline_s)
