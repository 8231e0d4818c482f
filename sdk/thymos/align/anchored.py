"""Windows anchored to events: the stretch around each end of speech, each clap, each button."""

from __future__ import annotations

from bisect import insort

from thymos.align.line import NEVER
from thymos.align.spans import Spans
from thymos.align.tell import OnUnmatched
from thymos.align.window import Window
from thymos.config import BufferConfig, WindowConfig
from thymos.samples import NS_PER_S

Anchor = tuple[int, str]  # capture time, label


class AnchoredWindower(Spans):
    """Cuts streams into windows [t + after − length, t + after), one for each anchor t.

    Windows come in order of anchors and may overlap. As with `Windower` nothing but capture times
    matters, neither the order in which samples arrive nor when an anchor is set, as long as it is
    set before the gating streams are complete to `max_lag_s` after it (whoever detects an event
    knows of it later) and no window is released by `max_wait_s`. A window is given out once its
    streams are complete up to its end, and no anchor before its own can be set any more: because
    the lag is over, or because the detector promised it (`anchors_to`), which is quicker.

    Of the past only what an anchor to come can ask for is kept: length + lag.

    Args:
        window: Length, how much comes after the anchor (`after_s`), waiting and staleness.
        buffer: Bounds of the ring of each stream.
        on_unmatched: See `Spans`; here late are all samples of a window already given out.
        max_lag_s: How long after its event an anchor may be set, in time of the gating streams.
    """

    MAX_PENDING = 1000
    """Anchors that may wait; more are refused."""
    EVERY_NS = NS_PER_S // 10
    """The past is let go in steps of at least this."""

    def __init__(
        self,
        window: WindowConfig,
        buffer: BufferConfig,
        on_unmatched: OnUnmatched | None = None,
        *,
        max_lag_s: float = 2.0,
    ) -> None:
        super().__init__(window, buffer, on_unmatched)
        self._after = round(window.after_s * NS_PER_S)
        self._lag = round(max_lag_s * NS_PER_S)
        self._pending: list[Anchor] = []
        self._last: Anchor | None = None  # of the last window
        self._sure_to = NEVER  # no anchor from before this can be set any more
        self._forgot_to = NEVER
        self._given: list[tuple[int, int]] = []  # windows that a late sample may belong to
        self.late_anchors = 0
        """Anchors that were refused."""

    # -- anchors in

    def anchor(self, t_ns: int, label: str = "") -> bool:
        """Ask for the window of an event; the same twice counts once.

        Returns:
            False if it comes too late: a later window was given out, or what it would hold was
            let go. The next window says so in its notes.
        """
        anchor = (t_ns, label)
        if anchor == self._last or anchor in self._pending:
            return True
        before_last = self._last is not None and anchor < self._last
        if before_last or t_ns < self._sure_to or len(self._pending) >= self.MAX_PENDING:
            self.late_anchors += 1
            self._notes.append(f"an anchor{_named(label)} at {t_ns / 1e9:.3f} s came too late")
            return False
        insort(self._pending, anchor)
        return True

    def anchors_to(self, t_ns: int) -> None:
        """Promise that no anchor from before `t_ns` will be set."""
        self._sure_to = max(self._sure_to, t_ns)

    # -- windows out

    def ready(self, now_ns: int | None = None) -> list[Window]:
        """Return the windows that are complete, in order of their anchors.

        Args:
            now_ns: Robot time, in live runs only: a window then waits at most `max_wait_s`.
        """
        self._restart_if_time_went_back()
        made: list[Window] = []
        while self._pending:
            t_ns = self._pending[0][0]
            if not self._released(t_ns + self._after, now_ns):
                break
            if self._sure_to <= t_ns and not self._released(t_ns + self._lag, now_ns):
                break
            made.append(self._give())
        self._let_go(now_ns)
        return made

    def flush(self) -> list[Window]:
        """Return the windows of all anchors that wait; no sample will come."""
        for track in self._tracks.values():
            if track.open:
                track.close("")
        made: list[Window] = []
        while self._pending:
            made.append(self._give())
        return made

    def _give(self) -> Window:
        self._last = t_ns, label = self._pending.pop(0)
        t1 = t_ns + self._after
        self._given.append((t1 - self._length, t1))
        return self._make(t1 - self._length, t1, t_ns, label)

    # -- how far

    def _late_ns(self, t_ns: int, end_ns: int) -> int:
        return max((t1 - t_ns for t0, t1 in self._given if t0 < end_ns and t_ns < t1), default=0)

    def _complete_to(self, now_ns: int | None) -> int:
        """All that gates is complete up to here, or waiting for it is over."""
        gates = [t for t in self._gates() if t.open and not t.behind(self._forgot_to)]
        reached = [t.reached for t in gates]
        known = [r for r in reached if r is not None]
        complete = min(known) if known and len(known) == len(reached) else NEVER
        waited = NEVER if now_ns is None else now_ns - self._max_wait
        return max(complete, waited, self._promise)

    def _let_go(self, now_ns: int | None) -> None:
        """Forget what no anchor to come, nor one that waits, can ask for."""
        self._sure_to = max(self._sure_to, self._complete_to(now_ns) - self._lag)
        oldest = min(self._sure_to, self._pending[0][0]) if self._pending else self._sure_to
        floor = oldest + self._after - self._length
        if floor < self._forgot_to + self.EVERY_NS:
            return
        self._forgot_to = floor
        self._given = [span for span in self._given if span[1] > floor]
        self._forget(floor)

    def _restart_if_time_went_back(self) -> None:
        if self._forgot_to > NEVER and self._went_back_ns(self._forgot_to):
            if self._pending:
                self._notes.append(f"{len(self._pending)} anchors were left out")
            self._pending.clear()
            self._given.clear()
            self._last, self._sure_to, self._forgot_to = None, NEVER, NEVER


def _named(label: str) -> str:
    return f" ({label})" if label else ""
