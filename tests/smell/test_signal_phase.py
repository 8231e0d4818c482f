"""The phase machine never lets the baseline move within 300 s of a smell."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thymos.errors import CalibrationError
from thymos.samples import NS_PER_S
from thymos.smell.frame import Phase
from thymos.smell.signal import PhaseMachine, SmellSignal, load, save
from thymos.smell.signal.phase import GAP_NS, READINGS_ON, REZERO_AFTER_NS

S = NS_PER_S


def test_a_smell_from_onset_to_clean_air() -> None:
    machine = PhaseMachine()
    levels = [0.1] * 10 + [2.0] * 20 + [0.9] * 20 + [0.0] * 20
    phases = []
    for k, level in enumerate(levels):
        machine.update(k * S, level)
        phases.append(machine.phase)
    odour = machine.odour
    assert odour is not None
    assert (odour.onset_ns, odour.flat_ns, odour.known_ns) == (10 * S, 9 * S, 12 * S)
    assert phases[11] is Phase.BASELINE
    assert phases[12] is Phase.EXPOSURE
    assert phases[31] is Phase.RECOVERY
    assert odour.fading_ns == 30 * S
    assert odour.cleared_ns is not None
    assert odour.cleared_ns > 50 * S
    assert phases[-1] is Phase.BASELINE


def test_it_comes_back_before_it_is_gone() -> None:
    machine = PhaseMachine()
    for k, level in enumerate([2.0] * 10 + [1.2] * 10 + [4.0] * 10):
        machine.update(k * S, level)
    assert machine.phase is Phase.EXPOSURE
    assert machine.odour is not None
    assert machine.odour.onset_ns == 0


def test_two_bad_readings_are_no_smell_but_they_are_not_clean_air_either() -> None:
    machine = PhaseMachine()
    for k in range(400):
        machine.update(k * S, 9.0 if k in (200, 201, 350) else 0.0)
    assert machine.odour is None
    assert machine.quiet_ns == 195 * S  # since the pair, without the time beside the single one
    assert machine.quiet_since_ns == 202 * S


steps = st.one_of(
    st.integers(1, 20),  # seconds
    st.integers(50, 400),
    st.integers(-300, 0),
)
levels = st.sampled_from([0.0, 0.0, 0.0, 0.0, 0.3, 0.9, 1.5, 6.0, math.nan])
events = st.lists(st.tuples(steps, levels, st.integers(1, 40)), min_size=1, max_size=40)


@settings(max_examples=300, deadline=None)
@given(events, st.booleans())
def test_no_sequence_rezeroes_early(sequence: list[tuple[int, float, int]], stops: bool) -> None:
    """Whatever stamps and values come: gaps, stamps that go backwards, NaN, interruptions.

    Checked against a second account of the rule that keeps every reading: where the baseline may
    move, the last 300 s of stamps hold clean readings only, without a hole, in rising order.
    """
    machine, t_ns = PhaseMachine(), 0
    clean: list[int] = []  # stamps of clean readings in a row, in order
    exposed: int | None = None
    for n, (step, level, times) in enumerate(sequence):
        if stops and n % 7 == 6:
            machine.interrupt()
            clean = []
        for _ in range(times):
            t_ns += step * S
            machine.update(t_ns, level)
            if math.isnan(level):
                continue
            smelling = machine.current is not None
            if clean and not 0 <= t_ns - clean[-1] <= GAP_NS:
                clean = []
            if smelling:
                exposed, clean = t_ns, []
            else:
                clean.append(t_ns)
            if machine.may_rezero(t_ns):
                assert not smelling
                assert clean[-1] - clean[0] >= REZERO_AFTER_NS
                assert exposed is None or abs(t_ns - exposed) >= REZERO_AFTER_NS


readings = st.lists(
    st.tuples(st.integers(-40, 60), st.sampled_from([1.0, 1.0, 1.0, 0.4, math.nan])),
    min_size=5,
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(readings, st.integers(0, 39))
def test_the_baseline_itself_never_moves_early(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[tuple[int, float]], restart: int
) -> None:
    """The whole signal stage, restarted from its file in the middle, on made resistances."""
    names, r0 = ("a", "b"), np.array([1e4, 2e4])
    signal = SmellSignal(names, "ohm")
    rng = np.random.default_rng(1)
    t_ns = 0
    clean: list[int] = []  # stamps of clean readings in a row
    for n, (step, factor) in enumerate([(1, 1.0)] * 5 + blocks):
        if n == 5 + restart:
            place = tmp_path_factory.getbasetemp() / "state.json"
            assert save(signal, place)
            signal, clean = SmellSignal(names, "ohm"), []
            load(signal, place)
        for _ in range(12):
            before = signal.baseline.level
            t_ns += step * S
            state = signal.update(t_ns, r0 * factor * (1 + 0.001 * rng.normal(size=2)))
            if math.isnan(factor):
                assert signal.baseline.level is before
                continue
            smelling = state.odour is not None and state.odour.cleared_ns is None
            if factor < 0.9 or smelling:
                clean = []
            elif clean and not 0 <= t_ns - clean[-1] <= GAP_NS:
                clean = [t_ns]
            else:
                clean.append(t_ns)
            if before is not None and signal.baseline.level is not before:
                assert clean[-1] - clean[0] >= REZERO_AFTER_NS, "it moved too soon after a smell"


def test_a_restart_keeps_the_baseline_and_waits_anew(tmp_path: Path) -> None:
    signal = SmellSignal(("a",), "ohm")
    for k in range(400):
        signal.update(k * S, np.array([1e4 + k % 3]))
    state = signal.state
    assert state is not None
    assert state.rezero_in_ns == 0
    assert state.baseline is not None
    assert state.baseline.how == "followed"
    save(signal, tmp_path / "s.json")
    again = SmellSignal(("a",), "ohm")
    load(again, tmp_path / "s.json")
    first = again.update(7 * S, np.array([5e3]))  # a clock of its own, and a smell at once
    assert first.baseline is not None
    assert first.baseline.values == pytest.approx(state.baseline.values, rel=1e-12)
    assert first.baseline.taken_ns is None
    assert first.rezero_in_ns == REZERO_AFTER_NS
    assert first.response == pytest.approx([math.log(2)], abs=1e-3)
    for k in range(1, READINGS_ON):
        again.update((7 + k) * S, np.array([5e3]))
    with pytest.raises(CalibrationError, match="may still remember"):
        again.rezero()


def test_a_rezero_that_is_asked_for() -> None:
    signal = SmellSignal(("a",), "ohm")
    level = 1e4
    for k in range(500):
        if k == 200:
            with pytest.raises(CalibrationError) as refused:
                signal.rezero()
            assert "107 s more" in refused.value.hint
        if k == 400:
            signal.rezero()
            level = 1.05e4  # within what counts as clean air
        signal.update(k * S, np.array([level + k % 2]))
    baseline = signal.baseline.air
    assert baseline is not None
    assert baseline.values[0] == pytest.approx(1.05e4, rel=1e-3)
    assert 400 * S < (baseline.taken_ns or 0) < 500 * S


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no state of a nose"),
        ("[1]", "no state of this version"),
        ('{"schema": "thymos.smell-state/9"}', "no state of this version"),
        ('{"schema": "thymos.smell-state/1", "channels": ["b"], "unit": "ohm"}', "another nose"),
        ('{"schema": "thymos.smell-state/1", "channels": ["a"], "unit": "ohm"}', "damaged"),
        (
            '{"schema": "thymos.smell-state/1", "channels": ["a"], "unit": "ohm", "air": null,'
            '"baseline": {"values": [1, 2], "spread": [1], "how": "", "readings": 1}}',
            "damaged: 2 values for 1 channels",
        ),
    ],
)
def test_damaged_states_are_told(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "s.json"
    path.write_text(text)
    with pytest.raises(CalibrationError, match=said):
        load(SmellSignal(("a",), "ohm"), path)


def test_a_state_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    signal = SmellSignal(("a",), "ohm")
    assert not save(signal, tmp_path / "s.json")  # it knows nothing yet
    for k in range(10):
        signal.update(k * S, np.array([1e4]) + k)
    (tmp_path / "file").write_text("x")
    with pytest.raises(CalibrationError, match="cannot keep"):
        save(signal, tmp_path / "file" / "s.json")
