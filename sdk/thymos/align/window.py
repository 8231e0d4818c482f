"""A window: all streams over one stretch of capture time, absence stated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thymos.contract import StreamState, WindowInfo
from thymos.samples import NS_PER_S, Sample, StreamSpec


@dataclass(frozen=True, slots=True)
class StreamSlice:
    """One stream inside one window.

    Attributes:
        spec: The stream.
        state: Present, stale, missing or invalid, with age, gaps and drops.
        samples: Samples that touch [t0, t1) in order of capture time. An audio block that reaches
            over a border is included whole; `audio` cuts it.
        last: Newest sample before t1, also if it is older than t0 (slow streams); None if none.
    """

    spec: StreamSpec
    state: StreamState
    samples: tuple[Sample, ...]
    last: Sample | None


@dataclass(frozen=True, slots=True)
class Window:
    """All streams over [t0_ns, t1_ns).

    Attributes:
        id: `w000000`, `w000001`, … in order of time.
        t0_ns: First instant inside.
        t1_ns: First instant after.
        streams: By stream name, in order of name.
        notes: What befell time itself before this window (a hole, a clock that went back).
        anchor_ns: The event it is anchored to; None for one of the grid of hops.
        label: What that event was, for example `end of speech`.
    """

    id: str
    t0_ns: int
    t1_ns: int
    streams: dict[str, StreamSlice]
    notes: tuple[str, ...] = ()
    anchor_ns: int | None = None
    label: str = ""

    @property
    def info(self) -> WindowInfo:
        """The part of the window that is published."""
        return WindowInfo(
            id=self.id,
            t0_ns=self.t0_ns,
            t1_ns=self.t1_ns,
            streams={name: part.state for name, part in self.streams.items()},
        )


def audio_span(
    samples: tuple[Sample, ...], spec: StreamSpec, t0_ns: int, t1_ns: int
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Cut sound over [t0_ns, t1_ns) on a sample-exact grid.

    Returns:
        The frames, int16 [n, channels] with n = round((t1 − t0) · rate), and a mask [n] that is
        False where no sound was received. Such frames are 0 and must not be taken for silence.
    """
    rate = int(spec.rate_hz)
    width = samples[0].payload.shape[1] if samples else max(1, len(spec.channels))
    n = round((t1_ns - t0_ns) * rate / NS_PER_S)
    out = np.zeros((n, width), dtype=np.int16)
    have = np.zeros(n, dtype=np.bool_)
    for sample in samples:
        start = round((sample.t_ns - t0_ns) * rate / NS_PER_S)
        lo, hi = max(0, start), min(n, start + sample.payload.shape[0])
        if lo < hi:
            out[lo:hi] = sample.payload[lo - start : hi - start]
            have[lo:hi] = True
    return out, have
