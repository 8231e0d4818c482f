"""Scans of the BME688 and concentrations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from thymos.errors import ModelError
from thymos.smell.recognise.concentration import (
    GasLine,
    PpmModel,
    load_ppm,
    log_features,
    save_ppm,
    shipped_ppm,
)
from thymos.smell.recognise.scans import (
    ScanModel,
    load_scans,
    save_scans,
    scan_features,
    shipped_scans,
)
from thymos.train.enose_data import gat3way, uci_drift
from thymos.train.enose_extra import blocks_of, fit_ppm

FILL = np.full(50, np.log(1e5))


def network() -> ScanModel:
    """Says `rising` if the resistance rises at the first step, else `falling`."""
    w1 = np.zeros((45, 2))
    w1[0] = [1.0, -1.0]
    arrays = {
        "mean": np.zeros(45),
        "spread": np.ones(45),
        "fill": FILL,
        "w1": w1,
        "b1": np.zeros(2),
        "w2": 5.0 * np.eye(2),
        "b2": np.zeros(2),
    }
    return ScanModel(("rising", "falling"), arrays)


def scan(first: float, second: float) -> np.ndarray:
    row = np.full(50, 1e5)
    row[0], row[1] = first, second
    return row


def test_features_are_steps_of_log_resistance() -> None:
    got = scan_features(scan(1e5, 1e6)[None], FILL)[0]
    assert got.shape == (45,)
    assert got[:3] == pytest.approx([np.log(10.0), -np.log(10.0), 0.0])
    twice = scan_features(2.0 * scan(1e5, 1e6)[None], FILL)[0]
    assert twice == pytest.approx(got)  # how large the resistance is does not matter


def test_missing_resistances_are_taken_from_other_runs() -> None:
    row = np.tile(np.geomspace(1e4, 1e6, 10), 5)
    hurt = row.copy()
    hurt[[3, 17]] = [-1.0, np.nan]
    assert scan_features(hurt[None], FILL)[0] == pytest.approx(scan_features(row[None], FILL)[0])


def test_a_scan_is_recognised_and_a_bad_one_does_not_overrule_others() -> None:
    model = network()
    assert next(iter(model.predict(scan(1e4, 1e6)))) == "rising"
    rows = np.stack([scan(1e4, 1e6)] * 3 + [scan(1e9, 1e1)])
    found = model.predict(rows)
    assert next(iter(found)) == "rising"
    assert sum(found.values()) == pytest.approx(1.0)


def test_scans_without_numbers_are_refused() -> None:
    with pytest.raises(ModelError, match="enough valid"):
        network().predict(np.full((3, 50), np.nan))
    with pytest.raises(ModelError, match="50 values"):
        network().predict(np.ones(49))


def test_scan_models_come_back_and_damage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    sha256 = save_scans(network(), path)
    assert sha256 == save_scans(network(), tmp_path / "n.npz")
    again = load_scans(path, sha256)
    assert again.predict(scan(1e4, 1e6)) == pytest.approx(network().predict(scan(1e4, 1e6)))
    path.write_bytes(path.read_bytes()[:-20])
    for wanted in ("", sha256):
        with pytest.raises(ModelError):
            load_scans(path, wanted)
    with pytest.raises(ModelError, match="cannot read"):
        load_scans(tmp_path / "none.npz")


def test_blocks_are_stretches_of_time_within_each_class() -> None:
    owner = np.repeat([0, 1], [10, 5])
    assert blocks_of(owner, 5).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 0, 1, 2, 3, 4]


def test_shipped_scan_model_reads_the_files_it_was_made_from(data_dir: Path) -> None:
    scans, owner, labels = gat3way(data_dir / "enose/bme688/gat3way")
    assert scans.shape == (1801, 50)  # the first scan is no header
    model = shipped_scans()
    assert model.labels == labels
    assert (model.log_probabilities(scans).argmax(axis=1) == owner).mean() > 0.99  # fitted


def line(low: float = 10.0, high: float = 1000.0) -> PpmModel:
    """Log ppm is the first log feature."""
    weight = np.zeros(3)
    weight[0] = 1.0
    mean = np.full(3, np.log(100.0))
    one = GasLine(mean, np.ones(3), weight, np.log(100.0), np.log(2.0), low, high, far=5.0)
    return PpmModel({"Ethanol": one})


def test_an_estimate_has_an_interval() -> None:
    found = line().estimate("Ethanol", np.array([199.0, 99.0, 99.0]))
    assert found.ppm == pytest.approx(200.0)
    assert (found.low, found.high) == pytest.approx((100.0, 400.0))
    assert found.refused == ""


@pytest.mark.parametrize(
    ("gas", "features", "why"),
    [
        ("Xenon", [1.0, 1.0, 1.0], "never learnt"),
        ("Ethanol", [1.0, 1.0], "lacks features"),
        ("Ethanol", [np.nan, 1.0, 1.0], "lacks features"),
        ("Ethanol", [4.0, 99.0, 99.0], "below what was learnt"),
        ("Ethanol", [5000.0, 99.0, 99.0], "above what was learnt"),
        ("Ethanol", [99.0, 1e9, 99.0], "unlike all"),
    ],
)
def test_nothing_is_extrapolated(gas: str, features: list[float], why: str) -> None:
    found = line().estimate(gas, np.array(features))
    assert found.ppm is None
    assert why in found.refused


def test_lines_are_found_again_in_made_up_batches() -> None:
    from thymos.train.enose_data import Batch

    rng = np.random.default_rng(0)
    batches = []
    for _ in range(3):
        ppm = np.exp(rng.uniform(np.log(10), np.log(500), 200))
        noise = rng.normal(0.0, 0.05, (200, 4))
        batches.append(
            Batch(
                np.expm1(np.log(ppm)[:, None] * [1, 0.5, 0, 0.8] + noise),
                np.array(["A"] * 200),
                ppm,
            )
        )
    model = fit_ppm(batches[:2])
    found = [model.estimate("A", x) for x in batches[2].features]
    given = [(f, p) for f, p in zip(found, batches[2].ppm, strict=True) if f.ppm is not None]
    assert len(given) > 150
    assert np.median([abs(np.log((f.ppm or 0) / p)) for f, p in given]) < 0.1
    held = np.mean([f.low <= p <= f.high for f, p in given])
    assert 0.8 < held <= 1.0


def test_ppm_models_come_back_and_damage_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    sha256 = save_ppm(line(), path)
    again = load_ppm(path, sha256).estimate("Ethanol", np.array([199.0, 99.0, 99.0]))
    assert again.ppm == pytest.approx(200.0, rel=1e-4)
    path.write_bytes(b"PK" + path.read_bytes()[2:100])
    with pytest.raises(ModelError):
        load_ppm(path)
    with pytest.raises(ModelError, match="released"):
        load_ppm(path, sha256)


def test_shipped_lines_hold_the_truth_on_a_later_batch(data_dir: Path) -> None:
    batch = uci_drift(data_dir / "enose/uci_drift", 4)
    model = shipped_ppm()
    found = [
        (model.estimate(str(g), x), p)
        for g, x, p in zip(batch.gas, batch.features, batch.ppm, strict=True)
    ]
    given = [(f, p) for f, p in found if f.ppm is not None]
    assert len(given) > 100
    assert np.mean([f.low <= p <= f.high for f, p in given]) > 0.7
    assert log_features(np.array([-1.0]))[0] == pytest.approx(-np.log(2.0))
