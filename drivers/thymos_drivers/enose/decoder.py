"""What turns the bytes of one kind of nose into readings, and what all such decoders share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Reading:
    """One whole reading.

    Attributes:
        values: float64 [gas channels, then climate], as the device said them.
        ticks: Counter of the device, None if it has none; see `Decoder.tick_ns`.
        arrived_ns: When its first byte arrived (of its last line, where it has several), or the
            middle between question and answer of a polled nose. Robot clock.
        lost_before: Readings the device made since the one before, exactly; None if it cannot tell.
        bad_before: Unreadable pieces since the channels are known, up to this reading; left 0 by
            protocols that tell their losses themselves.
        restarted: The device began anew before this reading.
        warmup: The device says that it has not settled.
        note: What the device says about this reading, for people.
        unstable: What it said of channels that it calls invalid itself (NaN in `values`), by their
            position.
    """

    values: NDArray[np.float64]
    ticks: int | None
    arrived_ns: int
    lost_before: int | None = None
    bad_before: int = 0
    restarted: bool = False
    warmup: bool = False
    note: str = ""
    unstable: Mapping[int, float] = field(default_factory=dict)


class Decoder:
    """A protocol of noses: bytes in, readings out. It never raises on what a device sends.

    Attributes:
        protocol: Its name: `text`, `thymos`, `tue` or `cyranose`.
        tick_ns: Nanoseconds of one tick of the device.
        wrap_bits: Width of its counter, None if it does not wrap.
        whole: One unreadable piece is one reading lost (else only a part of one may be).
        timed: A timer of the device drives its readings, so that its ticks tell what is missing.
        names: Gas channels; empty until they are learnt, fixed from then on.
        climate: Channels of `thymos.samples.CLIMATE` that follow the gas channels.
        unit: Unit of the gas channels.
        rate_hz: What the device says about its rate; 0 if nothing.
        info: What the device says about itself.
        good, noise: Readable and unreadable pieces so far.
        bad: Pieces that were cut off or unreadable since the channels are known.
        fault: Last fault that the device reported, empty if none; whoever shows it clears it.
    """

    protocol = ""
    tick_ns = 1e6
    wrap_bits: int | None = None

    def __init__(self) -> None:
        self.whole = True
        self.timed = False
        self.names: tuple[str, ...] = ()
        self.climate: tuple[str, ...] = ()
        self.unit = "adc"
        self.rate_hz = 0.0
        self.info: dict[str, str] = {}
        self.good = self.noise = self.bad = 0
        self.fault = ""

    @property
    def learnt(self) -> bool:
        """Whether the channels are known and readings can follow."""
        return bool(self.names)

    def feed(self, data: bytes, now_ns: int) -> list[Reading]:
        """Take what arrived at `now_ns` (may be nothing); return the readings that are whole."""
        raise NotImplementedError

    def due(self, now_ns: int) -> bytes:
        """What must be sent to the device now; empty if nothing. Polled noses live by this."""
        return b""

    def again(self) -> Decoder:
        """A new one for the same nose after it was lost: channels and facts are kept."""
        raise NotImplementedError

    def farewell(self) -> bytes:
        """What to send before the port is closed; empty if nothing."""
        return b""
