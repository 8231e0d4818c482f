"""The recipe of the odour models, reduced; data that is not there; what it reads."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from thymos.cli.main import app
from thymos.errors import MediaError, ThymosError
from thymos.smell.recognise.embed import EARLY_WINDOWS
from thymos.smell.recognise.model import load
from thymos.smell.recognise.online import Recogniser
from thymos.train import enose_fit
from thymos.train.enose_data import GASES, smellnet
from thymos.train.enose_fit import fit_known, fit_temperature, folds, leave_out

needs_recipes = pytest.mark.skipif(
    find_spec("sklearn") is None, reason="no scikit-learn (pip install 'thymos[train]')"
)
RUN = CliRunner()
HEADER = (
    "NO2,C2H5OH,VOC,CO,Alcohol,LPG,Benzene,Temperature,Pressure,Humidity,Gas_Resistance,Altitude"
)


def made_up(folder: Path, substances: int = 6) -> Path:
    """SmellNet's folders with a level of its own for each substance."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 5), ("test", 1)):
        for k in range(substances):
            place = folder / "enose/smellnet" / part / f"s{k}"
            place.mkdir(parents=True)
            for i in range(count):
                level = np.array([50, 80, 120, 800, 4, 30]) * (
                    1 + 0.25 * np.roll([k, 1, -1, 0, 2, 0], k)[:6] ** 2
                )
                gas = level * np.exp(rng.normal(0, 0.02, 6)) + rng.normal(0, 1, (200, 6))
                rows = [",".join(f"{v:.0f}" for v in np.maximum(row, 0)) for row in gas]
                head = HEADER.replace("C2H5OH", "C2H50H") if i == 2 else HEADER
                text = [head, *(f"{row},4294967295,25.5,1012,40,200,15" for row in rows)]
                (place / f"s{k}.{i}.csv.csv").write_text("\n".join(text) + "\n")
    return folder


@needs_recipes
def test_a_reduced_run_makes_the_same_bytes_twice_and_recognises(tmp_path: Path) -> None:
    data = made_up(tmp_path / "data")
    made = []
    for out in ("a", "b"):
        done = RUN.invoke(
            app, ["train", "enose", str(data), "--out", str(tmp_path / out), "--only", "smellnet"]
        )
        assert done.exit_code == 0, done.output
        made.append((tmp_path / out / "smellnet.npz").read_bytes())
    assert made[0] == made[1]
    told = json.loads((tmp_path / "a/enose.json").read_text())["smellnet"]
    model = load(tmp_path / "a/smellnet.npz", told["sha256"])
    assert (told["substances"], told["recordings"]) == (6, 30)
    right = []
    for sniff in smellnet(data / "enose/smellnet", "test"):
        recogniser = Recogniser(model, tuple(range(6)))
        for i, row in enumerate(sniff.rows):
            recogniser.update(i * 1_000_000_000, row)
        guess = recogniser.guess()
        assert guess is not None
        right.append(guess.label == sniff.substance)
    assert np.mean(right) >= 5 / 6


@needs_recipes
def test_the_recipe_makes_the_shipped_weights(data_dir: Path, tmp_path: Path) -> None:
    """Concentrations whole, for they are quick: to the last digits of single precision."""
    done = RUN.invoke(
        app, ["train", "enose", str(data_dir), "--out", str(tmp_path), "--only", "ppm"]
    )
    assert done.exit_code == 0, done.output
    from thymos.smell.recognise.concentration import load_ppm, shipped_ppm

    new, old = load_ppm(tmp_path / "uci_ppm.npz"), shipped_ppm()
    for gas, line in old.gases.items():
        assert new.gases[gas].weight == pytest.approx(line.weight, abs=1e-4)
        assert new.gases[gas].half == pytest.approx(line.half, rel=1e-3)


def test_the_shipped_map_is_that_of_the_train_folder(data_dir: Path) -> None:
    """Distances of the shipped model are those of one fitted now, but for half precision."""
    from thymos.smell.recognise import shipped

    sniffs = smellnet(data_dir / "enose/smellnet", "train")
    new, old = enose_fit.fit(sniffs), shipped("smellnet")
    for sniff in sniffs[::60]:
        a, b = (np.sqrt(enose_fit.prefix_distances(m, sniff)[-1][1]) for m in (new, old))
        assert a == pytest.approx(b, rel=0.02, abs=0.05)


@needs_recipes
def test_what_is_missing_is_told(tmp_path: Path) -> None:
    done = RUN.invoke(app, ["train", "enose", str(tmp_path), "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, ThymosError)
    assert "nothing to train from" in str(done.exception)
    done = RUN.invoke(
        app, ["train", "enose", str(tmp_path), "--out", str(tmp_path / "out"), "--only", "bme688"]
    )
    assert isinstance(done.exception, MediaError)


def test_damaged_recordings_are_refused_by_name(tmp_path: Path) -> None:
    data = made_up(tmp_path / "data", 2) / "enose/smellnet"
    broken = data / "train/s0/s0.0.csv.csv"
    broken.write_text("NO2,CO\n1,2\n")
    with pytest.raises(MediaError, match=r"s0\.0\.csv\.csv"):
        smellnet(data, "train")
    broken.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MediaError):
        smellnet(data, "train")
    text = (data / "train/s0/s0.1.csv.csv").read_text().splitlines()
    broken.write_text("\n".join([*text[:50], "1,2,3", *text[50:]]))
    with pytest.raises(MediaError, match=r"s0\.0\.csv\.csv', line 51: 3 cells") as caught:
        smellnet(data, "train")
    assert caught.value.hint.startswith("thymos smell check")
    shutil.rmtree(data / "test")
    with pytest.raises(MediaError, match="no SmellNet recordings"):
        smellnet(data, "test")


def test_sentinels_typos_and_climate_are_kept_out(tmp_path: Path) -> None:
    sniff = smellnet(made_up(tmp_path, 1) / "enose/smellnet", "train")[2]  # header C2H50H
    assert sniff.rows.shape == (200, len(GASES))
    assert np.isfinite(sniff.rows).all()
    assert sniff.bins.shape == (40, 6)
    assert not set(GASES) & {"Benzene", "Temperature", "Humidity", "Pressure", "Altitude"}


def test_folds_hold_one_recording_of_each_substance(tmp_path: Path) -> None:
    sniffs = smellnet(made_up(tmp_path, 3) / "enose/smellnet", "train")
    fold = folds(sniffs)
    for f in range(5):
        assert sorted(s.substance for s, k in zip(sniffs, fold, strict=True) if k == f) == [
            "s0",
            "s1",
            "s2",
        ]


def test_left_out_substances_depend_on_the_seed_only() -> None:
    names = [f"s{i}" for i in range(50)]
    assert leave_out(names, 3) == leave_out(names[::-1], 3)
    assert len(leave_out(names, 3)) == 10
    assert leave_out(names, 3) != leave_out(names, 4)


def test_the_known_curve_and_the_temperature_are_found_again() -> None:
    rng = np.random.default_rng(0)
    rows = [(abs(rng.normal(2, 0.5)), 9, True) for _ in range(300)]
    rows += [(abs(rng.normal(6, 0.5)), 9, False) for _ in range(60)]
    c0, c1, c2 = fit_known(rows)
    even = (c0 + c2 * np.log(9)) / c1
    assert 3.3 < even < 4.7
    squared = rng.uniform(0, 40, (2000, 4))
    chance = np.exp(-0.5 * squared / np.exp(1.0))
    chance /= chance.sum(axis=1, keepdims=True)
    truth = [int(rng.choice(4, p=p)) for p in chance]
    t0, _ = fit_temperature([(1, d, t) for d, t in zip(squared, truth, strict=True)])
    assert t0 == pytest.approx(1.0, abs=0.25)


def test_the_first_minute_is_nine_windows_of_whole_bins() -> None:
    assert EARLY_WINDOWS == 60 // 5 - 3
