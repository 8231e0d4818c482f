"""The classifier for streams and the guard: causal, bounded, the same again, and honest."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from thymos.errors import CalibrationError, ConfigError
from thymos.smell.drift import DriftGuard, OnlineDriftClassifier
from thymos.smell.drift.store import load_state, save_state

P = 6
RNG = np.random.default_rng(4)
MEANS = 4 * RNG.normal(size=(3, P))


def smells(seed: int, n: int, shift: float = 0.0):
    rng = np.random.default_rng(seed)
    place = rng.integers(0, 3, n)
    y = np.array(["acetone", "ammonia", "ethanol"])[place]
    return MEANS[place] + rng.normal(size=(n, P)) + shift, y


@pytest.fixture(scope="module")
def learnt():
    return smells(0, 150)


def test_a_drifted_stream_is_classified_although_nobody_told(learnt):
    stream, truth = smells(1, 300, shift=3.0)
    made = OnlineDriftClassifier().fit(*learnt)
    said = list(made.classify(stream))
    assert np.mean([s.label for s in said[30:]] == truth[30:]) > 0.97
    assert said[-1].drift > 0.5 > said[0].distance * 0
    assert said[-1].probabilities.sum() == pytest.approx(1)
    assert set(made.classes) == {"acetone", "ammonia", "ethanol"}


def test_the_future_changes_nothing_that_was_said(learnt):
    stream, _ = smells(1, 200, shift=1.0)
    other = stream.copy()
    other[120:] = smells(9, 80, shift=-8.0)[0]
    one = OnlineDriftClassifier(window=50).fit(*learnt).predict_proba(stream)
    two = OnlineDriftClassifier(window=50).fit(*learnt).predict_proba(other)
    np.testing.assert_array_equal(one[:120], two[:120])
    assert not np.array_equal(one[120:], two[120:])


def test_one_by_one_is_the_same_as_all_at_once(learnt):
    stream, _ = smells(2, 90, shift=1.0)
    made = OnlineDriftClassifier().fit(*learnt)
    single = np.array([made.update(row).probabilities for row in stream])
    np.testing.assert_array_equal(single, made.restart().predict_proba(stream))


def test_memory_does_not_grow_and_the_past_is_forgotten(learnt):
    made = OnlineDriftClassifier(window=40).fit(*learnt)
    made.predict(smells(3, 2000, shift=6.0)[0])
    sizes = sum(a.nbytes for a in vars(made).values() if isinstance(a, np.ndarray))
    assert made._kept.shape == (40, P)
    made.predict(smells(5, 2000)[0])
    assert sum(a.nbytes for a in vars(made).values() if isinstance(a, np.ndarray)) == sizes
    assert made.update(MEANS[0]).drift < 0.5


def test_it_goes_on_bit_for_bit_after_a_restart(learnt, tmp_path):
    stream, _ = smells(1, 130, shift=2.0)
    made = OnlineDriftClassifier(window=64).fit(*learnt)
    made.predict(stream[:77])
    made.save(tmp_path / "state.npz")
    again = OnlineDriftClassifier.load(tmp_path / "state.npz")
    np.testing.assert_array_equal(made.predict_proba(stream[77:]), again.predict_proba(stream[77:]))


def test_it_abstains_and_refuses_what_is_no_sample(learnt):
    made = OnlineDriftClassifier(abstain=0.9).fit(*learnt)
    assert made.update((MEANS[0] + MEANS[1]) / 2).label in ("unknown", "acetone", "ammonia")
    seen = made.seen
    for bad in (np.full(P, np.nan), np.zeros(P + 1), np.zeros((2, P)), "air"):
        with pytest.raises(ConfigError):
            made.update(bad)
    assert made.seen == seen
    with pytest.raises(ConfigError, match="not fitted"):
        OnlineDriftClassifier().update(np.zeros(P))


@pytest.mark.parametrize("kind", [OnlineDriftClassifier, DriftGuard])
def test_damaged_files_say_so(kind, learnt, tmp_path):
    path = tmp_path / "state.npz"
    kind().fit(*learnt).save(path)
    whole = path.read_bytes()
    for content in (b"", b"PK", whole[: len(whole) // 2], b"x" * 200):
        path.write_bytes(content)
        with pytest.raises(CalibrationError, match="not a learnt state"):
            kind.load(path)
    with pytest.raises(CalibrationError, match="not a learnt state"):
        kind.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(CalibrationError, match=r"not a learnt state \(it is damaged\)"):
        kind.load(tmp_path / "text.npz")  # numpy would advise to load it unsafely
    save_state(path, "something else", {}, {"mean": np.zeros(2)})
    with pytest.raises(CalibrationError):
        kind.load(path)


def test_another_version_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, meta=np.array(json.dumps({"kind": "k", "version": 99})))
    with pytest.raises(CalibrationError, match="not a k of version 1"):
        load_state(path, "k", ())
    save_state(path, "k", {}, {"a": np.array([np.nan])})
    with pytest.raises(CalibrationError, match="no numbers"):
        load_state(path, "k", ("a",))


def alarms(guard: DriftGuard, rows) -> list:
    return [guard.update(row) for row in rows][guard.window - 1 :]


def test_the_guard_is_quiet_on_the_known_and_names_the_sensor_that_moved(learnt):
    names = ("NO2", "CO", "H2S", "NH3", "CH4", "VOC")
    guard = DriftGuard(names=names).fit(*learnt)
    assert np.isnan(guard.update(learnt[0][0]).score)
    quiet = alarms(guard.restart(), smells(7, 1000)[0])
    assert np.mean([s.needed for s in quiet]) < 0.01
    assert np.median([s.score for s in quiet]) < 0.5
    drifted = smells(8, 60)[0]
    drifted[:, 2] += 6.0
    last = alarms(guard.restart(), drifted)[-1]
    assert last.needed
    assert last.score > 1
    assert "H2S" in last.reason
    assert last.command.startswith("thymos ")


def test_the_guard_hears_an_odour_nobody_taught_it():
    rows, y = smells(0, 300)
    guard = DriftGuard().fit(rows[y != "ethanol"], y[y != "ethanol"])
    assert all(s.needed for s in alarms(guard, rows[y == "ethanol"]))


def test_the_guard_needs_no_labels_and_survives_a_restart(learnt, tmp_path):
    guard = DriftGuard(names=tuple("abcdef")).fit(learnt[0])
    guard.save(tmp_path / "guard.npz")
    again = DriftGuard.load(tmp_path / "guard.npz")
    stream = smells(3, 50, shift=9.0)[0]
    assert alarms(guard, stream)[-1] == alarms(again, stream)[-1]
    with pytest.raises(ConfigError, match="too few"):
        DriftGuard().fit(learnt[0][:5])
    with pytest.raises(ConfigError):
        DriftGuard(window=0)


def test_a_full_disk_leaves_the_old_state_and_nothing_else(learnt, tmp_path, monkeypatch):
    path = tmp_path / "state.npz"
    OnlineDriftClassifier().fit(*learnt).save(path)
    whole = path.read_bytes()

    def full(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(CalibrationError, match=r"cannot be written \(No space left"):
        OnlineDriftClassifier().fit(*learnt).save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["state.npz"]
    assert path.read_bytes() == whole
