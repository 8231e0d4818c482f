"""Several sources as one sequence in order of capture time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence

from thymos.samples import EndOfStream, Sample, Source

PATIENCE_S = 5.0

OnEnd = Callable[[str, str], None]
"""Told the stream and, if it broke off, the reason (see `Windower.close_stream`)."""


def merge(sources: Sequence[Source], on_end: OnEnd | None = None) -> Iterator[Sample]:
    """Read open sources together, lazily: by capture time, then stream name, then number.

    Only one sample of each source is held, so that hours of recording take constant memory. A
    source that gives nothing for 5 s at a time is asked again: step mode waits for everything.

    As the result is in order of time, no sample from before the one just given will follow (as
    far as each source is in order itself): tell it to `Windower.advance`, and a track that ended
    early holds up no window.

    Args:
        sources: Open sources.
        on_end: Called as soon as a source has no further sample.
    """
    tell = on_end or _nothing
    return heapq.merge(*(_each(s, tell) for s in sources), key=lambda s: (s.t_ns, s.stream, s.seq))


def _each(source: Source, on_end: OnEnd) -> Iterator[Sample]:
    while True:
        try:
            sample = source.read(PATIENCE_S)
        except EndOfStream:
            on_end(source.spec.name, source.health.reason)
            return
        if sample is not None:
            yield sample


def _nothing(stream: str, reason: str) -> None:
    """Nobody wants to know."""
