"""Device clock to robot clock, learnt while running.

A device counts ticks of its own oscillator; the host notes when each reading arrived. Arrival is
capture plus a delay that is never negative and sometimes long (queues, USB, the scheduler), so
the pairs lie on or above a line: offset and skew. That line is the lower envelope of the points.

Method: V. Paxson, "On calibrating measurements of packet transit times", SIGMETRICS 1998, and
S. Moon, P. Skelly, D. Towsley, "Estimation and removal of clock skew from network delay
measurements", INFOCOM 1999, section IV: the line below all points with the least sum of
distances is the edge of the lower convex hull over the mean abscissa. Here it runs over a bounded
window of bucket minima, so one reading costs O(1) amortised and memory does not grow.
"""

from __future__ import annotations

from dataclasses import dataclass

from thymos.clock.envelope import Envelope


@dataclass(frozen=True, slots=True)
class Stamp:
    """A device reading in robot time.

    Attributes:
        t_ns: Capture time, nanoseconds of the robot clock; never less than that of the reading
            before it, never after its arrival.
        uncertainty_ns: `t_ns` is within ± this in about 95 of 100 readings, constant transport
            delay apart (that cannot be seen from one side: calibrate it, see `latency_ns`).
        jumped: The device clock was reset or jumped at or shortly before this reading
            (`Flag.TIME_JUMP`).
    """

    t_ns: int
    uncertainty_ns: int
    jumped: bool = False


class ClockModel:
    """Maps the ticks of one device to robot time.

    Not thread-safe: it belongs to the thread that reads the device. Use:

        clock = ClockModel(tick_ns=1000, wrap_bits=32)        # micros() of an Arduino
        stamp = clock.observe(ticks, time.monotonic_ns())     # for each reading, in order

    Args:
        tick_ns: Nominal nanoseconds of one tick.
        wrap_bits: Width of the device's counter if it wraps; None if it does not.
        latency_ns: Constant part of the delay (calibrated); subtracted from every stamp.
        skew_ppm: Skew to start from (calibrated), parts per million; positive if the device runs
            slow, so that one of its seconds takes longer than one of ours.
        max_skew_ppm: No oscillator is worse than this.
        window_s: How much of the past the line is drawn through.
        jump_ms: A disagreement larger than this that delays cannot explain is a jump.
    """

    def __init__(
        self,
        tick_ns: float = 1.0,
        *,
        wrap_bits: int | None = None,
        latency_ns: int = 0,
        skew_ppm: float = 0.0,
        max_skew_ppm: float = 500.0,
        window_s: float = 60.0,
        jump_ms: float = 200.0,
    ) -> None:
        if tick_ns <= 0 or (wrap_bits is not None and wrap_bits < 8):
            raise ValueError("tick_ns must be positive and wrap_bits at least 8")
        self._tick_ns = tick_ns
        self._period = None if wrap_bits is None else 1 << wrap_bits
        self._latency_ns = latency_ns
        self._jump_ns = int(jump_ms * 1e6)
        self._envelope = Envelope(window_s, skew_ppm * 1e-6, max_skew_ppm * 1e-6)
        self._base: int | None = None  # unwrapped ticks at the origin of the abscissa
        self._wrapped = 0  # whole counter periods added so far
        self._last_ticks = 0  # unwrapped
        self._last_host = 0
        self._last_out: int | None = None
        self._last_x = 0
        self._late = _LateRun(self._jump_ns)
        self.wraps = 0
        self.jumps = 0

    @property
    def skew_ppm(self) -> float:
        """Present estimate of the skew, parts per million."""
        return self._envelope.slope * 1e6

    @property
    def uncertainty_ns(self) -> int:
        """Uncertainty of a stamp made now."""
        return self._envelope.uncertainty_ns

    def observe(self, ticks: int, host_ns: int) -> Stamp:
        """Learn from one reading and return its capture time.

        Args:
            ticks: Counter of the device, as read.
            host_ns: When the reading arrived, robot clock.
        """
        if self._base is None:
            self._anchor(ticks, host_ns)
            return self._stamp(0, host_ns, jumped=False)
        host_ns = max(host_ns, self._last_host)
        unwrapped, jumped = self._unwrap(ticks, host_ns)
        if jumped:
            self._jump(unwrapped, host_ns)
            return self._stamp(0, host_ns, jumped=True)
        x = self._abscissa(unwrapped)
        excess = host_ns - x - self._envelope.at(x)
        if excess < -self._jump_ns and self._envelope.settled:
            self._jump(unwrapped, host_ns)  # ahead of any possible arrival: it leapt forward
            return self._stamp(0, host_ns, jumped=True)
        if self._late.push(host_ns, excess):
            self._jump(unwrapped, host_ns)  # late for seconds without one punctual reading
            return self._stamp(0, host_ns, jumped=True)
        self._envelope.add(x, host_ns - x)
        self._last_ticks, self._last_host = unwrapped, host_ns
        return self._stamp(x, host_ns, jumped=False)

    def to_robot_ns(self, ticks: int) -> int:
        """Map ticks near the last reading without learning from them or clamping.

        Raises:
            ValueError: Nothing was observed yet.
        """
        if self._base is None:
            raise ValueError("observe a reading first")
        unwrapped = ticks + self._wrapped
        if self._period is not None:
            unwrapped += self._period * round((self._last_ticks - unwrapped) / self._period)
        x = self._abscissa(unwrapped)
        return x + self._envelope.at(x) - self._latency_ns

    def _abscissa(self, unwrapped: int) -> int:
        """Nominal device nanoseconds since the origin."""
        return round((unwrapped - (self._base or 0)) * self._tick_ns)

    def _unwrap(self, ticks: int, host_ns: int) -> tuple[int, bool]:
        """Add the counter periods that passed; True if the ticks fit no number of them."""
        unwrapped = ticks + self._wrapped
        elapsed = (host_ns - self._last_host) / self._tick_ns
        if self._period is not None:
            missing = (self._last_ticks + elapsed - unwrapped) / self._period
            turns = max(0, round(missing))
            unwrapped += turns * self._period
            if turns and unwrapped >= self._last_ticks and self._fits(unwrapped, elapsed):
                self._wrapped += turns * self._period
                self.wraps += turns
                return unwrapped, False
            unwrapped = ticks + self._wrapped
        return unwrapped, unwrapped < self._last_ticks

    def _fits(self, unwrapped: int, elapsed: float) -> bool:
        """Whether the device counted about as far as the host did (long delays allowed for)."""
        ahead_ns = (unwrapped - self._last_ticks - elapsed) * self._tick_ns
        return abs(ahead_ns) < 10 * self._jump_ns + 0.01 * elapsed * self._tick_ns

    def _anchor(self, unwrapped: int, host_ns: int) -> None:
        self._base = self._last_ticks = unwrapped
        self._last_host = host_ns
        self._last_x = 0
        self._envelope.restart(host_ns)
        self._late.clear()

    def _jump(self, unwrapped: int, host_ns: int) -> None:
        """Begin again at this reading; the skew is kept, as the oscillator is the same."""
        self.jumps += 1
        self._anchor(unwrapped, host_ns)

    def _stamp(self, x: int, host_ns: int, *, jumped: bool) -> Stamp:
        """Clamp: corrections towards the past run at half speed, so that time never stands."""
        t_ns = x + self._envelope.at(x) - self._latency_ns
        if self._last_out is not None:
            t_ns = max(t_ns, self._last_out + max(0, x - self._last_x) // 2)
        t_ns = min(t_ns, host_ns)
        self._last_out, self._last_x = t_ns, x
        return Stamp(t_ns, self.uncertainty_ns, jumped)


class _LateRun:
    """Tells a clock that fell behind from a queue that stalled.

    After a stall the backlog arrives at once; after a jump every reading is late for good. So the
    run of late readings must last, in time of arrival.
    """

    LASTS_NS = 2_000_000_000
    COUNT = 8

    def __init__(self, late_ns: int) -> None:
        self._late_ns = late_ns
        self.clear()

    def clear(self) -> None:
        self._since: int | None = None
        self._count = 0

    def push(self, host_ns: int, excess_ns: int) -> bool:
        """Take one reading; True if all of them were late for long enough."""
        if excess_ns <= self._late_ns:
            self.clear()
            return False
        self._since = host_ns if self._since is None else self._since
        self._count += 1
        return self._count >= self.COUNT and host_ns - self._since >= self.LASTS_NS
