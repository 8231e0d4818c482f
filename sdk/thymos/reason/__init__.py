"""Reasoning: cues → fused estimate → explanation."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from thymos.attend.media import Budget
from thymos.config import Config, ReasonConfig
from thymos.errors import MissingExtraError, ModelError
from thymos.reason.base import Affect, Evidence, Reasoner
from thymos.reason.fusion import fuse
from thymos.reason.llm import Completer
from thymos.reason.rules import RulesReasoner

__all__ = ["Affect", "Evidence", "Reasoner", "RulesReasoner", "build", "fuse"]

ROLES = ("llm", "llm-middle")
"""Language models of the registry: GGUF files, which transformers reads as well."""


class Store(Protocol):
    """What finds weights: `thymos.models.ModelStore`."""

    def path(self, role: str) -> Path:
        """File of a role; ModelError if it is not here."""


def build(config: Config, store: Store) -> Reasoner:
    """Make the reasoner that the settings name.

    `auto` takes the language model if its library and weights are here, else rules; the rules then
    say in each explanation (`fallback`) why they stand in.

    Raises:
        ModelError: A model was asked for by name and cannot run.
        MissingExtraError: Likewise for its library.
        ConfigError: A server elsewhere was named and not allowed.
    """
    wanted = config.reason.backend
    if wanted == "rules":
        return RulesReasoner()
    if wanted != "auto":
        return _chat(wanted, config, store)
    try:
        return _chat("llama", config, store)
    except (ModelError, MissingExtraError) as err:
        hint = f" ({err.hint})" if err.hint else ""
        return RulesReasoner(note=f"no language model: {err}{hint}")


def _chat(backend: str, config: Config, store: Store) -> Reasoner:
    from thymos.reason.chat import ChatReasoner

    llm = _completer(backend, config.reason, store)
    return ChatReasoner(llm, backend=backend, deadline_s=config.reason.deadline_s)


def _completer(backend: str, reason: ReasonConfig, store: Store) -> Completer:
    """Load the model of a backend, or find its server."""
    look = Budget(tokens=reason.look_tokens, pictures=reason.pictures, side=reason.picture_side)
    if backend == "transformers":
        from thymos.reason.hub import HubLlm

        return HubLlm(
            str(store.path(reason.model)) if reason.model in ROLES else reason.model,
            device=reason.device,
            dtype=reason.dtype,
            quantise=reason.quantise,
            threads=reason.threads,
            trust_remote_code=reason.trust_remote_code,
            budget=look,
        )
    if backend == "openai":
        from thymos.reason.remote import RemoteLlm

        return RemoteLlm(
            reason.base_url,
            "" if reason.model in ROLES else reason.model,
            key=os.environ.get(reason.key_variable, ""),
            seed=reason.seed,
            allow_remote=reason.allow_remote,
            budget=look,
        )
    from thymos.reason.llm import LocalLlm

    name = reason.model
    path = Path(name).expanduser() if name.endswith(".gguf") else store.path(name)
    return LocalLlm(path, threads=reason.threads, seed=reason.seed)
