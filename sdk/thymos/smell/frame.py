"""SmellFrame: one reading of an electronic nose, complete enough for a stranger to use it.

It keeps apart what chemistry says and what a person says: an `Odorant` is the stimulus (a
substance, an amount), a `Percept` is what somebody smelt. Neither is derived from the other.
The public specification is docs/smellframe.md.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.errors import FrameError
from thymos.samples import CLIMATE, Flag

VERSION = "1.0"
"""Of the record. The first number changes when an old reader would misread a new file."""

F64 = NDArray[np.float64]
NAN = float("nan")


class Exact:
    """Equal means equal in every bit: NaN is NaN, -0.0 is not 0.0, arrays are compared whole."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        names = [f.name for f in fields(self)]  # type: ignore[arg-type]
        return all(same(getattr(self, name), getattr(other, name)) for name in names)


def same(one: Any, other: Any) -> bool:
    """Whether two values of a record are the same in every bit (all NaN are one)."""
    if one is other:
        return True
    if isinstance(one, float) and isinstance(other, float):
        if one == other:
            return math.copysign(1.0, one) == math.copysign(1.0, other)
        return math.isnan(one) and math.isnan(other)
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return _same_row(one, other)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def _same_row(one: Any, other: Any) -> bool:
    if type(one) is not type(other) or one.shape != other.shape:
        return False
    alike = (one == other) & (np.signbit(one) == np.signbit(other))
    return bool(np.all(alike | (np.isnan(one) & np.isnan(other))))


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


@dataclass(frozen=True, slots=True, eq=False)
class Channel(Exact):
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
        load_ohm: Load resistor between sensor and ground, across which the converter measures
            [ohm]; NaN if unknown or there is none.
        adc_bits: Resolution of the converter, 0 if unknown.
        adc_volt: Voltage that reads as full scale, `2**adc_bits - 1` [V]; NaN if unknown.
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
    adc_volt: float = NAN


@dataclass(frozen=True, slots=True, eq=False)
class Nose(Exact):
    """What does not change from reading to reading.

    Attributes:
        model: `SmellNet`, `BME688 board_8`.
        serial: Which one of its kind; empty if unknown.
        channels: In the order of `SmellFrame.values`. Temperature, humidity and pressure are none:
            they tell the room and the day, not the smell.
        air: Which of `temperature`, `humidity`, `pressure` it measures, in its order.
        rate_hz: Declared readings a second; 0 if it declares none.
        tick_hz: Ticks a second of its own counter; 0 if unknown.
        burn_in_ns: How long its heaters had run in all before this session [ns], -1 if unknown.
        simulated: No air was measured: the readings were computed.
        frame_id: tf frame of the inlet.
        extra: Further facts worth keeping (firmware, board configuration).
    """

    model: str
    serial: str
    channels: tuple[Channel, ...]
    air: tuple[str, ...] = ()
    rate_hz: float = 0.0
    tick_hz: float = 0.0
    burn_in_ns: int = -1
    simulated: bool = False
    frame_id: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [channel.name for channel in self.channels]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise FrameError(
                f"the nose '{self.model}' has two channels '{twice}'",
                hint="give every channel its own name",
            )
        wrong = [name for name in self.air if name not in CLIMATE]
        if wrong:
            raise FrameError(
                f"the nose '{self.model}' measures '{wrong[0]}' of the air",
                hint=f"known: {', '.join(CLIMATE)}; a gas is a channel",
            )


@dataclass(frozen=True, slots=True, eq=False)
class BaselineAir(Exact):
    """The clean air that readings are compared with.

    Attributes:
        values: R0, raw value of each channel [channels] in its unit; NaN where unknown.
        spread: Standard deviation in clean air [channels], same unit; NaN where unknown.
        taken_ns: When it was taken, middle of the time span, same clock as `SmellFrame.t_ns`;
            None if unknown (a calibration of another day).
        how: `calibrated`, `first_seconds`, `followed` (drift was followed in clean air), `file`.
        readings: How many readings it rests on; 0 if unknown.
    """

    values: F64
    spread: F64
    taken_ns: int | None
    how: str
    readings: int = 0

    def __post_init__(self) -> None:
        count = np.size(self.values)
        object.__setattr__(self, "values", _row(self.values, count, "baseline values"))
        object.__setattr__(self, "spread", _row(self.spread, count, "baseline spread"))


@dataclass(frozen=True, slots=True, eq=False)
class Odorant(Exact):
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


@dataclass(frozen=True, slots=True, eq=False)
class Percept(Exact):
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


@dataclass(frozen=True, slots=True, eq=False)
class SmellFrame(Exact):
    """One reading of all channels.

    Attributes:
        nose: What made it.
        seq: Counts readings as the nose made them.
        t_ns: When the air was measured [ns], see `time_source`.
        values: Raw values [channels], each in the unit of its channel, nothing corrected; NaN
            where there is no number at all. Read-only.
        faults: Why a value may not be used, for each channel; the number itself stays in `values`.
        offset_ns: When each channel was read, after `t_ns` [ns]; empty if all at once.
        t_recv_ns: When the host had it, 0 if unknown.
        time_source: How `t_ns` was found.
        tick: The device's own counter, None if it has none.
        rate_hz: Measured readings a second, 0 if not yet known.
        temperature_celsius: Of the air, raw, NaN if not measured.
        humidity_percent: Relative humidity, raw, NaN if not measured.
        pressure_hpa: Of the air, raw, NaN if not measured.
        air_faults: Why one of `temperature`, `humidity`, `pressure` may not be used.
        baseline: Clean air, None if none was taken yet.
        on_for_ns: How long the nose had been on [ns], -1 if unknown.
        phase: Of the sniff.
        odorants: The stimulus, where known (labelled data).
        percepts: What was smelt, where somebody was asked.
        session: Which recording session; readings of one session are alike for other reasons than
            the smell, so training and test must not share one. Empty if unknown.
        flags: What is to be said about the reading as a whole (gap before it, clock jumped …).
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
    rate_hz: float = 0.0
    temperature_celsius: float = NAN
    humidity_percent: float = NAN
    pressure_hpa: float = NAN
    air_faults: Mapping[str, Fault] = field(default_factory=dict)
    baseline: BaselineAir | None = None
    on_for_ns: int = -1
    phase: Phase = Phase.UNKNOWN
    odorants: tuple[Odorant, ...] = ()
    percepts: tuple[Percept, ...] = ()
    session: str = ""
    flags: Flag = Flag.OK
    note: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.nose.channels)
        object.__setattr__(self, "values", _row(self.values, count, "values"))
        for name in ("faults", "offset_ns"):
            found = len(getattr(self, name))
            if found != count and not (name == "offset_ns" and found == 0):
                raise FrameError(
                    f"{found} {name} for {count} channels", hint="give one for each channel"
                )
        if self.baseline is not None and self.baseline.values.size != count:
            raise FrameError(
                f"a baseline of {self.baseline.values.size} values for {count} channels",
                hint="a baseline belongs to one nose: take a new one for this",
            )

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Which channels may be used [channels]; none of a reading that is flagged INVALID."""
        if Flag.INVALID in self.flags:
            return np.zeros(len(self.faults), dtype=np.bool_)
        good = np.array([fault is Fault.NONE for fault in self.faults], dtype=np.bool_)
        return good & np.isfinite(self.values)

    @property
    def usable(self) -> F64:
        """Raw values with NaN where they may not be used [channels]."""
        return np.where(self.valid, self.values, np.nan)

    @property
    def air(self) -> F64:
        """Temperature, humidity and pressure that may be used, else NaN [what `nose.air` names]."""
        raw = {
            "temperature": self.temperature_celsius,
            "humidity": self.humidity_percent,
            "pressure": self.pressure_hpa,
        }
        return np.array([NAN if self.air_faults.get(n) else raw[n] for n in self.nose.air])


def _row(values: F64, count: int, what: str) -> F64:
    """Float64 [count], read-only."""
    row = np.ascontiguousarray(values, dtype=np.float64).view()
    if row.shape != (count,):
        raise FrameError(
            f"{what} of shape {row.shape} for {count} channels", hint="give one for each channel"
        )
    row.flags.writeable = False
    return row
