"""Windows over capture time: which samples belong together, and what was not there.

Primary-driven joins with capture ("originating") time, after Microsoft Psi: D. Bohus et al.,
"Platform for Situated Intelligence", arXiv 2103.15975, section 3. Gating streams (pictures and
sound) are waited for: a window is given out once each of them is proven complete up to its
end. Annotating streams (a nose) never delay it; their newest value is attached with its true age.

What one call costs does not depend on how long the run is: of the past only what a future window
can ask for is kept (obsolescence).
"""

from __future__ import annotations

from thymos.align.spans import Spans
from thymos.align.tell import OnUnmatched
from thymos.align.window import Window
from thymos.config import BufferConfig, WindowConfig
from thymos.samples import NS_PER_S


class Windower(Spans):
    """Cuts streams into windows [t0, t0 + length), one every hop.

    The first window begins at the earliest sample of any gating stream, rounded down to a tenth
    of a second; the others follow on the grid of hops. As long as no window is released by
    `max_wait_s` (live only), the windows depend on nothing but the capture times of the gating
    streams' samples, whatever order they arrive in. (Within one stream samples may come out of
    order by `Line.REORDER_NS` if their sequence numbers are honest.)
    """

    GRID_NS = NS_PER_S // 10
    LAST_MIN_NS = NS_PER_S // 2
    """The last, shorter window must hold at least this much that no window held before."""

    def __init__(
        self,
        window: WindowConfig,
        buffer: BufferConfig,
        on_unmatched: OnUnmatched | None = None,
    ) -> None:
        super().__init__(window, buffer, on_unmatched)
        self._hop = round(window.hop_s * NS_PER_S)
        self._origin: int | None = None  # t0 of window 0 of the grid, fixed by the first one made
        self._turn = 0  # number on the grid of the next window
        self._end: int | None = None  # t1 of the last one
        self._was_empty = False

    def _late_ns(self, t_ns: int, end_ns: int) -> int:
        if self._end is None or end_ns > self._next_t0():
            return 0
        return max(0, self._end - t_ns)

    # -- windows out

    def ready(self, now_ns: int | None = None) -> list[Window]:
        """Return the windows that are complete, oldest first.

        Args:
            now_ns: Robot time, in live runs only: a window is then given out at the latest
                `max_wait_s` after its end.
        """
        if now_ns is None and self._blocked():
            return []
        self._restart_if_time_went_back()
        made: list[Window] = []
        while (t0 := self._begin()) is not None and self._released(t0 + self._length, now_ns):
            if not self._occupied(t0, t0 + self._length):
                if self._was_empty and not self._skip_hole(t0, now_ns):
                    break
                if self._was_empty:
                    self._was_empty = False
                    continue
                self._was_empty = True
            else:
                self._was_empty = False
            made.append(self._give(t0, t0 + self._length))
            self._turn += 1
            self._forget(self._next_t0())
        self._stuck = None
        if self._origin is not None:
            self._look_for_block(self._next_t0() + self._length)
        return made

    def flush(self) -> list[Window]:
        """Return what is left when no sample will come: the last window may be shorter."""
        for track in self._tracks.values():
            if track.open:
                track.close("")
        made: list[Window] = []
        while True:
            made += self.ready()
            t0, last = self._begin(), self._last_instant()
            if t0 is None or last is None or last <= t0:
                break
            if last - t0 >= self._length:  # only a wholly empty stretch can stop `ready` here
                if not self._skip_hole(t0, None):
                    break
                continue
            fresh = last - max(t0, self._end if self._end is not None else t0)
            if (fresh >= self.LAST_MIN_NS or self._made == 0) and self._occupied(t0, last):
                made.append(self._give(t0, last))
            break
        return made

    def _give(self, t0: int, t1: int) -> Window:
        if self._origin is None:
            self._origin = t0
        self._end = t1
        return self._make(t0, t1)

    # -- where

    def _begin(self) -> int | None:
        """Start of the next window; None before the first sample."""
        if self._origin is None:
            every = [t.first for t in self._tracks.values() if t.first is not None]
            gating = [t.first for t in self._gates() if t.first is not None]
            if not every:
                return None
            return min(gating or every) // self.GRID_NS * self.GRID_NS
        return self._next_t0()

    def _next_t0(self) -> int:
        return (self._origin or 0) + self._turn * self._hop

    def _last_instant(self) -> int | None:
        """End of the newest sample of the gating streams, else of any."""
        gating = [t.last_end for t in self._gates() if t.last_end is not None]
        every = [t.last_end for t in self._tracks.values() if t.last_end is not None]
        return max(gating or every, default=None)

    def _occupied(self, t0: int, t1: int) -> bool:
        return any(t.holds(t0, t1) for t in self._tracks.values())

    def _skip_hole(self, t0: int, now_ns: int | None) -> bool:
        """Move to the next window that holds a sample; False if none is known for sure yet."""
        later = [n for t in self._tracks.values() if (n := t.next_from(t0)) is not None]
        if not later or self._origin is None or not self._released(min(later), now_ns):
            return False
        turns = max(1, (min(later) - self._length - t0) // self._hop + 1)
        self._turn += turns
        seconds = (min(later) - t0) / NS_PER_S
        self._notes.append(f"no stream had data for {seconds:.1f} s; {turns} windows were left out")
        return True

    def _restart_if_time_went_back(self) -> None:
        """Begin a new grid if every gating stream jumped to before the next window."""
        t0 = self._begin()
        if self._origin is not None and t0 is not None and self._went_back_ns(t0):
            self._origin, self._turn, self._end = None, 0, None
