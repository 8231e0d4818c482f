"""From raw values to responses, phases and events: online, causal, bounded, deterministic.

`SmellSignal` runs all stages; each is an object of its own in the module of its name. What every
stage does, with formulas, sources and figures: docs/smell-signal.md.
"""

from __future__ import annotations

from thymos.smell.signal.baseline import Baseline, Mode, response
from thymos.smell.signal.chain import SmellSignal, SmellState
from thymos.smell.signal.climate import Air, Learner, Weights, weights_of
from thymos.smell.signal.features import Differences, Sniff, heater_groups, heater_shape
from thymos.smell.signal.lag import Moment
from thymos.smell.signal.memory import load, save
from thymos.smell.signal.phase import Odour, PhaseMachine
from thymos.smell.signal.warmup import WarmUp

__all__ = [
    "Air",
    "Baseline",
    "Differences",
    "Learner",
    "Mode",
    "Moment",
    "Odour",
    "PhaseMachine",
    "SmellSignal",
    "SmellState",
    "Sniff",
    "WarmUp",
    "Weights",
    "heater_groups",
    "heater_shape",
    "load",
    "response",
    "save",
    "weights_of",
]
