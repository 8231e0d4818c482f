"""What a running pipeline tells those who watch it (terminal view, recorder, ROS nodes)."""

from __future__ import annotations

from thymos.align.window import Window
from thymos.contract import Alert, Cue, WindowReport
from thymos.reason.base import Affect
from thymos.samples import Sample, StreamSpec


class Observer:
    """Base of all watchers: override what you need.

    Calls come from the pipeline's threads, one at a time, and hold no lock of the pipeline; an
    exception in one is reported on stderr and changes nothing else. What an observer sets off in
    the pipeline is told when all have heard what it was called for.
    """

    def on_stream(self, spec: StreamSpec) -> None:
        """A stream begins."""

    def on_sample(self, sample: Sample) -> None:
        """A sample was taken in."""

    def on_unmatched(self, sample: Sample, reason: str) -> None:
        """A sample came too late for its window: it was taken in, but that window lacks it."""

    def on_estimate(self, window: Window, cues: tuple[Cue, ...], affect: Affect) -> None:
        """The first affect estimate of a window: perception without the language model."""

    def on_text(self, window_id: str, text: str) -> None:
        """The rationale grows by `text`."""

    def on_report(self, report: WindowReport) -> None:
        """A window is done."""

    def on_alert(self, alert: Alert) -> None:
        """A danger was answered at once, between windows."""

    def on_skip(self, window: Window) -> None:
        """A window was not reasoned about because a newer one matters more."""

    def on_note(self, text: str) -> None:
        """Something degraded or recovered."""

    def on_end(self) -> None:
        """The run is over."""
