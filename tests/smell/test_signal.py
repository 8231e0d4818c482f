"""Stages of the signal one by one, and the chain of them."""

from __future__ import annotations

import csv
import math
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from thymos.samples import NS_PER_S
from thymos.smell.frame import BaselineAir, Fault, Phase
from thymos.smell.signal import (
    Baseline,
    Differences,
    Mode,
    SmellSignal,
    Sniff,
    WarmUp,
    heater_groups,
    heater_shape,
    response,
)
from thymos.smell.signal.features import ALPHAS, sniff_features
from thymos.smell.validity import Validity
from thymos_drivers.sim_nose import CHANNELS, MoxArray, parse_events

S = NS_PER_S
AIR = ("Temperature", "Pressure", "Humidity")


# -- validity


def smellnet(folder: Path) -> list[Path]:
    return sorted((folder / "enose/smellnet").glob("t*/*/*.csv*"))


@pytest.mark.data
def test_every_bad_row_of_smellnet_is_flagged_and_no_good_one(data_dir: Path) -> None:
    """Against a count that knows nothing of our rules: text of the cells, row by row."""
    bad = missed = good = false = 0
    kinds: Counter[str] = Counter()
    for path in smellnet(data_dir):
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        head = [name.strip() for name in lines[0].split(",")]
        at = {name: head.index(name) for name in (*AIR, "Gas_Resistance")}
        gas = [n for n in head if n not in (*AIR, "Altitude")]
        units = ["kohm" if name == "Gas_Resistance" else "adc" for name in gas]
        check = Validity(tuple(gas), units, tuple(name.lower() for name in AIR))
        table = np.array([[float(c) for c in line.split(",")] for line in lines[1:]])
        order = [head.index(name) for name in (*gas, *AIR)]
        for line, row in zip(lines[1:], table, strict=True):
            cells = line.split(",")
            sentinel = any(cell.split(".")[0] == "4294967295" for cell in cells)
            stuck = float(cells[at["Gas_Resistance"]]) == 0 and float(cells[at["Humidity"]]) == 100
            check.check(row[order])
            flagged = bool(check.codes.any())
            bad += sentinel or stuck
            missed += (sentinel or stuck) and not flagged
            good += not (sentinel or stuck)
            false += flagged and not (sentinel or stuck)
            kinds["sentinel"] += sentinel
            kinds["stuck"] += stuck
            if sentinel:
                assert Fault.SENTINEL in check.faults
            if stuck:
                assert Fault.STUCK in check.faults
    assert kinds == {"sentinel": 58489, "stuck": 36942}  # as its README says
    assert (bad, good) == (88447, 92271)
    assert (missed, false) == (0, 0)


def test_faults_of_a_reading() -> None:
    check = Validity(("a", "b", "c"), ("adc", "ohm", "ohm"), ("temperature", "humidity"))
    check.check(np.array([1023.0, 0.0, 4294967295.0, 20.0, 100.0]))
    assert check.faults == (
        Fault.RAIL,
        Fault.OUT_OF_RANGE,
        Fault.SENTINEL,
        Fault.NONE,
        Fault.STUCK,
    )
    values, note = check.check(np.array([5.0, 102400000.0, math.nan, 90.0, 45.0]))
    assert check.faults == (
        Fault.NONE,
        Fault.RAIL,
        Fault.MISSING,
        Fault.OUT_OF_RANGE,
        Fault.NONE,
    )
    assert values[0] == 5.0
    assert "c: no value" in note


# -- warm-up


def warm(gate: WarmUp, seconds: int, value: float, **how: bool) -> bool:
    start = gate._last_ns or 0
    for k in range(1, seconds + 1):
        gate.update(start + k * S, np.array([value]), warming=how.get("warming", False))
    return gate.warm


def test_a_nose_that_nobody_called_cold_is_warm() -> None:
    gate = WarmUp()
    assert gate.update(0, np.array([5e3]), warming=False)
    assert gate.on_for_ns == -1


def test_warm_up_by_declared_time_then_by_the_readings() -> None:
    gate = WarmUp(declared_s=60)
    for k in range(200):  # falls by 3 % a second at first, then slower
        gate.update(k * S, np.array([1e4 * (1 + 2 * math.exp(-k / 30))]), warming=False)
        if k == 30:
            assert gate.left_ns == 30 * S
            assert gate.on_for_ns == 30 * S
        if gate.warm:
            break
    assert 100 < k < 200  # the declared 60 s are over, the slope decides
    slope_a_minute = 60 * 2 * math.exp(-k / 30) / 30
    assert slope_a_minute < 0.2


def test_warm_up_by_the_word_of_the_device_and_again_after_its_restart() -> None:
    gate = WarmUp()
    assert not warm(gate, 30, 1e4, warming=True)
    assert warm(gate, 30, 1e4)
    assert not warm(gate, 1, 1e4, warming=True)
    assert gate.on_for_ns == 0
    assert warm(gate, 50, 1e4)


def test_a_nose_that_never_settles_is_let_through_and_told() -> None:
    gate = WarmUp(declared_s=10)
    for k in range(700):
        gate.update(k * S, np.array([1e4 * 1.01**k]), warming=False)
        if gate.warm:
            break
    assert 605 <= k <= 615
    assert "never settled" in gate.why


def test_readings_during_warm_up_are_shown_and_not_judged() -> None:
    known = BaselineAir(np.array([1e4]), np.array([10.0]), None, "calibrated", 60)
    signal = SmellSignal(("a",), "ohm", known=known)
    states = [signal.update(k * S, np.array([3e3 + k]), warming=True) for k in range(30)]
    assert all(s.response[0] > 1 and s.strength > 10 for s in states)
    assert {s.phase for s in states} == {Phase.UNKNOWN}
    assert {s.faults for s in states} == {(Fault.WARM_UP,)}
    assert states[-1].on_for_ns == 29 * S
    assert states[-1].odour is None
    assert "warming up" in states[-1].note


def test_the_first_scans_after_sleep_are_not_used() -> None:
    """Five scans, two minutes of sleep; the first two scans are off by what real ones are."""
    names = tuple(f"s0_h{h}" for h in range(4))
    signal = SmellSignal(names, "ohm")
    rng, t_ns, onsets, slept = np.random.default_rng(5), 0, set(), 0
    for _ in range(20):
        for off in (-1.0, -0.35, 0.0, 0.0, 0.0):
            row = 1e5 * np.exp(off + rng.normal(0, 0.01, 4))
            state = signal.update(t_ns, row)
            slept += state.faults == (Fault.UNSTABLE,) * 4
            if state.odour is not None:
                onsets.add(state.odour.onset_ns)
            t_ns += 11 * S
        t_ns += 108 * S
    assert slept == 40
    assert not onsets
    assert state.baseline is not None
    assert state.baseline.values == pytest.approx(np.full(4, 1e5), rel=0.02)
    assert state.rezero_in_ns == 0  # sleep of two minutes is no reason to wait for ever
    steady = SmellSignal(("a", "b"), "ohm")  # a nose without heater steps never sleeps
    assert steady.update(0, np.array([1.0, 2.0])).faults == (Fault.NONE,) * 2


# -- baseline


def test_modes() -> None:
    values, base = np.array([2.0, 5.0]), np.array([4.0, 4.0])
    assert response(values, base, "ohm", Mode.DIFFERENCE) == pytest.approx([-2, 1])
    assert response(values, base, "ohm", Mode.RELATIVE) == pytest.approx([0.5, 1.25])
    assert response(values, base, "ohm", Mode.FRACTIONAL) == pytest.approx([-0.5, 0.25])
    assert response(values, base, "ohm") == pytest.approx([math.log(2), -math.log(1.25)])
    assert response(values, base, "rs_r0") == pytest.approx([-0.5, 0.25])
    assert response(np.array([2.0]), np.array([1.0]), "adc") == pytest.approx([1 / 20])
    assert np.isnan(response(np.array([-1.0]), np.array([4.0]), "ohm")).all()


def test_what_each_mode_takes_out() -> None:
    clean, gas = np.array([1e4]), np.array([4e3])
    for drifted in (lambda x: x * 1.2, lambda x: x + 500.0):
        same = {
            mode: np.allclose(
                response(drifted(gas), drifted(clean), "ohm", mode),
                response(gas, clean, "ohm", mode),
            )
            for mode in Mode
        }
        multiplied = drifted(1.0) == 1.2
        assert same[Mode.DIFFERENCE] is not multiplied
        assert same[Mode.RELATIVE] is same[Mode.LOG] is same[Mode.FRACTIONAL] is multiplied


def test_the_baseline_is_refused_while_the_air_is_not_still() -> None:
    rng = np.random.default_rng(3)
    base, taken = Baseline(2, "ohm"), None
    for k in range(300):
        restless = 1 + 0.5 * (k < 150) * math.sin(k / 8)
        row = np.array([1e4, 2e4]) * restless * (1 + 0.002 * rng.normal(size=2))
        if base.learn(k * S // 10, row):
            taken = k
            break
    assert taken is not None
    assert 190 <= taken <= 220
    air = base.air
    assert air is not None
    assert not base.restless
    assert air.values == pytest.approx([1e4, 2e4], rel=0.005)
    assert air.spread == pytest.approx([20, 40], rel=0.5)
    assert air.how == "first_seconds"
    assert air.readings >= 40
    assert 15 * S < (air.taken_ns or 0) < 22 * S


def test_a_nose_that_is_never_still_gets_the_stillest_stretch() -> None:
    rng = np.random.default_rng(4)
    base = Baseline(1, "ohm")
    for k in range(1000):
        if base.learn(k * S // 10, np.array([1e4 * (1 + 0.2 * rng.normal())])):
            break
    assert 599 <= k <= 660
    assert base.restless
    assert base.air is not None


def test_clean_air_before_a_smell_in_the_first_seconds() -> None:
    array = MoxArray(parse_events("smoke@3-6"), 1)
    base, rows = Baseline(6, "ohm"), []
    for k in range(60):
        rows.append(array.step(0.1))
        if base.learn(k * S // 10, rows[-1]):
            break
    assert base.level == pytest.approx(np.median(rows[:25], axis=0), rel=0.01)


def test_following_keeps_its_provenance() -> None:
    base = Baseline(1, "ohm", BaselineAir(np.array([100.0]), np.array([1.0]), 0, "calibrated", 9))
    weight = base.follow(600 * S, np.array([110.0]), 600 * S)
    assert weight == pytest.approx(1 - math.exp(-1))
    air = base.air
    assert air is not None
    assert air.values == pytest.approx([100 + 10 * weight])
    assert (air.how, air.readings) == ("followed", 10)
    assert air.taken_ns == pytest.approx(600 * S * weight, abs=1)
    assert base.measured


# -- features


def original(series: np.ndarray, alpha: float) -> tuple[float, float]:
    """Vergara's recursion as it is printed, sample by sample at its own rate."""
    y, values = 0.0, []
    for before, now in pairwise(series):
        y = (1 - alpha) * y + alpha * (now - before)
        values.append(y)
    return max(values), min(values)


def sniff(hz: float, seconds: float = 60.0) -> tuple[list[int], np.ndarray]:
    """Rise with 8 s for half of the time, then decay with 20 s, two channels."""
    t = np.arange(int(seconds * hz)) / hz
    off = seconds / 2
    top = 1 - math.exp(-off / 8)
    one = np.where(t < off, 1 - np.exp(-t / 8), top * np.exp(-(t - off) / 20))
    return [round(x * S) for x in t], np.stack([1 + 4 * one, 2 + one], axis=1)


def test_at_the_stated_rate_features_are_the_original_ones() -> None:
    times, values = sniff(100)
    got = sniff_features(times, values)
    for channel in range(2):
        column = values[:, channel]
        assert got[channel, 0] == pytest.approx(np.ptp(column))
        assert got[channel, 1] == pytest.approx(np.ptp(column) / column.min())
        for k, alpha in enumerate(ALPHAS):
            rise, decay = original(column, alpha)
            assert got[channel, 2 + k] == pytest.approx(rise, rel=1e-9)
            assert got[channel, 5 + k] == pytest.approx(decay, rel=1e-9)


def test_golden_numbers() -> None:
    """Straight ramps, worked out by hand: +0.01 a sample for 10 s, then -0.02 for 5 s."""
    times = [k * S // 100 for k in range(1501)]
    ramp = np.concatenate([0.01 * np.arange(1001), 10 - 0.02 * np.arange(1, 501)]) + 1.0
    got = sniff_features(times, ramp[:, None])[0]
    rise = [0.01 * (1 - (1 - a) ** 1000) for a in ALPHAS]
    decay = [
        (1 - a) ** 500 * up - 0.02 * (1 - (1 - a) ** 500)
        for a, up in zip(ALPHAS, rise, strict=True)
    ]
    assert got == pytest.approx([10.0, 10.0, *rise, *decay], rel=1e-9)
    # At 10 Hz and at 1 Hz the same numbers come out: a ramp has nothing between its readings.
    for every in (10, 100):
        slow = sniff_features(times[::every], ramp[::every, None])[0]
        assert slow == pytest.approx(got, rel=1e-9)


@pytest.mark.parametrize("hz", [1.0, 7.3, 10.0, 100.0, 250.0])
def test_at_any_rate_features_are_those_of_the_line_through_the_readings(hz: float) -> None:
    times, values = sniff(hz)
    got = sniff_features(times, values)
    grid = np.arange(times[0], times[-1] + 1, S // 100)
    if hz not in (1.0, 10.0):  # only these meet the samples of 100 Hz
        assert np.isfinite(got).all()
        return
    for channel in range(2):
        line = np.interp(grid, times, values[:, channel])
        for k, alpha in enumerate(ALPHAS):
            rise, decay = original(line, alpha)
            assert got[channel, 2 + k] == pytest.approx(rise, rel=1e-9)
            assert got[channel, 5 + k] == pytest.approx(decay, rel=1e-9)


@pytest.mark.parametrize("hz", [1.0, 13.7, 100.0])
def test_streaming_and_batch_give_equal_numbers(hz: float) -> None:
    times, values = sniff(hz)
    stream = Sniff(2)
    for t_ns, row in zip(times, values, strict=True):
        stream.update(t_ns, row)
    assert np.array_equal(stream.vector(), sniff_features(times, values))
    stream.update(times[3], values[0] * 9)  # a late one is left out
    assert np.array_equal(stream.vector(), sniff_features(times, values))


def test_a_hole_in_one_channel_is_bridged() -> None:
    times, values = sniff(10)
    holed = values.copy()
    holed[100:120, 0] = np.nan
    stream = Sniff(2)
    for t_ns, row in zip(times, holed, strict=True):
        stream.update(t_ns, row)
    keep = [k for k in range(len(times)) if not 100 <= k < 120]
    part = sniff_features([times[k] for k in keep], values[keep])
    assert stream.vector()[0] == pytest.approx(part[0], rel=1e-12)
    assert stream.vector()[1] == pytest.approx(sniff_features(times, values)[1], rel=1e-12)


def test_differences() -> None:
    slope = Differences(period_s=2)
    got = [slope.update(k * S // 10, np.array([0.3 * k / 10])) for k in range(100)]
    assert all(np.isnan(g).all() for g in got[:20])
    assert np.concatenate(got[20:]) == pytest.approx(np.full(80, 0.3))
    assert len(slope._past) < 25


def test_heater_shape_is_free_of_what_scales_the_whole_cycle() -> None:
    names = (*(f"s{s}_h{h}" for s in range(2) for h in (0, 1, 2, 10)), "odd")
    groups = heater_groups(names)
    assert groups == ((0, 1, 2, 3), (4, 5, 6, 7))
    ohm = np.array([1e5, 2e4, 3e4, 9e4, 1e6, 2e5, 3e5, 9e5, 7.0])
    shape = heater_shape(ohm, groups)
    assert shape[:4] == pytest.approx(shape[4:8])
    assert shape[:4].sum() == pytest.approx(0)
    assert np.isnan(shape[8])
    ohm[2] = np.nan
    assert np.isnan(heater_shape(ohm, groups)[:4]).all()


# -- the chain


def test_the_chain_depends_on_times_and_values_only() -> None:
    array = MoxArray(parse_events("coffee@20-40"), 5)
    rows = [(k * S // 10, array.step(0.1)) for k in range(800)]
    told = []
    for _ in range(2):
        signal = SmellSignal(CHANNELS, "ohm")
        told.append([repr(signal.update(t, row.copy())) for t, row in rows])
    assert told[0] == told[1]


def test_what_comes_later_changes_nothing_before() -> None:
    array = MoxArray(parse_events("coffee@20-40"), 5)
    rows = [(k * S // 10, array.step(0.1)) for k in range(400)]
    whole, part = SmellSignal(CHANNELS, "ohm"), SmellSignal(CHANNELS, "ohm")
    first = [repr(whole.update(t, row)) for t, row in rows]
    assert [repr(part.update(t, row)) for t, row in rows[:300]] == first[:300]


def test_faults_of_the_driver_are_kept_and_their_values_not_used() -> None:
    signal = SmellSignal(("a", "b"), "ohm")
    state = signal.update(0, np.array([1e4, 2e4]), faults=(Fault.NONE, Fault.UNSTABLE))
    assert state.faults == (Fault.NONE, Fault.UNSTABLE)
    assert np.isnan(state.usable[1])
    assert state.values[1] == 2e4


def test_features_of_the_smell_that_is_there() -> None:
    signal = SmellSignal(CHANNELS, "ohm")
    array = MoxArray(parse_events("alcohol@15-30"), 2)
    assert np.isnan(signal.features()).all()
    for k in range(600):
        state = signal.update(k * S // 10, array.step(0.1))
    vector = signal.features()
    ethanol = CHANNELS.index("C2H5OH")
    assert vector.shape == (6, 8)
    assert vector[ethanol, 0] == max(vector[:, 0])
    assert vector[ethanol, 0] == pytest.approx(1.2, abs=0.1)  # from clean air to the peak
    assert (vector[ethanol, 2:5] > 0).all()
    assert (vector[ethanol, 5:] < 0).all()
    assert state.phase in (Phase.RECOVERY, Phase.BASELINE)


def test_nothing_grows_with_the_stream() -> None:
    """Sizes of everything the signal stage holds, after 2 000 readings and after 12 000."""
    signal = SmellSignal(tuple(f"c{i}" for i in range(16)), "ohm", learn_climate=True)
    rng = np.random.default_rng(6)
    sizes = []
    for k in range(12_001):
        smell = 0.5 if k % 4000 in range(1000, 1200) else 1.0
        signal.update(k * S // 10, 1e4 * smell * (1 + 0.003 * rng.normal(size=16)))
        if k in (2000, 12_000):
            sizes.append(held(signal))
    assert 500 < sizes[1] <= sizes[0] * 1.02 + 256, sizes


def held(thing: object) -> int:
    """Elements in all containers and arrays that can be reached from an object."""
    count, seen, todo = 0, set(), [thing]
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, str | int | float | type | None.__class__):
            continue
        seen.add(id(one))
        if isinstance(one, np.ndarray):
            count += one.size
            continue
        if isinstance(one, dict):
            count += len(one)
            todo += [*one.values()]
        elif hasattr(one, "__iter__") and not callable(one):
            parts = list(one)
            count += len(parts)
            todo += parts
        todo += [getattr(one, n) for n in getattr(one, "__slots__", ()) if hasattr(one, n)]
        todo += [*getattr(one, "__dict__", {}).values()]
    return count


@pytest.mark.data
def test_smellnet_through_the_whole_chain(data_dir: Path) -> None:
    names = ("NO2", "C2H5OH", "VOC", "CO", "Alcohol", "LPG", "Benzene")
    with smellnet(data_dir)[0].open(encoding="utf-8-sig") as stream:
        rows = [[float(r[n]) for n in names] for r in csv.DictReader(stream)]
    signal = SmellSignal(names, "adc")
    states = [signal.update(k * S, np.array(row)) for k, row in enumerate(rows)]
    for state, row in zip(states, rows, strict=True):
        assert (state.faults[6] is Fault.SENTINEL) == (row[6] == 4294967295)
    assert states[-1].baseline is not None
