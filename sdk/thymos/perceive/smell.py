"""Smelling: what has changed in the air, since when, what it may be, and what that means.

Thin: the signal stage (`thymos.smell.signal`) judges each reading, a recogniser
(`thymos.smell.recognise`) names it, `thymos.smell.meaning` knows what is dangerous or pleasant.
Here they are run on the samples of one nose, and summed up for windows (`smell_cues`).
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np

from thymos.align.window import Window
from thymos.config import PerceiveConfig
from thymos.contract import Cue, Modality
from thymos.devices import stored_calibration
from thymos.errors import CalibrationError
from thymos.perceive.clean_air import known_air, load_clean_air, load_climate
from thymos.perceive.smell_cues import FADED, Reading, Summary, Wafted
from thymos.perceive.smell_guard import AirGuard, moved, note_of, worse
from thymos.samples import NS_PER_S, Flag, Kind, Sample, StreamSpec, gas_channels
from thymos.smell.drift import GuardState
from thymos.smell.frame import F64, BaselineAir, Fault, SmellFrame
from thymos.smell.meaning import DangerWatch, Sniff, cues_of_meaning, table
from thymos.smell.meaning.order import DEVIATIONS
from thymos.smell.recognise.guess import OdourGuess
from thymos.smell.recognise.load import load_recogniser, not_fitting
from thymos.smell.recognise.patterns import patterns_of
from thymos.smell.signal import Air, SmellSignal, SmellState, load, save
from thymos.smell.signal.chain import SLEPT
from thymos.smell.stream import frame_of, nose_of

CLEAN_AIR, CLIMATE = "enose-clean-air", "enose-climate"
"""The kinds of calibration that are looked for."""
STORED, LEARN = "stored", "learn"
LEARNING = "the nose is still learning what clean air is"
KEEP_NS = 130 * NS_PER_S
MAX_READINGS = 20_000
NAME_NS = NS_PER_S // 10
"""A smell is named anew so often at most."""
SAVE_NS = 600 * NS_PER_S


class Namer(Protocol):
    """What names a smell: `Recogniser` or `Patterns`."""

    @property
    def wants(self) -> str:
        """`raw` values or the `response`."""

    def begin(self, t_ns: int) -> None:
        """A new smell begins."""

    def update(self, t_ns: int, values: F64) -> None:
        """Take a reading of it in."""

    def guess(self) -> OdourGuess | None:
        """What it may be; None while that cannot be said."""


class SmellPerceiver:
    """Follows one electronic nose.

    Args:
        config: `clean_air` names the calibration file, or is `stored`: the newest of this nose.
            Without one the first still seconds are taken for clean air, and cues are less sure.
        keep: Write what is learnt of clean air to `smell_state`; False for one who only watches.

    Attributes:
        notes: What was lacking in the window last asked for, in words.
        state: What the signal stage knows after the newest reading; None before the first.
        guess: What the smell that is there may be; None without one.
    """

    modality: ClassVar[Modality] = "smell"
    kind: ClassVar[Kind] = Kind.GAS
    slow: ClassVar[bool] = False

    def __init__(self, config: PerceiveConfig, *, keep: bool = True) -> None:
        self._config = config
        self._keeps = keep
        self._signal: SmellSignal | None = None
        self._readings: deque[Reading] = deque(maxlen=MAX_READINGS)
        self._danger = DangerWatch()
        self._guard: AirGuard | None = None
        self._calibrated: BaselineAir | None = None
        self._namer: Namer | None = None
        self._named_ns: int | None = None
        self._saved_ns: int | None = None
        self._newest: Sample | None = None
        self._lacking: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.state: SmellState | None = None
        self.guess: OdourGuess | None = None

    def start(self, spec: StreamSpec) -> None:
        """Read the calibrations. Temperature, humidity and pressure are no gas: they are left out.

        Raises:
            ConfigError: A calibration file is wrong or belongs to another nose.
            CalibrationError: The kept state of the nose is damaged or of another nose.
        """
        self._spec, self._nose = spec, nose_of(spec)
        self._gas = list(gas_channels(spec))
        names = tuple(spec.channels[i] for i in self._gas)
        self._places = {name.strip().lower(): i for i, name in enumerate(spec.channels)}
        gas = replace(spec, channels=names, shape=(len(names),))
        config = self._config
        clean = weights = None
        if config.clean_air:
            clean = load_clean_air(_file(config.clean_air, CLEAN_AIR, gas), gas)
        if config.climate and config.climate != LEARN:
            weights = load_climate(_file(config.climate, CLIMATE, gas), names)
        known, air = (None, None) if clean is None else known_air(clean, names)
        self._calibrated = known
        self._signal = SmellSignal(
            names,
            spec.unit,
            known=known,
            known_air=air,
            weights=weights,
            learn_climate=config.climate == LEARN,
            warm_up_s=config.warm_up_s,
            rails=False,  # the driver has judged them, and knows of the option `adc_rail`
        )
        if config.smell_state and Path(config.smell_state).exists() and clean is None:
            load(self._signal, config.smell_state)
        odours = None if clean is None else clean.odours
        try:
            learnt = load_recogniser(spec)
            self._lacking = _other_channels(not_fitting(spec))
        except CalibrationError as err:  # what was taught is lacking, dangers are still smelt
            learnt, self._lacking = None, (f"what this nose was taught is not known: {err}",)
        self._namer = learnt or patterns_of(gas, names, odours)
        if config.drift_guard:
            self._guard = AirGuard.load(config.drift_guard, names)
        table()  # read now, not at the first smell

    def observe(self, sample: Sample) -> None:
        """Take a reading in."""
        if self._signal is None:
            return
        self._newest = sample
        values, faults, why = self._values(sample)
        warming = Flag.WARMUP in sample.flags
        known = self._signal.baseline.level is not None
        state = self.state = self._signal.update(
            sample.t_ns, values, self._air(sample), warming=warming, faults=faults
        )
        if not known:
            return
        judged = state.warm and bool(np.isfinite(state.response).any())
        if judged:
            if self._guard is not None:
                self._guard.update(state)
            self._name(state)
            self._danger.take(self._sniff(state))
        self._readings.append(
            Reading(
                t_ns=state.t_ns,
                response=state.response if state.warm else np.full(len(values), np.nan),
                threshold=state.threshold,
                strength=state.strength if judged else 0.0,
                why_invalid=_why(state, why),
                wafted=Wafted.of(state),
                guess=self.guess,
            )
        )
        while self._readings[0].t_ns < sample.t_ns - KEEP_NS:
            self._readings.popleft()
        self._keep(sample.t_ns)

    def cues(self, window: Window) -> list[Cue]:
        """Sum up the window."""
        self.notes = ()
        signal = self._signal
        if signal is None:
            return []
        if signal.baseline.level is None:
            self.notes = (*self._lacking, LEARNING)
            if self.state is not None and not self.state.warm:
                self.notes += (self.state.note,)
            return []
        told = Summary(self._readings, window, signal.names, signal.unit, signal.baseline)
        self.notes = self._lacking + told.notes
        drift = note_of(self.guard_state)
        self.notes += (drift,) if drift else ()
        found = told.cues()
        odour = next((cue for cue in found if cue.name == "odour"), None)
        if odour is not None:
            found += cues_of_meaning(odour)
        return found + (self._danger.cues(window) if found else [])

    def dangers(self) -> list[Cue]:
        """Take the dangers found since the last call."""
        return self._danger.drain()

    def rezero(self) -> None:
        """Take clean air anew, see `SmellSignal.rezero`.

        Raises:
            CalibrationError: A smell was there less than 300 s ago, or that is not known.
        """
        if self._signal is not None:
            self._signal.rezero()

    def close(self) -> None:
        """Keep what is known of clean air, where a file was named for it."""
        self._keep(None)

    @property
    def baseline(self) -> BaselineAir | None:
        """Clean air as it is known now; None while it is not."""
        return None if self._signal is None else self._signal.baseline.air

    @property
    def guard_state(self) -> GuardState | None:
        """Whether the nose needs calibration; None where nothing was learnt or calibrated."""
        told = None if self._guard is None else self._guard.state
        now, signal = self.baseline, self._signal
        if signal is None or now is None or self._calibrated is None:
            return told
        return worse(told, moved(self._calibrated, now, signal.names, signal.unit))

    @property
    def lag(self) -> tuple[int, int] | None:
        """How late the sensors showed the smell that is there, and the deviation of that [ns]."""
        return None if self.state is None else self.state.lag

    @property
    def frame(self) -> SmellFrame | None:
        """The newest reading with all that was found out about it; None before the first.

        Raises:
            FrameError: It has not as many values as its stream has channels.
        """
        if self._newest is None or self.state is None:
            return None
        return self.state.complete(frame_of(self._newest, self._spec, self._nose))

    def _values(self, sample: Sample) -> tuple[F64, tuple[Fault, ...], str]:
        """Raw values of the gas channels, what the driver says of each, and why in words."""
        width = len(self._gas)
        row = np.asarray(sample.payload, dtype=np.float64).ravel()
        if Flag.INVALID in sample.flags or len(row) != len(self._spec.channels):
            return np.full(width, np.nan), (), sample.note or "the reading is invalid"
        frame = sample.smell
        if frame is not None and len(frame.values) == width:
            return frame.values, frame.faults, sample.note
        return row[self._gas], (), sample.note

    def _air(self, sample: Sample) -> Air | None:
        """Temperature and humidity beside the reading, where the nose measures both."""
        at = [self._places.get(name) for name in ("temperature", "humidity")]
        row = sample.payload.ravel()
        if at[0] is None or at[1] is None or len(row) != len(self._spec.channels):
            return None
        return Air(float(row[at[0]]), float(row[at[1]]))

    def _name(self, state: SmellState) -> None:
        """Feed the recogniser while a smell is there, and ask it now and then."""
        namer, odour = self._namer, state.odour
        if odour is None or odour.cleared_ns is not None:
            self.guess, self._named_ns = None, None
            return
        if namer is None:
            return
        if self._named_ns is None:
            namer.begin(odour.onset_ns)
        namer.update(state.t_ns, state.usable if namer.wants == "raw" else state.response)
        if self._named_ns is None or not 0 <= state.t_ns - self._named_ns < NAME_NS:
            self.guess, self._named_ns = namer.guess(), state.t_ns

    def _sniff(self, state: SmellState) -> Sniff:
        """The reading as those who watch for danger want it."""
        odour, guess = state.odour, self.guess
        if odour is None or odour.cleared_ns is not None or state.onset_air is None:
            return Sniff(state.t_ns, None)
        fading = odour.fading_ns is not None
        sure = 0.0 if guess is None else guess.confidence * (FADED if fading else 1.0)
        strongest = int(np.nanargmax(state.response))
        return Sniff(
            state.t_ns,
            odour.onset_ns,
            label="" if guess is None else guess.stands_for,
            confidence=sure,
            strength=state.strength,
            channel=self._spec.channels[self._gas[strongest]],
            fading=fading,
            began_ns=state.onset_air.interval(odour.onset_ns, DEVIATIONS),
            calibrated=self._signal is not None and self._signal.baseline.measured,
            period_ns=round(NS_PER_S / hz) if (hz := self._spec.rate_hz or state.rate_hz) else 0,
        )

    def _keep(self, t_ns: int | None) -> None:
        """Write the state to its file: now and then, and at the end (None)."""
        place, signal = self._config.smell_state, self._signal
        if not place or signal is None or not self._keeps:
            return
        if self._saved_ns is None and t_ns is not None:
            self._saved_ns = t_ns
        since = 0 if t_ns is None or self._saved_ns is None else t_ns - self._saved_ns
        if t_ns is None or not 0 <= since < SAVE_NS:
            self._saved_ns = t_ns  # first: where it cannot be written it is not tried each time
            save(signal, place)


def _other_channels(names: tuple[str, ...]) -> tuple[str, ...]:
    """That some of what was taught is of no use, in words."""
    if not names:
        return ()
    some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return (f"taught when this nose had other channels, not recognised now: {some}",)


def _why(state: SmellState, told: str) -> str:
    """Why channels of a reading are of no use: the stage's reason, else what the driver told."""
    if not state.warm:
        return state.note
    return SLEPT if SLEPT in state.note else told


def _file(named: str, kind: str, spec: StreamSpec) -> Path:
    return stored_calibration(kind, spec) if named == STORED else Path(named)
