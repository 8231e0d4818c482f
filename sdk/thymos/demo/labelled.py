"""A source that says more about where it comes from than its driver can know."""

from __future__ import annotations

from dataclasses import replace
from types import TracebackType

from thymos.samples import Counters, HealthReport, Origin, Sample, Source, StreamSpec


class Labelled(Source):
    """Another source under an honest label: the file driver takes every file for a recording.

    Args:
        source: Does all the work.
        origin: What the samples really are.
        device: What people should read as their origin.
        note: A remark for reports.
    """

    def __init__(self, source: Source, origin: Origin, device: str, note: str = "") -> None:
        self._source = source
        self._origin = origin
        self._device = device
        self._note = note

    @property
    def spec(self) -> StreamSpec:
        """What it delivers; valid once open."""
        spec = self._source.spec
        extra = {**spec.extra, **({"note": self._note} if self._note else {})}
        return replace(spec, origin=self._origin, device=self._device, extra=extra)

    @property
    def counters(self) -> Counters:
        """What happened so far."""
        return self._source.counters

    @property
    def health(self) -> HealthReport:
        """How it is now."""
        return self._source.health

    @property
    def live(self) -> bool:
        """Whether it is a device."""
        return self._source.live

    def open(self) -> None:
        """Open the source."""
        self._source.open()

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Return the next sample."""
        return self._source.read(timeout_s)

    def __enter__(self) -> Labelled:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
