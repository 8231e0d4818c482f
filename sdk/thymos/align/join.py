"""Joins: for every sample of one stream, what the others had at that instant.

The first stream is the primary: it sets the pace, and each of its samples gives one result. The
others are attached, each by a rule of its own (`thymos.align.interpolate`). A result is given out
once no sample that may still come could change it, so it depends on capture times only, never on
the order of arrival; after the reproducible joins of Microsoft Psi (D. Bohus et al., "Platform for
Situated Intelligence", arXiv 2103.15975, section 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from thymos.align.interpolate import Found, Interpolator, Linear, Outcome, exact
from thymos.align.line import ALWAYS, NEVER, Line
from thymos.align.tell import OnUnmatched, Unmatched
from thymos.errors import ConfigError
from thymos.samples import Kind, Sample, StreamSpec, duration_ns

CREATED, DOES_NOT_EXIST, NOT_YET = Outcome


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


class Joined(NamedTuple):
    """One primary sample and what belongs to it.

    Attributes:
        primary: The sample.
        streams: A match for each attached stream, in the order they were given to the join.
        gaps: 1 if the primary lost something right before this sample.
    """

    primary: Sample
    streams: dict[str, Match]
    gaps: int

    @property
    def t_ns(self) -> int:
        """Capture time of the primary."""
        return self.primary.t_ns


class _Side(Line[Sample]):
    """One stream of a join."""

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

    def match(self, t_ns: int, outcome: Outcome, first: int, last: int) -> Match:
        """What items [first, last) give for an instant."""
        samples = tuple(self.items[first:last])
        sample = self.rule.value(samples, t_ns)
        skew_ns = sample.t_ns - t_ns
        read_ns = skew_ns if skew_ns else samples[0].t_ns - t_ns  # calculated: of the older one
        gaps = self.gaps(first, last)[0]
        proven = outcome is CREATED and not self._misses(t_ns)
        return Match(CREATED, sample, samples, skew_ns, max(0, -read_ns), gaps, proven, "")

    def absence(self, t_ns: int, outcome: Outcome) -> Match:
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


class Join:
    """Joins streams sample by sample. Use like `Windower`: `push` samples, ask what is `ready`.

    Results come in order of the primary's capture time. For streams that gate they depend on
    nothing but capture times, numbers and payloads, whatever the order of arrival (within a stream
    out of order by `reorder_ns` at most, with honest numbers), as long as none was released by
    `max_wait_ns` or by a full queue; a match says so (`proven`).

    A stream that annotates is asked when its result is complete otherwise, and answers with what
    has arrived by then: exactly the samples pushed before the call of `ready` that gives the
    result out. If all streams are pushed in order of capture time (`thymos.align.merge`) and
    `ready` is called after each, that too is a function of capture times alone.

    Memory: of an attached stream only samples are kept that a primary sample to come, or one that
    waits, can ask for: those from o − reach on, and one older, where o is the capture time of
    the oldest primary sample that waits (or up to where the primary is complete) and reach the
    tolerance or `before_ns` of the rule; less for `last_before`, `nearest` and `linear`, of which
    nothing older than the newest sample before o is kept. A primary sample is kept until its result
    is given out. As a last resort (a primary that is silent, a stream that is silent and neither
    closed nor limited by `max_wait_ns`) no stream holds more than `max_samples`: the oldest primary
    is then given out with what is known, the oldest attached sample is told to `on_unmatched`.

    Not thread-safe. Callbacks are called at the end of `push` and `ready`, when all is in order;
    what they raise is reported on stderr and changes nothing.

    Args:
        primary: Name of the stream that sets the pace.
        attach: How the others are attached, by name.
        on_unmatched: Told each sample that came too late for its result, each primary sample that
            lacked a required stream, and what a full queue or a clock that went back cost.
        reorder_ns: How far out of order the samples of one stream may come (stream time).
        max_samples: Bound of each stream's queue.
    """

    def __init__(
        self,
        primary: str,
        attach: Mapping[str, Attach],
        *,
        on_unmatched: OnUnmatched | None = None,
        reorder_ns: int = Line.REORDER_NS,
        max_samples: int = 4096,
    ) -> None:
        if primary in attach:
            raise ConfigError(
                f"'{primary}' cannot be attached to itself", hint="leave it out of `attach`"
            )
        self._primary = _Side(primary, Attach(exact), reorder_ns)
        self._sides = [_Side(name, how, reorder_ns) for name, how in attach.items()]
        self._lines = {side.name: side for side in (self._primary, *self._sides)}
        waits = [side.max_wait_ns for side in self._sides if side.gate]
        self._primary.max_wait_ns = (
            None if None in waits else max((w for w in waits if w is not None), default=reorder_ns)
        )
        self._max_samples = max_samples
        self._promise = NEVER
        self._stuck: tuple[_Side, int] | None = None  # who is waited for, and how far it was
        self._before: Sample | None = None  # the primary sample before the one to come
        self._unmatched = Unmatched(on_unmatched)
        self.duplicates = 0
        """Samples left out because one of the same time and number was there."""

    @property
    def unmatched(self) -> dict[str, int]:
        """How many samples were told to `on_unmatched`, by stream."""
        return self._unmatched.counts

    @property
    def kept(self) -> dict[str, int]:
        """How many samples each stream holds at the moment."""
        return {name: len(line.times) for name, line in self._lines.items()}

    # -- in

    def add_stream(self, spec: StreamSpec) -> None:
        """Say what a stream is (or that it is back), so that holes in time are seen as gaps.

        Optional: without it gaps are seen by number and flag only.

        Raises:
            ConfigError: The join does not know the stream, or cannot interpolate it.
        """
        side = self._lines.get(spec.name)
        if side is None:
            raise ConfigError(
                f"the join has no stream '{spec.name}'", hint=f"it has: {', '.join(self._lines)}"
            )
        if isinstance(side.rule, Linear) and spec.kind is not Kind.GAS:
            raise ConfigError(
                f"'{spec.name}' cannot be interpolated: it is {spec.kind.value}",
                hint="attach pictures and sound by nearest or last_before",
            )
        side.spec, side.open, self._stuck = spec, True, None

    def push(self, sample: Sample) -> None:
        """Take a sample in, in any order. A stream that was closed is open again.

        Raises:
            ValueError: The stream is not part of the join.
            ConfigError: A stream attached by `linear` is not numeric.
        """
        side = self._lines.get(sample.stream)
        if side is None:
            raise ValueError(f"sample of '{sample.stream}', which is not part of the join")
        t_ns = sample.t_ns
        if side.newest_ns == NEVER:
            side.check(sample)
        side.open = True
        if t_ns <= side.given_ns:
            self._late(side, sample)
        elif not side.insert(t_ns, sample.seq, t_ns, sample):
            self.duplicates += 1
        if side.went_back_ns:
            self._went_back(side)
        if len(side.times) > self._max_samples and side is not self._primary:
            self._unmatched.add(side.items[0], "the queue is full (max_samples)")
            side.floor_ns, side.overflowed = side.times[0] + 1, True
            side.forget(1)
        if self._unmatched:
            self._unmatched.tell()

    def _late(self, side: _Side, sample: Sample) -> None:
        """A sample from before what was given out: it may still be of use to results to come."""
        t_ns, seq = sample.t_ns, sample.seq
        before = self._before
        if side is self._primary:
            useful = before is not None and t_ns == before.t_ns and seq > before.seq
        else:
            useful = t_ns >= side.floor_ns
        if not useful:
            side.progress(t_ns, seq, t_ns)
        elif not side.insert(t_ns, seq, t_ns, sample):
            self.duplicates += 1
            return
        elif side is self._primary or not side.gate:
            return
        behind = (side.given_ns - t_ns) / 1e6
        self._unmatched.add(sample, f"late: {behind:.1f} ms older than results already given out")

    def _went_back(self, side: _Side) -> None:
        for sample in side.stamped_wrongly:
            self._unmatched.add(sample, "its stream's clock went back")
        side.stamped_wrongly.clear()
        self._stuck = None
        if side is self._primary:  # time begins anew
            side.went_back_ns = 0
            self._before = None
            self._promise = side.given_ns = NEVER
            for other in self._sides:
                other.clear()
                other.given_ns = NEVER

    def close_stream(self, name: str, reason: str = "") -> None:
        """A stream ended or was lost: nothing waits for it. Unknown names do nothing."""
        side = self._lines.get(name)
        if side is not None:
            side.open, side.reason, self._stuck = False, reason, None

    def advance(self, t_ns: int) -> None:
        """Promise that no stream will bring a sample from before `t_ns` (see `merge`)."""
        self._promise = max(self._promise, t_ns)

    # -- out

    def ready(self, now_ns: int | None = None) -> Sequence[Joined]:
        """Return the results that are complete, oldest first.

        Args:
            now_ns: Robot time, in live runs only: see `Attach.max_wait_ns`.
        """
        times = self._primary.times
        if not times:
            return ()
        if self._stuck is not None and now_ns is None:
            side, was = self._stuck
            if max(side.complete_to, self._promise) == was and len(times) <= self._max_samples:
                return ()
        return self._give(now_ns)

    def flush(self) -> Sequence[Joined]:
        """Return what is left when no sample will come."""
        for line in self._lines.values():
            line.open = False
        return self._give(None)

    def _give(self, now_ns: int | None) -> list[Joined]:
        primary = self._primary
        waiting = primary.items
        given: list[Joined] = []
        done = 0
        self._stuck = None
        for sample in waiting:
            full = len(waiting) - done > self._max_samples
            found = self._find(sample.t_ns, now_ns, full)
            if found is None:
                break
            streams = self._matches(sample, found)
            if streams is not None:
                gaps = int(primary.broken(self._before, sample))
                given.append(Joined(sample, streams, gaps))
            self._before = sample
            done += 1
        if done:
            primary.given_ns = waiting[done - 1].t_ns
            primary.forget(done)
            self._forget()
        if self._unmatched:
            self._unmatched.tell()
        return given

    def _find(self, t_ns: int, now_ns: int | None, full: bool) -> list[Found] | None:
        """What every attached stream has at an instant; None while one must be waited for."""
        promise, primary = self._promise, self._primary
        reached = max(primary.complete_to, promise) if primary.open else ALWAYS
        if t_ns > reached and not (full or _over(primary, t_ns, now_ns)):
            self._stuck = primary, reached
            return None
        found: list[Found] = []
        for side in self._sides:
            reached = max(side.complete_to, promise) if side.open else ALWAYS
            what = side.rule.find(side.times, t_ns, reached)
            if what[0] is NOT_YET and side.gate and not (full or _over(side, t_ns, now_ns)):
                self._stuck = side, reached
                return None
            found.append(what)
        return found

    def _matches(self, sample: Sample, found: list[Found]) -> dict[str, Match] | None:
        """The matches of a primary sample; None, and told, if it lacks a required stream."""
        t_ns = sample.t_ns
        made: dict[str, Match] = {}
        lacking = ""
        for side, (outcome, first, last) in zip(self._sides, found, strict=True):
            side.given_ns = t_ns
            if outcome is NOT_YET and side.gate:  # what comes up to there comes too late
                side.given_ns += side.rule.after_ns
            if first < last:
                made[side.name] = side.match(t_ns, outcome, first, last)
                continue
            made[side.name] = match = side.absence(t_ns, outcome)
            if side.required and not lacking:
                lacking = f"'{side.name}' is required: {match.reason}"
        if lacking:
            self._unmatched.add(sample, lacking)
            return None
        return made

    def _forget(self) -> None:
        """Let go of what no result to come can ask for."""
        primary = self._primary
        oldest = max(primary.complete_to, self._promise)  # one to come is not older than that
        if primary.times:
            oldest = min(oldest, primary.times[0])
        primary.given_ns = max(primary.given_ns, oldest - 1)
        for side in self._sides:
            count = side.rule.needed_from(side.times, oldest) - 1  # one more, to see a gap
            if count > 0:
                side.floor_ns, side.overflowed = side.times[count], False
                side.forget(count)


def _over(side: _Side, t_ns: int, now_ns: int | None) -> bool:
    """Whether waiting for a stream is over: too long, or its clock went back."""
    if now_ns is not None and side.max_wait_ns is not None and now_ns > t_ns + side.max_wait_ns:
        return True
    return side.behind(t_ns)
