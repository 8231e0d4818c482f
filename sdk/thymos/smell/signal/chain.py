"""The stages of the signal, in order: validity, warm-up, climate, baseline, phase, lag, features.

Each stage is an object of its own that can be used alone; `SmellSignal` runs them reading by
reading. All of it is online and causal (a state depends on this reading and those before it),
deterministic (on times and values only), and bounded (nothing grows with the stream).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from thymos.errors import CalibrationError, FrameError
from thymos.samples import NS_PER_S
from thymos.smell.frame import F64, NAN, BaselineAir, Fault, Phase, SmellFrame
from thymos.smell.signal.baseline import Baseline, Mode, response
from thymos.smell.signal.climate import HOLD_NS, Air, Learner, Weights
from thymos.smell.signal.features import Differences, Sniff, heater_groups
from thymos.smell.signal.lag import Moment, Rise, offset, onset
from thymos.smell.signal.phase import READINGS_ON, Odour, PhaseMachine, strength, thresholds
from thymos.smell.signal.warmup import Waking, WarmUp
from thymos.smell.validity import Validity


@dataclass(frozen=True, slots=True)
class SmellState:
    """What is known after one reading; arrays are [gas channels].

    Attributes:
        t_ns: Time of the reading.
        unit: Of the values.
        values: As they came.
        faults: Why a value may not be used.
        usable: Values, NaN where they may not be used.
        corrected: Usable values, brought to the air in which the baseline was taken.
        correction: `none`, `calibrated` or `learnt`: whose weights did that.
        response: Corrected against clean air (−ln(R/R0) for resistances, else (x − x0)/x0); NaN
            where unknown.
        threshold: Response that counts as a smell.
        strength: Largest response in thresholds, NaN if no channel answers.
        slope: Change of the response a second, NaN while it is not known.
        baseline: Clean air, None while it is not known.
        learnt: How far the search for it has come, 0 to 1.
        sure: The baseline rests on a calibration.
        phase: Of the sniff; UNKNOWN without a baseline and during warm-up.
        phase_since_ns: When the phase began, None if unknown.
        rezero_in_ns: Clean air still needed before the baseline may move.
        warm: Whether the reading was judged.
        warm_left_ns: Of a declared warm-up, None if there is none.
        on_for_ns: How long the nose has been on, -1 if unknown.
        odour: The smell that is there, as it was at this reading; the one that finds it gone is the
            last to tell of it (`cleared_ns`).
        onset_air: When it reached the nose.
        offset_air: When it left the nose, None while it is there.
        rate_hz: Readings a second over the last 64, 0 while it is not known.
        note: What is odd about the reading, in words.
    """

    t_ns: int
    unit: str
    values: F64
    faults: tuple[Fault, ...]
    usable: F64
    corrected: F64
    correction: str
    response: F64
    threshold: F64
    strength: float
    slope: F64
    baseline: BaselineAir | None
    learnt: float
    sure: bool
    phase: Phase
    phase_since_ns: int | None
    rezero_in_ns: int
    warm: bool
    warm_left_ns: int | None
    on_for_ns: int
    odour: Odour | None
    onset_air: Moment | None
    offset_air: Moment | None
    rate_hz: float
    note: str

    @property
    def lag(self) -> tuple[int, int] | None:
        """How late the sensors showed the smell that is there, and the deviation of that [ns]."""
        if self.odour is None or self.onset_air is None:
            return None
        return self.odour.onset_ns - self.onset_air.t_ns, self.onset_air.spread_ns

    def against(self, mode: Mode) -> F64:
        """The reading against clean air in another mode [gas channels]; NaN where unknown."""
        if self.baseline is None:
            return np.full(len(self.values), np.nan)
        return response(self.corrected, self.baseline.values, self.unit, mode)

    def complete(self, frame: SmellFrame) -> SmellFrame:
        """The frame of this very reading, with what the signal stage found out."""
        return replace(
            frame,
            faults=self.faults,
            baseline=self.baseline,
            phase=self.phase,
            on_for_ns=self.on_for_ns if frame.on_for_ns < 0 else frame.on_for_ns,
            rate_hz=self.rate_hz if frame.rate_hz == 0 else frame.rate_hz,
        )


class SmellSignal:
    """The signal stage of one nose.

    Args:
        names: Gas channels.
        unit: Of all of them.
        known: Clean air measured beforehand; None to find it in the first still seconds.
        known_air: Temperature and humidity in which that was measured, if known.
        weights: What the climate does to the channels; None for nothing known.
        learn_climate: Learn that in clean air; calibrated weights come first.
        warm_up_s: Declared warm-up.
        rails: The end of the converter's range means that there is no reading; False where a
            driver has judged that already.

    Attributes:
        state: After the last reading, None before the first.
    """

    def __init__(
        self,
        names: Sequence[str],
        unit: str,
        *,
        known: BaselineAir | None = None,
        known_air: Air | None = None,
        weights: Weights | None = None,
        learn_climate: bool = False,
        warm_up_s: float = 0.0,
        rails: bool = True,
    ) -> None:
        self.names, self.unit = tuple(names), unit
        width = len(self.names)
        own = unit if rails or unit != "adc" else "raw"
        self._validity = Validity(self.names, own)
        self._warm = WarmUp(warm_up_s)
        self._waking = Waking(scans=bool(heater_groups(self.names)))
        self.baseline = Baseline(width, unit, known)
        self.phases = PhaseMachine()
        self._weights = weights
        self.learner = Learner(width) if learn_climate and weights is None else None
        self._air: tuple[int, Air] | None = None
        self.reference = known_air
        self._fresh: Baseline | None = None
        self._past: deque[tuple[int, F64]] = deque(maxlen=READINGS_ON)
        self._flat: tuple[int, F64] | None = None
        self._slope = Differences()
        self._times: deque[int] = deque(maxlen=64)
        self._rise: Rise | None = None
        self._sniff: Sniff | None = None
        self._fitted: Moment | None = None
        self._threshold = thresholds(self.baseline.threshold_noise())
        self.state: SmellState | None = None

    def update(
        self,
        t_ns: int,
        values: F64,
        air: Air | None = None,
        *,
        warming: bool = False,
        faults: Sequence[Fault] = (),
    ) -> SmellState:
        """Take a reading through all stages.

        Args:
            t_ns: Its capture time.
            values: Raw [gas channels], NaN where there is none.
            air: Temperature and humidity at the reading, if measured.
            warming: The device says it has not settled.
            faults: What the device or its driver says of each channel, if anything.

        Raises:
            FrameError: There are more or fewer values than channels.
        """
        if len(values) != len(self.names):
            raise FrameError(
                f"{len(values)} values for {len(self.names)} channels",
                hint="give one for each gas channel, NaN where there is none",
            )
        usable, note = self._validity.check(values)
        told = self._validity.faults if note or faults else _NONE * len(usable)
        if faults:
            told = tuple(a if a is not Fault.NONE else b for a, b in zip(faults, told, strict=True))
            bad = [one not in _USABLE for one in faults]
            usable = np.where(bad, np.nan, usable)
        if not self._waking.update(t_ns):
            told = tuple(Fault.UNSTABLE if one is Fault.NONE else one for one in told)
            usable, note = np.full(len(usable), np.nan), SLEPT
        warm = self._warm.update(t_ns, usable, warming=warming)
        if not warm:
            told = tuple(Fault.WARM_UP if one is Fault.NONE else one for one in told)
        corrected, how = self._correct(t_ns, usable, air)
        answer, level = self._judge(t_ns, usable, corrected, warm)
        self.state = SmellState(
            t_ns=t_ns,
            unit=self.unit,
            values=values,
            faults=told,
            usable=usable,
            corrected=corrected,
            correction=how,
            response=answer,
            threshold=self._threshold,
            strength=level,
            slope=self._slope.update(t_ns, answer),
            rate_hz=self._rate(t_ns),
            note="; ".join(filter(None, (note, self._warm.why))),
            **self._known(t_ns, warm),
        )
        return self.state

    def rezero(self) -> None:
        """Take clean air anew from the next still seconds; the old one serves until then.

        Raises:
            CalibrationError: There was a smell less than 300 s ago, or that is not known.
        """
        state = self.state
        if state is None or not state.warm or not self.phases.may_rezero(state.t_ns):
            left = 0 if state is None else state.rezero_in_ns
            raise CalibrationError(
                "the sensors may still remember a smell: clean air cannot be taken now",
                hint=f"leave the nose in clean air for {-(-left // NS_PER_S)} s more",
            )
        self._fresh = Baseline(len(self.names), self.unit)

    def take_baseline(self, baseline: Baseline, air: Air | None) -> None:
        """Go on with clean air that was kept; as after any restart, 300 s of it are needed anew.

        Args:
            baseline: With a level for each channel.
            air: Temperature and humidity in which it was taken, if known.
        """
        self.baseline, self.reference, self._fresh = baseline, air, None
        self._threshold = thresholds(baseline.threshold_noise())
        self.phases = PhaseMachine()
        if self.learner is not None:
            self._weights = self.learner.weights()

    def features(self) -> F64:
        """Features of the smell that is there, or of the last one [channels, 8].

        See `thymos.smell.signal.features`; of the response, NaN before the first smell.
        """
        if self._sniff is None:
            return np.full((len(self.names), 8), np.nan)
        return self._sniff.vector()

    def _correct(self, t_ns: int, usable: F64, air: Air | None) -> tuple[F64, str]:
        """Bring a reading to the air of the baseline."""
        if air is not None and air.known:
            self._air = (t_ns, air)
        if self._air is None or not 0 <= t_ns - self._air[0] <= HOLD_NS:
            return usable, "none"
        if self.reference is None and self.baseline.level is not None:
            self.reference = self._air[1]  # nothing better is known of the air of the baseline
        if self._weights is None or self.reference is None:
            return usable, "none"
        weights = self._weights
        now, then = weights.terms(self._air[1]), weights.terms(self.reference)
        return usable * weights.factor(now, then), weights.how

    def _judge(self, t_ns: int, usable: F64, corrected: F64, warm: bool) -> tuple[F64, float]:
        """Response and strength; phase, onset, features and baseline move on."""
        base = self.baseline
        if not warm:
            self.phases.interrupt()
            base.forget()
        if not np.isfinite(usable).any():
            return np.full(len(usable), np.nan), NAN
        if base.level is None:
            if warm and base.learn(t_ns, usable):
                self._threshold = thresholds(base.threshold_noise())
                self.reference = None if self._air is None else self._air[1]
            return np.full(len(usable), np.nan), NAN
        answer = response(corrected, base.level, self.unit)
        level = strength(answer, self._threshold)
        if warm:
            self._follow_odour(t_ns, answer, self.phases.update(t_ns, level))
            self._follow_air(t_ns, usable, level)
        return answer, level

    def _follow_odour(self, t_ns: int, answer: F64, found: Odour | None) -> None:
        self._past.append((t_ns, answer))
        odour = self.phases.current
        if found is not None:
            self._rise = Rise(found.onset_ns, len(answer))
            self._sniff, self._fitted = Sniff(len(answer)), None
            if self._flat is not None and self._flat[0] == found.flat_ns:
                self._sniff.update(*self._flat)  # a sniff begins in clean air
            for then_ns, before in self._past:
                self._rise.take(then_ns, before)
                self._sniff.update(then_ns, before)
        elif odour is None:
            self._flat = (t_ns, answer) if self.phases.flat_ns == t_ns else self._flat
        elif self._sniff is not None and self._rise is not None:
            self._sniff.update(t_ns, answer)
            if odour.fading_ns is None and self._rise.take(t_ns, answer):
                noise = self.baseline.threshold_noise()
                self._fitted = self._rise.fit(noise, answer) or self._fitted

    def _follow_air(self, t_ns: int, usable: F64, level: float) -> None:
        """Follow drift and learn the climate, where the air is known to be clean."""
        before = None if self.state is None else self.state.t_ns
        if not level <= 1.0 or not self.phases.may_rezero(t_ns):
            self._fresh = None
            return
        step = 0 if before is None else max(0, t_ns - before)
        weight = self.baseline.follow(t_ns, usable, step)
        self._threshold = thresholds(self.baseline.threshold_noise())
        air = None if self._air is None or self._air[0] != t_ns else self._air[1]
        if air is not None:
            self._move_reference(air, weight)
            if self.learner is not None and self.learner.learn(t_ns, usable, air):
                self._weights = self.learner.weights()
        if self._fresh is not None and self._fresh.learn(t_ns, usable):
            self.baseline, self._fresh, self.reference = self._fresh, None, air
            self._threshold = thresholds(self.baseline.threshold_noise())

    def _move_reference(self, air: Air, weight: float) -> None:
        """The air of the baseline follows as the baseline does."""
        old = self.reference or air
        self.reference = Air(
            old.temperature + weight * (air.temperature - old.temperature),
            old.humidity + weight * (air.humidity - old.humidity),
        )

    def _rate(self, t_ns: int) -> float:
        """Measured rate; a stamp that does not go on, or a hole of five periods, begins it anew."""
        times = self._times
        if times:
            step, lasted = t_ns - times[-1], times[-1] - times[0]
            if step <= 0 or (len(times) > 1 and step * (len(times) - 1) > 5 * lasted):
                times.clear()
        times.append(t_ns)
        return (len(times) - 1) * NS_PER_S / (t_ns - times[0]) if len(times) > 1 else 0.0

    def _known(self, t_ns: int, warm: bool) -> dict[str, Any]:
        """What a state tells beyond the reading itself."""
        base, phases = self.baseline, self.phases
        judged = warm and base.level is not None
        odour = phases.odour if judged else None
        if odour is not None and odour.cleared_ns not in (None, t_ns):
            odour = None
        return {
            "baseline": base.air,
            "learnt": base.learnt,
            "sure": base.measured,
            "phase": phases.phase if judged else Phase.UNKNOWN,
            "phase_since_ns": phases.since_ns if judged else None,
            "rezero_in_ns": phases.rezero_in_ns,
            "warm": warm,
            "warm_left_ns": self._warm.left_ns,
            "on_for_ns": self._warm.on_for_ns,
            "odour": None if odour is None else replace(odour),
            "onset_air": None if odour is None else onset(odour, self._fitted),
            "offset_air": None if odour is None else offset(odour),
        }


SLEPT = "the board slept, its heaters have not settled"
_NONE = (Fault.NONE,)
_USABLE = (Fault.NONE, Fault.WARM_UP)
