"""The street as one object: samples in, window reports out.

A `Pipeline` holds the stages and no threads. `thymos.runner` drives it: step by step for files
and replay, with threads for live devices; the ROS nodes use the same stages one process each.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from thymos.alerts import Alerts, answer_in
from thymos.align import AnchoredWindower, Windower
from thymos.align.window import Window
from thymos.config import Config
from thymos.contract import Alert, Cue, StreamState, WindowInfo, WindowReport
from thymos.errors import ThymosError
from thymos.estimate import Estimate, number, source_info
from thymos.events import Observer
from thymos.fanout import Fanout
from thymos.perceive.base import Perceiver
from thymos.perceive.crew import Crew
from thymos.perceive.threads import Found
from thymos.reason.base import Evidence, Reasoner
from thymos.remarks import Remarks
from thymos.respond.aloud import Aloud
from thymos.respond.base import Responder, Speaker
from thymos.samples import Sample, StreamSpec
from thymos.smell.frame import SmellFrame
from thymos.smell.meaning.keeper import Keeper


class Pipeline:
    """Drivers → buffer → align → perceive → reason → respond → speak.

    Args:
        config: Settings; defaults if None.
        perceivers: One a modality; None builds those of `config`.
        reasoner: None builds the backend of `config`.
        responder: None builds the default one, sharing the reasoner's model.
        speaker: None builds the default voice if `config.respond.speak`.
        observers: Are told everything, see `thymos.events`.
        answer_dir: Where spoken answers are written as WAV; None writes none.
        play: Whether answers are played on the sound card.
        on_danger: Gets dangers the moment they are noticed (in ROS, where another process
            answers); None: the responder answers them at once.
        on_frame: Gets each reading of a nose with what was found out about it.

    Attributes:
        config: The settings.
        tell: Tells all observers.
        remarks: What is degraded (`note`), and what happened (`event`).
        slots: The perceivers at work, in the order in which they were started.
        streams: Announced streams by name.
        absent: Streams that do not exist, with the reason.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        perceivers: Sequence[Perceiver] | None = None,
        reasoner: Reasoner | None = None,
        responder: Responder | None = None,
        speaker: Speaker | None = None,
        observers: Sequence[Observer] = (),
        answer_dir: Path | None = None,
        play: bool = False,
        on_danger: Callable[[Cue], None] | None = None,
        on_frame: Callable[[SmellFrame], None] | None = None,
    ) -> None:
        self.config = config or Config()
        self.tell = Fanout(observers)
        self.remarks = Remarks(self.tell.on_note)
        self._reasoner = reasoner
        self._responder = responder
        self._aloud = Aloud(self.config, speaker, answer_dir, play=play)
        self._anchored = self.config.window.anchor == "speech"
        kind = AnchoredWindower if self._anchored else Windower
        self._windower = kind(self.config.window, self.config.buffer, self._too_late)
        self._untold: list[tuple[Sample, str]] = []  # late samples, to be told outside the lock
        self.late: Counter[str] = Counter()
        """Samples that came after their window had been given out, by stream."""
        self._lock = threading.Lock()
        self.streams: dict[str, StreamSpec] = {}
        self.absent: dict[str, str] = {}
        self._alerts = Alerts(lambda: self._stages()[1], self._aloud, self._alerted)
        self._crew = Crew(
            self.config,
            perceivers,
            self.remarks.note,
            on_anchors=self._on_anchors if self._anchored else None,
            on_danger=on_danger or self._alerts.warn,
            on_frame=on_frame,
        )
        self.slots = self._crew.slots
        self._smells = Keeper(self.config.smell, self.remarks.note)
        self._origin_ns: int | None = None  # start of the first window: 0 s in texts

    # -- stages that need models are built on first use, so that errors come from one place

    def prepare(self, *, patient: bool = False) -> None:
        """Build the stages now (loads models). Otherwise the first window does.

        Args:
            patient: A language model gets as long as it needs, so that what it writes does not
                depend on how busy the machine is. It is bounded by the length of its answer.

        Raises:
            ModelError: A backend that was asked for by name cannot run.
        """
        from thymos import reason, respond
        from thymos.models import ModelStore

        config = self.config
        if patient:
            unhurried = config.reason.model_copy(update={"deadline_s": math.inf})
            config = config.model_copy(update={"reason": unhurried})
        if self._reasoner is None:
            self._reasoner = reason.build(config, ModelStore())
            self._remark()
        if self._responder is None:
            self._responder = respond.build(config, self._reasoner)
        try:
            self._aloud.prepare()
        except ThymosError as err:
            self.remarks.note(f"answers are not spoken: {err} ({err.hint})")

    def _stages(self) -> tuple[Reasoner, Responder]:
        if self._reasoner is None or self._responder is None:
            self.prepare()
        assert self._reasoner is not None  # noqa: S101
        assert self._responder is not None  # noqa: S101
        return self._reasoner, self._responder

    def _remark(self) -> None:
        """What a backend has to say of itself, also what it found out while it ran."""
        for text in getattr(self._reasoner, "remarks", ()):
            self.remarks.note(text)

    def learn_smells(self) -> None:
        """Remember from now on what accompanies a smell, if the settings ask for it (live)."""
        self._smells.learns = True

    def _too_late(self, sample: Sample, why: str) -> None:
        self.late[sample.stream] += 1
        self._untold.append((sample, why))

    def add_stream(self, spec: StreamSpec, *, perceive: bool = True) -> None:
        """Announce a stream and start the perceivers of its kind.

        A perceiver that cannot start (no weights, a library missing) is noted and left out.

        Args:
            spec: The stream.
            perceive: False leaves the perceivers to `start_perceivers`, which loads models, while
                samples are aligned already.
        """
        with self._lock:
            self.streams[spec.name] = spec
            self.absent.pop(spec.name, None)
            self._windower.add_stream(spec)
        self.tell.on_stream(spec)
        if perceive:
            self.start_perceivers(spec)

    def state_absent(self, stream: str, reason: str) -> None:
        """Say that a stream does not exist and why; every window states it as missing."""
        if stream not in self.streams:
            self.absent[stream] = reason

    def start_perceivers(self, spec: StreamSpec) -> None:
        """Start the perceivers of a stream's kind (loads models)."""
        self._crew.start(spec)

    # -- samples in, windows out

    def push(self, sample: Sample) -> None:
        """Take a sample into buffer and windows (any thread).

        Raises:
            ValueError: Its stream was not announced.
        """
        with self._lock:
            self._windower.push(sample)
            untold, self._untold = self._untold, []
        self.tell.on_sample(sample)
        for late, why in untold:
            self.tell.on_unmatched(late, why)

    def observe(self, sample: Sample) -> None:
        """Show a sample to the perceivers of its stream (step mode; live runs use workers)."""
        for slot in self.slots:
            if slot.stream == sample.stream:
                slot.observe(sample)

    def anchor(self, t_ns: int, label: str) -> bool:
        """Ask for a window around an event, if windows are anchored; see `AnchoredWindower`.

        Returns:
            False if it comes too late, or if windows lie on the grid of hops.
        """
        with self._lock:
            made = self._windower
            return isinstance(made, AnchoredWindower) and made.anchor(t_ns, label)

    def _on_anchors(self, found: list[int], sure_to: int | None, label: str) -> None:
        for t_ns in found:
            self.anchor(t_ns, label)
        with self._lock:
            if sure_to is not None and isinstance(self._windower, AnchoredWindower):
                self._windower.anchors_to(sure_to)

    def close_stream(self, name: str, reason: str = "") -> None:
        """A stream ended or was lost; windows stop waiting for it."""
        for slot in self.slots:
            if slot.stream == name:
                slot.find_anchors(closed=True)
        with self._lock:
            self._windower.close_stream(name, reason)

    def advance(self, t_ns: int) -> None:
        """Promise that no stream will bring a sample from before `t_ns` (step mode)."""
        with self._lock:
            self._windower.advance(t_ns)

    def ready(self, now_ns: int | None = None) -> list[Window]:
        """Windows that are complete; pass the robot time in live runs, see `Windower.ready`."""
        with self._lock:
            return self._windower.ready(now_ns)

    def flush(self) -> list[Window]:
        """The windows that remain when no sample will come any more."""
        with self._lock:
            left = self._windower.flush()
        if self._anchored and not left and self._origin_ns is None:
            self.remarks.note(
                "no window: nobody was heard to stop speaking (window.anchor is speech)"
            )
        return left

    # -- danger, between windows

    def warn_in_background(self) -> None:
        """Let no perceiver wait until a warning is spoken (live runs)."""
        self._aloud.in_background(self.remarks.event)

    def _alerted(self, alert: Alert, faults: Sequence[str]) -> None:
        self.tell.on_alert(alert)
        for text in faults:
            self.remarks.event(text)

    # -- the stages of one window

    def estimate(self, window: Window) -> Estimate:
        """Ask the quick perceivers and fuse: the first affect estimate."""
        start = time.perf_counter()
        found, notes = self.ask(window, slow=False)
        return self.fuse(window, found, notes, _ms(start))

    def ask(self, window: Window, *, slow: bool) -> Found:
        """Collect the cues of the quick or of the slow perceivers."""
        return self._crew.ask(window, slow=slow)

    def attribute(self, window: Window, found: Sequence[Cue]) -> Found:
        """Tell whose the cues of a window are, where that is known (who speaks)."""
        return self._crew.attribute(window, found)

    def fuse(
        self, window: Window, found: Sequence[Cue], notes: Sequence[str], perceive_ms: float
    ) -> Estimate:
        """Number the cues, fuse them, and tell the observers."""
        from thymos.reason.fusion import fuse

        if self._origin_ns is None:
            self._origin_ns = window.t0_ns
        found, told = self.attribute(window, found)
        cues = number(window, [*found, *self._smells.cues(found)])
        made = Estimate(window, cues, fuse(cues), {"perceive": perceive_ms}, (*notes, *told))
        self.tell.on_estimate(window, cues, made.affect)
        return made

    def finish(
        self,
        first: Estimate,
        *,
        late: tuple[Sequence[Cue], Sequence[str]] | None = None,
        cancel: threading.Event | None = None,
        max_age_ms: float | None = None,
    ) -> WindowReport:
        """Words, reasoning, answer, speech: everything after the first estimate.

        Args:
            first: The window with its first estimate.
            late: Cues and notes of the slow perceivers; None asks them here.
            cancel: When set, the language model stops and rules answer.
            max_age_ms: How old the window already is, live; older than `respond.max_age_s` is not
                spoken.

        Returns:
            The report, as the observers get it. A speaker that fails is a note in it.

        Raises:
            ModelError: A backend that was asked for by name cannot run (if `prepare` was not
                called).
        """
        from thymos.attend.choose import look
        from thymos.reason.fusion import fuse

        reasoner, responder = self._stages()
        latency = dict(first.latency_ms)
        start = time.perf_counter()
        slow, faults = self.ask(first.window, slow=True) if late is None else late
        slow, _ = self.attribute(first.window, slow)
        cues = number(first.window, [*first.cues, *slow])
        latency.setdefault("words", _ms(start))
        streams = {slot.perceiver.kind: slot.stream for slot in self.slots}
        evidence = Evidence(
            self.info(first.window),
            cues,
            fuse(cues),
            self._origin_ns,
            media=lambda budget: look(first.window, budget, streams),
        )
        start = time.perf_counter()
        explanation = reasoner.explain(
            evidence, cancel=cancel, on_text=lambda t: self.tell.on_text(first.window.id, t)
        )
        latency["reason"] = _ms(start)
        self._remark()
        start = time.perf_counter()
        response = responder.respond(explanation, evidence)
        latency["respond"] = _ms(start)
        if max_age_ms is not None:
            response = self._aloud.in_time(response, max_age_ms + sum(latency.values()))
        start = time.perf_counter()
        alerts = self._alerts.take(first.window.t1_ns)
        said = answer_in(alerts, first.window)
        speech_notes: list[str] = []
        if said is None:
            response, speech_notes = self._aloud.say(first.window.id, response)
        else:  # the robot has answered this window already, when the danger was noticed
            response = said.model_copy(update={"answers": first.window.id})
        latency["speak"] = _ms(start)
        latency["total"] = sum(v for k, v in latency.items() if k != "estimate")
        report = WindowReport(
            window=evidence.window,
            cues=evidence.cues,
            explanation=explanation,
            response=response,
            latency_ms={stage: round(ms, 1) for stage, ms in latency.items()},
            sources=tuple(source_info(self.streams[name]) for name in sorted(self.streams)),
            notes=(
                *self.remarks.notes,
                *self.remarks.take_events(),
                *first.window.notes,
                *first.notes,
                *faults,
                *speech_notes,
            ),
            alerts=alerts,
        )
        self.tell.on_report(report)
        self._smells.notice(report)
        return report

    def info(self, window: Window) -> WindowInfo:
        """The published part of a window, with the streams that do not exist."""
        lacking = {
            name: StreamState(
                state="missing", age_ms=None, samples=0, gaps=0, dropped=0, reason=reason
            )
            for name, reason in self.absent.items()
        }
        info = window.info
        return info.model_copy(update={"streams": {**info.streams, **lacking}})

    def close(self) -> None:
        """Let models and observers go. The pipeline cannot be used afterwards."""
        self._smells.finish()
        self._aloud.close()
        self._crew.close()
        for stage in (self._responder, self._reasoner):
            if stage is not None:
                stage.close()
        self.tell.on_end()


def _ms(start: float) -> float:
    return (time.perf_counter() - start) * 1e3
