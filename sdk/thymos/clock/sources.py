"""Every time base that devices stamp with, brought to the robot clock: one function each.

| stamp | function |
|---|---|
| a clock of this machine (V4L2, ALSA hw:, RealSense global time) | `host_stamp_ns` |
| a device's own counter | `thymos.clock.ClockModel` |
| PortAudio's converter time | `portaudio_ns`, then `thymos.clock.SampleCounter` |
| bytes on a serial line | `serial_ns` |
| a question and its answer (polled devices) | `midpoint` |
| ROS time, `/clock` | `thymos.clock.RosTime` |
"""

from __future__ import annotations

import time

from thymos.clock.model import Stamp

NS_PER_S = 1_000_000_000
OLDEST_NS = 5 * NS_PER_S
"""A stamp further from now than this is of another clock, or garbage."""


def host_stamp_ns(t_ns: int, now_ns: int) -> int | None:
    """A stamp of CLOCK_MONOTONIC, CLOCK_BOOTTIME or CLOCK_REALTIME, on the robot clock.

    Which clock it was is seen from the stamp: they lie decades (or the time slept) apart. Drivers
    differ here: V4L2 stamps with CLOCK_MONOTONIC by default, FFmpeg's `mono2abs` and RealSense's
    system and global time are CLOCK_REALTIME, Android and some IIO sensors use CLOCK_BOOTTIME.

    Args:
        t_ns: The stamp, nanoseconds.
        now_ns: Now, robot clock (CLOCK_MONOTONIC).

    Returns:
        None if it is near no clock of this machine. It may lie a little after `now_ns` (drivers
        that stamp by an ideal grid do that).
    """
    if abs(t_ns - now_ns) <= OLDEST_NS:
        return t_ns
    for clock in (getattr(time, "CLOCK_BOOTTIME", None), time.CLOCK_REALTIME):
        if clock is not None:
            moved = t_ns + monotonic_minus(clock)
            if abs(moved - now_ns) <= OLDEST_NS:
                return moved
    return None


def realtime_to_monotonic(t_ns: int) -> int:
    """Bring a stamp of CLOCK_REALTIME (PulseAudio, system-time domains) to CLOCK_MONOTONIC.

    The offset is taken now (within about 1 µs), so a stamp that is older than the last step of the
    wall clock is wrong by that step.
    """
    return t_ns + monotonic_minus(time.CLOCK_REALTIME)


def monotonic_minus(clock: int) -> int:
    """CLOCK_MONOTONIC minus another clock, ns: the tightest of five bracketed readings."""
    return min(_bracket(clock) for _ in range(5))[1]


def _bracket(clock: int) -> tuple[int, int]:
    """One reading: how long it took, and the difference at its middle."""
    before = time.monotonic_ns()
    other = time.clock_gettime_ns(clock)
    after = time.monotonic_ns()
    return after - before, (before + after) // 2 - other


def portaudio_ns(now_ns: int, age_s: float, frames: int, rate_hz: float) -> int:
    """When the first frame of a block was captured, robot clock.

    PortAudio's clock is CLOCK_REALTIME behind PulseAudio and CLOCK_MONOTONIC on a hardware device,
    so only differences of it are used. Behind PulseAudio the converter's time may even lie in the
    future: a block cannot be younger than its own length.

    Args:
        now_ns: When the callback ran, robot clock.
        age_s: `currentTime - inputBufferAdcTime`, of whatever epoch.
        frames: Frames in the block.
        rate_hz: Frames per second.
    """
    least = round(frames * NS_PER_S / rate_hz)
    age_ns = age_s * NS_PER_S
    if not least <= age_ns <= OLDEST_NS:  # NaN fails too
        age_ns = least
    return now_ns - int(age_ns)


def serial_ns(arrived_ns: int, n_bytes: int, baud: int, *, bits: int = 10) -> int:
    """When the first byte of a message began to be sent.

    The last of `n_bytes` came at `arrived_ns`; each takes `bits` (8N1: 10) at the line's speed.
    For a UART's real line; the speed of USB-CDC ports is only a name, give them no bytes.

    Args:
        arrived_ns: When the last byte arrived, robot clock.
        n_bytes: Bytes of the message up to and with that one.
        baud: Bits per second.
        bits: Bits a byte takes, start, parity and stop bits included.
    """
    return arrived_ns - n_bytes * bits * NS_PER_S // baud


def midpoint(sent_ns: int, received_ns: int) -> Stamp:
    """When a polled device took its reading: between question and answer.

    Nothing is assumed of either way (Cristian 1989, "Probabilistic clock synchronization"): the
    reading is certainly within ± half of the round trip. Give the pair (ticks, `t_ns`) of quick
    round trips to a `ClockModel` if the device counts; take it as the stamp if it does not.

    Raises:
        ValueError: The answer came before the question.
    """
    if received_ns < sent_ns:
        raise ValueError("the answer came before the question")
    half = (received_ns - sent_ns + 1) // 2
    return Stamp(sent_ns + half, half)
