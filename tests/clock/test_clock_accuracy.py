"""How far stamps are from the truth, and whether the stated uncertainty is honest."""

from __future__ import annotations

import csv
import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thymos.clock import ClockModel

S, MS = 1_000_000_000, 1_000_000


def mapped(clock: ClockModel, link: Any, begin_s: float = 0.0, end_s: float = 1e9) -> Any:
    """Errors and stated uncertainties, ms, of the readings in a span of the link."""
    use = (link.seconds >= begin_s) & (link.seconds < end_s)
    pairs = zip(link.ticks[use].tolist(), link.arrived[use].tolist(), strict=True)
    stamps = [clock.observe(ticks, arrived) for ticks, arrived in pairs]
    error = np.array([stamp.t_ns for stamp in stamps]) - link.truth[use]
    return error / MS, np.array([stamp.uncertainty_ns for stamp in stamps]) / MS


@pytest.mark.parametrize("rate", [10.0, 30.0, 100.0])
def test_the_target_holds_against_all_simpler_ways(links: Any, rate: float) -> None:
    for seed in range(3):
        link = links.simulate(240, rate, seed)
        warm = link.seconds >= 10
        errors, _ = links.errors(link)
        found = {name: np.abs(error[warm]) for name, error in errors.items()}
        p95 = {name: np.percentile(error, 95) for name, error in found.items()}
        assert p95["ClockModel"] <= 1
        assert found["ClockModel"].max() <= 3
        assert min(p95[name] for name in p95 if name != "ClockModel") > 10


@pytest.mark.slow
def test_the_target_holds_for_an_hour(links: Any) -> None:
    link = links.simulate(3600, 30.0, 0)
    error, bound = mapped(ClockModel(tick_ns=1000), link)
    late = np.abs(error[link.seconds >= 10])
    assert np.percentile(late, 95) <= 0.3
    assert late.max() <= 3
    assert np.mean(np.abs(error) <= bound) >= 0.95


@pytest.mark.parametrize("rate", [1.0, 10.0, 30.0, 100.0])
@pytest.mark.parametrize("ppm", [-80.0, 0.0, 200.0])
def test_the_stated_uncertainty_is_honest_and_not_lavish(
    links: Any, rate: float, ppm: float
) -> None:
    held, used = [], []
    for seed in range(6):
        link = links.simulate(max(60, 90 / rate), rate, 100 + seed, ppm=ppm)
        error, bound = mapped(ClockModel(tick_ns=1000), link)
        held.append(np.abs(error) <= bound)
        used.append(np.abs(error[-len(error) // 2 :]) / bound[-len(error) // 2 :])
    assert np.mean(np.concatenate(held)) >= 0.95
    assert np.median(np.concatenate(used)) > 0.08


@pytest.mark.parametrize("mean_ms", [0.05, 1.0, 100.0])
def test_short_and_long_delays_scale_the_error(links: Any, mean_ms: float) -> None:
    link = links.simulate(120, 30.0, 5, mean_ms=mean_ms, spikes=0.0)
    error, bound = mapped(ClockModel(tick_ns=1000), link)
    late = link.seconds >= 60
    assert np.percentile(np.abs(error[late]), 95) < 0.05 * mean_ms + 0.002
    assert np.mean((np.abs(error) <= bound)[late]) >= 0.9


def test_a_ceramic_resonator_is_followed_too(links: Any) -> None:
    link = links.simulate(120, 10.0, 3, ppm=5000.0)
    clock = ClockModel(tick_ns=1000)
    error, bound = mapped(clock, link)
    late = link.seconds >= 30
    assert np.percentile(np.abs(error[late]), 95) < 1
    assert np.mean((np.abs(error) <= bound)[late]) >= 0.95
    assert clock.jumps == 0


def test_crystals_that_warm_up_are_followed(links: Any) -> None:
    """20 ppm in ten minutes: a device that has just been switched on."""
    seconds = np.arange(18_000) / 30
    ppm = 50 + 20 * seconds / 600
    link = links.simulate(600, 30.0, 7)
    elapsed_us = np.cumsum(np.concatenate(([0.0], np.diff(seconds) * 1e6 / (1 + ppm[1:] * 1e-6))))
    link = replace(link, ticks=np.floor(elapsed_us).astype(int))
    error, bound = mapped(ClockModel(tick_ns=1000), link)
    late = link.seconds >= 60
    assert np.percentile(np.abs(error[late]), 95) < 0.3
    assert np.mean((np.abs(error) <= bound)[late]) >= 0.9


# -- warm start


@pytest.mark.parametrize("rate", [10.0, 30.0, 100.0])
def test_a_warm_start_is_in_its_first_second_what_a_cold_one_is_after_ten(
    links: Any, rate: float
) -> None:
    warm, cold = [], []
    for seed in range(6):
        link = links.simulate(100, rate, seed)
        before = ClockModel(tick_ns=1000, boot="a")
        error, _ = mapped(before, link, 0, 90)
        cold.append(np.abs(error[int(10 * rate) : int(11 * rate)]))
        again = ClockModel(tick_ns=1000, calibration=before.calibration(), boot="a")
        error, bound = mapped(again, link, 95, 96)  # the program was restarted
        warm.append(np.abs(error))
        assert np.mean(np.abs(error) <= bound) >= 0.95
        assert again.jumps == 0
    assert np.percentile(np.concatenate(warm), 95) <= np.percentile(np.concatenate(cold), 95)


def test_after_a_reboot_the_skew_alone_helps(links: Any) -> None:
    """Without it a line of ten seconds is drawn towards the usual crystal."""
    warm: list[Any] = []
    cold: list[Any] = []
    for seed in range(8):
        link = links.simulate(100, 30.0, seed)
        before = ClockModel(tick_ns=1000, boot="a")
        mapped(before, link, 0, 80)
        for boot, calibration, out in (
            ("b", before.calibration(), warm),
            ("b", None, cold),
        ):
            clock = ClockModel(tick_ns=1000, calibration=calibration, boot=boot)
            out.append(np.abs(mapped(clock, link, 80)[0][150:300]))  # seconds 5 to 10
    assert np.mean(np.concatenate(warm)) < 0.6 * np.mean(np.concatenate(cold))


@pytest.mark.parametrize(
    ("ticks", "shift_ms"), [(0, 3_600_000), (0, -3_600_000), (0, 150), (0, -150), (None, 0)]
)
def test_a_wrong_calibration_is_recovered_from(
    links: Any, ticks: int | None, shift_ms: int
) -> None:
    link = links.simulate(150, 30.0, 4)
    before = ClockModel(tick_ns=1000, boot="a")
    mapped(before, link, 0, 60)
    right = before.calibration()
    wrong = replace(
        right,
        skew_ppm=-150.0,
        skew_uncertainty_ppm=1.0,
        anchor_ticks=right.anchor_ticks if ticks is not None else None,
        anchor_ns=right.anchor_ns + shift_ms * MS,
    )
    clock = ClockModel(tick_ns=1000, calibration=wrong, boot="a")
    error, _ = mapped(clock, link, 65)
    assert np.percentile(np.abs(error[20 * 30 :]), 95) < 1
    assert clock.jumps == 0


# -- real stamps


def stamps_of(path: Path, run: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    with gzip.open(path, "rt", encoding="ascii") as file:
        return np.array([int(r["stamp_ns"]) for r in csv.DictReader(file) if r["run"] == run])


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "run"), [("tumvi_camera", "corridor1_512"), ("euroc_camera", "MH01")]
)
def test_real_capture_jitter_is_kept_and_queues_are_taken_out(
    links: Any, data_dir: Path, name: str, run: str
) -> None:
    truth = stamps_of(data_dir / "timing" / f"{name}.csv.gz", run)
    link = links.simulate(0, 0, 2, truth=truth)
    error, bound = mapped(ClockModel(tick_ns=1000), link)
    late = link.seconds >= 10
    assert np.percentile(np.abs(error[late]), 95) <= 1
    assert np.abs(error[late]).max() <= 3
    assert np.mean(np.abs(error) <= bound) >= 0.95
    # From frame to frame: the interval as captured, to some microseconds, whatever the queue did.
    off = np.abs(np.diff(error[late]))
    assert np.percentile(off, 90) < 0.03
    assert np.percentile(np.abs(np.diff(link.arrived - link.truth)), 90) / MS > 30


@pytest.mark.data
def test_odd_intervals_of_a_real_camera_stay_odd(links: Any, data_dir: Path) -> None:
    truth = stamps_of(data_dir / "timing" / "tumvi_camera.csv.gz", "corridor1_512")
    rng = np.random.default_rng(1)
    truth = truth + rng.integers(-5 * MS, 5 * MS, len(truth))  # exposure that varies
    link = links.simulate(0, 0, 3, truth=np.sort(truth))
    error, _ = mapped(ClockModel(tick_ns=1000), link)
    late = link.seconds >= 20
    assert np.percentile(np.abs(error[late]), 95) < 0.7
