"""What every buffer can do, in this process or across processes."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from thymos.samples import Sample, StreamSpec


@runtime_checkable
class BufferWriter(Protocol):
    """Takes the samples of one stream in; never waits for a reader."""

    @property
    def spec(self) -> StreamSpec:
        """The stream."""

    def write(self, sample: Sample) -> bool:
        """Take a sample in; False if it was not taken (a duplicate)."""


@runtime_checkable
class BufferReader(Protocol):
    """The recent past of one stream, by capture time.

    Samples are immutable and their payloads are read-only views of the memory of the buffer, not
    copies. Whoever holds a sample may go on using it after the buffer has let go of it.
    """

    @property
    def spec(self) -> StreamSpec:
        """The stream."""

    def latest(self) -> Sample | None:
        """Newest sample by capture time."""

    def before(self, t_ns: int) -> Sample | None:
        """Newest sample with a capture time before `t_ns`."""

    def window(self, t0_ns: int, t1_ns: int) -> tuple[Sample, ...]:
        """Samples that touch [t0_ns, t1_ns), in order of capture time."""


@runtime_checkable
class Buffer(BufferWriter, BufferReader, Protocol):
    """Both ends in one object: what `Ring` is within a process."""
