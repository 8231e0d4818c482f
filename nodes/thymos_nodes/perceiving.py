"""Drives the first half of a pipeline from topics: samples in, perceived windows out.

Two threads besides those of the perceivers: one hands samples and windows on in order and gathers
what the quick perceivers found; the other waits for the slow ones (speech recognition) and
completes the window. All queues are bounded; what is refused is counted. The stages themselves are
those of `thymos.pipeline`.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, Queue

from thymos_msgs.msg import PerceptionWindow

from thymos.align.window import Window
from thymos.clock import RobotClock
from thymos.contract import Cue
from thymos.estimate import Estimate, age_ms, number, source_info
from thymos.perceive.threads import QUEUE, Asked, PerceiverThreads
from thymos.pipeline import Pipeline
from thymos.reason.base import Evidence
from thymos.reason.fusion import fuse
from thymos.samples import Sample, StreamSpec
from thymos_nodes.convert import window_to_msg

POLL_S = 0.02
JOIN_S = 3.0
MAX_WINDOWS = 4  # windows that may wait for slow perceivers; the oldest is then given out as it is

Publish = Callable[[PerceptionWindow], None]
Item = StreamSpec | Sample | Window


@dataclass(slots=True)
class Count:
    """What happened so far."""

    windows: int = 0
    refused: int = 0
    skipped: int = 0
    estimate_ms: float = 0.0


class Perceiving:
    """The threads of a perception node.

    Args:
        pipeline: Gets the samples.
        clock: ROS time.
        on_estimate: Gets each window with its first estimate.
        on_window: Gets each window when its slow cues are in.
    """

    def __init__(
        self, pipeline: Pipeline, clock: RobotClock, on_estimate: Publish, on_window: Publish
    ) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._on_estimate = on_estimate
        self._on_window = on_window
        self._items: Queue[Item | None] = Queue()
        self._made: Queue[tuple[Estimate, Asked] | None] = Queue()
        self._perceivers = PerceiverThreads()
        self._lock = threading.Lock()
        self._unseen: Counter[str] = Counter()  # samples that wait to be observed, by stream
        self._behind = 0  # windows that wait for the second thread
        self._halt = threading.Event()
        self.count = Count()
        self._threads = [
            threading.Thread(target=self._quick, name="perceive", daemon=True),
            threading.Thread(target=self._complete, name="perceive-slow", daemon=True),
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End both threads; what still waits is left out."""
        self._halt.set()
        self._items.put(None)
        self._made.put(None)
        quick, complete = self._threads
        quick.join(JOIN_S)
        self._perceivers.stop()  # after the only thread that asks them
        complete.join(JOIN_S)

    def take(self, spec: StreamSpec, sample: Sample) -> None:
        """Align one sample and hand it on to be observed (any thread); never waits.

        A window that the sample completes is asked for before the sample is observed, as in a run
        on files, so that both give the same cues; but after it if the sample begins in the window:
        a block of sound that reaches to its end and came last.
        """
        if self._pipeline.streams.get(spec.name) != spec:
            self._pipeline.add_stream(spec, perceive=False)
            self._items.put(spec)
        self._pipeline.push(sample)
        with self._lock:
            complete = self._pipeline.ready(self._clock.now_ns())
            earlier = [window for window in complete if window.t1_ns <= sample.t_ns]
            self._queue(earlier)
            if self._unseen[spec.name] >= QUEUE[spec.kind]:
                self.count.refused += 1
            else:
                self._unseen[spec.name] += 1
                self._items.put(sample)
            self._queue(complete[len(earlier) :])

    def _queue(self, windows: Sequence[Window]) -> None:
        for window in windows:
            self._items.put(window)

    def _give_out(self) -> None:
        """Queue the windows that time completes, behind the samples they hold."""
        self._queue(self._pipeline.ready(self._clock.now_ns()))

    # -- first thread

    def _quick(self) -> None:
        while not self._halt.is_set():
            try:
                item = self._items.get(timeout=POLL_S)
            except Empty:
                with self._lock:
                    self._give_out()
                continue
            try:
                self._handle(item)
            except Exception as err:  # noqa: BLE001  one sample or window is lost, told, and on
                self._pipeline.remarks.note(f"perception failed: {type(err).__name__}: {err}")

    def _handle(self, item: Item | None) -> None:
        if isinstance(item, Sample):
            with self._lock:
                self._unseen[item.stream] -= 1
            self.count.refused += self._perceivers.give(item)
        elif isinstance(item, Window):
            self._estimate(item)
        elif item is not None:
            self._pipeline.start_perceivers(item)
            self._perceivers.start(self._pipeline.slots)

    def _estimate(self, window: Window) -> None:
        self.count.windows += 1
        start = time.perf_counter()
        quick = self._perceivers.ask(window, slow=False)
        slow = self._perceivers.ask(window, slow=True)  # in order with the samples
        found, faults = quick.result()
        made = self._pipeline.fuse(window, found, faults, (time.perf_counter() - start) * 1e3)
        late_ms = age_ms(window, self._clock.now_ns())
        made.latency_ms["estimate"] = self.count.estimate_ms = late_ms
        self._on_estimate(self._message(made, made.cues, complete=False))
        self._behind += 1
        self._made.put((made, slow))

    # -- second thread

    def _complete(self) -> None:
        while not self._halt.is_set():
            item = self._made.get()
            if item is not None and not self._halt.is_set():
                self._words(*item)

    def _words(self, made: Estimate, slow: Asked) -> None:
        self._behind -= 1
        start = time.perf_counter()
        if self._behind > MAX_WINDOWS and slow.cancel():
            self.count.skipped += 1
            found: list[Cue] = []
            faults = ["words are left out: perception is behind"]
        else:
            found, faults = slow.result()
        if self._halt.is_set():
            return
        made.latency_ms["words"] = (time.perf_counter() - start) * 1e3
        found, _ = self._pipeline.attribute(made.window, found)
        cues = number(made.window, [*made.cues, *found])
        self._on_window(self._message(made, cues, complete=True, faults=tuple(faults)))

    def _message(
        self,
        made: Estimate,
        cues: tuple[Cue, ...],
        *,
        complete: bool,
        faults: tuple[str, ...] = (),
    ) -> PerceptionWindow:
        affect = fuse(cues) if complete else made.affect
        evidence = Evidence(self._pipeline.info(made.window), cues, affect)
        return window_to_msg(
            evidence,
            complete=complete,
            sources=[source_info(spec) for spec in self._pipeline.streams.values()],
            latency_ms=made.latency_ms,
            notes=(*self._pipeline.remarks.notes, *made.notes, *faults),
        )
