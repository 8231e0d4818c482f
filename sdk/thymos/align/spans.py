"""What all windows share, wherever they lie: streams, samples, waiting, and what a window holds."""

from __future__ import annotations

from thymos.align.line import NEVER
from thymos.align.stream import Track
from thymos.align.tell import OnUnmatched, Unmatched
from thymos.align.window import Window
from thymos.config import BufferConfig, WindowConfig
from thymos.samples import NS_PER_S, Kind, Sample, StreamSpec


class Spans:
    """Streams that are cut into spans; base of `Windower` and `AnchoredWindower`.

    A window is a join: its end is the instant, and of every stream all samples in the span before
    it are attached (`all_in_span`). Pictures and sound gate, a nose annotates.

    Not thread-safe; the pipeline holds a lock.

    Args:
        window: Length, hop, anchors, waiting and staleness.
        buffer: Bounds of the ring of each stream.
        on_unmatched: Told about late samples, at the end of `push`; what it raises is reported on
            stderr and changes nothing.
    """

    def __init__(
        self,
        window: WindowConfig,
        buffer: BufferConfig,
        on_unmatched: OnUnmatched | None = None,
    ) -> None:
        self._config = window
        self._buffer = buffer
        self._unmatched = Unmatched(on_unmatched)
        self._length = round(window.length_s * NS_PER_S)
        self._max_wait = round(window.max_wait_s * NS_PER_S)
        self._tracks: dict[str, Track] = {}
        self._made = 0  # windows given out
        self._promise = NEVER
        self._stuck: tuple[Track, int] | None = None  # who is waited for, and until when
        self._notes: list[str] = []

    @property
    def unmatched(self) -> dict[str, int]:
        """Late samples by stream."""
        return {name: self._unmatched.counts.get(name, 0) for name in self._tracks}

    # -- streams and samples in

    def add_stream(self, spec: StreamSpec, *, gate: bool | None = None) -> None:
        """Announce a stream, or announce it again after it was reopened.

        Args:
            spec: The stream.
            gate: Whether windows wait for it; by default pictures and sound do, gas does not.
        """
        self._stuck = None
        known = self._tracks.get(spec.name)
        if known is not None:
            known.reopen(spec)
            return
        gates = spec.kind in (Kind.VIDEO, Kind.AUDIO) if gate is None else gate
        self._tracks[spec.name] = Track(spec, gates, self._buffer)

    def push(self, sample: Sample) -> None:
        """Take a sample in, in any order.

        Raises:
            ValueError: The stream was not announced.
        """
        track = self._tracks.get(sample.stream)
        if track is None:
            raise ValueError(f"sample of '{sample.stream}', which was not added as a stream")
        if not track.push(sample):
            return  # a duplicate
        late_ns = self._late_ns(sample.t_ns, track.end_of(sample))
        if late_ns > 0:
            self._unmatched.add(
                sample, f"{late_ns / 1e6:.0f} ms before the end of a window already given out"
            )
            self._unmatched.tell()

    def _late_ns(self, t_ns: int, end_ns: int) -> int:
        """How long before the end of a window given out a sample began that is not in it; or 0."""
        raise NotImplementedError

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
        self._promise = max(self._promise, t_ns)

    # -- when

    def _gates(self) -> list[Track]:
        """Streams that windows wait for; all of them if none was meant to gate."""
        tracks = list(self._tracks.values())
        return [t for t in tracks if t.gate] or tracks

    def _released(self, t1: int, now_ns: int | None) -> bool:
        """Whether nothing that belongs before `t1` is missing any more, or waiting is over."""
        if now_ns is not None and now_ns > t1 + self._max_wait:
            return True
        gates = self._gates()
        if not any(t.reached >= t1 for t in gates if t.reached is not None):
            return False
        if self._promise >= t1:
            return True
        return all(
            t.reached is not None and t.reached >= t1
            for t in gates
            if t.open and not t.behind(t1 - self._length)
        )

    def _blocked(self) -> bool:
        """Whether one stream alone still holds the next window up: nothing else is looked at then.

        So the cost of a sample does not grow with the number of streams.
        """
        if self._stuck is None:
            return False
        track, t1 = self._stuck
        short = track.newest_ns == NEVER or track.complete_to < t1
        return short and track.open and not track.went_back_ns and self._promise < t1

    def _look_for_block(self, t1: int) -> None:
        """Find a stream that alone holds up a window to `t1`, if there is one."""
        for track in self._gates():
            self._stuck = track, t1
            if self._blocked():
                return
        self._stuck = None

    def _went_back_ns(self, t_ns: int) -> int:
        """By how much every gating stream jumped to before `t_ns`; 0 if one did not.

        If so all streams begin again, and that is noted.
        """
        gates = [t for t in self._gates() if t.open]
        if not gates or not all(t.behind(t_ns) for t in gates):
            return 0
        back_ns = t_ns - max(t.newest_ns for t in gates)
        self._notes.append(f"time went back by {back_ns / NS_PER_S:.1f} s: windows begin again")
        self._promise = NEVER
        for track in self._tracks.values():
            track.restart()
        return back_ns

    # -- what

    def _make(self, t0: int, t1: int, anchor_ns: int | None = None, label: str = "") -> Window:
        stale_s = self._config.stale_after_s
        window = Window(
            f"w{self._made:06d}",
            t0,
            t1,
            {name: self._tracks[name].slice(t0, t1, stale_s) for name in sorted(self._tracks)},
            tuple(self._notes),
            anchor_ns,
            label,
        )
        self._notes.clear()
        self._made += 1
        return window

    def _forget(self, t_ns: int) -> None:
        """No window to come begins before `t_ns`."""
        for track in self._tracks.values():
            track.forget_before(t_ns)
