"""Teaching by sniffs: clean air, hold it to the nose, away again; bad sniffs are refused.

Clean air is measured once, before the first sniff: sensors need minutes to recover, and a baseline
taken between two sniffs would hold the first one's memory. The next sniff begins when the response
has fallen to half; all are compared with the same clean air.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from thymos.errors import CalibrationError
from thymos.samples import NS_PER_S, Flag, Sample, StreamSpec, gas_channels
from thymos.smell.recognise.embed import BIN_S, WINDOW_BINS, bin_length
from thymos.smell.recognise.taught import LEAST_CHANNELS, MAX_BINS, TaughtSniff
from thymos.smell.signal.baseline import response

F64 = NDArray[np.float64]

AIR_S = 15.0
SNIFF_S = 25.0
PATIENCE_S = 60.0
RECOVERY_S = 240.0
MIN_CHANGE = 0.08
"""A smell moves a sensor by this much, or by `NOISE_TIMES` its noise."""
NOISE_TIMES = 6.0
READINGS_ON = 3
MIN_READINGS = 5
RISE = 1.5
"""A sniff begins with a response this many times the least since the last: sensors remember."""
FALLEN = 0.5
"""Of the peak: the smell is gone."""
STILL = 0.05
RAIL_SHARE = 0.2
SAME = 0.7
"""Cosine between a sniff and the mean of those before; below it was another smell."""
MAX_REFUSALS = 6
_ROWS_KEPT = 100_000


class Step(str, Enum):
    """What the person should do now."""

    AIR = "keep it in clean air"
    NOSE = "now hold it to the nose"
    HOLD = "hold it there"
    AWAY = "take it away again"
    DONE = "done"


class Teacher:
    """Takes sniffs from the readings of one nose.

    Args:
        spec: The nose.
        sniffs: How many are wanted.
        sniff_s: Length of one.
        hurry: A person is being guided: say so when nothing happens, and give up in the end. Of a
            recording every sniff counts, however long the air is clean between them.

    Attributes:
        step: What the person should do now.
        sniffs: Those that were taken.
        refused: Why others were not, in order.
        note: What it waits for; empty when it goes on.

    Raises:
        CalibrationError: The nose has too few gas channels to tell odours apart.
    """

    def __init__(
        self, spec: StreamSpec, sniffs: int = 3, sniff_s: float = SNIFF_S, *, hurry: bool = True
    ) -> None:
        self._spec, self._hurry = spec, hurry
        self._gas = list(gas_channels(spec))
        self.channels = tuple(spec.channels[i] for i in self._gas)
        if len(self._gas) < LEAST_CHANNELS:
            raise CalibrationError(
                "a nose with one gas sensor knows how strong a smell is, not which one: it would "
                "give this name to every smell",
                hint="thymos smell live shows how strong it is",
            )
        self._wanted = sniffs
        self.bin_s = bin_length(spec.rate_hz)
        self._bin_ns = round(self.bin_s * NS_PER_S)
        self._air_ns = max(round(AIR_S * NS_PER_S), WINDOW_BINS * self._bin_ns)
        self._sniff_ns = max(round(sniff_s * NS_PER_S), (WINDOW_BINS + 1) * self._bin_ns)
        self._patience_ns = max(round(PATIENCE_S * NS_PER_S), 4 * READINGS_ON * self._bin_ns)
        self.step = Step.AIR
        self.sniffs: list[TaughtSniff] = []
        self.refused: list[str] = []
        self.note = ""
        self.air: F64 | None = None
        self._since_ns: int | None = None
        self._rows: list[tuple[int, F64]] = []
        self._bad = 0
        self._on = 0
        self._peak = 0.0
        self._least = np.inf
        self._threshold = np.full(len(self._gas), MIN_CHANGE)
        self._t_ns = -(2**62)

    @property
    def share(self) -> float:
        """How much of this step is done, 0 to 1; 0 where it waits for the person."""
        if self._since_ns is None or self.step not in (Step.AIR, Step.HOLD):
            return 1.0 if self.step is Step.DONE else 0.0
        length = self._air_ns if self.step is Step.AIR else self._sniff_ns
        return float(min(1.0, (self._t_ns - self._since_ns) / length))

    def take(self, sample: Sample) -> None:
        """Take in a reading.

        Raises:
            CalibrationError: Too many sniffs were refused, or the nose does not recover.
        """
        row = np.asarray(sample.payload, dtype=np.float64).ravel()
        if self.step is Step.DONE or len(row) != len(self._spec.channels):
            return
        back = sample.t_ns < self._t_ns
        self._t_ns = sample.t_ns
        if back:
            self._jumped()
        if Flag.WARMUP in sample.flags:
            self._warming()
            return
        values = np.where(np.isfinite(row), row, np.nan)[self._gas]
        if Flag.INVALID in sample.flags:
            values = np.full(len(values), np.nan)
        clipped = Flag.CLIPPED in sample.flags
        {
            Step.AIR: self._in_air,
            Step.NOSE: self._to_nose,
            Step.HOLD: self._hold,
            Step.AWAY: self._away,
        }[self.step](values, clipped)

    def _jumped(self) -> None:
        """The clock of the nose went back: what was gathered has no length any more."""
        if self.step is Step.HOLD:
            self._refuse("the clock of the nose jumped", Step.AWAY)
        else:
            self._go(self.step)

    def _warming(self) -> None:
        if self.step in (Step.NOSE, Step.HOLD):
            self._refuse("the nose is warming up", Step.AIR)
        self._go(self.step, "the nose is warming up")

    def _in_air(self, values: F64, clipped: bool) -> None:
        self._keep(values, clipped)
        if self._since_ns is None or self._t_ns - self._since_ns < self._air_ns:
            return
        rows = np.stack([r for _, r in self._rows])
        known = np.isfinite(rows).mean(axis=0) >= 1.0 - RAIL_SHARE
        if len(rows) < MIN_READINGS or not known.any():
            self._refuse("the nose gives no valid readings", Step.AIR)
            return
        level = np.full(rows.shape[1], np.nan)
        level[known] = np.nanmedian(rows[:, known], axis=0)
        moved = np.nan_to_num(response(rows, level, self._spec.unit)[:, known], nan=0.0)
        spread = moved.std(axis=0)
        third = max(1, len(moved) // 3)
        drift = np.abs(np.median(moved[-third:], axis=0) - np.median(moved[:third], axis=0))
        if (np.maximum(spread, drift) > STILL).any():
            name = np.array(self.channels)[known][int(np.maximum(spread, drift).argmax())]
            self._refuse(f"the air is not still ({name} moves); air the room and wait", Step.AIR)
            return
        self.air = level
        self._threshold[known] = np.maximum(MIN_CHANGE, NOISE_TIMES * spread)
        self._go(Step.NOSE)

    def _to_nose(self, values: F64, clipped: bool) -> None:
        self._keep(values, clipped)
        strength = self._strength(values)
        self._least = min(self._least, strength)
        self._on = self._on + 1 if strength > max(1.0, RISE * self._least) else 0
        if self._on >= READINGS_ON:
            kept, since = self._rows[-READINGS_ON:], self._rows[-READINGS_ON][0]
            self._go(Step.HOLD)
            self._rows, self._since_ns = kept, since
        elif self._late(self._patience_ns):
            self._refuse(f"no change: no sensor moved by {MIN_CHANGE:.0%}", Step.NOSE)

    def _hold(self, values: F64, clipped: bool) -> None:
        self._keep(values, clipped)
        strength = self._strength(values)
        self._peak = max(self._peak, strength)
        self._on = 0 if strength > max(1.0, FALLEN * self._peak) else self._on + 1
        if self._on >= READINGS_ON:
            self._refuse("the smell went away too soon", Step.AWAY)
            return
        assert self._since_ns is not None  # noqa: S101
        if self._t_ns - self._since_ns < self._sniff_ns:
            return
        sniff, why = self._judge()
        if sniff is None:
            self._refuse(why, Step.AWAY)
            return
        self.sniffs.append(sniff)
        self._go(Step.DONE if len(self.sniffs) >= self._wanted else Step.AWAY)

    def _away(self, values: F64, clipped: bool) -> None:
        self._since_ns = self._t_ns if self._since_ns is None else self._since_ns
        if self._strength(values) <= max(1.0, FALLEN * self._peak):
            self._go(Step.NOSE)
            self._peak, self._least = 0.0, np.inf
        elif self._late(round(RECOVERY_S * NS_PER_S)):
            raise CalibrationError(
                f"after {RECOVERY_S:.0f} s the sensors still smell the last sniff",
                hint="take it further away, air the room, and start again",
            )

    def _late(self, limit_ns: int) -> bool:
        """Whether this step has lasted too long for a person who waits."""
        since = self._t_ns if self._since_ns is None else self._since_ns
        return self._hurry and self._t_ns - since > limit_ns

    def _judge(self) -> tuple[TaughtSniff | None, str]:
        """The sniff that was held, or why it is none."""
        assert self.air is not None  # noqa: S101
        assert self._since_ns is not None  # noqa: S101
        known = np.isfinite(self.air)
        rows = np.stack([r for _, r in self._rows])
        lost = np.isnan(rows[:, known]).mean(axis=0)
        if self._bad > RAIL_SHARE * len(rows) or (lost > RAIL_SHARE).any():
            name = np.array(self.channels)[known][int(lost.argmax())]
            return None, f"saturated: {name} is at the end of its range; hold it further away"
        place = [(t - self._since_ns) // self._bin_ns for t, _ in self._rows]
        bins = [rows[np.array(place) == k] for k in range(min(MAX_BINS, max(place)))]
        if any(np.isnan(b[:, known]).all(axis=0).any() if len(b) else True for b in bins):
            return None, "readings were lost"
        table = np.full((len(bins), rows.shape[1]), np.nan)
        table[:, known] = [np.nanmean(b[:, known], axis=0) for b in bins]
        sniff = TaughtSniff(table, self.air)
        if self.sniffs and self._alike(sniff) < SAME:
            return None, "unlike the sniffs before: was it the same smell?"
        return sniff, ""

    def _alike(self, sniff: TaughtSniff) -> float:
        """Cosine between the response of a sniff and the mean of those before."""
        assert self.air is not None  # noqa: S101
        air = self.air

        def unit(one: TaughtSniff) -> F64:
            moved = np.nan_to_num(response(one.bins, air, self._spec.unit).mean(axis=0), nan=0.0)
            return np.asarray(moved / (np.linalg.norm(moved) or 1.0))

        before = np.mean([unit(s) for s in self.sniffs], axis=0)
        return float(unit(sniff) @ before / (np.linalg.norm(before) or 1.0))

    def _strength(self, values: F64) -> float:
        """Largest response, in thresholds."""
        assert self.air is not None  # noqa: S101
        moved = np.abs(response(values, self.air, self._spec.unit)) / self._threshold
        return float(np.nanmax(moved)) if np.isfinite(moved).any() else 0.0

    def _keep(self, values: F64, clipped: bool) -> None:
        self._since_ns = self._t_ns if self._since_ns is None else self._since_ns
        self.note = ""
        if self.step is Step.NOSE:
            self._rows = self._rows[-READINGS_ON + 1 :]
        if len(self._rows) < _ROWS_KEPT:
            self._rows.append((self._t_ns, values))
        self._bad += clipped and self.step is Step.HOLD

    def _go(self, step: Step, note: str = "") -> None:
        self.step, self.note = step, note
        self._since_ns, self._rows, self._bad, self._on = None, [], 0, 0

    def _refuse(self, why: str, step: Step) -> None:
        if self._hurry or why not in self.refused:
            self.refused.append(why)
        if self._hurry and len(self.refused) >= MAX_REFUSALS:
            raise CalibrationError(
                f"{len(self.refused)} attempts were refused, the last because: {why}",
                hint="see docs/models/smell.md, section 'Teaching'",
            )
        self._go(step)


def taught_by(
    spec: StreamSpec,
    samples: Iterable[Sample],
    *,
    sniffs: int,
    sniff_s: float = SNIFF_S,
    hurry: bool = True,
    tell: Callable[[Teacher], None] | None = None,
) -> Teacher:
    """Run a teacher on readings until it has what it wants, or they end.

    Args:
        spec: The nose.
        samples: Its readings, in order of time.
        sniffs: How many sniffs are wanted.
        sniff_s: Length of one.
        hurry: As `Teacher`.
        tell: Told the teacher after each reading.

    Raises:
        CalibrationError: As `Teacher.take`.
    """
    teacher = Teacher(spec, sniffs, sniff_s, hurry=hurry)
    for sample in samples:
        teacher.take(sample)
        if tell is not None:
            tell(teacher)
        if teacher.step is Step.DONE:
            break
    return teacher


def whole_recording(spec: StreamSpec, samples: Iterable[Sample]) -> TaughtSniff:
    """A recording that is one exposure from end to end, without clean air, as one sniff.

    Raises:
        CalibrationError: It is too short, or channels give nothing.
    """
    gas = list(gas_channels(spec))
    bins: list[F64] = []
    rows: list[F64] = []
    first = place = 0
    for n, sample in enumerate(samples):
        first = sample.t_ns if n == 0 else first
        now = (sample.t_ns - first) // round(BIN_S * NS_PER_S)
        if now != place:
            bins.append(_mean(rows, len(gas)))
            rows, place = [], now
        if len(bins) >= MAX_BINS:
            break
        row = np.asarray(sample.payload, dtype=np.float64).ravel()
        if Flag.INVALID not in sample.flags and len(row) == len(spec.channels):
            rows.append(row[gas])
    if len(bins) < WINDOW_BINS:
        raise CalibrationError(
            f"'{spec.device}' is too short to teach from: at least "
            f"{(WINDOW_BINS + 1) * BIN_S:.0f} s are needed"
        )
    return TaughtSniff(np.stack(bins), None)


def _mean(rows: list[F64], width: int) -> F64:
    """Mean of each channel over the rows where it gave a number [channels]."""
    table = np.stack(rows) if rows else np.full((1, width), np.nan)
    count = np.isfinite(table).sum(axis=0)
    total = np.nansum(table, axis=0)
    out = np.full(width, np.nan)
    np.divide(total, count, out=out, where=count > 0)
    return out
