"""One stream in order of capture time: what came, and up to where nothing more can come.

Joins and windows both stand on this. A `Line` answers two questions:

* *How far is it complete?* `complete_to` is the watermark: every sample from before it has come,
  and one of that very instant that is still to come has a higher number than those here.
* *What may be let go?* The owner says from where on it can still be asked (obsolescence).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from thymos.samples import NS_PER_S, Flag, Kind, StreamSpec

NEVER, ALWAYS = -(1 << 64), 1 << 64
"""Before and after all times."""


class Timed(Protocol):
    """What a line holds: a `Sample`, or what is remembered of one."""

    @property
    def t_ns(self) -> int:
        """Capture time."""

    @property
    def seq(self) -> int:
        """Number, as the device counts."""

    @property
    def flags(self) -> Flag:
        """Validity."""


T = TypeVar("T", bound=Timed)


class Hole(NamedTuple):
    """Numbers [first, last] that were passed over, and until when they may still come."""

    first: int
    last: int
    until_ns: int


class Line(Generic[T]):
    """Samples of one stream by (capture time, number), duplicates left out.

    Samples may come out of order by less than `reorder_ns` if their numbers are honest: after a
    jump of the number the missing ones are waited for until the stream is that much further. A
    stream whose numbers run on without a jump is complete up to its newest sample at once.

    Args:
        reorder_ns: Samples come less than this out of order, in the stream's own time.

    Attributes:
        times: Capture times in order [ns].
        items: The samples, same order; of one instant, the lower number first.
        complete_to: See above; `NEVER` if nothing came.
        newest_ns: The newest capture time; `NEVER` if nothing came.
        open: False once nothing more is expected.
        went_back_ns: By how much its clock was last set back; 0 if it never was.
    """

    REORDER_NS = NS_PER_S // 10
    BACK_COUNT = 8
    """So many samples in a row from the past mean that the stream's clock went back."""
    GAP_PERIODS = 1.5
    SOUND_GAP_NS = 5_000_000

    def __init__(self, reorder_ns: int = REORDER_NS) -> None:
        self.reorder_ns = reorder_ns
        self.spec: StreamSpec | None = None
        self.open = True
        self.clear()

    def clear(self) -> None:
        """Forget everything, as if nothing had come."""
        self.times: list[int] = []
        self.items: list[T] = []
        self.complete_to = NEVER
        self.newest_ns = NEVER
        self.newest_reach_ns = NEVER  # as given to `insert` with the newest sample
        self.went_back_ns = 0
        self.floor_ns = NEVER  # nobody will ask for anything older
        self._next_seq = 0
        self._holes: list[Hole] = []
        self._past: list[tuple[int, int, int]] = []  # run of samples from before the newest

    # -- in

    def insert(self, t_ns: int, seq: int, reach_ns: int, item: T) -> bool:
        """Take a sample in; False if it was a duplicate.

        Args:
            t_ns: Its capture time.
            seq: Its number.
            reach_ns: The stream is complete up to here once this sample and all before it came.
            item: The sample.
        """
        if t_ns > self.newest_ns and seq == self._next_seq and not self._holes:  # nearly always
            self.times.append(t_ns)
            self.items.append(item)
            self.newest_ns = t_ns
            self._next_seq = seq + 1
            self.complete_to = self.newest_reach_ns = reach_ns
            if self._past:
                self._past.clear()
            return True
        at = bisect_left(self.times, t_ns)
        while at < len(self.times) and self.times[at] == t_ns:
            if self.items[at].seq == seq:
                return False
            if self.items[at].seq > seq:
                break
            at += 1
        self.times.insert(at, t_ns)
        self.items.insert(at, item)
        self.progress(t_ns, seq, reach_ns)
        return True

    def progress(self, t_ns: int, seq: int, reach_ns: int) -> None:
        """Learn from a sample's stamp and number how far the stream is."""
        if t_ns >= self.newest_ns:
            self._forward(t_ns, seq)
            self._past.clear()
            self.newest_ns, self.newest_reach_ns = t_ns, reach_ns
            self._holes = [h for h in self._holes if h.until_ns > t_ns]
        elif self.newest_ns - t_ns <= self.reorder_ns:
            self._fill(seq)
        else:
            self._past.append((t_ns, seq, reach_ns))
            if len(self._past) >= self.BACK_COUNT:
                self._go_back()
            return
        sure = self.newest_ns - self.reorder_ns if self._holes else self.newest_reach_ns
        self.complete_to = max(self.complete_to, sure)

    def _forward(self, t_ns: int, seq: int) -> None:
        expected = self._next_seq
        if seq > expected:
            self._holes.append(Hole(expected, seq - 1, t_ns + self.reorder_ns))
            if self.complete_to == self.newest_ns:
                self.complete_to -= 1  # a missing one may be of the newest instant
        elif seq < expected and not self._fill(seq):
            if t_ns > self.newest_ns:
                self._holes.clear()  # the device counts from the beginning again
            else:
                return  # the twin of an instant that is known
        else:
            seq = max(seq, expected - 1)
        self._next_seq = seq + 1

    def _fill(self, seq: int) -> bool:
        """Whether a number was missing; it no longer is."""
        for i, hole in enumerate(self._holes):
            if hole.first <= seq <= hole.last:
                parts = (hole._replace(last=seq - 1), hole._replace(first=seq + 1))
                self._holes[i : i + 1] = [p for p in parts if p.first <= p.last]
                return True
        return False

    def _go_back(self) -> None:
        """The stream's clock jumped back: believe the run of samples.

        If the run can still be used, what lies beyond it was stamped wrongly. If the run lies
        before all that can be asked for, what was there is all that can be used.
        """
        t_ns, seq, reach_ns = max(self._past)
        self.went_back_ns = self.newest_ns - t_ns
        self.newest_ns, self._next_seq = t_ns, seq + 1
        self.complete_to = self.newest_reach_ns = reach_ns
        self._holes.clear()
        self._past.clear()
        if t_ns >= self.floor_ns:
            self.cut(t_ns + 1)

    # -- out

    def cut(self, t_ns: int) -> None:
        """Let go of what is stamped at or after `t_ns`."""
        at = bisect_left(self.times, t_ns)
        del self.times[at:], self.items[at:]

    def forget(self, count: int) -> None:
        """Let go of the `count` oldest."""
        if count > 0:
            del self.times[:count], self.items[:count]

    def behind(self, t_ns: int) -> bool:
        """Whether its clock went back to before `t_ns`: waiting for it would take too long."""
        return self.went_back_ns > 0 and self.newest_ns < t_ns

    # -- what is missing

    def end_ns(self, item: T) -> int:
        """First instant after a sample; one without length lasts a nanosecond."""
        return item.t_ns + 1

    def period_ns(self) -> int:
        """Nominal time between samples; 0 for sound (blocks vary) or an unknown rate."""
        spec = self.spec
        if spec is None or spec.kind is Kind.AUDIO or spec.rate_hz <= 0:
            return 0
        return round(NS_PER_S / spec.rate_hz)

    def gaps(self, first: int, last: int) -> tuple[int, int]:
        """Holes and lost samples right before each of items [first, last).

        A hole is a jump of the number, a sample marked `GAP_BEFORE`, a time of more than 1.5
        periods between two samples, or 5 ms between two blocks of sound.

        Returns:
            How many holes, and how many samples were lost by number.
        """
        gaps = dropped = 0
        for at in range(first, last):
            item = self.items[at]
            before = self.items[at - 1] if at else None
            gaps += self.broken(before, item)
            if before is not None:
                dropped += max(0, item.seq - before.seq - 1)
        return gaps, dropped

    def broken(self, before: T | None, item: T) -> bool:
        """Whether something is missing right before a sample."""
        if item.flags is not Flag.OK and Flag.GAP_BEFORE in item.flags:
            return True
        if before is None:
            return False
        if item.seq > before.seq + 1:
            return True
        if self.spec is None:
            return False
        if self.spec.kind is Kind.AUDIO:
            return item.t_ns - self.end_ns(before) > self.SOUND_GAP_NS
        period = self.period_ns()
        return period > 0 and item.t_ns - before.t_ns > self.GAP_PERIODS * period


def first_of(times: Sequence[int], at: int) -> int:
    """Index of the first of several of the same instant."""
    while at > 0 and times[at - 1] == times[at]:
        at -= 1
    return at
