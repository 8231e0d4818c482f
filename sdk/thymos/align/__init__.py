"""Alignment: windows over capture time, absence stated."""

from thymos.align.merge import merge
from thymos.align.stream import Track
from thymos.align.window import StreamSlice, Window, audio_span
from thymos.align.windower import Unmatched, Windower

__all__ = ["StreamSlice", "Track", "Unmatched", "Window", "Windower", "audio_span", "merge"]
