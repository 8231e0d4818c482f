"""What happens suddenly: a bang, a rush through the picture. Circumstances, not expressions.

Both are peaks of a trace that rise far (`thymos.attend.salience`), found online, so they are told
with the second in which they happened. They argue for nothing a person feels; they are what the
scene may do to anybody (`thymos.reason.scene`).
"""

from __future__ import annotations

from collections import deque
from typing import ClassVar

from thymos.align.window import Window
from thymos.attend.salience import BLOCK_NS, Event, Trace, difference, level_dbfs
from thymos.contract import Cue, Modality
from thymos.samples import NS_PER_S, Flag, Kind, Sample, StreamSpec

LOUD_DBFS = -8.0
"""A sudden sound reaches at least this level in a block of a twentieth of a second; vowels of
speech recorded at full scale reach about -10."""
RISE_DB = 25.0
RUSH_GREY = 25.0
"""A sudden movement changes the picture by at least so many grey levels of 256, on average."""
_KEPT = 64
_CONFIDENCE = 0.6


class _Sudden:
    """Events of one trace, kept until a window asks for them."""

    notes: tuple[str, ...] = ()
    slow: ClassVar[bool] = False
    modality: ClassVar[Modality]
    name: ClassVar[str]
    text: ClassVar[str]
    unit: ClassVar[str]

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._trace = Trace()
        self._found: deque[Event] = deque(maxlen=_KEPT)

    def _matters(self, event: Event) -> bool:
        raise NotImplementedError

    def _take(self, t_ns: int, value: float) -> None:
        event = self._trace.push(t_ns, value)
        if event is not None and self._matters(event):
            self._found.append(event)

    def cues(self, window: Window) -> list[Cue]:
        """The sudden events of the window; one still on its way at the end counts."""
        pending = self._trace.pending()
        known = [*self._found]
        if pending is not None and self._matters(pending):
            known.append(pending)
        return [self._cue(e) for e in known if window.t0_ns <= e.t_ns < window.t1_ns]

    def _cue(self, event: Event) -> Cue:
        return Cue(
            id="",
            modality=self.modality,
            name=self.name,
            value=round(event.level, 1),
            unit=self.unit,
            confidence=_CONFIDENCE,
            t0_ns=event.t_ns,
            t1_ns=event.t_ns,
            text=self.text,
        )

    def close(self) -> None:
        """Nothing to let go."""


class SuddenMovement(_Sudden):
    """Sudden large changes of the picture, of things and of light alike."""

    modality: ClassVar[Modality] = "face"
    kind: ClassVar[Kind] = Kind.VIDEO
    name: ClassVar[str] = "sudden_movement"
    text: ClassVar[str] = "much of the picture changes suddenly"
    unit: ClassVar[str] = "grey"

    def start(self, spec: StreamSpec) -> None:
        """A stream begins."""
        self._forget()
        self._before: Sample | None = None

    def observe(self, sample: Sample) -> None:
        """Compare a picture with the one before."""
        if sample.flags & Flag.INVALID:
            return
        if self._before is not None:
            self._take(sample.t_ns, difference(self._before.payload, sample.payload))
        self._before = sample

    def _matters(self, event: Event) -> bool:
        return event.level >= RUSH_GREY


class SuddenSound(_Sudden):
    """Bangs: sound that is loud at once."""

    modality: ClassVar[Modality] = "voice"
    kind: ClassVar[Kind] = Kind.AUDIO
    name: ClassVar[str] = "sudden_sound"
    text: ClassVar[str] = "there is a sudden loud sound"
    unit: ClassVar[str] = "dBFS"

    def start(self, spec: StreamSpec) -> None:
        """A stream begins."""
        self._forget()
        self._rate = int(spec.rate_hz)

    def observe(self, sample: Sample) -> None:
        """Take the level of each block of the sound."""
        if sample.flags & Flag.INVALID or self._rate <= 0:
            return
        size = max(1, self._rate * BLOCK_NS // NS_PER_S)
        for start in range(0, len(sample.payload), size):
            block = sample.payload[start : start + size]
            if 2 * len(block) >= min(size, len(sample.payload)):  # a rest says little
                self._take(sample.t_ns + start * NS_PER_S // self._rate, level_dbfs(block))

    def _matters(self, event: Event) -> bool:
        return event.level >= LOUD_DBFS and event.level - event.base >= RISE_DB
