"""Joins: for every sample of one stream, what the others had at that instant.

The first stream is the primary: it sets the pace, and each of its samples gives one result. The
others are attached, each by a rule of its own (`thymos.align.interpolate`). A result is given out
once no sample that may still come could change it, so it depends on capture times only, never on
the order of arrival; after the reproducible joins of Microsoft Psi (D. Bohus et al., "Platform for
Situated Intelligence", arXiv 2103.15975, section 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from thymos.align.interpolate import Linear, Outcome, exact
from thymos.align.line import NEVER, Line
from thymos.align.side import Attach, Match, Side
from thymos.align.tell import OnUnmatched, Unmatched
from thymos.errors import ConfigError
from thymos.samples import Kind, Sample, StreamSpec

NOT_YET = Outcome.NOT_YET


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
        self._primary = Side(primary, Attach(exact), reorder_ns)
        self._sides = [Side(name, how, reorder_ns) for name, how in attach.items()]
        self._lines = {side.name: side for side in (self._primary, *self._sides)}
        waits = [side.max_wait_ns for side in self._sides if side.gate]
        self._primary.max_wait_ns = (
            None if None in waits else max((w for w in waits if w is not None), default=reorder_ns)
        )
        self._max_samples = max_samples
        self._promise = NEVER
        self._stuck: tuple[Side, int] | None = None  # who is waited for, and how far it was
        self._before: Sample | None = None  # the primary sample before the one to come
        self._head: Sample | None = None  # the primary sample whose turn it is,
        self._asked = 0  # how many streams were asked about it,
        self._final: list[Match | None] = []  # and those answers that nothing can change
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

    def _late(self, side: Side, sample: Sample) -> None:
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

    def _went_back(self, side: Side) -> None:
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
            if self._must_wait(sample, now_ns, full):
                break
            streams = self._matches(sample)
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

    def _must_wait(self, sample: Sample, now_ns: int | None, full: bool) -> bool:
        """Whether a primary sample waits for a stream; final answers are kept as they come."""
        t_ns, promise, primary = sample.t_ns, self._promise, self._primary
        if self._head is not sample:
            self._head, self._asked, self._final = sample, 0, [None] * len(self._sides)
        reached = primary.reached(promise)
        if t_ns > reached and not (full or primary.over(t_ns, now_ns)):
            self._stuck = primary, reached
            return True
        while self._asked < len(self._sides):
            side = self._sides[self._asked]
            if side.gate:
                reached = side.reached(promise)
                found = side.rule.find(side.times, t_ns, reached)
                if found[0] is not NOT_YET:
                    self._final[self._asked] = side.answer(t_ns, found)
                elif not (full or side.over(t_ns, now_ns)):
                    self._stuck = side, reached
                    return True
            self._asked += 1
        return False

    def _matches(self, sample: Sample) -> dict[str, Match] | None:
        """The matches of a primary sample; None, and told, if it lacks a required stream."""
        t_ns = sample.t_ns
        made: dict[str, Match] = {}
        lacking = ""
        for side, final in zip(self._sides, self._final, strict=True):
            side.given_ns = t_ns
            match = final
            if match is None:  # it annotates, or waiting is over: what is known by now
                reached = side.reached(self._promise)
                match = side.answer(t_ns, side.rule.find(side.times, t_ns, reached))
                if side.gate and not match.proven:
                    side.given_ns += side.rule.after_ns  # what comes up to there comes too late
            made[side.name] = match
            if side.required and match.sample is None and not lacking:
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
