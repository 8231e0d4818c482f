"""Scores of recognition: known answers on made-up data, targets on the real."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from thymos.errors import MediaError
from thymos.evaluate.enose_recognition import RecognitionResult, auroc, evaluate_smellnet
from thymos.evaluate.enose_scans import evaluate_ppm
from thymos.evaluate.enose_taught import evaluate_few_shot, evaluate_taught_gases


def test_auroc_is_how_often_a_positive_scores_higher() -> None:
    positive = np.array([True, True, False, False])
    assert auroc(positive, np.array([3.0, 2.0, 1.0, 0.0])) == 1.0
    assert auroc(positive, np.array([0.0, 1.0, 2.0, 3.0])) == 0.0
    assert auroc(positive, np.ones(4)) == 0.5
    assert auroc(positive, np.array([3.0, 1.0, 2.0, 0.0])) == 0.75


def test_results_are_plain_data() -> None:
    result = RecognitionResult("x")
    result.add("right", [True, True, False, True])
    result.spread("splits", [0.5, float("nan"), 0.7])
    data = json.loads(json.dumps(result.to_json()))
    assert [row["value"] for row in data["rows"]] == pytest.approx([0.75, 0.6])
    assert data["rows"][1]["n"] == 2
    assert "0.750" in result.rows[0].text


def test_folders_without_data_are_told(tmp_path: Path) -> None:
    for function in (evaluate_smellnet, evaluate_few_shot, evaluate_ppm, evaluate_taught_gases):
        with pytest.raises(MediaError):
            function(tmp_path)


def test_recognition_on_recordings_left_out(data_dir: Path, tmp_path: Path) -> None:
    """A third of the substances, for speed; `thymos eval enose … --set smellnet` takes all."""
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        for folder in sorted((data_dir / "enose/smellnet" / part).iterdir())[::3]:
            (tmp_path / part / folder.name).symlink_to(folder)
    told: list[float] = []
    result = evaluate_smellnet(
        tmp_path, full=False, progress=lambda share, what: told.append(share)
    )
    rows = {row.name: row for row in result.rows}
    assert rows["recording left out of train, whole"].value >= 0.95
    assert rows["recording left out of train, first 60 s"].value >= 0.85
    assert rows["train to test, whole"].value >= 0.9
    assert rows["right where named"].value >= 0.95
    assert rows["always the same substance"].value == pytest.approx(1 / 17)
    assert told == sorted(told)
    assert all(row.low <= row.value <= row.high for row in result.rows)


def test_taught_gases_on_a_live_noses_way(data_dir: Path) -> None:
    result = evaluate_taught_gases(data_dir / "enose/uci_drift")
    rows = {row.name: row.value for row in result.rows}
    assert rows["batch 5, 5 sniffs of each gas: right among the known"] >= 0.9
    assert rows["batch 3, 5 sniffs of each gas: unknown gas, AUROC"] >= 0.85


def test_intervals_of_ppm_on_later_batches(data_dir: Path) -> None:
    rows = {row.name: row.value for row in evaluate_ppm(data_dir / "enose/uci_drift").rows}
    assert rows["Ethylene: interval holds the truth"] >= 0.8
    assert rows["features a hundred times too large: refused"] == 1.0
