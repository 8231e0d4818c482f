"""One stream of a join: how it is attached, and what it answers for an instant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from thymos.align.interpolate import Found, Interpolator, Linear, Outcome
from thymos.align.line import ALWAYS, NEVER, Line
from thymos.errors import ConfigError
from thymos.samples import Sample, duration_ns

CREATED, NOT_YET = Outcome.CREATED, Outcome.NOT_YET


@dataclass(frozen=True, slots=True)
class Attach:
    """How a stream is attached to the primary.

    Attributes:
        rule: Which samples belong to an instant: `exact`, `nearest(tolerance_ns)`,
            `last_before(tolerance_ns)`, `linear(tolerance_ns)`, `all_in_span(before_ns, after_ns)`.
        max_wait_ns: Live: a result waits for this stream until so long after its capture time, in
            robot time; None waits for proof (or `close_stream`).
        required: Whether a primary sample that finds nothing here gives no result; it is then told
            to `on_unmatched`. Otherwise the absence is stated in the result.
        gate: False for a stream that annotates, such as a slow nose: it never delays a result.
    """

    rule: Interpolator
    max_wait_ns: int | None = None
    required: bool = False
    gate: bool = True

    def __post_init__(self) -> None:
        """Check.

        Raises:
            ConfigError: The wait is negative.
        """
        if self.max_wait_ns is not None and self.max_wait_ns < 0:
            raise ConfigError("max_wait_ns is negative", hint="give nanoseconds, or None")


class Match(NamedTuple):
    """What one attached stream had at the instant of a primary sample.

    Attributes:
        outcome: `CREATED` if there is a sample. If not, `DOES_NOT_EXIST` is proven; `NOT_YET`
            means that one may still come and waiting was over.
        sample: The sample, None if there is none. For `linear` it is calculated; for
            `all_in_span` it is the newest.
        samples: The samples it rests on: one, two neighbours (`linear`), or all in the span.
        skew_ns: Capture time of `sample` minus that of the primary, signed; None without one.
        age_ns: How old the newest reading is that was not made after the primary; 0 if `sample`
            was made after it, None without one.
        gaps: Places right before the samples used where the stream lost something.
        proven: False if a later arrival might have changed it: an annotating stream, or waiting
            was over.
        reason: Why there is none, in words; else empty.
    """

    outcome: Outcome
    sample: Sample | None
    samples: tuple[Sample, ...]
    skew_ns: int | None
    age_ns: int | None
    gaps: int
    proven: bool
    reason: str


class Side(Line[Sample]):
    """One stream of a join: its samples, its rule, and what it answers."""

    def __init__(self, name: str, attach: Attach, reorder_ns: int) -> None:
        super().__init__(reorder_ns)
        self.name = name
        self.rule = attach.rule
        self.gate = attach.gate
        self.required = attach.required
        self.max_wait_ns = attach.max_wait_ns
        self.given_ns = NEVER  # results up to here were given out
        self.reason = ""  # why it ended
        self.overflowed = False  # the oldest were let go because the queue was full
        self.stamped_wrongly: list[Sample] = []

    def cut(self, t_ns: int) -> None:
        """Remember what is let go."""
        kept = [s for s in self.items if s.t_ns < t_ns]
        self.stamped_wrongly += self.items[len(kept) :]
        super().cut(t_ns)

    def end_ns(self, item: Sample) -> int:
        """See `Line.end_ns`."""
        return item.t_ns + (duration_ns(item, self.spec) if self.spec else 0)

    def answer(self, t_ns: int, found: Found) -> Match:
        """What the rule found for an instant."""
        outcome, first, last = found
        if first == last:
            return self._absence(t_ns, outcome)
        samples = tuple(self.items[first:last])
        sample = self.rule.value(samples, t_ns)
        skew_ns = sample.t_ns - t_ns
        reading = sample if sample is samples[-1] else samples[0]  # calculated: the older one
        age_ns = max(0, t_ns - reading.t_ns)
        gaps = self.gaps(first, last)[0]
        proven = outcome is CREATED and not self._misses(t_ns)
        return Match(CREATED, sample, samples, skew_ns, age_ns, gaps, proven, "")

    def _absence(self, t_ns: int, outcome: Outcome) -> Match:
        """That there is nothing for an instant, and why."""
        misses = self._misses(t_ns)
        if misses:
            reason = "the queue was full (max_samples)"
        elif not self.open and self.reason:
            reason = self.reason
        elif outcome is NOT_YET:
            back = self.behind(t_ns)
            reason = "its clock went back" if back else "none has come yet"
        elif self.newest_ns == NEVER:
            reason = "it never brought a sample"
        else:
            reason = "none lies near enough in time"
        proven = outcome is not NOT_YET and not misses
        return Match(outcome, None, (), None, None, 0, proven, reason)

    def _misses(self, t_ns: int) -> bool:
        """Whether what was let go because the queue was full may have been better."""
        return self.overflowed and self.rule.needed_from(self.times, t_ns) == 0

    def check(self, sample: Sample) -> None:
        """Refuse to interpolate what is not a number.

        Raises:
            ConfigError: `linear` on pictures or sound.
        """
        if isinstance(self.rule, Linear) and (
            sample.payload.dtype.kind != "f" or sample.payload.ndim > 1
        ):
            raise ConfigError(
                f"'{self.name}' cannot be interpolated: it is not one row of numbers",
                hint="attach pictures and sound by nearest or last_before",
            )

    def over(self, t_ns: int, now_ns: int | None) -> bool:
        """Whether waiting for its answer is over: too long, or its clock went back."""
        limit = self.max_wait_ns
        late = now_ns is not None and limit is not None and now_ns > t_ns + limit
        return late or self.behind(t_ns)

    def reached(self, promise_ns: int) -> int:
        """No sample from before this time is still to come."""
        return max(self.complete_to, promise_ns) if self.open else ALWAYS
