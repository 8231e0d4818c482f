"""Alignment: samples of several streams by capture time, absence stated.

`Join` answers sample by sample, `Windower` stretch by stretch; see docs/alignment.md.
"""

from thymos.align.anchored import AnchoredWindower
from thymos.align.interpolate import (
    Interpolator,
    Outcome,
    all_in_span,
    exact,
    last_before,
    linear,
    nearest,
)
from thymos.align.join import Join, Joined
from thymos.align.merge import merge
from thymos.align.side import Attach, Match
from thymos.align.stream import Track
from thymos.align.tell import OnUnmatched
from thymos.align.window import StreamSlice, Window, audio_span
from thymos.align.windower import Windower

__all__ = [
    "AnchoredWindower",
    "Attach",
    "Interpolator",
    "Join",
    "Joined",
    "Match",
    "OnUnmatched",
    "Outcome",
    "StreamSlice",
    "Track",
    "Window",
    "Windower",
    "all_in_span",
    "audio_span",
    "exact",
    "last_before",
    "linear",
    "merge",
    "nearest",
]
