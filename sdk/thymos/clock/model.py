"""Device clock to robot clock, learnt while running.

A device counts ticks of its own oscillator; the host notes when each reading arrived. Arrival is
capture plus a delay that is never negative and sometimes long (queues, USB, the scheduler), so
the pairs lie on or above a line: offset and skew. That line is the lower envelope of the points.

Method: V. Paxson, "On calibrating measurements of packet transit times", SIGMETRICS 1998, and
S. Moon, P. Skelly, D. Towsley, "Estimation and removal of clock skew from network delay
measurements", INFOCOM 1999, section IV: the line below all points with the least sum of
distances. Here it runs over a bounded window of bucket minima, so one reading costs O(1) amortised
and memory does not grow, and gives the mean and spread of all lines that may be the true one
(`Envelope`).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from thymos.clock.calibration import ClockCalibration, boot_id
from thymos.clock.envelope import Envelope

_STALE_NS = 10_000_000_000
"""An anchor that is off by more than this is of another run of the device."""


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

    A counter that wraps within a few seconds must be read more than once in each turn; turns
    missed in a silence of more than two seconds are counted by the host's clock.

    Args:
        tick_ns: Nominal nanoseconds of one tick; a `Fraction` if that is not exact in binary
            (`Fraction(10**9, 44100)`).
        wrap_bits: Width of the device's counter if it wraps; None if it does not.
        latency_ns: Constant part of the delay, subtracted from every stamp; None: that of the
            calibration, or 0.
        calibration: Where to start from, see `calibration()`; a wrong one is recovered from.
        max_skew_ppm: No oscillator is worse than this. Crystals reach 100, ceramic resonators
            (many Arduinos) 5000.
        window_s: How much of the past the line is drawn through.
        jump_ms: A disagreement larger than this that delays cannot explain is a jump.
        boot: Identifies the boot of the robot; None: of this machine.

    Raises:
        ValueError: `tick_ns` is not positive, or `wrap_bits` is less than 8.
    """

    def __init__(
        self,
        tick_ns: float | Fraction = 1.0,
        *,
        wrap_bits: int | None = None,
        latency_ns: int | None = None,
        calibration: ClockCalibration | None = None,
        max_skew_ppm: float = 10_000.0,
        window_s: float = 60.0,
        jump_ms: float = 200.0,
        boot: str | None = None,
    ) -> None:
        if tick_ns <= 0 or (wrap_bits is not None and wrap_bits < 8):
            raise ValueError("tick_ns must be positive and wrap_bits at least 8")
        tick = Fraction(tick_ns)
        self._tick = tick.as_integer_ratio()
        self._tick_ns = -(-tick // 1)
        self._counter = None if wrap_bits is None else _Counter(1 << wrap_bits, tick)
        self._jump_ns = round(jump_ms * 1e6)
        if self._counter is not None:
            self._jump_ns = min(self._jump_ns, self._counter.period_ns // 2)
        if latency_ns is None:
            latency_ns = calibration.latency_ns if calibration else 0
        self._latency_ns = latency_ns
        self._boot = boot_id() if boot is None else boot
        self._envelope = Envelope(window_s, max_skew_ppm * 1e-6)
        if calibration is not None:
            self._envelope.expect(
                calibration.skew_ppm * 1e-6, calibration.skew_uncertainty_ppm * 1e-6
            )
        self._base: int | None = None  # unwrapped ticks at the origin of the abscissa
        self._wrapped = 0  # ticks of whole counter turns added so far
        self._last_ticks = 0  # unwrapped
        self._last_host = 0
        self._last_out: int | None = None
        self._last_x = 0
        self._late = _LateRun(self._jump_ns)
        self.wraps = 0
        self.jumps = 0
        self._restarted = False
        if calibration is not None and self._boot and calibration.boot == self._boot:
            self._resume(calibration)

    @property
    def skew_ppm(self) -> float:
        """Present estimate of the skew, parts per million; positive if the device runs slow."""
        return self._envelope.slope * 1e6

    @property
    def skew_uncertainty_ppm(self) -> float:
        """Standard deviation of `skew_ppm`."""
        return self._envelope.slope_uncertainty * 1e6

    @property
    def uncertainty_ns(self) -> int:
        """Uncertainty of the last stamp: of the line, and one tick (counters round down)."""
        return self._envelope.uncertainty_at(self._last_x) + self._tick_ns

    def calibration(self, device: str = "", *, measured_at: str = "") -> ClockCalibration:
        """What was learnt so far, for a warm start.

        Raises:
            ValueError: Nothing was observed yet.
        """
        ticks = self._last_ticks - self._wrapped
        return ClockCalibration(
            device=device,
            skew_ppm=self.skew_ppm,
            skew_uncertainty_ppm=max(1.0, self.skew_uncertainty_ppm),
            latency_ns=self._latency_ns,
            anchor_ticks=ticks,
            anchor_ns=self.to_robot_ns(ticks) + self._latency_ns,
            anchor_uncertainty_ns=self.uncertainty_ns,
            boot=self._boot,
            measured_at=measured_at,
        )

    def observe(self, ticks: int, host_ns: int) -> Stamp:
        """Learn from one reading and return its capture time.

        Args:
            ticks: Counter of the device, as read.
            host_ns: When the reading arrived, robot clock.
        """
        first = self._last_out is None
        if self._base is None or self._restarted:
            return self._anchor(ticks, host_ns, jumped=self._restarted)
        host_ns = host_ns if first else max(host_ns, self._last_host)
        unwrapped, jumped = self._unwrap(ticks, host_ns)
        x = self._abscissa(unwrapped)
        excess = host_ns - x - self._envelope.at(x)
        if jumped or self._late.push(host_ns, excess):  # it went back or fell behind
            return self._anchor(ticks, host_ns, jumped=not first)
        if excess < -self._jump_ns:  # ahead of any possible arrival, if that is known yet
            return self._anchor(ticks, host_ns, jumped=self._envelope.settled)
        if first and excess > _STALE_NS:  # the calibrated anchor does not hold
            return self._anchor(ticks, host_ns, jumped=False)
        self._wrapped = unwrapped - ticks
        self._envelope.add(x, host_ns - x)
        self._last_ticks, self._last_host = unwrapped, host_ns
        return self._stamp(x, host_ns, jumped=False)

    def restart(self) -> None:
        """Begin anew with the next reading: the device was closed and opened again."""
        self._restarted = self._base is not None

    def to_robot_ns(self, ticks: int) -> int:
        """Map ticks near the last reading without learning from them or clamping.

        Raises:
            ValueError: Nothing was observed yet.
        """
        if self._base is None:
            raise ValueError("observe a reading first")
        unwrapped = ticks + self._wrapped
        if self._counter is not None:
            unwrapped += self._counter.period * self._counter.nearest(self._last_ticks - unwrapped)
        x = self._abscissa(unwrapped)
        return x + self._envelope.at(x) - self._latency_ns

    def _abscissa(self, unwrapped: int) -> int:
        """Nominal device nanoseconds since the origin; exact for ticks of any size."""
        ns, ticks = self._tick
        return (2 * (unwrapped - (self._base or 0)) * ns + ticks) // (2 * ticks)

    def _unwrap(self, ticks: int, host_ns: int) -> tuple[int, bool]:
        """Add the counter's turns; True if the ticks fit no number of them."""
        raw = ticks + self._wrapped
        if self._counter is None:
            return raw, raw < self._last_ticks
        turns = self._counter.turns(raw - self._last_ticks, host_ns - self._last_host)
        if turns is None:
            return raw, raw < self._last_ticks
        self.wraps += turns
        return raw + turns * self._counter.period, False

    def _begin_at(self, ticks: int, host_ns: int) -> None:
        self._base = self._last_ticks = ticks
        self._wrapped = 0
        self._last_host = host_ns
        self._last_x = 0
        self._late.clear()

    def _anchor(self, ticks: int, host_ns: int, *, jumped: bool) -> Stamp:
        """Begin (again) at this reading; the skew is kept, as the oscillator is the same."""
        self.jumps += jumped
        self._restarted = False
        self._begin_at(ticks, host_ns)
        self._envelope.restart(host_ns)
        return self._stamp(0, host_ns, jumped=jumped)

    def _resume(self, calibration: ClockCalibration) -> None:
        if calibration.anchor_ticks is not None:
            self._begin_at(calibration.anchor_ticks, calibration.anchor_ns)
            self._envelope.seed(calibration.anchor_ns)

    def _stamp(self, x: int, host_ns: int, *, jumped: bool) -> Stamp:
        """Clamp: corrections towards the past run at half speed, so that time never stands."""
        t_ns = x + self._envelope.at(x) - self._latency_ns
        if self._last_out is not None:
            t_ns = max(t_ns, self._last_out + max(0, x - self._last_x) // 2)
        t_ns = min(t_ns, host_ns)
        self._last_out, self._last_x = t_ns, x
        return Stamp(t_ns, self.uncertainty_ns, jumped)


class _Counter:
    """A counter of bounded width: how often did it turn over between two readings?"""

    SHORT_NS = 4_000_000_000
    """A delay may be as long as a shorter period: then only the order of readings tells."""
    SILENCE_NS = 2_000_000_000
    SLACK_NS = 10_000_000_000

    def __init__(self, period: int, tick: Fraction) -> None:
        self.period = period
        self.period_ns = max(1, round(period * tick))
        self._tick = tick

    def nearest(self, ticks: int) -> int:
        """Whole turns nearest to a number of ticks."""
        return (2 * ticks + self.period) // (2 * self.period)

    def turns(self, ahead: int, elapsed_ns: int) -> int | None:
        """Turns to add.

        Args:
            ahead: Ticks of this reading minus the last one's, before adding turns.
            elapsed_ns: Time between the two arrivals.

        Returns:
            None if no number of turns explains what the host's clock says.
        """
        elapsed = round(elapsed_ns / self._tick)
        least = max(0, -(ahead // self.period))  # fewest turns that do not go back
        if self.period_ns <= self.SHORT_NS:
            if elapsed_ns < self.SILENCE_NS:
                return least
            return max(least, (elapsed - ahead) // self.period)
        turns = self.nearest(elapsed - ahead)
        off_ns = abs(round((ahead + turns * self.period - elapsed) * self._tick))
        if turns < least or off_ns > min(self.SLACK_NS, self.period_ns // 4) + elapsed_ns // 100:
            return None
        return turns


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
