"""Several sources as one sequence in order of capture time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from thymos.samples import EndOfStream, Sample, Source

PATIENCE_S = 5.0


def merge(sources: Sequence[Source]) -> Iterator[Sample]:
    """Read open sources together, lazily: by capture time, then stream name, then number.

    Only one sample of each source is held, so that hours of recording take constant memory. A
    source that gives nothing for 5 s at a time is asked again: step mode waits for everything.
    """
    return heapq.merge(*(_each(s) for s in sources), key=lambda s: (s.t_ns, s.stream, s.seq))


def _each(source: Source) -> Iterator[Sample]:
    while True:
        try:
            sample = source.read(PATIENCE_S)
        except EndOfStream:
            return
        if sample is not None:
            yield sample
