"""From the bytes of one nose to samples: capture time, losses, validity, health."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from thymos.clock import ClockModel
from thymos.clock.calibration import ClockCalibration
from thymos.samples import (
    NS_PER_S,
    Counters,
    Flag,
    Health,
    HealthReport,
    Sample,
    frozen,
)
from thymos.smell.validity import Validity
from thymos_drivers.enose.decoder import Decoder, Reading
from thymos_drivers.enose.losses import Clarity, Losses
from thymos_drivers.enose.text import TextDecoder
from thymos_drivers.enose.told import nose_told, tell, with_unstable

CHECK_CABLE = "check cable, ground and speed of the port"
_RESTARTED_S = 5.0
"""How long health tells of a restart."""
_USELESS = 10
"""A channel that gave nothing so many readings in a row is a complaint."""
_BEHIND_S = 2.0
"""A reading may be so much older than the answer to a question that came before it."""

Air = Callable[[int], tuple[float, ...]]


class Intake:
    """Turns what one decoder reads into the samples of a stream.

    Everything depends on the bytes and the times given, on nothing else.

    Args:
        stream: Stream name.
        decoder: Its channels are known.
        counters: Counted on: `corrupt` and `dropped`.
        seq: Number of the next sample.
        clock: Clock of the same device, from before it was lost.
        warm: What is known of its clock from a calibration.
        rails: The end of the converter's range means that there is no reading.
        climate: Channels of the air.
        air: Gives their values where the nose itself does not measure them.
        serial: Of its USB chip.
        frame_id: tf frame of the inlet.
    """

    def __init__(
        self,
        stream: str,
        decoder: Decoder,
        counters: Counters,
        *,
        seq: int = 0,
        clock: ClockModel | None = None,
        warm: ClockCalibration | None = None,
        rails: bool = True,
        climate: tuple[str, ...] = (),
        air: Air | None = None,
        serial: str = "",
        frame_id: str = "",
    ) -> None:
        self.seq = seq
        self.clock = clock
        self._warm = warm
        if clock is not None:
            clock.restart()  # the same oscillator, counting from anywhere
        self.last_ns: int | None = None
        self._stream, self._decoder, self._counters = stream, decoder, counters
        self._air = air
        self.nose = nose_told(decoder, climate, serial=serial, frame_id=frame_id)
        self._checks = Validity(decoder.names, decoder.unit if rails else "raw", climate)
        self._losses, self._clarity = Losses(), Clarity()
        self._good = decoder.good
        self._bad = self._bad_before = decoder.bad
        self._newest_tick: int | None = None
        self._newest_ns = -(2**63)
        self._restarted_ns: int | None = None
        self._fault = ""

    @property
    def garbled(self) -> bool:
        """Whether much of what comes in cannot be read."""
        return bool(self._clarity.complaint)

    def feed(self, data: bytes, now_ns: int) -> list[Sample]:
        """Take what arrived at `now_ns`."""
        decoder = self._decoder
        readings = decoder.feed(data, now_ns)
        good, bad = decoder.good - self._good, decoder.bad - self._bad
        self._good, self._bad = decoder.good, decoder.bad
        self._clarity.add(good=good, bad=bad)
        self._counters.corrupt += bad
        if isinstance(decoder, TextDecoder):
            self._synchronise(decoder)
        return self.take(readings)

    def take(self, readings: list[Reading]) -> list[Sample]:
        """Take readings that were decoded already."""
        return [self._sample(reading) for reading in readings]

    def health(self) -> HealthReport:
        """How the nose is after the last reading; a fault it reported is told once."""
        fault, self._fault = self._fault or self._decoder.fault, ""
        self._decoder.fault = ""
        useless = self._checks.useless(_USELESS)
        if fault:
            return HealthReport(Health.DEGRADED, f"the nose reports: {fault}", "see its manual")
        if self._clarity.complaint:
            return HealthReport(Health.DEGRADED, self._clarity.complaint, CHECK_CABLE)
        if self._restarted_ns is not None and self.last_ns is not None:
            if self.last_ns - self._restarted_ns < _RESTARTED_S * NS_PER_S:
                remedy = "check its power supply"
                return HealthReport(Health.DEGRADED, "the nose restarted by itself", remedy)
            self._restarted_ns = None
        if useless:
            remedy = "check this sensor; the others are used"
            return HealthReport(Health.DEGRADED, useless, remedy)
        return HealthReport(Health.OK)

    def _sample(self, reading: Reading) -> Sample:
        decoder = self._decoder
        first, self.last_ns = self.last_ns is None, reading.arrived_ns
        t_ns, flags = self._time(reading)
        # Stamps of two kinds may follow each other (a doubtful tick, an answer): none goes back.
        t_ns = self._newest_ns = max(t_ns, self._newest_ns)
        # A counter that falls back is a restart too; after a loss it starts from anywhere.
        anew = reading.restarted or (Flag.TIME_JUMP in flags and not first)
        if anew:
            self._restarted_ns = reading.arrived_ns
        lost = self._losses.before(
            reading.ticks,
            reading.arrived_ns,
            reading.lost_before,
            bad=max(0, reading.bad_before - self._bad_before),
            whole=decoder.whole,
            timed=decoder.timed,
            restarted=anew,
        )
        self._bad_before = reading.bad_before
        self._counters.dropped += lost
        self.seq += lost
        values = reading.values
        if self._air is not None:
            values = np.append(values, self._air(reading.arrived_ns))
        raw = values
        values, note = self._checks.check(raw)
        flags |= Flag.GAP_BEFORE if lost or anew else Flag.OK
        flags |= Flag.WARMUP if reading.warmup else Flag.OK
        flags |= Flag.CLIPPED if self._checks.clipped else Flag.OK
        useless = bool(np.isnan(values[: len(decoder.names)]).all())
        flags |= Flag.INVALID if useless else Flag.OK
        note = "; ".join(filter(None, (reading.note, note)))
        seq, self.seq = self.seq, self.seq + 1
        sample = Sample(self._stream, seq, t_ns, reading.arrived_ns, frozen(values), flags, note)
        raw, faults = with_unstable(raw, self._checks.faults, reading.unstable)
        facts = {} if reading.ticks is None else {"tick": reading.ticks}
        return tell(sample, self.nose, raw, faults, **facts)

    def _time(self, reading: Reading) -> tuple[int, Flag]:
        """Capture time, and what has to be said about it."""
        if reading.ticks is None:
            return reading.arrived_ns, Flag.TIME_ESTIMATED
        tick_ns = self._decoder.tick_ns
        if self.clock is None:
            bits = self._decoder.wrap_bits
            self.clock = ClockModel(tick_ns, wrap_bits=bits, calibration=self._warm)
        elif reading.restarted:
            self.clock.restart()
            self._newest_tick = None
        behind = self._newest_tick - reading.ticks if self._newest_tick is not None else 0
        if 0 < behind * tick_ns < _BEHIND_S * NS_PER_S:
            # The device answered a question with a newer tick than that of this reading.
            return min(self.clock.to_robot_ns(reading.ticks), reading.arrived_ns), Flag.OK
        self._newest_tick = None
        stamp = self.clock.observe(reading.ticks, reading.arrived_ns)
        return stamp.t_ns, Flag.TIME_JUMP if stamp.jumped else Flag.OK

    def _synchronise(self, decoder: TextDecoder) -> None:
        """Learn from answers of the device: they tell the transport delay, arrivals do not."""
        for ticks, middle_ns in decoder.synced:
            if self.clock is not None:
                self.clock.observe(ticks, middle_ns)
                self._newest_tick = ticks
        decoder.synced.clear()
