"""A clock calibration as a value."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from thymos.clock import ClockCalibration, ClockModel
from thymos.clock.calibration import boot_id
from thymos.errors import ConfigError

MADE = ClockCalibration(
    "RealSense 923322071234",
    skew_ppm=-17.25,
    skew_uncertainty_ppm=1.5,
    latency_ns=2_000_000,
    anchor_ticks=2**60 + 1,
    anchor_ns=10**15 + 1,
    boot="b",
    measured_at="2026-11-23T08:00:00Z",
)


def test_it_survives_json_exactly() -> None:
    assert ClockCalibration.from_json(json.loads(json.dumps(MADE.as_json()))) == MADE


def test_fields_of_later_writers_are_passed_over() -> None:
    assert ClockCalibration.from_json({**MADE.as_json(), "colour": "blue"}) == MADE


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"version": None},
        {"skew_ppm": float("nan")},
        {"skew_ppm": 1e9},
        {"skew_ppm": "much"},
        {"skew_uncertainty_ppm": 0},
        {"anchor_ticks": 1.5},
        {"anchor_ns": "now"},
        {"latency_ns": True},
        {"device": 7},
    ],
)
def test_what_is_no_calibration_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        ClockCalibration.from_json({**MADE.as_json(), **change})
    assert caught.value.hint


def test_missing_fields_are_told() -> None:
    with pytest.raises(ConfigError, match="device"):
        ClockCalibration.from_json({"version": 1, "skew_ppm": 1.0, "skew_uncertainty_ppm": 1.0})


def test_an_anchor_of_another_boot_is_not_used() -> None:
    calibration = replace(MADE, anchor_ticks=0, anchor_ns=0, latency_ns=0)
    elsewhere = ClockModel(calibration=calibration, boot="c")
    assert elsewhere.observe(5, 7_000_000).t_ns == 7_000_000
    here = ClockModel(calibration=calibration, boot="b")
    assert here.observe(5, 7_000_000).t_ns == 5
    unknown = ClockModel(calibration=replace(calibration, boot=""), boot="")
    assert unknown.observe(5, 7_000_000).t_ns == 7_000_000


def test_a_counter_that_wrapped_since_is_resumed() -> None:
    calibration = replace(MADE, anchor_ticks=2**32 - 1000, anchor_ns=10**9, latency_ns=0)
    clock = ClockModel(1000, wrap_bits=32, calibration=calibration, boot="b")
    stamp = clock.observe(999_000, 2 * 10**9)
    assert abs(stamp.t_ns - 2 * 10**9) < 100_000
    assert clock.wraps == 1


def test_a_boot_has_one_name() -> None:
    assert boot_id() == boot_id()


def test_there_is_no_calibration_before_a_reading() -> None:
    with pytest.raises(ValueError, match="observe"):
        ClockModel().calibration()
