"""The contract of a perceiver: samples in, cues out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol, runtime_checkable

from thymos.align.window import Window
from thymos.contract import Cue, Modality
from thymos.samples import Kind, Sample, StreamSpec
from thymos.smell.frame import SmellFrame


class Perceiver(Protocol):
    """Turns the samples of one kind of stream into cues.

    `observe` sees every sample of its kind, in capture order, as it arrives, and does the work
    that can be done at once (real time: it must keep up). `cues` is asked once for each window,
    in order, and only sums up. Both depend on capture times and payloads alone, never on the wall
    clock, so a replay gives the same cues. A perceiver runs in one thread.

    A `slow` perceiver (speech recognition) may take longer than a window: it is asked in the
    reasoning stage, after the first estimate has gone out.
    """

    notes: tuple[str, ...]
    """What was lacking in the window last asked for, in words: absence is no cue."""

    modality: ClassVar[Modality]
    kind: ClassVar[Kind]
    slow: ClassVar[bool]

    def start(self, spec: StreamSpec) -> None:
        """A stream begins; load models here.

        Raises:
            ModelError: Weights are missing; the pipeline goes on without it and says so.
            MissingExtraError: Likewise for a library.
        """

    def observe(self, sample: Sample) -> None:
        """Take one sample in."""

    def cues(self, window: Window) -> list[Cue]:
        """Return what was perceived over the window, ids empty (the pipeline numbers them)."""

    def close(self) -> None:
        """Let models go."""


@runtime_checkable
class AnchorSource(Protocol):
    """A perceiver that also finds events to which windows can be anchored."""

    anchor_label: ClassVar[str]

    def anchors(self, *, closed: bool = False) -> tuple[list[int], int | None]:
        """Take the times of the events found since the last call, in order.

        Args:
            closed: The stream ended: an event that goes on ends here.

        Returns:
            Their times, and a promise: none still to be found lies before this time.
        """


@runtime_checkable
class DangerSource(Protocol):
    """A perceiver that notices danger with the sample that shows it, before any window ends."""

    def dangers(self) -> list[Cue]:
        """Take the dangers found since the last call, in order of time, ids empty."""


@runtime_checkable
class FrameSource(Protocol):
    """A perceiver that completes the frames of a nose: clean air, phase, what is still warming."""

    @property
    def frame(self) -> SmellFrame | None:
        """The newest reading with all that was found out about it; None before the first."""


@runtime_checkable
class Attributor(Protocol):
    """A perceiver that can tell whose the cues of others are."""

    def attribute(self, window: Window, cues: Sequence[Cue]) -> tuple[list[Cue], list[str]]:
        """Fill `Cue.track` where it is known whose a cue is, and add what was learnt by that.

        Asked when all perceivers of a stage have answered; may run in another thread than they.

        Returns:
            The cues, and what was lacking in words.
        """
