"""Reviewed sentences, and which one is said."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Collection
from importlib.resources import files

import yaml

from thymos.contract import Intent
from thymos.errors import ConfigError


@functools.cache
def templates() -> dict[str, dict[str, tuple[str, ...]]]:
    """Sentences by intent and group (`templates.yaml`), read once."""
    text = (files("thymos.respond") / "templates.yaml").read_text(encoding="utf-8")
    data: dict[str, dict[str, list[str]]] = yaml.safe_load(text)
    return {i: {g: tuple(rows) for g, rows in groups.items()} for i, groups in data.items()}


@functools.cache
def known_words(group: str) -> frozenset[str]:
    """All words of the reviewed sentences of one group, lower case."""
    rows = (row for groups in templates().values() for row in groups.get(group, ()))
    return frozenset(word for row in rows for word in re.findall(r"[a-z]+", row.lower()))


def offered(group: str) -> frozenset[str]:
    """Intents that have sentences for a group."""
    return frozenset(intent for intent, groups in templates().items() if group in groups)


def choose(
    intent: Intent, group: str, *, seed: int, window: str, recent: Collection[str], count: int = 1
) -> list[str]:
    """Up to `count` sentences, by seed and window id alone, avoiding what was said last.

    Raises:
        ConfigError: The cell does not exist (see `offered`).
    """
    cell = templates().get(intent, {}).get(group, ())
    if not cell:
        raise ConfigError(f"no sentences for {intent} and {group}")
    fresh = [row for row in cell if row not in recent] or list(cell)

    def rank(row: str) -> bytes:
        return hashlib.sha256(f"{seed}|{window}|{row}".encode()).digest()

    return sorted(fresh, key=rank)[:count]
