"""Onset and offset in the air, and what the climate does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from thymos.align.window import Window
from thymos.config import PerceiveConfig
from thymos.contract import Cue
from thymos.errors import CalibrationError, ConfigError
from thymos.perceive.clean_air import load_climate
from thymos.perceive.smell import SmellPerceiver
from thymos.samples import NS_PER_S, Flag, Kind, Origin, Sample, StreamSpec
from thymos.smell.frame import Fault, Phase
from thymos.smell.signal import Air, Learner, Moment, SmellSignal, Weights, load, save
from thymos.smell.signal.climate import absolute_humidity
from thymos.smell.signal.lag import prior_onset
from thymos.smell.signal.phase import Odour
from thymos_drivers.sim_nose import CHANNELS, MoxArray, parse_events

S = NS_PER_S
SPEC = StreamSpec("enose", Kind.GAS, 10, (6,), "ohm", CHANNELS, origin=Origin.SIMULATED)


def first_order(t_s: np.ndarray, tau_s: float) -> np.ndarray:
    """Answer to a step at 0, share of its final value [n]."""
    return np.where(t_s > 0, -np.expm1(-np.maximum(t_s, 0) / tau_s), 0.0)


def second_order(t_s: np.ndarray, tau_s: float, chamber_s: float) -> np.ndarray:
    """The same behind a chamber that fills with a time constant of its own [n]."""
    if abs(tau_s - chamber_s) < 1e-6 * tau_s:
        t = np.maximum(t_s, 0) / tau_s
        return np.asarray(1.0 - (1.0 + t) * np.exp(-t))
    t = np.maximum(t_s, 0)
    slow, fast = tau_s * np.exp(-t / tau_s), chamber_s * np.exp(-t / chamber_s)
    return np.asarray(1.0 - (slow - fast) / (tau_s - chamber_s))


def made(
    tau_s: float,
    begin_s: float,
    *,
    hz: float = 10,
    chamber_s: float = 0.0,
    size: float = 0.6,
    seed: int = 0,
) -> Iterator[tuple[int, np.ndarray]]:
    """Two channels whose ln R falls as the model says from `begin_s` on; 60 s."""
    rng = np.random.default_rng(seed)
    for k in range(int(60 * hz)):
        t = np.array([k / hz - begin_s])
        y = second_order(t, tau_s, chamber_s) if chamber_s else first_order(t, tau_s)
        noise = rng.normal(0, 0.003, 2)
        yield round(k / hz * S), np.array([1e4, 5e4]) * np.exp(-size * y + noise)


@pytest.mark.parametrize("tau_s", [5.0, 15.0, 40.0, 60.0])
@pytest.mark.parametrize("hz", [2.0, 10.0, 50.0])
def test_the_onset_in_the_air_is_found_from_the_rising_edge(tau_s: float, hz: float) -> None:
    signal = SmellSignal(("a", "b"), "ohm")
    for t_ns, row in made(tau_s, 20.03, hz=hz, seed=round(tau_s + hz)):
        state = signal.update(t_ns, row)
    assert state.odour is not None
    assert state.onset_air is not None
    shown = state.odour.onset_ns / S - 20.03
    found = state.onset_air.t_ns / S - 20.03
    assert state.onset_air.how == "fitted"
    assert shown > 0.09 * tau_s  # the threshold is crossed late: .08 of .6
    assert abs(found) < 0.25 * shown + 0.5 / hz
    assert abs(found) < 2 * state.onset_air.spread_ns / S
    assert state.lag is not None
    assert state.lag[0] / S == pytest.approx(shown - found, abs=1e-6)


def test_behind_a_chamber_the_spread_still_holds_the_truth() -> None:
    signal = SmellSignal(("a", "b"), "ohm")
    for t_ns, row in made(15, 20, chamber_s=3):
        state = signal.update(t_ns, row)
    assert state.onset_air is not None
    assert abs(state.onset_air.t_ns - 20 * S) < 2 * state.onset_air.spread_ns


def test_a_step_that_is_quicker_than_the_readings_is_bracketed() -> None:
    """A fit through a plateau says nothing: what brackets the step must stand."""
    rng = np.random.default_rng(2)
    signal = SmellSignal(("a",), "adc")
    for k in range(300):
        value = 300 * (1.6 if k >= 60 else 1.0) + rng.integers(-2, 3)
        state = signal.update(k * S // 5, np.array([float(value)]))
    assert state.onset_air is not None
    early, late = state.onset_air.interval(12 * S)
    assert early <= 12.0 * S
    assert late >= 11.8 * S
    assert late - early < 1.5 * S


def test_an_interval_never_lies_after_the_reading() -> None:
    assert Moment(10 * S, 2 * S, "prior").interval(11 * S) == (8 * S, 11 * S)
    assert Moment(10 * S, 2 * S, "prior").interval(5 * S) == (5 * S, 5 * S)


def test_a_weak_smell_is_known_later_than_a_strong_one() -> None:
    """Only the prior: nothing is known of the readings before."""
    lags = []
    for peak in (1.3, 4.0, 20.0):
        odour = Odour(100 * S, None, 100 * S, 100 * S, peak, peak, 100 * S)
        moment = prior_onset(odour)
        assert moment.how == "prior"
        lags.append((100 * S - moment.t_ns) / S)
    assert lags[0] > lags[1] > lags[2] > 0.3
    assert 5 < lags[0] < 40


def test_the_end_of_a_smell_in_the_air() -> None:
    found = []
    for seed in range(4):
        signal = SmellSignal(CHANNELS, "ohm")
        array = MoxArray(parse_events("alcohol@15-40"), seed)
        for k in range(600):
            state = signal.update(k * S // 10, array.step(0.1))
            if state.phase is Phase.RECOVERY:
                break
        assert state.odour is not None
        assert state.offset_air is not None
        assert state.odour.fading_ns is not None
        shown = state.odour.fading_ns / S - 40
        error = state.offset_air.t_ns / S - 40
        assert abs(error) < 0.6 * shown
        assert abs(error) < 2 * state.offset_air.spread_ns / S
        found.append(error)
    assert abs(np.mean(found)) < 2


# -- what the perceiver makes of it


def perceive(rows: Iterator[tuple[int, np.ndarray]], config: PerceiveConfig) -> list[Cue]:
    nose = SmellPerceiver(config)
    nose.start(SPEC)
    cues: list[Cue] = []
    end = 4 * S
    for k, (t_ns, row) in enumerate(rows):
        nose.observe(Sample("enose", k, t_ns, t_ns, row))
        if t_ns >= end:
            cues += nose.cues(Window("w", end - 4 * S, end, {}))
            end += 4 * S
    nose.close()
    return cues


def simulated(events: str, seconds: float, seed: int = 1) -> Iterator[tuple[int, np.ndarray]]:
    array = MoxArray(parse_events(events), seed)
    for k in range(int(seconds * 10)):
        yield k * S // 10, array.step(0.1)


@pytest.mark.parametrize("odour", ["smoke", "coffee", "orange"])
def test_cues_tell_when_it_began_in_the_air(odour: str) -> None:
    cues = perceive(simulated(f"{odour}@17-30", 60), PerceiveConfig())
    (onset,) = [c for c in cues if c.name == "odour_onset"]
    assert onset.began_ns is not None
    early, late = onset.began_ns
    # The simulated array answers one step (0.1 s) ahead of its own event.
    assert early <= 17 * S <= late + 0.2 * S
    assert late <= onset.t0_ns
    assert late - early < 1.5 * S
    assert "in the air about" in onset.text
    (fading,) = [c for c in cues if c.name == "odour_fading"]
    assert fading.began_ns is not None
    assert fading.began_ns[0] <= 30 * S <= fading.began_ns[1] + 3 * S
    assert all(c.began_ns is not None for c in cues if c.name == "odour")


def test_readings_after_a_window_change_nothing_in_it() -> None:
    rows = list(simulated("smoke@17-30", 40))
    told = []
    for upto in (200, 400):
        nose = SmellPerceiver(PerceiveConfig())
        nose.start(SPEC)
        for k, (t_ns, row) in enumerate(rows[:upto]):
            nose.observe(Sample("enose", k, t_ns, t_ns, row))
        told.append(
            [c for c in nose.cues(Window("w", 16 * S, 20 * S, {})) if "danger" not in c.name]
        )
    assert told[0] == told[1]


def test_the_completed_frame() -> None:
    nose = SmellPerceiver(PerceiveConfig())
    nose.start(SPEC)
    assert nose.frame is None
    for k, (t_ns, row) in enumerate(simulated("smoke@8-20", 12)):
        flags = Flag.WARMUP if k < 3 else Flag.OK
        nose.observe(Sample("enose", k, t_ns, t_ns, row, flags))
        if k == 0:
            assert nose.frame is not None
            assert set(nose.frame.faults) == {Fault.WARM_UP}
    frame = nose.frame
    assert frame is not None
    assert frame.t_ns == t_ns
    assert (frame.values == row).all()


def test_the_state_of_the_nose_is_kept_over_a_restart(tmp_path: Path) -> None:
    config = PerceiveConfig(smell_state=str(tmp_path / "nose" / "state.json"))
    perceive(simulated("", 20), config)
    assert Path(config.smell_state).is_file()
    cues = perceive(simulated("smoke@0-20", 20), config)
    onset = [c for c in cues if c.name == "odour_onset"]
    assert onset
    assert onset[0].t0_ns < 2 * S  # seen at once: clean air is known from before
    Path(config.smell_state).write_text("{}")
    with pytest.raises(CalibrationError, match="no state of this version"):
        perceive(simulated("", 1), config)


# -- climate


def swinging(seconds: int, seed: int) -> Iterator[tuple[int, np.ndarray, Air]]:
    """Clean air whose temperature and humidity swing by day and by door, a reading each 5 s."""
    rng = np.random.default_rng(seed)
    for k in range(seconds // 5):
        t = k * 5
        warm = 22 + 3 * np.sin(t / 3000) + 1.5 * np.sin(t / 700 + 1)
        wet = 9 + 1.5 * np.sin(t / 2100 + 2)
        percent = float(100 * wet / absolute_humidity(warm, 100.0))
        logs = np.array([-0.02, -0.03]) * (warm - 22) + np.array([-0.03, 0.0]) * (wet - 9)
        yield t * S, 1e4 * np.exp(logs + rng.normal(0, 0.003, 2)), Air(float(warm), percent)


def test_the_climate_is_learnt_in_clean_air_and_taken_out() -> None:
    deviations, onsets = [], []
    for learn in (False, True):
        signal = SmellSignal(("a", "b"), "ohm", learn_climate=learn)
        kept, seen = [], set()
        for t_ns, row, air in swinging(40_000, 4):
            state = signal.update(t_ns, row, air)
            if t_ns > 20_000 * S:
                kept.append(state.response)
                if state.odour is not None:
                    seen.add(state.odour.onset_ns)
        deviations.append(np.nanstd(kept, axis=0))
        onsets.append(len(seen))
        assert state.correction == ("learnt" if learn else "none")
    assert (deviations[1] < 0.2 * deviations[0]).all()
    assert onsets[1] == 0
    learnt = signal.learner and signal.learner.weights()
    assert learnt is not None
    assert learnt.weights[:, :2] == pytest.approx(np.array([[-0.02, -0.03], [-0.03, 0]]), abs=0.004)
    assert "minutes of clean air" in learnt.about


def test_nothing_is_learnt_from_a_smell_and_what_was_learnt_is_kept(tmp_path: Path) -> None:
    signal = SmellSignal(("a", "b"), "ohm", learn_climate=True)
    for t_ns, row, air in swinging(20_000, 5):
        signal.update(t_ns, row, air)
    learner = signal.learner
    assert learner is not None
    blocks = learner.blocks
    assert blocks > 500
    for k in range(100):
        signal.update(t_ns + (k + 1) * 5 * S, row * 0.5, air)
    assert learner.blocks <= blocks + 1
    before = learner.weights()
    save(signal, tmp_path / "s.json")
    again = SmellSignal(("a", "b"), "ohm", learn_climate=True)
    load(again, tmp_path / "s.json")
    assert again.learner is not None
    after = again.learner.weights()
    assert before is not None
    assert after is not None
    assert np.array_equal(before.weights, after.weights)


@pytest.mark.parametrize("kind", ["still", "together", "odd"])
def test_weights_that_cannot_be_trusted_are_not_used(kind: str) -> None:
    rng = np.random.default_rng(6)
    learner = Learner(1)
    for k in range(6000):
        swing = np.sin(k / 300)
        warm = 22 + (0.5 if kind == "still" else 3.0) * swing
        wet = 9 + (1.5 * swing if kind == "together" else 1.5 * np.sin(k / 170))
        percent = float(100 * wet / absolute_humidity(warm, 100.0))
        log_r = 0.0 if kind == "odd" else -0.03 * (warm - 22)  # odd: it does not follow at all
        learner.learn(
            k * 2 * S, 1e4 * np.exp(log_r + rng.normal(0, 0.003, 1)), Air(float(warm), percent)
        )
    assert learner.blocks > 500
    assert learner.weights() is None


def test_calibrated_weights_bring_a_reading_to_the_air_of_the_baseline() -> None:
    weights = Weights(20.0, 8.0, np.array([[-0.02, -0.03, 0, 0, 0]]), "calibrated")
    signal = SmellSignal(("a",), "ohm", weights=weights)
    first, later = Air(22.0, 45.0), Air(27.0, 55.0)

    def log_r(air: Air) -> float:
        wet = float(absolute_humidity(air.temperature, air.humidity))
        return -0.02 * air.temperature - 0.03 * wet

    for k in range(30):
        signal.update(k * S, np.array([1e4 * np.exp(log_r(first))]) + k % 2, first)
    state = signal.update(30 * S, np.array([1e4 * np.exp(log_r(later))]), later)
    assert state.correction == "calibrated"
    assert abs(state.response[0]) < 0.001
    assert abs(np.log(state.usable[0] / state.baseline.values[0])) > 0.2
    lost = signal.update(200 * S, np.array([1e4 * np.exp(log_r(later))]))  # no climate any more
    assert lost.correction == "none"


def test_a_climate_file(tmp_path: Path) -> None:
    path = tmp_path / "climate.json"
    data = {
        "temperature_degC": 21.0,
        "absolute_humidity_g_m3": 8.0,
        "channels": {"a": {"weights": [0.1, 0.2]}, "b": {"weights": [1, 2, 3, 4, 5]}},
    }
    path.write_text(yaml.safe_dump(data))
    weights = load_climate(path, ("b", "a", "c"))
    assert weights.weights.tolist() == [[1, 2, 3, 4, 5], [0.1, 0.2, 0, 0, 0], [0] * 5]
    path.write_text(yaml.safe_dump({**data, "channels": {"a": {"weights": [1]}}}))
    with pytest.raises(ConfigError, match="two or five"):
        load_climate(path, ("a",))
    with pytest.raises(ConfigError, match="cannot read"):
        load_climate(tmp_path / "none", ("a",))
