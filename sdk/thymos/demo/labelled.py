"""A source that says more about where it comes from than its driver can know."""

from __future__ import annotations

from dataclasses import replace

from thymos.samples import Origin, Source, StreamSpec
from thymos.supervise import Wrapper


class Labelled(Wrapper):
    """Another source under an honest label: the file driver takes every file for a recording.

    Args:
        source: Does all the work.
        origin: What the samples really are.
        device: What people should read as their origin.
        note: A remark for reports.
    """

    def __init__(self, source: Source, origin: Origin, device: str, note: str = "") -> None:
        super().__init__(source)
        self._origin = origin
        self._device = device
        self._note = note

    @property
    def spec(self) -> StreamSpec:
        """What it delivers; valid once open."""
        spec = self._source.spec
        extra = {**spec.extra, **({"note": self._note} if self._note else {})}
        return replace(spec, origin=self._origin, device=self._device, extra=extra)
