"""Reads what the signal stage knows into the values that are shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thymos.perceive.clean_air import MIN_READINGS, REZERO_AFTER_NS
from thymos.perceive.smell import MIN_CHANGE, NOISE_TIMES, SmellPerceiver
from thymos.samples import NS_PER_S, Flag, Sample
from thymos.smell.frame import F64, Fault, Phase
from thymos.smell.view import NAN, BaselineView, DriftView


@dataclass(frozen=True, slots=True)
class SignalView:
    """What the signal stage knows of the newest reading; arrays are [gas channels]."""

    response: F64
    threshold: F64
    faults: tuple[Fault, ...]
    baseline: BaselineView
    phase: Phase = Phase.UNKNOWN
    phase_since_ns: int | None = None
    warm: float = NAN
    warm_left_s: float = NAN
    drift: DriftView | None = None


def signal_of(
    perceiver: SmellPerceiver, width: int, newest: Sample | None, now_ns: int | None
) -> SignalView:
    """What a perceiver knows now.

    Args:
        perceiver: Started.
        width: Gas channels.
        newest: The reading it took in last.
        now_ns: The moment; that of the reading if None.
    """
    now = now_ns if now_ns is not None else newest.t_ns if newest else 0
    base = perceiver._baseline
    last = perceiver._readings[-1] if perceiver._readings else None
    response = np.full(width, np.nan)
    threshold = np.full(width, MIN_CHANGE)
    if base.level is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            noise = NOISE_TIMES * base.noise / np.abs(base.level)
        threshold = np.maximum(MIN_CHANGE, np.nan_to_num(noise, nan=0.0, posinf=0.0))
        if last is not None:
            response = np.array([perceiver._ratio(v) for v in last.response])
    usable = np.isfinite(response) | (base.level is None)
    if newest is None:
        usable = np.ones(width, dtype=bool)
    odour = perceiver._current
    phase, since = Phase.UNKNOWN, None
    if odour is not None:
        fading = odour.fading_ns
        phase = Phase.EXPOSURE if fading is None else Phase.RECOVERY
        since = odour.onset_ns if fading is None else fading
    elif base.level is not None:
        phase, since = Phase.BASELINE, base._quiet_since_ns
    rezero = REZERO_AFTER_NS / NS_PER_S
    if base._quiet_since_ns is not None:
        rezero = max(0.0, rezero - (now - base._quiet_since_ns) / NS_PER_S)
    warming = newest is not None and Flag.WARMUP in newest.flags
    return SignalView(
        response=response,
        threshold=threshold,
        faults=tuple(Fault.NONE if ok else Fault.MISSING for ok in usable),
        baseline=BaselineView(
            how="" if base.level is None else "calibrated" if base.calibrated else "first_seconds",
            learnt=1.0 if base.level is not None else min(0.99, len(base._first) / MIN_READINGS),
            rezero_in_s=rezero if base.level is not None else NAN,
        ),
        phase=phase,
        phase_since_ns=since,
        warm=NAN if newest is None else 0.0 if warming else 1.0,
    )
