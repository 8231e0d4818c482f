"""One stream as the windower sees it: how far it is complete, and its part of a window."""

from __future__ import annotations

from bisect import bisect_left, insort
from itertools import pairwise
from typing import NamedTuple

from thymos.align.window import StreamSlice
from thymos.buffer import Ring
from thymos.config import BufferConfig
from thymos.contract import StreamState
from thymos.samples import NS_PER_S, Flag, Kind, Sample, StreamSpec, duration_ns


class Mark(NamedTuple):
    """What is remembered of a sample, also when its payload fell out of the ring."""

    t: int
    seq: int
    end: int
    flags: Flag
    note: str


class Track:
    """Ring, index and progress of one stream."""

    REORDER_NS = NS_PER_S // 10
    """After a jump of the sequence number the missing sample may still come for this long."""
    BACK_COUNT = 8
    """So many samples in a row from the past mean that the stream's clock went back."""
    GAP_PERIODS = 1.5
    SOUND_GAP_NS = 5_000_000
    PARTIAL_NS = NS_PER_S // 4
    """A stream that is in a window begins or ends inside it if it lacks more than this."""
    MAX_MARKS = 500_000

    def __init__(self, spec: StreamSpec, gate: bool, buffer: BufferConfig) -> None:
        self.spec = spec
        self.gate = gate
        self.open = True
        self._buffer = buffer
        self._reason = ""
        self._seen = False
        self.restart()

    def restart(self) -> None:
        """Forget all samples (time went back)."""
        self.ring = Ring(self.spec, self._buffer.seconds, self._buffer.max_bytes)
        self._marks: list[Mark] = []
        self._newest: Mark | None = None
        self._longest = 0
        self._missing = 0
        self._missing_until = 0
        self._past: list[Mark] = []  # run of samples from before the newest
        self._went_back_ns = 0
        self._floor = -(1 << 62)  # no window to come asks for anything older
        self.first: int | None = None

    # -- samples in

    def end_of(self, sample: Sample) -> int:
        """First instant after a sample; a picture or reading lasts one nanosecond."""
        return sample.t_ns + max(1, duration_ns(sample, self.spec))

    def push(self, sample: Sample) -> bool:
        """Take a sample in; False if it was a duplicate. A closed stream is open again."""
        if not self.ring.write(sample):
            return False
        self.open, self._reason, self._seen = True, "", True
        mark = Mark(sample.t_ns, sample.seq, self.end_of(sample), sample.flags, sample.note)
        self._longest = max(self._longest, mark.end - mark.t)
        if not self._marks or mark > self._marks[-1]:
            self._marks.append(mark)
        else:
            insort(self._marks, mark)
        if len(self._marks) > self.MAX_MARKS:
            del self._marks[0]
        self.first = mark.t if self.first is None else min(self.first, mark.t)
        self._progress(mark)
        return True

    def _progress(self, mark: Mark) -> None:
        newest = self._newest
        if newest is None or mark.t >= newest.t:
            expected = 0 if newest is None else newest.seq + 1
            if mark.seq > expected:
                self._missing += mark.seq - expected
                self._missing_until = mark.t + self.REORDER_NS
            elif mark.seq < expected:
                self._missing = 0  # the device counts from the beginning again
            self._newest = mark
            self._past.clear()
        elif newest.t - mark.t <= self.REORDER_NS:
            self._missing = max(0, self._missing - 1)
        else:
            self._past.append(mark)
            if len(self._past) >= self.BACK_COUNT:
                self._go_back()
        if self._newest is not None and self._newest.t >= self._missing_until:
            self._missing = 0

    def _go_back(self) -> None:
        """The stream's clock jumped back: believe the run of samples.

        If the run can still be used, what lies beyond it was stamped wrongly. If the run lies
        before all windows to come, what was there is all that can be used.
        """
        now = max(self._past)
        old = self._newest or now
        self._went_back_ns = old.t - now.t
        self._newest, self._missing = now, 0
        self._past.clear()
        if now.t >= self._floor:
            del self._marks[bisect_left(self._marks, (now.t + 1,)) :]
            self.ring.discard_from(now.t + 1)

    def close(self, reason: str) -> None:
        """Nothing more will come."""
        self.open = False
        self._reason = reason

    def reopen(self, spec: StreamSpec) -> None:
        """The stream is announced again, perhaps with other properties."""
        self.spec = self.ring.spec = spec
        self.open, self._reason = True, ""

    def forget(self, t_ns: int) -> None:
        """Let go of what no window from `t_ns` on can ask for; the newest before it stays."""
        self._floor = t_ns
        keep = bisect_left(self._marks, (t_ns - self._longest,)) - 1
        if keep > 0:
            del self._marks[:keep]
        self.ring.discard_before(t_ns)

    # -- how far

    @property
    def complete_to(self) -> int | None:
        """All samples from before this time have come; None if there was none at all."""
        if self._newest is None or not self.open:
            return self.last_end
        if self._missing:
            return self._newest.t - self.REORDER_NS
        return self._newest_instant(self._newest)

    def behind(self, t_ns: int) -> bool:
        """Whether its clock went back to before `t_ns`: waiting for it would take too long."""
        return self._went_back_ns > 0 and self._newest is not None and self._newest.t < t_ns

    @property
    def last_end(self) -> int | None:
        """End of the newest sample; a picture lasts one period."""
        if self._newest is None:
            return None
        return max(self._newest.end, self._newest.t + self._period_ns())

    def holds(self, t0: int, t1: int) -> bool:
        """Whether any sample touches [t0, t1)."""
        first = bisect_left(self._marks, (t0 - self._longest,))
        last = bisect_left(self._marks, (t1,))
        return any(m.end > t0 for m in reversed(self._marks[first:last]))

    def next_from(self, t_ns: int) -> int | None:
        """Time of the first sample at or after `t_ns`."""
        at = bisect_left(self._marks, (t_ns,))
        return self._marks[at].t if at < len(self._marks) else None

    # -- the part of a window

    def slice(self, t0: int, t1: int, stale_after_s: float) -> StreamSlice:
        """State and samples over [t0, t1)."""
        first = bisect_left(self._marks, (t0 - self._longest,))
        last = bisect_left(self._marks, (t1,))
        inside = [m for m in self._marks[first:last] if m.end > t0]
        before = self._marks[last - len(inside) - 1] if last > len(inside) else None
        newest = self._marks[last - 1] if last else None
        gaps, dropped = self._gaps(([before] if before else []) + inside)
        if not before and inside and Flag.GAP_BEFORE in inside[0].flags:
            gaps += 1
        samples = self.ring.window(t0, t1)
        age_ns = None if newest is None else max(0, t1 - self._newest_instant(newest))
        state, reason = self._judge(inside, newest, age_ns, stale_after_s)
        if state == "present" and inside and self.gate and age_ns is not None:
            late_ns = 0 if before is not None else inside[0].t - t0
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
            self.ring.before(t1),
        )

    def _partial(self, late_ns: int, age_ns: int) -> str:
        """Which end of a window it is in a stream does not cover, in words."""
        enough = max(self.PARTIAL_NS, round(self.GAP_PERIODS * self._period_ns()))
        told = []
        if late_ns > enough:
            told.append(f"it begins {late_ns / 1e9:.1f} s into the window")
        if age_ns > enough:
            told.append(f"nothing of the last {age_ns / 1e9:.1f} s")
        return ", ".join(told)

    def _newest_instant(self, mark: Mark) -> int:
        """The newest instant a sample tells of: for sound, the end of the block."""
        return mark.end if self.spec.kind is Kind.AUDIO else mark.t

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
        if self._went_back_ns:
            text += f"; its clock went back by {self._went_back_ns / 1e9:.1f} s"
        return "stale", text

    def _why_missing(self) -> str:
        if self._marks:
            return "its samples are stamped later than this window"
        if not self.open:
            return self._reason or "it ended without a sample"
        return "no sample yet" if not self._seen else "no sample since time went back"

    def _gaps(self, marks: list[Mark]) -> tuple[int, int]:
        """Count holes and lost samples between neighbours."""
        gaps = dropped = 0
        for a, b in pairwise(marks):
            lost = b.seq - a.seq - 1
            if lost > 0:
                dropped += lost
            if lost > 0 or Flag.GAP_BEFORE in b.flags or self._hole(a, b):
                gaps += 1
        return gaps, dropped

    def _hole(self, a: Mark, b: Mark) -> bool:
        """Whether time is missing between two neighbours."""
        if self.spec.kind is Kind.AUDIO:
            return b.t - a.end > self.SOUND_GAP_NS
        period = self._period_ns()
        return period > 0 and b.t - a.t > self.GAP_PERIODS * period

    def _period_ns(self) -> int:
        """Nominal time between samples; 0 for sound (blocks vary) or an unknown rate."""
        if self.spec.kind is Kind.AUDIO or self.spec.rate_hz <= 0:
            return 0
        return round(NS_PER_S / self.spec.rate_hz)
