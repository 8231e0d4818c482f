"""Whether a nose needs calibration: its clean air against the clean air it is known by."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from thymos.errors import CalibrationError, ConfigError
from thymos.samples import NS_PER_S
from thymos.smell.drift import DriftGuard, GuardState, log_features
from thymos.smell.drift.guard import COMMAND
from thymos.smell.frame import F64, BaselineAir, Phase
from thymos.smell.signal import SmellState, response
from thymos.smell.signal.phase import MIN_CHANGE

EVERY_NS = NS_PER_S
"""A row of features so often: the guard's window is in rows, not in readings."""
MIN_ROWS = 60


class AirGuard:
    """Asks a drift guard about the clean air of a running nose, once a second.

    Smells are not asked about: what they should look like is the business of the recogniser.

    Args:
        guard: Fitted on clean air of this nose, see `learn_air`.

    Attributes:
        state: What it said last; None before the first row.
    """

    def __init__(self, guard: DriftGuard) -> None:
        self._guard = guard
        self._last_ns: int | None = None
        self.state: GuardState | None = None

    @staticmethod
    def load(path: Path | str, names: tuple[str, ...]) -> AirGuard:
        """Read a guard from its file.

        Raises:
            CalibrationError: It is missing or damaged.
            ConfigError: It belongs to another nose.
        """
        guard = DriftGuard.load(path)
        if tuple(guard.names) != names:
            raise ConfigError(
                f"the drift guard '{path}' is of a nose with other channels",
                hint="make one from clean air of this nose: thymos smell guard",
            )
        return AirGuard(guard)

    def update(self, state: SmellState) -> None:
        """Take a reading of the nose."""
        if self._last_ns is not None and 0 <= state.t_ns - self._last_ns < EVERY_NS:
            return
        row = clean_row(state)
        if row is not None:
            self._last_ns = state.t_ns
            self.state = self._guard.update(row)


def moved(known: BaselineAir, now: BaselineAir, names: tuple[str, ...], unit: str) -> GuardState:
    """How far followed clean air has gone from the clean air that was measured.

    Score 1: clean air now would have counted as a smell then.

    Args:
        known: As calibrated.
        now: As followed since.
        names: Gas channels.
        unit: Of both.
    """
    change = response(now.values, known.values, unit)
    if not np.isfinite(change).any():
        return GuardState(float("nan"), False)
    worst = int(np.nanargmax(np.abs(change)))
    score = float(abs(change[worst])) / MIN_CHANGE
    if score < 1:
        return GuardState(score, False)
    share = now.values[worst] / known.values[worst] - 1
    reason = f"clean air of {names[worst]} has moved by {share:+.0%} since it was measured"
    return GuardState(score, True, reason, COMMAND)


def worse(one: GuardState | None, other: GuardState | None) -> GuardState | None:
    """The state that asks more urgently for calibration; None if there is none."""
    both = [s for s in (one, other) if s is not None and not np.isnan(s.score)]
    return max(both, key=lambda s: s.score) if both else one or other


def note_of(state: GuardState | None) -> str:
    """That the nose needs calibration, why, and what to type; empty if it does not."""
    if state is None or not state.needed:
        return ""
    return f"the nose needs calibration: {state.reason} ({state.command})"


def clean_row(state: SmellState) -> F64 | None:
    """Features of a reading of clean air [gas channels]; None if it is something else."""
    if state.phase is not Phase.BASELINE or not np.isfinite(state.usable).all():
        return None
    return log_features(state.usable)


def learn_air(states: Iterable[SmellState], names: tuple[str, ...]) -> tuple[DriftGuard, int]:
    """Fit a guard on clean air, a row a second; smells and warm-up in it are left out.

    Args:
        states: Of a nose in the air of some hours or days, as it is when nothing is wrong.
        names: Its gas channels.

    Returns:
        The guard, and on how many rows it rests.

    Raises:
        CalibrationError: There is too little clean air.
    """
    rows: list[F64] = []
    last_ns: int | None = None
    for state in states:
        if last_ns is not None and 0 <= state.t_ns - last_ns < EVERY_NS:
            continue
        row = clean_row(state)
        if row is not None:
            last_ns = state.t_ns
            rows.append(row)
    if len(rows) < MIN_ROWS:
        raise CalibrationError(
            f"{len(rows)} seconds of clean air are too few for a guard (at least {MIN_ROWS})",
            hint="record the nose in clean air over hours: thymos record --enose serial: air.mcap",
        )
    return DriftGuard(names=names).fit(np.array(rows)), len(rows)
