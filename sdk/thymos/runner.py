"""Drives a pipeline from sources: step by step for files, with threads for live devices.

Step mode merges all sources by capture time, drops nothing and waits for every stage: the same
input gives the same reports. Live mode gives each source, each perceiver and the language model a
thread of its own; what cannot keep up is dropped at a named place and counted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from thymos.align import merge
from thymos.align.window import Window
from thymos.clock import MonotonicClock, RobotClock
from thymos.contract import WindowReport
from thymos.estimate import Estimate, age_ms
from thymos.events import Observer
from thymos.fanout import Fanout
from thymos.newest import Newest
from thymos.perceive.threads import PerceiverThreads
from thymos.pipeline import Pipeline
from thymos.reading import Readers
from thymos.samples import Counters, Sample, Source
from thymos.supervise import shifted
from thymos.sync import synced
from thymos.warm import warm_clocks

POLL_S = 0.01


def run_offline(
    sources: Sequence[Source],
    pipeline: Pipeline,
    *,
    stop: threading.Event | None = None,
    pace: Callable[[Sample], object] | None = None,
) -> Iterator[WindowReport]:
    """Run step by step: every window is perceived, reasoned about and answered, in order.

    What comes out depends on the samples alone: not on the rate, nor on how busy the machine is.

    Args:
        sources: Opened here and closed at the end, also when the caller stops early.
        pipeline: Gets the samples.
        stop: Ends the run early, soon after it is set.
        pace: Called with each sample before it is taken in; waits until its time has come.

    Yields:
        One report a window, in order of time.

    Raises:
        DeviceError: A source cannot be opened.
        MediaError: A file is missing or damaged, or lacks the track.
        ModelError: A backend that was asked for by name cannot run.
    """
    stop = stop or threading.Event()
    sources = shifted(sources, pipeline.config.sources.offset_ms)

    def ended(stream: str, reason: str) -> None:
        pipeline.close_stream(stream, reason)
        if reason:
            pipeline.remarks.note(f"{stream}: {reason}")

    with ExitStack() as stack:
        for source in sources:
            stack.enter_context(source)
            pipeline.add_stream(source.spec)
        pipeline.prepare(patient=True)
        for sample in merge(sources, ended):
            if pace is not None:
                pace(sample)
            if stop.is_set():
                return
            pipeline.push(sample)
            pipeline.advance(sample.t_ns)
            for window in pipeline.ready():
                yield pipeline.finish(pipeline.estimate(window), cancel=stop)
            pipeline.observe(sample)
        for window in pipeline.flush():
            yield pipeline.finish(pipeline.estimate(window))


@dataclass(slots=True)
class LiveSummary:
    """What happened in a live run: nothing is lost without being counted here.

    Attributes:
        windows: Windows made.
        reasoned: Windows that were explained and answered.
        skipped: Windows passed over because a newer one mattered more.
        counters: Of each source, by stream.
        late: Samples that came after their window had been given out, by stream.
        unobserved: Samples that were aligned but not perceived because perception was late, by
            modality.
    """

    windows: int = 0
    reasoned: int = 0
    skipped: int = 0
    counters: dict[str, Counters] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    unobserved: dict[str, int] = field(default_factory=dict)


class LiveRun:
    """One live run. Use `run_live`."""

    def __init__(self, sources: Sequence[Source], pipeline: Pipeline, clock: RobotClock) -> None:
        self._pipeline = pipeline
        self._clock = clock
        warm_clocks(sources, pipeline.remarks.event)
        moved = synced(sources, pipeline.config.sources.offset_ms, pipeline.remarks.event)
        self._readers = Readers(moved, clock)
        self._perceivers = PerceiverThreads()
        self._cancel = threading.Event()
        self.summary = LiveSummary()

    def run(self, stop: threading.Event) -> LiveSummary:
        """Run until `stop` is set or every source has ended."""
        with self._readers:
            self._pipeline.prepare()
            self._pipeline.warn_in_background()
            self._pipeline.learn_smells()
            for spec in self._readers.specs:
                self._pipeline.add_stream(spec)
            self._perceivers.start(self._pipeline.slots)
            self._loop(stop)
            self.summary.counters = self._readers.counters
            self.summary.late = dict(self._pipeline.late)
            self.summary.unobserved = self._perceivers.refused
            return self.summary

    def _loop(self, stop: threading.Event) -> None:
        reasoner = Newest(self._finish, self._lost, "reason", overtaken=self._skipped)
        end = threading.Event()
        self._readers.start(
            end,
            take=self._take,
            ended=self._pipeline.close_stream,
            note=self._pipeline.remarks.event,
        )
        try:
            while not stop.wait(POLL_S) and self._readers.alive:
                self._estimate(self._pipeline.ready(self._clock.now_ns()), reasoner)
        finally:
            end.set()
            self._readers.join()
        self._estimate(self._pipeline.flush(), reasoner)
        if stop.is_set():
            self._cancel.set()  # people wait for the prompt to come back, not for a model
        reasoner.finish()
        self._perceivers.stop()
        self.summary.reasoned, self.summary.skipped = reasoner.done, reasoner.skipped

    def _take(self, sample: Sample) -> None:
        self._perceivers.give(sample)  # first, so that a window it completes has been shown it
        self._pipeline.push(sample)

    def _estimate(self, windows: Sequence[Window], reasoner: Newest[Estimate]) -> None:
        for window in windows:
            self.summary.windows += 1
            start = self._clock.now_ns()
            found, notes = self._perceivers.ask(window, slow=False).result()
            spent = (self._clock.now_ns() - start) / 1e6
            made = self._pipeline.fuse(window, found, notes, spent)
            made.latency_ms["estimate"] = age_ms(window, self._clock.now_ns())
            reasoner.put(made)

    def _skipped(self, made: Estimate) -> None:
        for text in made.window.notes:  # what befell time is told all the same
            self._pipeline.remarks.event(text)
        self._pipeline.tell.on_skip(made.window)

    def _finish(self, made: Estimate) -> None:
        start = self._clock.now_ns()
        late = self._perceivers.ask(made.window, slow=True).result()
        made.latency_ms["words"] = (self._clock.now_ns() - start) / 1e6
        age = age_ms(made.window, start)
        self._pipeline.finish(made, late=late, cancel=self._cancel, max_age_ms=age)

    def _lost(self, made: Estimate, err: Exception) -> None:
        self._pipeline.remarks.note(f"window {made.window.id} failed: {type(err).__name__}: {err}")


def run_live(
    sources: Sequence[Source],
    pipeline: Pipeline,
    *,
    stop: threading.Event | None = None,
    clock: RobotClock | None = None,
) -> LiveSummary:
    """Run with threads, in real time, until `stop` is set or every source has ended.

    Recorded sources are played in real time, all shifted by the same amount onto the robot clock.

    Args:
        sources: Not yet open; opened and closed here.
        pipeline: Gets the samples; tell it observers to see what happens.
        stop: Set it (from a signal handler, say) to end the run.
        clock: Robot clock.

    Returns:
        What happened, with everything that was lost counted.

    Raises:
        DeviceError: A source cannot be opened. One that is lost later is reopened instead.
        MediaError: A file is missing or damaged, or lacks the track.
        ModelError: A backend that was asked for by name cannot run.
    """
    return LiveRun(sources, pipeline, clock or MonotonicClock()).run(stop or threading.Event())


def run_capture(
    sources: Sequence[Source],
    observers: Sequence[Observer],
    *,
    stop: threading.Event,
    clock: RobotClock | None = None,
) -> dict[str, Counters]:
    """Read sources in real time and hand every sample to observers; no windows, no perception.

    Args:
        sources: Not yet open; opened and closed here.
        observers: A recorder, a view.
        stop: Ends the run; it also ends when every source has ended.
        clock: Robot clock.

    Returns:
        What happened to the samples of each stream.

    Raises:
        DeviceError: A source cannot be opened.
        MediaError: A file is missing or damaged, or lacks the track.
    """
    tell = Fanout(observers)
    end = threading.Event()
    with Readers(sources, clock or MonotonicClock()) as readers:
        for spec in readers.specs:
            tell.on_stream(spec)
        readers.start(end, take=tell.on_sample, ended=_ignore, note=tell.on_note)
        try:
            while not stop.wait(POLL_S) and readers.alive:
                pass
        finally:
            end.set()
            readers.join()
            tell.on_end()
        return readers.counters


def _ignore(stream: str, reason: str) -> None:
    """A capture has no windows that would wait for a stream."""
