"""Clean-air baseline: found on clean air, refused on anything else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from thymos.devices import open_uri
from thymos.errors import CalibrationError
from thymos.perceive.clean_air import load_clean_air
from thymos.samples import Flag, Kind, Sample, StreamSpec
from thymos_calibration.enose import baseline, clean_air, measure
from thymos_calibration.store import CalibrationStore
from thymos_drivers.testing import ListSource

SPEC = StreamSpec("enose", Kind.GAS, 10.0, (2,), "ohm", ("CO", "VOC"), device="nose 7")


def stretch(
    shape: Callable[[float], float] = lambda _: 1.0, *, count: int = 100, flags: Flag = Flag.OK
) -> list[Sample]:
    rng = np.random.default_rng(1)
    return [
        Sample(
            "enose", n, n * 100_000_000, 0,
            np.array([1000.0, 5000.0 * shape(n / count)]) * rng.normal(1, 0.005, 2), flags,
        )
        for n in range(count)
    ]  # fmt: skip


def test_r0_is_the_median() -> None:
    samples = stretch()
    samples[50] = Sample("enose", 50, 5 * 10**9, 0, np.array([9e9, np.nan]), Flag.INVALID)
    result = clean_air(SPEC, samples)
    assert baseline(result, SPEC) == pytest.approx({"CO": 1000, "VOC": 5000}, rel=0.005)
    assert result.values["channels"]["CO"]["noise"] == pytest.approx(5, rel=0.4)
    assert result.device == "nose 7"
    assert result.quality["cv"]["CO"] < 0.01


@pytest.mark.parametrize(
    ("samples", "word"),
    [
        (stretch(count=5), "too few"),
        (stretch(lambda x: 1 + 0.3 * x), "VOC"),
        (stretch(lambda x: 1 + 0.09 * x), "drifts"),
        (stretch(lambda x: 0.5 if 0.4 < x < 0.6 else 1.0), "not still"),
        (stretch(flags=Flag.WARMUP), "warming"),
        (stretch(flags=Flag.INVALID), "no channel"),
    ],
)
def test_anything_else_is_refused(samples: list[Sample], word: str) -> None:
    with pytest.raises(CalibrationError, match=word) as refused:
        clean_air(SPEC, samples)
    assert refused.value.hint


def test_channels_without_names_are_numbered() -> None:
    bare = StreamSpec("enose", Kind.GAS, 1.0, (2,), "ohm")
    assert sorted(clean_air(bare, stretch()).values["channels"]) == ["ch0", "ch1"]


def test_too_soon_after_an_odour() -> None:
    with pytest.raises(CalibrationError, match="remember"):
        clean_air(SPEC, stretch(), since_exposure_s=120)
    assert clean_air(SPEC, stretch(), since_exposure_s=400)


def test_a_dead_channel_is_named_not_guessed() -> None:
    samples = [
        Sample("enose", s.seq, s.t_ns, 0, np.array([s.payload[0], np.nan])) for s in stretch()
    ]
    result = clean_air(SPEC, samples)
    assert result.quality["channels_without_value"] == ["VOC"]
    assert list(baseline(result, SPEC)) == ["CO"]


def test_a_simulated_nose_is_measured_and_stored(tmp_path: Path) -> None:
    source = open_uri("enose", "sim:?pace=0&seconds=100")
    assert source is not None
    told: list[float] = []
    with source:
        result = measure(source, seconds=30, warm_up_s=20, progress=told.append)
    assert result.quality["seconds"] == pytest.approx(30)
    assert result.quality["origin"] == "simulated"
    assert told[-1] == 1.0
    assert told == sorted(told)
    store = CalibrationStore(tmp_path)
    path = store.save(result)
    again = store.load("enose-clean-air", source.spec.device, max_age_days=1)
    assert baseline(again, source.spec) == baseline(result, source.spec)
    clean = load_clean_air(path, source.spec)  # what `perceive.clean_air` names
    assert {name: c.baseline for name, c in clean.channels.items()} == baseline(again, source.spec)
    coffee = open_uri("enose", "sim:?pace=0&seconds=100&events=coffee@25-40")
    assert coffee is not None
    with coffee, pytest.raises(CalibrationError, match="not still"):
        measure(coffee, seconds=30, warm_up_s=20)


def test_a_nose_that_ends_or_says_nothing() -> None:
    with ListSource(SPEC, stretch()) as short, pytest.raises(CalibrationError, match="ended"):
        measure(short, seconds=30, warm_up_s=5)
    with ListSource(SPEC, [None] * 40) as mute, pytest.raises(CalibrationError, match="nothing"):
        measure(mute)


def test_a_baseline_of_another_nose_is_refused() -> None:
    result = clean_air(SPEC, stretch())
    other = StreamSpec("enose", Kind.GAS, 1.0, (2,), "adc", ("CO", "VOC"))
    with pytest.raises(CalibrationError, match="adc"):
        baseline(result, other)
    more = StreamSpec("enose", Kind.GAS, 1.0, (2,), "ohm", ("CO", "NH3"))
    with pytest.raises(CalibrationError, match="NH3"):
        baseline(result, more)
