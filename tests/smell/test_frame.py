"""The record of one reading: what it refuses, what is equal, and how it makes a sample."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smell_frames import frames
from thymos.errors import FrameError
from thymos.samples import Flag, Kind, Origin, Sample, StreamSpec
from thymos.smell.frame import BaselineAir, Channel, Fault, Nose, SmellFrame, TimeSource
from thymos.smell.stream import MIXED, frame_of, nose_of, sample_of, spec_of

NAN = float("nan")
NOSE = Nose("GM", "7", (Channel("NO2", "ohm"), Channel("CO", "ohm")), ("temperature", "humidity"))
SPEC = StreamSpec(
    "enose", Kind.GAS, 1.0, (4,), "ohm", ("NO2", "CO", "temperature", "humidity"), "enose_link"
)


def frame(values: tuple[float, ...] = (1.0, 2.0), **other: object) -> SmellFrame:
    faults = tuple(Fault.MISSING if np.isnan(v) else Fault.NONE for v in values)
    return SmellFrame(NOSE, 3, 5, np.array(values), faults, **other)  # type: ignore[arg-type]


def test_lengths_must_agree() -> None:
    with pytest.raises(FrameError, match=r"values of shape \(3,\) for 2 channels"):
        frame((1.0, 2.0, 3.0))
    with pytest.raises(FrameError, match="1 offset_ns for 2 channels"):
        frame(offset_ns=(1,))
    with pytest.raises(FrameError, match="1 faults for 2 channels"):
        SmellFrame(NOSE, 0, 0, np.zeros(2), (Fault.NONE,))
    with pytest.raises(FrameError, match="a baseline of 3 values"):
        frame(baseline=BaselineAir(np.zeros(3), np.zeros(3), None, "file"))
    with pytest.raises(FrameError, match="baseline spread"):
        BaselineAir(np.zeros(3), np.zeros(2), None, "file")


def test_a_nose_has_each_name_once_and_no_other_air() -> None:
    with pytest.raises(FrameError, match="two channels 'a'"):
        Nose("x", "", (Channel("a", "ohm"), Channel("a", "ohm")))
    with pytest.raises(FrameError, match="measures 'altitude' of the air"):
        Nose("x", "", (Channel("a", "ohm"),), ("altitude",))


def test_the_raw_number_stays_beside_the_reason_why_it_may_not_be_used() -> None:
    one = SmellFrame(
        NOSE,
        0,
        0,
        np.array([4294967295.0, 2.0]),
        (Fault.SENTINEL, Fault.NONE),
        temperature_celsius=21.5,
        humidity_percent=100.0,
        air_faults={"humidity": Fault.STUCK},
    )
    assert one.values[0] == 4294967295.0
    assert one.valid.tolist() == [False, True]
    assert np.isnan(one.usable[0])
    assert one.air[0] == 21.5
    assert np.isnan(one.air[1])
    assert not replace(one, flags=Flag.INVALID).valid.any()
    with pytest.raises(ValueError, match="read-only"):
        one.values[0] = 1.0


def test_equal_is_equal_in_every_bit() -> None:
    assert frame((1.0, NAN)) == frame((1.0, -NAN))
    assert frame((0.0, 1.0)) != frame((-0.0, 1.0))
    assert frame(humidity_percent=NAN) == frame(humidity_percent=-NAN)
    assert frame(humidity_percent=0.0) != frame(humidity_percent=-0.0)
    assert frame() != frame(tick=0)
    assert Channel("a", "ohm") == Channel("a", "ohm", load_ohm=NAN)
    assert Channel("a", "ohm") != ("a", "ohm")


# -- samples


@settings(max_examples=60, deadline=None)
@given(frames())
def test_a_frame_that_became_a_sample_is_the_same_frame(one: SmellFrame) -> None:
    sample = sample_of(one)
    spec = spec_of(one.nose)
    assert sample.payload.shape == spec.shape
    assert frame_of(sample, spec) == one


ROW = st.lists(st.floats(width=64), min_size=4, max_size=4)


@settings(max_examples=60, deadline=None)
@given(ROW, st.permutations(SPEC.channels), st.integers(0, 63), st.integers(-5, 2**62))
def test_a_sample_that_became_a_frame_is_the_same_sample(
    row: list[float], order: tuple[str, ...], flags: int, t_ns: int
) -> None:
    spec = replace(SPEC, channels=tuple(order))
    sample = Sample("enose", 9, t_ns, t_ns + 7, np.array(row), Flag(flags), "odd")
    back = sample_of(frame_of(sample, spec), "enose", spec)
    assert back.payload.tobytes() == sample.payload.tobytes()
    told = (back.seq, back.t_ns, back.t_recv_ns, back.flags, back.note)
    assert told == (9, t_ns, t_ns + 7, Flag(flags), "odd")


def test_where_a_stamp_was_moved_the_clean_air_moves_with_it() -> None:
    clean = BaselineAir(np.ones(2), np.ones(2), 100, "first_seconds", 5)
    sample = replace(sample_of(frame(baseline=clean)), t_ns=1005)
    found = frame_of(sample, SPEC)
    assert found.t_ns == 1005
    assert found.baseline is not None
    assert found.baseline.taken_ns == 1100


def test_a_specification_becomes_a_nose_and_a_nose_a_specification() -> None:
    made = nose_of(
        replace(SPEC, extra={"model": "BME688", "serial": "x1"}, origin=Origin.SIMULATED)
    )
    assert [channel.name for channel in made.channels] == ["NO2", "CO"]
    assert (made.model, made.serial, made.air) == ("BME688", "x1", ("temperature", "humidity"))
    assert made.simulated
    back = spec_of(made)
    assert (back.channels, back.unit, back.origin) == (SPEC.channels, "ohm", Origin.SIMULATED)
    other = Nose("m", "", (Channel("a", "ohm"), Channel("b", "adc")))
    assert spec_of(other).unit == MIXED


def test_two_channels_of_one_name_are_told_apart() -> None:
    odd = replace(SPEC, channels=("a", "a", "temperature", "Temperature"))
    assert [c.name for c in nose_of(odd).channels] == ["a", "a_1", "Temperature"]
    sample = Sample("enose", 0, 0, 0, np.array([1.0, 2.0, 3.0, 4.0]))
    assert sample_of(frame_of(sample, odd), "enose", odd).payload.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_a_sample_of_another_length_is_refused() -> None:
    with pytest.raises(FrameError, match="for 2 channels"):
        frame_of(Sample("enose", 0, 0, 0, np.zeros(3)), SPEC)


def test_how_the_time_was_found_is_told_as_well_as_a_sample_can() -> None:
    live = Sample("enose", 0, 0, 0, np.zeros(4))
    guessed = replace(live, flags=Flag.TIME_ESTIMATED)
    file = replace(SPEC, origin=Origin.RECORDED)
    found = [frame_of(s, spec).time_source for spec in (SPEC, file) for s in (live, guessed)]
    assert found == [TimeSource.DEVICE, TimeSource.HOST, TimeSource.FILE, TimeSource.ROW]
