"""Traces and their peaks: causal, at any rate, on anything."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thymos.attend.salience import (
    FLOOR_DBFS,
    Event,
    Trace,
    difference,
    events,
    level_dbfs,
    levels,
    movement,
    nose_rate,
)
from thymos.samples import NS_PER_S, Flag, Kind, Sample, StreamSpec

Points = list[tuple[int, float]]


def bump(fps: float, top_s: float, seconds: float = 4.0, height: float = 20.0) -> Points:
    t = np.arange(round(seconds * fps)) / fps
    values = height * np.exp(-0.5 * ((t - top_s) / 0.15) ** 2)
    return [(round(x * NS_PER_S), float(v)) for x, v in zip(t, values, strict=True)]


@pytest.mark.parametrize("fps", [5, 10, 15, 30, 60])
def test_one_event_is_one_event_at_any_rate(fps: float) -> None:
    found = events(bump(fps, 2.13), 1.5)
    assert len(found) == 1
    assert abs(found[0].t_ns - 2.13e9) <= NS_PER_S / fps


def test_what_happens_last_is_an_event_before_it_is_over() -> None:
    found = events(bump(30, 3.9), 1.5)
    assert len(found) == 1
    assert found[0].t_ns > 3.8e9


@pytest.mark.parametrize("value", [0.0, 7.5, -70.0])
def test_nothing_happens_nothing_is_told(value: float) -> None:
    assert events([(i * 10**8, value) for i in range(50)], 1.5) == []


def test_noise_under_the_floor_is_no_event() -> None:
    rng = np.random.default_rng(3)
    noise = [(i * 33_000_000, float(abs(rng.normal(0, 0.4)))) for i in range(300)]
    assert events(noise, 1.5) == []


def test_values_that_are_none_and_times_that_go_back_are_passed_over() -> None:
    clean = bump(20, 2.0)
    dirty = [
        *clean[:40],
        (clean[39][0], 99.0),
        (0, 99.0),
        (clean[39][0] + 1, math.nan),
        *clean[40:],
    ]
    assert events(dirty, 1.5) == events(clean, 1.5)
    assert events([], 1.5) == []


Traces = st.lists(
    st.tuples(st.integers(1, 2 * NS_PER_S), st.floats(0, 255, allow_nan=False)), max_size=60
)


@settings(deadline=None)
@given(Traces, st.integers(0, 60))
def test_what_was_told_does_not_depend_on_what_comes(steps: Points, cut: int) -> None:
    t, points = 0, []
    for step, value in steps:
        t += step
        points.append((t, value))

    def told(some: Points) -> list[Event]:
        trace = Trace()
        return [e for p in some if (e := trace.push(*p)) is not None]

    early = told(points[:cut])
    assert told(points)[: len(early)] == early
    assert all(e.rise > 0 and math.isfinite(e.rise) for e in told(points))


def picture(t_ns: int, grey: int, flags: Flag = Flag.OK) -> Sample:
    return Sample("camera", 0, t_ns, t_ns, np.full((48, 64, 3), grey, np.uint8), flags)


def test_movement_is_the_difference_in_grey_levels_and_skips_invalid_pictures() -> None:
    film = [picture(0, 10), picture(1, 30), picture(2, 255, Flag.INVALID), picture(3, 30)]
    assert list(movement(film)) == [(1, 20.0), (3, 0.0)]
    bright, dark = np.full((2, 2, 3), 250, np.uint8), np.zeros((2, 2, 3), np.uint8)
    assert difference(dark, bright) == difference(bright, dark) == 250  # no wrap-around
    assert math.isnan(difference(dark, np.zeros((3, 2, 3), np.uint8)))


def test_levels_skip_what_was_not_received() -> None:
    pcm = np.full((16000, 1), 16384, np.int16)
    have = np.ones(16000, bool)
    have[4000:8000] = False
    found = list(levels(pcm, have, 16000, 10**9))
    assert len(found) == 15
    assert found[0][0] == 10**9 + NS_PER_S // 40
    assert all(abs(v + 6.02) < 0.01 for _, v in found)
    assert level_dbfs(np.zeros(10, np.int16)) == FLOOR_DBFS
    assert math.isnan(level_dbfs(np.zeros(0, np.int16)))


def test_a_nose_is_looked_at_relatively_without_its_climate() -> None:
    spec = StreamSpec("enose", Kind.GAS, 1.0, (3,), "ohm", ("A", "temperature", "B"))
    readings = [(100.0, 20.0, 1e6), (110.0, 40.0, math.nan), (110.0, 80.0, 2e6), (0, 0, 0)]
    samples = [
        Sample("enose", i, i * NS_PER_S, 0, np.array(r, float), Flag.INVALID if i == 3 else Flag.OK)
        for i, r in enumerate(readings)
    ]
    found = list(nose_rate(samples, spec))
    assert found == [(NS_PER_S, pytest.approx(0.1)), (2 * NS_PER_S, pytest.approx(0.0))]
