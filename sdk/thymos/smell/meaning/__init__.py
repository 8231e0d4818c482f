"""What a smell means for a person: words, pleasantness, danger, order in time, memory."""

from __future__ import annotations

from thymos.smell.meaning.cues import cues_of_meaning
from thymos.smell.meaning.danger import DangerWatch, Sniff
from thymos.smell.meaning.table import DANGERS, Danger, Meaning, meaning_of, table

__all__ = [
    "DANGERS",
    "Danger",
    "DangerWatch",
    "Meaning",
    "Sniff",
    "cues_of_meaning",
    "meaning_of",
    "table",
]
