"""Attention: which frames and which stretches of sound stand for a window, within a budget.

`thymos.attend.media` holds what a backend is given, `thymos.attend.salience` finds the events,
`thymos.attend.choose` picks. See docs/reasoning.md.
"""

from __future__ import annotations

from thymos.attend.media import Budget, Media, Picture, Sound, nothing

__all__ = ["Budget", "Media", "Picture", "Sound", "nothing"]
