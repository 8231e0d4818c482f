"""Holding a transformers model to the grammar that llama.cpp gets (GBNF), with llguidance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Compiler:
    """Makes logit processors that hold a model to a grammar."""

    library: Any
    tokenizer: Any

    @classmethod
    def of(cls, tokenizer: Any, ends: int | list[int] | None) -> Compiler | None:
        """For a tokenizer and the tokens that end an answer.

        None if llguidance is not installed or does not know such a tokenizer.
        """
        try:
            import llguidance
            import llguidance.hf

            made = llguidance.hf.from_tokenizer(
                tokenizer, eos_token=sorted(token_ids(ends)) or None, slices=[]
            )
        except (ImportError, ValueError):
            return None
        return cls(llguidance, made)

    def matcher(self, grammar: str) -> _Held:
        """A processor for one answer.

        Raises:
            ValueError: The grammar is broken.
        """
        source = self.library.grammar_from("gbnf", grammar)
        made = self.library.LLMatcher(self.tokenizer, source)
        if made.is_error():
            raise ValueError(made.get_error())
        return _Held(made)


class _Held:
    """Logits processor: tokens that leave the grammar get no chance."""

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher
        self._begun = False

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Mask the scores of the next token, [1, vocabulary]."""
        import torch

        if self._begun:
            self._matcher.consume_token(int(input_ids[0, -1]))
        self._begun = True
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        mask = np.unpackbits(bits, bitorder="little").astype(bool)
        allowed = np.zeros(scores.shape[-1], dtype=bool)
        n = min(len(mask), len(allowed))
        allowed[:n] = mask[:n]
        banned = torch.from_numpy(~allowed).to(scores.device)
        return scores.masked_fill(banned, -math.inf)


def token_ids(value: int | list[int] | None) -> set[int]:
    """Tokens as a set: configurations hold one, several or none."""
    return set() if value is None else {value} if isinstance(value, int) else set(value)
