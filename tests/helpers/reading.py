"""All that a source gives, for tests that look at the samples of a file."""

from __future__ import annotations

from thymos.samples import EndOfStream, Sample, Source


def all_of(source: Source) -> list[Sample]:
    """Read an open source, one that is not live, to its end."""
    samples: list[Sample] = []
    while True:
        try:
            sample = source.read()
        except EndOfStream:
            return samples
        assert sample is not None  # nothing has to be waited for
        samples.append(sample)


def read_all(source: Source) -> list[Sample]:
    """Open a source, read it to its end, close it."""
    with source:
        return all_of(source)
