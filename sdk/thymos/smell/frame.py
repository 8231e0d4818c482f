"""SmellFrame: one reading of an electronic nose, complete enough for a stranger to use it.

It keeps apart what chemistry says and what a person says: an `Odorant` is the stimulus (a
substance, an amount), a `Percept` is what somebody smelt. Neither is derived from the other.
The public specification is docs/smellframe.md.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

VERSION = "1.0"
"""Of the record. The first number changes when an old reader would misread a new file."""

F64 = NDArray[np.float64]
NAN = float("nan")


class Phase(str, enum.Enum):
    """Where in a sniff a reading was taken."""

    UNKNOWN = "unknown"
    BASELINE = "baseline"
    EXPOSURE = "exposure"
    RECOVERY = "recovery"


class Fault(str, enum.Enum):
    """Why the value of a channel may not be used; the raw value is kept beside it."""

    NONE = ""
    SENTINEL = "sentinel"
    """A number that stands for "no value" (4294967295)."""
    RAIL = "rail"
    """The end of the converter or of the sensor's range."""
    STUCK = "stuck"
    """It repeats where a live sensor cannot."""
    WARM_UP = "warm_up"
    """The sensor has not settled since it was switched on."""
    OUT_OF_RANGE = "out_of_range"
    """No such sensor can measure this."""
    UNSTABLE = "unstable"
    """The device itself calls it invalid, or its heater was not at the set-point."""
    MISSING = "missing"
    """The channel was not read this time, or its cell was empty; the value is NaN."""


class TimeSource(str, enum.Enum):
    """How `t_ns` was found."""

    DEVICE = "device"
    """The device's own clock, mapped to the clock of the host."""
    HOST = "host"
    """The host's clock when the reading arrived or was asked for."""
    FILE = "file"
    """A time column of the file."""
    ROW = "row"
    """Nothing but the order of rows and a rate: only differences mean anything."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel: one sensor, or one heater step of one sensor.

    Attributes:
        name: Unique within the nose: `NO2`, `s3_h7`.
        unit: Of the raw value: `ohm`, `adc`, `volt`, `ppm`, `rs_r0` …
        sensor_model: `TGS2602`, `BME688`; empty if unknown.
        sensor_id: Serial number or position of the very sensor.
        target: Gas it is sold for; it answers many others too.
        heater_profile: Name of the temperature programme, empty if the heater is constant.
        heater_step: Position in the programme, -1 if there is none.
        heater_celsius: Set-point of the heater [degC], NaN if unknown.
        heater_ns: How long the set-point is held [ns], 0 if unknown.
        supply_volt: Supply of the measuring circuit [V], NaN if unknown.
        load_ohm: Load resistor of the divider [ohm], NaN if unknown.
        adc_bits: Resolution of the converter, 0 if unknown.
    """

    name: str
    unit: str
    sensor_model: str = ""
    sensor_id: str = ""
    target: str = ""
    heater_profile: str = ""
    heater_step: int = -1
    heater_celsius: float = NAN
    heater_ns: int = 0
    supply_volt: float = NAN
    load_ohm: float = NAN
    adc_bits: int = 0


@dataclass(frozen=True, slots=True)
class Nose:
    """What does not change from reading to reading.

    Attributes:
        model: `SmellNet`, `BME688 board_8`.
        serial: Which one of its kind; empty if unknown.
        channels: In the order of `SmellFrame.values`.
        rate_hz: Declared readings a second; 0 if it declares none.
        frame_id: tf frame of the inlet.
        extra: Further facts worth keeping (firmware, board configuration).
    """

    model: str
    serial: str
    channels: tuple[Channel, ...]
    rate_hz: float = 0.0
    frame_id: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BaselineAir:
    """The clean air that readings are compared with.

    Attributes:
        values: R0, raw value of each channel [channels] in its unit; NaN where unknown.
        spread: Standard deviation in clean air [channels], same unit; NaN where unknown.
        taken_ns: When it was taken, middle of the time span, same clock as `SmellFrame.t_ns`.
        how: `calibrated`, `first_seconds`, `followed` (drift was followed in clean air), `file`.
        readings: How many readings it rests on; 0 if unknown.
    """

    values: F64
    spread: F64
    taken_ns: int
    how: str
    readings: int = 0


@dataclass(frozen=True, slots=True)
class Odorant:
    """The stimulus, where it is known: chemistry, not a smell.

    Attributes:
        name: Substance or object presented: `ethanol`, `banana`.
        cas: CAS registry number, empty for mixtures.
        amount: Concentration or dose, NaN if unknown.
        unit: Of the amount, usually `ppm`.
    """

    name: str
    cas: str = ""
    amount: float = NAN
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Percept:
    """What somebody (or a model of somebody) smelt.

    Attributes:
        rater: Who says so: a person's code, a panel, a model with its version.
        descriptors: Their words.
        pleasantness: -1 to 1, NaN if not asked.
        intensity: 0 to 1, NaN if not asked.
    """

    rater: str
    descriptors: tuple[str, ...] = ()
    pleasantness: float = NAN
    intensity: float = NAN


@dataclass(frozen=True, slots=True)
class SmellFrame:
    """One reading of all channels.

    Attributes:
        nose: What made it.
        seq: Counts readings as the nose made them.
        t_ns: When the air was measured [ns], see `time_source`.
        values: Raw values [channels], each in the unit of its channel, nothing corrected.
        faults: Why a value may not be used, for each channel.
        offset_ns: When each channel was read, after `t_ns` [ns]; empty if all at once.
        t_recv_ns: When the host had it, 0 if unknown.
        time_source: How `t_ns` was found.
        tick: The device's own counter, None if it has none.
        tick_hz: Ticks a second; 0 if unknown.
        rate_hz: Measured readings a second, 0 if not yet known.
        temperature: Of the air [degC], NaN if not measured.
        humidity: Relative, 0 to 1, NaN if not measured.
        pressure: Of the air [Pa], NaN if not measured.
        baseline: Clean air, None if none was taken yet.
        on_for_ns: How long the nose had been on [ns], -1 if unknown.
        phase: Of the sniff.
        odorants: The stimulus, where known (labelled data).
        percepts: What was smelt, where somebody was asked.
        note: What is odd about this reading, in words.
        extra: What a file held beyond this, so that nothing is lost: column → text.
    """

    nose: Nose
    seq: int
    t_ns: int
    values: F64
    faults: tuple[Fault, ...]
    offset_ns: tuple[int, ...] = ()
    t_recv_ns: int = 0
    time_source: TimeSource = TimeSource.HOST
    tick: int | None = None
    tick_hz: float = 0.0
    rate_hz: float = 0.0
    temperature: float = NAN
    humidity: float = NAN
    pressure: float = NAN
    baseline: BaselineAir | None = None
    on_for_ns: int = -1
    phase: Phase = Phase.UNKNOWN
    odorants: tuple[Odorant, ...] = ()
    percepts: tuple[Percept, ...] = ()
    note: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Which channels may be used [channels]."""
        good = np.array([fault is Fault.NONE for fault in self.faults], dtype=np.bool_)
        return good & np.isfinite(self.values)

    @property
    def usable(self) -> F64:
        """Raw values with NaN where they may not be used [channels]."""
        return np.where(self.valid, self.values, np.nan)
