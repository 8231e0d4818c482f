"""`python -m thymos.smell.meaning`: print the odour table as docs/smell-meaning.md shows it."""

from __future__ import annotations

from thymos.smell.meaning.text import markdown

print(markdown(), end="")
