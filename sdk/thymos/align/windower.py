"""Windows over capture time: which samples belong together, and what was not there.

Primary-driven joins with capture ("originating") time, after Microsoft Psi: D. Bohus et al.,
"Platform for Situated Intelligence", arXiv 2103.15975, section 3. Gating streams (pictures and
sound) are the primaries: a window is given out once each of them is proven complete up to its
end. Annotating streams (a nose) never delay it; their newest value is attached with its true age.

What one call costs does not depend on how long the run is: of the past only what a future window
can ask for is kept (obsolescence).
"""

from __future__ import annotations

from collections.abc import Callable

from thymos.align.stream import Track
from thymos.align.window import StreamSlice, Window
from thymos.config import BufferConfig, WindowConfig
from thymos.samples import NS_PER_S, Kind, Sample, StreamSpec

Unmatched = Callable[[Sample, str], None]
"""Told each sample that came too late for its window, and why, in words."""


class Windower:
    """Cuts streams into windows [t0, t0 + length), one every hop.

    The first window begins at the earliest sample of any gating stream, rounded down to a tenth
    of a second; the others follow on the grid of hops. As long as no window is released by
    `max_wait_s` (live only), the windows depend on nothing but the capture times of the gating
    streams' samples, whatever order they arrive in. (Within one stream samples may come out of
    order by `Track.REORDER_NS` if their sequence numbers are honest.)

    Not thread-safe; the pipeline holds a lock.

    Args:
        window: Length, hop, waiting and staleness.
        buffer: Bounds of the ring of each stream.
        on_unmatched: Told about late samples; called from `push`.
    """

    GRID_NS = NS_PER_S // 10
    LAST_MIN_NS = NS_PER_S // 2
    """The last, shorter window must hold at least this much that no window held before."""

    def __init__(
        self,
        window: WindowConfig,
        buffer: BufferConfig,
        on_unmatched: Unmatched | None = None,
    ) -> None:
        self._config = window
        self._buffer = buffer
        self._on_unmatched = on_unmatched
        self._length = round(window.length_s * NS_PER_S)
        self._hop = round(window.hop_s * NS_PER_S)
        self._max_wait = round(window.max_wait_s * NS_PER_S)
        self._tracks: dict[str, Track] = {}
        self._origin: int | None = None  # t0 of window 0 of the grid, fixed by the first one made
        self._turn = 0  # number on the grid of the next window
        self._made = 0  # windows given out
        self._end: int | None = None  # t1 of the last one
        self._promise: int | None = None
        self._was_empty = False
        self._notes: list[str] = []
        self.unmatched: dict[str, int] = {}
        """Late samples by stream."""

    # -- streams and samples in

    def add_stream(self, spec: StreamSpec, *, gate: bool | None = None) -> None:
        """Announce a stream, or announce it again after it was reopened.

        Args:
            spec: The stream.
            gate: Whether windows wait for it; by default pictures and sound do, gas does not.
        """
        known = self._tracks.get(spec.name)
        if known is not None:
            known.reopen(spec)
            return
        gates = spec.kind in (Kind.VIDEO, Kind.AUDIO) if gate is None else gate
        self._tracks[spec.name] = Track(spec, gates, self._buffer)
        self.unmatched[spec.name] = 0

    def push(self, sample: Sample) -> None:
        """Take a sample in, in any order.

        Raises:
            ValueError: The stream was not announced.
        """
        track = self._tracks.get(sample.stream)
        if track is None:
            raise ValueError(f"sample of '{sample.stream}', which was not added as a stream")
        end = track.end_of(sample)
        if not track.push(sample):
            return  # a duplicate; counted by the ring
        if self._end is not None and sample.t_ns < self._end and end <= self._next_t0():
            self.unmatched[sample.stream] += 1
            if self._on_unmatched is not None:
                behind = (self._end - sample.t_ns) / 1e6
                self._on_unmatched(
                    sample, f"{behind:.0f} ms before the end of a window already given out"
                )

    def close_stream(self, name: str, reason: str = "") -> None:
        """A stream ended or was lost: windows no longer wait for it. Unknown names do nothing."""
        track = self._tracks.get(name)
        if track is not None:
            track.close(reason)

    def advance(self, t_ns: int) -> None:
        """Promise that no stream will bring a sample from before `t_ns`.

        Whoever reads several streams in order of time (see `thymos.align.merge`) knows that, so
        a stream that ended early or begins late holds nothing up.
        """
        self._promise = t_ns if self._promise is None else max(self._promise, t_ns)

    # -- windows out

    def ready(self, now_ns: int | None = None) -> list[Window]:
        """Return the windows that are complete, oldest first.

        Args:
            now_ns: Robot time, in live runs only: a window is then given out at the latest
                `max_wait_s` after its end.
        """
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
            made.append(self._make(t0, t0 + self._length))
            self._turn += 1
            self._forget()
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
                made.append(self._make(t0, last))
            break
        return made

    # -- when

    def _gates(self) -> list[Track]:
        """Streams that windows wait for; all of them if none was meant to gate."""
        tracks = list(self._tracks.values())
        return [t for t in tracks if t.gate] or tracks

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

    def _released(self, t1: int, now_ns: int | None) -> bool:
        """Whether nothing that belongs before `t1` is missing any more, or waiting is over."""
        if now_ns is not None and now_ns > t1 + self._max_wait:
            return True
        gates = self._gates()
        if not any(t.complete_to >= t1 for t in gates if t.complete_to is not None):
            return False
        if self._promise is not None and self._promise >= t1:
            return True
        return all(
            t.complete_to is not None and t.complete_to >= t1
            for t in gates
            if t.open and not t.behind(t1 - self._length)
        )

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
        gates = [t for t in self._gates() if t.open]
        t0 = self._begin()
        if self._origin is None or t0 is None or not gates or not all(t.behind(t0) for t in gates):
            return
        back = (t0 - max(t.complete_to or 0 for t in gates)) / NS_PER_S
        self._notes.append(f"time went back by {back:.1f} s: windows begin again")
        self._origin, self._turn, self._end, self._promise = None, 0, None, None
        for track in self._tracks.values():
            track.restart()

    # -- what

    def _make(self, t0: int, t1: int) -> Window:
        if self._origin is None:
            self._origin = t0
        slices: dict[str, StreamSlice] = {}
        for name in sorted(self._tracks):
            slices[name] = self._tracks[name].slice(t0, t1, self._config.stale_after_s)
        window = Window(f"w{self._made:06d}", t0, t1, slices, tuple(self._notes))
        self._notes.clear()
        self._made += 1
        self._end = t1
        return window

    def _forget(self) -> None:
        for track in self._tracks.values():
            track.forget(self._next_t0())
