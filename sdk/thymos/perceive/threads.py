"""Perceivers at work: faults contained, each on a thread of its own behind a bounded queue."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass, field

from thymos.align.window import Window
from thymos.contract import Cue
from thymos.perceive.base import AnchorSource, Attributor, DangerSource, FrameSource, Perceiver
from thymos.samples import Kind, Sample, StreamSpec
from thymos.smell.frame import SmellFrame

STOP_WAIT_S = 10.0
QUEUE = {Kind.VIDEO: 64, Kind.DEPTH: 64, Kind.AUDIO: 512, Kind.GAS: 256}
"""How many samples may wait for one perceiver before further ones are refused (and counted)."""

Found = tuple[list[Cue], list[str]]  # cues, and what was lacking in words
OnAnchors = Callable[[list[int], int | None, str], None]
"""Told times of events, from when on later ones lie, and what they are."""
OnDanger = Callable[[Cue], None]
OnFrame = Callable[[SmellFrame], None]
"""Told a danger at once, on the thread that observes."""


class PerceiverSlot:
    """A perceiver at work on one stream; its faults are contained and told once a window.

    Args:
        perceiver: The perceiver, started.
        spec: Its stream.
        on_anchors: Told the events that it finds, if it finds any, after each sample.
        on_danger: Told the dangers that it notices, if it notices any, after each sample.
        on_frame: Gets the completed frame of a nose after each sample.
    """

    def __init__(
        self,
        perceiver: Perceiver,
        spec: StreamSpec,
        on_anchors: OnAnchors | None = None,
        on_danger: OnDanger | None = None,
        on_frame: OnFrame | None = None,
    ) -> None:
        self.perceiver = perceiver
        self._finder = perceiver if isinstance(perceiver, AnchorSource) else None
        self._on_anchors = on_anchors
        self._notices = perceiver if isinstance(perceiver, DangerSource) else None
        self._on_danger = on_danger
        self._completes = perceiver if isinstance(perceiver, FrameSource) else None
        self._on_frame = on_frame
        self._telling = threading.Lock()  # what two threads find is told in order of time
        self.stream = spec.name
        self.slow = perceiver.slow
        self.fault = ""

    def observe(self, sample: Sample) -> None:
        """Take one sample in; an exception costs this sample only."""
        try:
            self.perceiver.observe(sample)
        except Exception as err:  # noqa: BLE001  a fault in one modality must not stop the others
            self.fault = f"{self.perceiver.modality}: {type(err).__name__}: {err}"
        self._tell_dangers()
        self._tell_frame()
        self.find_anchors()

    def _tell_frame(self) -> None:
        if self._completes is None or self._on_frame is None:
            return
        try:
            frame = self._completes.frame
            if frame is not None:
                self._on_frame(frame)
        except Exception as err:  # noqa: BLE001  as above
            self.fault = f"{self.perceiver.modality}: {type(err).__name__}: {err}"

    def _tell_dangers(self) -> None:
        if self._notices is None or self._on_danger is None:
            return
        try:
            for cue in self._notices.dangers():
                self._on_danger(cue)
        except Exception as err:  # noqa: BLE001  as above
            self.fault = f"{self.perceiver.modality}: {type(err).__name__}: {err}"

    def find_anchors(self, *, closed: bool = False) -> None:
        """Tell the events found since the last time; `closed` if the stream ended."""
        if self._finder is None or self._on_anchors is None:
            return
        with self._telling:
            try:
                found, sure_to = self._finder.anchors(closed=closed)
            except Exception as err:  # noqa: BLE001  as above
                self.fault = f"{self.perceiver.modality}: {type(err).__name__}: {err}"
                return
            self._on_anchors(found, sure_to, self._finder.anchor_label)

    def cues(self, window: Window) -> Found:
        """Ask for the cues of a window; an exception gives none and a note."""
        notes: list[str] = []
        try:
            found = self.perceiver.cues(window)
            notes = list(self.perceiver.notes)
        except Exception as err:  # noqa: BLE001  as above
            found = []
            self.fault = f"{self.perceiver.modality}: {type(err).__name__}: {err}"
        if self.fault:
            notes.append(f"perception fault in {self.fault}")
        self.fault = ""
        return found, notes

    def attribute(self, window: Window, cues: Sequence[Cue]) -> Found:
        """Let the perceiver tell whose these cues are, if it can; see `Attributor`."""
        if not isinstance(self.perceiver, Attributor):
            return list(cues), []
        try:
            return self.perceiver.attribute(window, cues)
        except Exception as err:  # noqa: BLE001  as above
            fault = f"{self.perceiver.modality}: {type(err).__name__}: {err}"
            return list(cues), [f"perception fault in {fault}"]


@dataclass(slots=True)
class _Ask:
    """Asks a perceiver for the cues of a window, in order with its samples."""

    window: Window
    answer: Future[Found] = field(default_factory=Future)


class Asked:
    """What several perceivers were asked about one window."""

    def __init__(self, answers: list[Future[Found]]) -> None:
        self._answers = answers

    def result(self) -> Found:
        """Wait for all; one that was stopped or cancelled has found nothing."""
        found: list[Cue] = []
        notes: list[str] = []
        for answer in self._answers:
            with suppress(CancelledError):
                cues, faults = answer.result()
                found += cues
                notes += faults
        return found, notes

    def cancel(self) -> bool:
        """Take the question back; False if somebody is already at work on it."""
        return all(answer.cancel() for answer in self._answers)


class _Worker:
    """Feeds one perceiver from a bounded queue. A full queue refuses samples, never questions."""

    def __init__(self, slot: PerceiverSlot, limit: int) -> None:
        self.slot = slot
        self.refused = 0
        self._limit = limit
        self._halt = False
        self._items: queue.SimpleQueue[Sample | _Ask | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._work, name=f"perceive-{slot.perceiver.modality}", daemon=True
        )
        self._thread.start()

    def give(self, sample: Sample) -> bool:
        if self._items.qsize() >= self._limit:
            self.refused += 1
            return False
        self._items.put(sample)
        return True

    def ask(self, window: Window) -> Future[Found]:
        ask = _Ask(window)
        self._items.put(ask)
        return ask.answer

    def halt(self) -> None:
        self._halt = True
        self._items.put(None)

    def join(self) -> None:
        self._thread.join(STOP_WAIT_S)

    def _work(self) -> None:
        while (item := self._items.get()) is not None:
            if isinstance(item, _Ask):
                self._answer(item)
            elif not self._halt:
                self.slot.observe(item)

    def _answer(self, ask: _Ask) -> None:
        if self._halt:
            ask.answer.cancel()
        if ask.answer.set_running_or_notify_cancel():
            ask.answer.set_result(self.slot.cues(ask.window))


class PerceiverThreads:
    """One thread a perceiver, so that a slow one holds up no other.

    `start`, `give` and `ask` never wait. Each perceiver sees its samples and questions in the order
    in which they were handed over here.

    Args:
        limits: How many samples of a kind may wait for one perceiver before further ones are
            refused (and counted).
    """

    def __init__(self, limits: Mapping[Kind, int] = QUEUE) -> None:
        self._limits = limits
        self._workers: list[_Worker] = []
        self._stopped = False
        self._lock = threading.Lock()

    def start(self, slots: Iterable[PerceiverSlot]) -> None:
        """Put the slots to work that are not at work yet."""
        with self._lock:
            at_work = [w.slot for w in self._workers]
            for slot in slots:
                if slot not in at_work and not self._stopped:
                    self._workers.append(_Worker(slot, self._limits[slot.perceiver.kind]))

    def give(self, sample: Sample) -> int:
        """Hand a sample to the perceivers of its stream; return how many refused it."""
        return sum(not w.give(sample) for w in self._workers if w.slot.stream == sample.stream)

    def ask(self, window: Window, *, slow: bool) -> Asked:
        """Ask the quick or the slow perceivers for the cues of a window; after `stop`, nobody."""
        with self._lock:
            at_work = [] if self._stopped else self._workers
            return Asked([w.ask(window) for w in at_work if w.slot.slow is slow])

    @property
    def refused(self) -> dict[str, int]:
        """Samples that a perceiver never saw, by modality; those that saw all are left out."""
        return {w.slot.perceiver.modality: w.refused for w in self._workers if w.refused}

    def stop(self) -> None:
        """End all threads after the item at hand; what is still asked finds nothing."""
        with self._lock:
            self._stopped = True
            for worker in self._workers:
                worker.halt()
        for worker in self._workers:
            worker.join()
