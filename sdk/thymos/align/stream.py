"""One stream as the windower sees it: its part of a window, and how far it is complete."""

from __future__ import annotations

from bisect import bisect_left
from typing import NamedTuple

from thymos.align.interpolate import AllInSpan
from thymos.align.line import NEVER, Line
from thymos.align.window import StreamSlice
from thymos.buffer import Ring
from thymos.config import BufferConfig
from thymos.contract import StreamState
from thymos.samples import NS_PER_S, Flag, Kind, Sample, StreamSpec, duration_ns


class Mark(NamedTuple):
    """What is remembered of a sample, also when its payload fell out of the ring."""

    t_ns: int
    seq: int
    end_ns: int
    flags: Flag
    note: str


class Track(Line[Mark]):
    """Ring, index and progress of one stream."""

    PARTIAL_NS = NS_PER_S // 4
    """A stream that is in a window begins or ends inside it if it lacks more than this."""
    MAX_MARKS = 500_000

    spec: StreamSpec

    def __init__(self, spec: StreamSpec, gate: bool, buffer: BufferConfig) -> None:
        super().__init__()
        self.spec = spec
        self.gate = gate
        self._buffer = buffer
        self._reason = ""
        self._seen = False
        self.restart()

    def restart(self) -> None:
        """Forget all samples (time went back)."""
        self.clear()
        self.ring = Ring(self.spec, self._buffer.seconds, self._buffer.max_bytes)
        self._longest = 0
        self.first: int | None = None

    # -- samples in

    def end_of(self, sample: Sample) -> int:
        """First instant after a sample; a picture or reading lasts one nanosecond."""
        return sample.t_ns + max(1, duration_ns(sample, self.spec))

    def push(self, sample: Sample) -> bool:
        """Take a sample in; False if it was a duplicate. A closed stream is open again."""
        mark = Mark(sample.t_ns, sample.seq, self.end_of(sample), sample.flags, sample.note)
        if not self.insert(mark.t_ns, mark.seq, self._instant(mark), mark):
            return False
        self.open, self._reason, self._seen = True, "", True
        self.ring.write(sample)
        self._longest = max(self._longest, mark.end_ns - mark.t_ns)
        if len(self.items) > self.MAX_MARKS:
            self.forget(1)
        self.first = mark.t_ns if self.first is None else min(self.first, mark.t_ns)
        return True

    def close(self, reason: str) -> None:
        """Nothing more will come."""
        self.open = False
        self._reason = reason

    def reopen(self, spec: StreamSpec) -> None:
        """The stream is announced again, perhaps with other properties."""
        self.spec = self.ring.spec = spec
        self.open, self._reason = True, ""

    def cut(self, t_ns: int) -> None:
        """Let go of what is stamped at or after `t_ns`."""
        super().cut(t_ns)
        self.ring.discard_from(t_ns)

    def forget_before(self, t_ns: int) -> None:
        """Let go of what no window from `t_ns` on can ask for; the newest before it stays."""
        self.floor_ns = t_ns
        self.forget(bisect_left(self.times, t_ns - self._longest) - 1)
        self.ring.discard_before(t_ns)

    # -- how far

    def end_ns(self, item: Mark) -> int:
        """See `Line.end_ns`."""
        return item.end_ns

    def _instant(self, mark: Mark) -> int:
        """The newest instant a sample tells of: for sound, the end of the block."""
        return mark.end_ns if self.spec.kind is Kind.AUDIO else mark.t_ns

    @property
    def reached(self) -> int | None:
        """All samples from before this time have come; None if there was none at all."""
        if self.newest_ns == NEVER:
            return None
        return self.complete_to if self.open else self.last_end

    @property
    def last_end(self) -> int | None:
        """End of the newest sample; a picture lasts one period."""
        if self.newest_ns == NEVER:
            return None
        return max(self.newest_reach_ns, self.newest_ns + max(1, self.period_ns()))

    def _inside(self, t0: int, t1: int) -> tuple[list[Mark], int]:
        """Samples that touch [t0, t1), and the index after; a block may have begun before t0.

        A block of sound that is stamped before the end of the one before it counts as beginning
        there. So a stream is complete up to the end of its newest block whatever the next stamp is.
        """
        span = AllInSpan(t1 - t0 + self._longest)
        _, first, last = span.find(self.times, t1, self.complete_to)
        if self.spec.kind is Kind.AUDIO:
            while last - 1 > first and self.items[last - 2].end_ns >= t1:
                last -= 1
        return [m for m in self.items[first:last] if m.end_ns > t0], last

    def holds(self, t0: int, t1: int) -> bool:
        """Whether any sample touches [t0, t1)."""
        return bool(self._inside(t0, t1)[0])

    def next_from(self, t_ns: int) -> int | None:
        """Time of the first sample at or after `t_ns`."""
        at = bisect_left(self.times, t_ns)
        return self.times[at] if at < len(self.times) else None

    # -- the part of a window

    def slice(self, t0: int, t1: int, stale_after_s: float) -> StreamSlice:
        """State and samples over [t0, t1)."""
        inside, last = self._inside(t0, t1)
        first = last - len(inside)
        newest = self.items[last - 1] if last else None
        gaps, dropped = self.gaps(first, last)
        samples = self.ring.window(t0, t1)
        if samples and newest is not None and samples[-1].t_ns > newest.t_ns:
            samples = tuple(s for s in samples if s.t_ns <= newest.t_ns)  # see `_inside`
        age_ns = None if newest is None else max(0, t1 - self._instant(newest))
        state, reason = self._judge(inside, newest, age_ns, stale_after_s)
        if state == "present" and inside and self.gate and age_ns is not None:
            late_ns = 0 if first else inside[0].t_ns - t0
            reason = self._partial(late_ns, age_ns)
        if state == "present" and len(samples) < len(inside):
            kept = f"{len(samples)} of {len(inside)}"
            reason = f"the buffer holds only {kept} samples (buffer.max_bytes, buffer.seconds)"
        return StreamSlice(
            self.spec,
            StreamState(
                state=state,  # type: ignore[arg-type]
                age_ms=None if age_ns is None else age_ns / 1e6,
                samples=len(inside),
                gaps=gaps,
                dropped=dropped,
                origin=self.spec.origin.value,
                reason=reason,
            ),
            samples,
            samples[-1] if samples else self.ring.before(t1),
        )

    def _partial(self, late_ns: int, age_ns: int) -> str:
        """Which end of a window it is in a stream does not cover, in words."""
        enough = max(self.PARTIAL_NS, round(self.GAP_PERIODS * self.period_ns()))
        told = []
        if late_ns > enough:
            told.append(f"it begins {late_ns / 1e9:.1f} s into the window")
        if age_ns > enough:
            told.append(f"nothing of the last {age_ns / 1e9:.1f} s")
        return ", ".join(told)

    def _judge(
        self, inside: list[Mark], newest: Mark | None, age_ns: int | None, stale_after_s: float
    ) -> tuple[str, str]:
        """State and, where it is not present, why."""
        if newest is None or age_ns is None:
            return "missing", self._why_missing()
        fresh = inside or ([newest] if not self.gate and age_ns <= stale_after_s * 1e9 else [])
        if fresh and all(Flag.INVALID in m.flags for m in fresh):
            return "invalid", fresh[-1].note or "the device marked its samples as invalid"
        if fresh:
            return "present", ""
        if not self.open and self._reason:
            return "missing", self._reason
        text = f"the newest sample is {age_ns / 1e9:.1f} s old"
        if self.went_back_ns:
            text += f"; its clock went back by {self.went_back_ns / 1e9:.1f} s"
        return "stale", text

    def _why_missing(self) -> str:
        if self.items:
            return "its samples are stamped later than this window"
        if not self.open:
            return self._reason or "it ended without a sample"
        return "no sample yet" if not self._seen else "no sample since time went back"
