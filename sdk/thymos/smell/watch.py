"""Watches one nose and says at any moment how it is: the only place that fills a `SmellView`.

It computes nothing about smells. Samples go to the same `SmellPerceiver` as in a run; once a
second of capture time it is asked what it perceived. What is added here is counting: the rate, the
losses, and the last minute of each channel in bins of a second. Memory is constant.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from thymos.align.window import Window
from thymos.config import PerceiveConfig
from thymos.contract import Cue
from thymos.events import Observer
from thymos.perceive.smell import SmellPerceiver
from thymos.samples import (
    CLIMATE,
    NS_PER_S,
    Counters,
    Flag,
    Health,
    HealthReport,
    Kind,
    Sample,
    StreamSpec,
    gas_channels,
)
from thymos.smell.frame import F64
from thymos.smell.meaning.danger import ALARM, HINT
from thymos.smell.meaning.order import DEVIATIONS
from thymos.smell.recognise.guess import OdourGuess
from thymos.smell.signal import Moment, Odour, SmellState
from thymos.smell.signal.lag import LONGEST_NS
from thymos.smell.view import (
    FAULT_WORDS,
    NAN,
    AirView,
    ChannelView,
    DangerView,
    EventView,
    LinkView,
    OdourView,
    SmellView,
)
from thymos.smell.watch_past import Past
from thymos.smell.watch_signal import SignalView, signal_of

MAX_EVENTS = 50
QUIET_PERIODS = 5
EVENTS = {
    "odour_onset": "a smell begins",
    "odour_timed": "by its rise, the smell began",
    "odour_fading": "the smell begins to fade",
    "odour_cleared": "the air is clean again",
}
NO_CLEAN_AIR = "what it reads in clean air is not known"
_TOLD = ("nose channel ", "the nose needs calibration")  # such notes have a place of their own
_LEAP_NS = 300 * NS_PER_S  # a jump of the clock: what lies between was not perceived


@dataclass(frozen=True, slots=True)
class Glance:
    """What changes from reading to reading."""

    signal: SignalView
    odour: OdourView
    danger: DangerView | None


class SmellWatch(Observer):
    """An observer of one electronic nose; the first that is announced.

    Args:
        config: Settings of the perceiver (its clean air).
        keep: It is the one that keeps what is learnt of clean air (`perceive.smell_state`); False
            beside a run, which does that itself.
    """

    def __init__(self, config: PerceiveConfig | None = None, *, keep: bool = False) -> None:
        self._lock = threading.Lock()
        self._spec: StreamSpec | None = None
        self._perceiver = SmellPerceiver(config or PerceiveConfig(), keep=keep)
        self._newest: Sample | None = None
        self._begin_ns: int | None = None
        self._due_ns = 0
        self._windows = 0
        self._times: deque[int] = deque(maxlen=256)
        self._received = self._lost = self._invalid = 0
        self._state = ""  # what the source complains of
        self._counters = Counters()
        self._danger: DangerView | None = None
        self._events: deque[EventView] = deque(maxlen=MAX_EVENTS)
        self._told: deque[tuple[str, int, int | None]] = deque(maxlen=8)
        self._onset_span_ns = 0
        self._happened = 0
        self._notes: tuple[str, ...] = ()

    @property
    def spec(self) -> StreamSpec | None:
        """The stream that is watched; None before one was announced."""
        return self._spec

    def on_stream(self, spec: StreamSpec) -> None:
        """Begin to watch it.

        Raises:
            ConfigError: The clean air of the settings belongs to another nose.
        """
        if spec.kind is not Kind.GAS or self._spec is not None:
            return
        with self._lock:
            self._perceiver.start(spec)
            self._spec = spec
            self._gas = list(gas_channels(spec))
            period_s = 1.0 / spec.rate_hz if spec.rate_hz > 0 else 1.0
            self._past = Past(len(self._gas), max(1, min(600, math.ceil(period_s))))

    def on_sample(self, sample: Sample) -> None:
        """Take a reading in."""
        if self._spec is None or sample.stream != self._spec.name:
            return
        with self._lock:
            if self._begin_ns is None:
                self._begin_ns = sample.t_ns
                self._due_ns = sample.t_ns + NS_PER_S
            self._ask(sample.t_ns)
            self._count(sample)
            self._perceiver.observe(sample)
            self._newest = sample
            if self._perceiver.state is not None:
                self._follow(self._perceiver.state)
            for cue in self._perceiver.dangers():
                self._alarm(cue)
            self._past.take(sample.t_ns, self._signal().response)

    def on_note(self, text: str) -> None:
        """Keep what the device says of itself: unplugged, back, losses."""
        with self._lock:
            t_ns = self._newest.t_ns if self._newest is not None else 0
            self._happen(EventView("link", t_ns, t_ns, t_ns, text))

    def on_end(self) -> None:
        """Let the perceiver keep what it learnt."""
        with self._lock:
            self._perceiver.close()

    def link(self, health: HealthReport, counters: Counters) -> None:
        """Take in how the source feels and what it counted; live sources know more than samples."""
        calm = health.health in (Health.OK, Health.STARTING)
        with self._lock:
            self._state = "" if calm else f"{health.health.value}: {health.reason}".rstrip(": ")
            self._counters = replace(counters)

    def view(self, now_ns: int | None = None) -> SmellView:
        """How the nose is.

        Args:
            now_ns: The moment, on the clock of the capture times; that of the newest reading if
                None.

        Raises:
            ValueError: No stream was announced.
        """
        with self._lock:
            if self._spec is None:
                raise ValueError("no nose is watched yet")
            newest = self._newest
            moment = now_ns if now_ns is not None else newest.t_ns if newest else 0
            signal = self._signal(moment)
            return SmellView(
                stream=self._spec.name,
                device=self._spec.device,
                origin=self._spec.origin.value,
                now_ns=moment,
                begin_ns=self._begin_ns,
                channels=self._channels(signal),
                bin_s=self._past.bin_s,
                link=self._link(moment),
                baseline=signal.baseline,
                air=self._air(),
                phase=signal.phase,
                phase_since_ns=signal.phase_since_ns,
                warm=signal.warm,
                warm_left_s=signal.warm_left_s,
                odour=odour_of(self._perceiver.state, self._perceiver.guess),
                danger=self._danger,
                drift=signal.drift,
                events=tuple(self._events),
                notes=self._notes,
            )

    def now(self) -> Glance:
        """The newest reading, for those who look at every one of them."""
        with self._lock:
            odour = odour_of(self._perceiver.state, self._perceiver.guess)
            return Glance(self._signal(), odour, self._danger)

    def fresh(self, seen: int) -> tuple[int, tuple[EventView, ...]]:
        """Events after the first `seen`, and how many there have been in all.

        Of very many that came at once the last `MAX_EVENTS` are kept.
        """
        with self._lock:
            new = self._happened - seen
            return self._happened, tuple(self._events)[-new:] if new > 0 else ()

    def _happen(self, event: EventView) -> None:
        self._events.append(event)
        self._happened += 1

    # -- what comes in

    def _count(self, sample: Sample) -> None:
        newest = self._newest
        if newest is not None and sample.seq > newest.seq + 1:
            self._lost += sample.seq - newest.seq - 1
        if self._times and not 0 <= sample.t_ns - self._times[-1] < _LEAP_NS:
            self._times.clear()
        self._times.append(sample.t_ns)
        self._received += 1
        self._invalid += bool(sample.flags & Flag.INVALID)

    def _ask(self, t_ns: int) -> None:
        """Ask the perceiver about each second that is over."""
        if not -_LEAP_NS < t_ns - self._due_ns < _LEAP_NS:
            self._due_ns = t_ns + NS_PER_S
        while t_ns >= self._due_ns:
            window = Window(f"w{self._windows:06}", self._due_ns - NS_PER_S, self._due_ns, {})
            self._tell(self._perceiver.cues(window))
            notes = self._perceiver.notes
            self._notes = tuple(n for n in notes if not n.startswith(_TOLD))
            self._windows += 1
            self._due_ns += NS_PER_S

    def _tell(self, cues: list[Cue]) -> None:
        """What of danger holds in the window that is over."""
        found = [cue for name in (ALARM, HINT) for cue in cues if cue.name == name]
        if found:
            self._alarm(found[0])
        else:
            self._danger = None

    def _alarm(self, cue: Cue) -> None:
        """Keep a danger; one that begins, or grows from hint to alarm, is an event."""
        before, sure = self._danger, cue.name == ALARM
        known = cue.t1_ns if before is None else before.known_ns
        new = before is None or (before.kind, before.sure) != (str(cue.value), sure)
        if new:
            known = cue.t1_ns
            text = f"{'danger' if sure else 'possible danger'}: {cue.text or cue.value}"
            self._happen(EventView("danger", known, known, known, text))
        self._danger = DangerView(str(cue.value), cue.confidence, cue.t0_ns, cue.text, known, sure)

    def _follow(self, state: SmellState) -> None:
        """Tell when a smell begins, fades and clears; each once."""
        odour = state.odour
        if odour is None:
            return
        self._time(state, odour, state.onset_air)
        for name, known_ns, shown_ns, moment in (
            ("odour_onset", odour.known_ns, odour.onset_ns, state.onset_air),
            ("odour_fading", odour.fading_ns, odour.fading_ns, state.offset_air),
            ("odour_cleared", odour.cleared_ns, odour.cleared_ns, None),
        ):
            told = (name, odour.onset_ns, known_ns)
            if known_ns is None or shown_ns is None or told in self._told:
                continue
            self._told.append(told)
            early, late = (
                (shown_ns, shown_ns) if moment is None else moment.interval(shown_ns, DEVIATIONS)
            )
            if name == "odour_onset":
                self._onset_span_ns = late - early
            self._happen(EventView(name, known_ns, early, late, EVENTS[name]))

    def _time(self, state: SmellState, odour: Odour, onset: Moment | None) -> None:
        """Tell when it reached the nose, once the rise has told it better than experience does."""
        told = ("odour_timed", odour.onset_ns, None)
        if onset is None or onset.how != "fitted" or told in self._told:
            return
        if odour.fading_ns is not None or state.t_ns - odour.onset_ns > LONGEST_NS:
            self._told.append(told)
            early, late = onset.interval(odour.onset_ns, DEVIATIONS)
            if 2 * (late - early) > self._onset_span_ns:
                return  # it was told as well at once
            text = EVENTS["odour_timed"]
            self._happen(EventView("odour_timed", state.t_ns, early, late, text))

    # -- what goes out

    def _signal(self, now_ns: int | None = None) -> SignalView:
        perceiver = self._perceiver
        return signal_of(perceiver.state, len(self._gas), now_ns, perceiver.guard_state)

    def _channels(self, signal: SignalView) -> tuple[ChannelView, ...]:
        assert self._spec is not None  # noqa: S101
        names = self._spec.channels
        values = _payload(self._newest, self._spec)
        past = self._past.rows()
        return tuple(
            ChannelView(
                name=names[at],
                unit=self._spec.extra.get(f"unit.{names[at]}", self._spec.unit),
                value=float(values[at]) if at < len(values) else NAN,
                response=float(signal.response[k]),
                threshold=float(signal.threshold[k]),
                fault=signal.faults[k],
                why=FAULT_WORDS.get(signal.faults[k], "") or _unknown(signal, k),
                past=tuple(past[k]),
            )
            for k, at in enumerate(self._gas)
        )

    def _link(self, now_ns: int) -> LinkView:
        assert self._spec is not None  # noqa: S101
        newest = self._newest
        age_s = NAN if newest is None else max(0.0, (now_ns - newest.t_ns) / NS_PER_S)
        times, rate = self._times, self._spec.rate_hz
        span = (times[-1] - times[0]) / NS_PER_S if len(times) > 1 else 0.0
        measured = (len(times) - 1) / span if span > 0 else 0.0
        usual = rate or measured
        silent = age_s > max(2.0, QUIET_PERIODS / usual if usual else 10.0)
        plain = "waiting" if newest is None else "quiet" if silent else "ok"
        return LinkView(
            declared_hz=rate,
            measured_hz=measured,
            age_s=age_s,
            received=self._received,
            lost=max(self._lost, self._counters.dropped),
            invalid=self._invalid,
            reconnects=self._counters.reconnects,
            state=self._state or plain,
        )

    def _air(self) -> AirView:
        """Temperature, humidity and pressure beside the gas sensors, where it has such channels."""
        assert self._spec is not None  # noqa: S101
        values = _payload(self._newest, self._spec)
        found = {
            name.strip().lower(): float(value)
            for name, value in zip(self._spec.channels, values, strict=False)
            if name.strip().lower() in CLIMATE
        }
        return air_of(found)


def air_of(found: Mapping[str, float]) -> AirView:
    """From values by the name of their channel."""
    return AirView(*(found.get(name, NAN) for name in ("temperature", "humidity", "pressure")))


def _unknown(signal: SignalView, channel: int) -> str:
    """A channel that gave no number while clean air was taken has nothing to be compared with."""
    learnt = bool(signal.baseline.how)
    return NO_CLEAN_AIR if learnt and not np.isfinite(signal.response[channel]) else ""


def odour_of(state: SmellState | None, guess: OdourGuess | None) -> OdourView:
    """What the smell that is there may be; without a recogniser it is unknown."""
    if state is None or state.odour is None or state.odour.cleared_ns is not None:
        return OdourView()
    since, onset = state.odour.onset_ns, state.onset_air
    began = None if onset is None else onset.interval(since, DEVIATIONS)
    if guess is None:
        nothing = "this nose has not learnt to tell"
        return OdourView((("unknown", 1.0),), 1.0, since, began, nothing)
    shares = tuple(guess.probabilities.items())
    return OdourView(shares, guess.confidence, since, began, guess.text)


def _payload(sample: Sample | None, spec: StreamSpec) -> F64:
    width = len(spec.channels) or spec.shape[-1]
    if sample is None or sample.payload.size != width:
        return np.full(width, np.nan)
    return np.asarray(sample.payload, dtype=np.float64).ravel()
