"""Reads what the signal stage knows into the values that are shown."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from thymos.samples import NS_PER_S
from thymos.smell.drift.guard import GuardState
from thymos.smell.frame import F64, Fault, Phase
from thymos.smell.signal import Mode, SmellState
from thymos.smell.view import NAN, BaselineView, DriftView


@dataclass(frozen=True, slots=True)
class SignalView:
    """What the signal stage knows of the newest reading; arrays are [gas channels].

    `response` is (x - x0)/x0: it moves as the raw value does, whatever the stages work with.
    """

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
    state: SmellState | None,
    width: int,
    now_ns: int | None = None,
    guard: GuardState | None = None,
) -> SignalView:
    """What a state tells.

    Args:
        state: After the newest reading; None before the first.
        width: Gas channels.
        now_ns: The moment; that of the reading if None.
        guard: What is said of drift, if anything.
    """
    unknown = np.full(width, np.nan)
    if state is None:
        return SignalView(unknown, unknown, (Fault.NONE,) * width, BaselineView())
    left, on = state.warm_left_ns, state.on_for_ns
    total = NAN if left is None or on < 0 else float(on + left)
    return SignalView(
        response=state.against(Mode.FRACTIONAL),
        threshold=state.threshold,
        faults=state.faults,
        baseline=_baseline(state, state.t_ns if now_ns is None else now_ns),
        phase=state.phase,
        phase_since_ns=state.phase_since_ns,
        warm=1.0 if state.warm else float(on / total) if total > 0 else 0.0,
        warm_left_s=NAN if left is None else left / NS_PER_S,
        drift=_drift(guard),
    )


def _drift(guard: GuardState | None) -> DriftView | None:
    if guard is None or not math.isfinite(guard.score):
        return None
    return DriftView(guard.score, guard.needed, guard.reason, guard.command)


def _baseline(state: SmellState, now_ns: int) -> BaselineView:
    base = state.baseline
    if base is None:
        return BaselineView(learnt=state.learnt)
    age = NAN if base.taken_ns is None else (now_ns - base.taken_ns) / NS_PER_S
    # A file of another day is on another clock: an age before zero says nothing.
    return BaselineView(
        how=base.how,
        age_s=age if age >= 0 else NAN,
        learnt=1.0,
        rezero_in_s=state.rezero_in_ns / NS_PER_S,
    )
