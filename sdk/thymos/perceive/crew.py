"""The perceivers of a run: which there are, which are at work, and all of them asked at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from thymos.align.window import Window
from thymos.config import Config
from thymos.contract import Cue
from thymos.errors import ThymosError
from thymos.perceive.base import Perceiver
from thymos.perceive.threads import Found, OnAnchors, OnDanger, OnFrame, PerceiverSlot
from thymos.samples import StreamSpec


class Crew:
    """Starts a perceiver when a stream of its kind is there.

    Args:
        config: Settings.
        given: The perceivers; None builds those of `config`.
        note: Told what cannot be perceived, and why.
        on_anchors: See `PerceiverSlot`, as the next two.
        on_danger: Told dangers at once.
        on_frame: Gets the completed frames of a nose.

    Attributes:
        slots: The perceivers at work, in the order in which they were started.
    """

    def __init__(
        self,
        config: Config,
        given: Sequence[Perceiver] | None,
        note: Callable[[str], None],
        *,
        on_anchors: OnAnchors | None,
        on_danger: OnDanger | None,
        on_frame: OnFrame | None,
    ) -> None:
        self._config = config
        self._given = given
        self._note = note
        self._on_anchors, self._on_danger, self._on_frame = on_anchors, on_danger, on_frame
        self._waiting: list[Perceiver] | None = None
        self.slots: list[PerceiverSlot] = []

    def start(self, spec: StreamSpec) -> None:
        """Start the perceivers of a stream's kind (loads models); one that cannot is noted."""
        if self._waiting is None:
            self._waiting = list(self._all())
        matching = [p for p in self._waiting if p.kind is spec.kind]
        if not matching and any(s.perceiver.kind is spec.kind for s in self.slots):
            self._note(f"{spec.name}: recorded and aligned, perception uses the first stream only")
        for perceiver in matching:
            self._waiting.remove(perceiver)
            try:
                perceiver.start(spec)
            except ThymosError as err:
                remedy = f" ({err.hint})" if err.hint else ""
                self._note(f"{perceiver.modality} is not perceived: {err}{remedy}")
                continue
            self.slots.append(
                PerceiverSlot(perceiver, spec, self._on_anchors, self._on_danger, self._on_frame)
            )

    def _all(self) -> Sequence[Perceiver]:
        if self._given is not None:
            return self._given
        from thymos import perceive
        from thymos.models import ModelStore

        return perceive.build(self._config, ModelStore())

    def ask(self, window: Window, *, slow: bool) -> Found:
        """Collect the cues of the quick or of the slow perceivers."""
        found: list[Cue] = []
        notes: list[str] = []
        for slot in self.slots:
            if slot.slow is slow:
                cues, faults = slot.cues(window)
                found += cues
                notes += faults
        return found, notes

    def attribute(self, window: Window, found: Sequence[Cue]) -> Found:
        """Tell whose the cues of a window are, where that is known (who speaks)."""
        cues, notes = list(found), list[str]()
        for slot in self.slots:
            cues, told = slot.attribute(window, cues)
            notes += told
        return cues, notes

    def close(self) -> None:
        """Let the perceivers go."""
        for slot in self.slots:
            slot.perceiver.close()
        self.slots.clear()
