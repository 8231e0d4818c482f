"""EMER: golden values of the published metrics, and labels out of human explanations."""

from __future__ import annotations

import csv
import json

import pytest

from thymos.errors import MediaError
from thymos.evaluate.emer import half_of, lines, measure
from thymos.evaluate.label_sets import constant, parse_labels
from thymos.evaluate.wheels import Wheels

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def folder(data_dir):
    return data_dir / "text/emer"


@pytest.fixture(scope="module")
def measured(folder):
    return measure(folder)


@pytest.fixture(scope="module")
def truth(folder):
    with (folder / "mer2024_ov/check-openset.csv").open(encoding="utf-8") as file:
        return {row["name"]: parse_labels(row["openset"]) for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def wheels(folder):
    return Wheels(folder / "emotion_wheel")


def test_mer2024_golden(measured):
    mer = measured["stored answers"]["mer2024"]
    assert mer["accuracy"] == pytest.approx(0.581777108433735, abs=1e-12)
    assert mer["recall"] == pytest.approx(0.4977911646586345, abs=1e-12)
    assert mer["mean"] == pytest.approx(0.5397841365461847, abs=1e-12)


@pytest.mark.parametrize(
    ("level", "f", "p", "r"),
    [("level1", 0.554608, 0.560524, 0.549187), ("level2", 0.424583, 0.448026, 0.404764)],
)
def test_wheels_golden(measured, level, f, p, r):
    score = measured["stored answers"][level]["score"]
    assert (score["f"], score["precision"], score["recall"]) == pytest.approx((f, p, r), abs=1e-6)


def test_wheel_by_wheel_golden(measured):
    row = measured["stored answers"]["level1"]
    assert [s["f"] for s in row["per_wheel"]] == pytest.approx(
        [0.563997, 0.577284, 0.554509, 0.548249, 0.529000], abs=1e-6
    )
    assert row["clips"] == (327, 328, 324, 327, 316)


def test_baselines_golden(measured, truth, wheels):
    row = measured["stored answers"]["level1"]
    assert row["shuffled"]["f"] == pytest.approx(0.258738, abs=1e-6)
    assert row["five"]["f"] == pytest.approx(0.4468, abs=1e-4)
    assert row["five"]["recall"] == pytest.approx(0.909, abs=1e-3)
    for label, f in (("happy", 0.2734), ("worried", 0.2175), ("angry", 0.3033)):
        assert wheels.score(truth, constant(truth, [label])).f == pytest.approx(f, abs=1e-4)
    own = wheels.score(truth, truth)
    assert (own.f, own.precision, own.recall) == (1, 1, 1)


def test_what_the_metric_drops_is_told(measured):
    row = measured["stored answers"]["level1"]
    assert row["truth_out_of_vocabulary"] == pytest.approx(0.130, abs=1e-3)
    assert 0.239 <= min(row["truth_dropped"]) <= max(row["truth_dropped"]) <= 0.335


def test_hit_by_hand(wheels):
    said = {"a": ["joyful"], "b": ["furious"], "c": ["happy"]}
    assert wheels.hit({"a": "happy"}, said) == 1.0
    assert wheels.hit({"a": "happy", "b": "happy"}, said) == 0.5
    assert wheels.hit({"c": "neutral"}, said) == 0.0  # on no wheel


def test_human_explanations_on_the_half_not_looked_at(measured):
    scored = measured["human explanations"]["half B"]
    assert scored["score"]["f"] >= 0.65
    assert scored["shuffled"]["f"] <= 0.40
    assert scored["read"]["unparsed"] == 0
    assert scored["read"]["missing"]["video"] == 0
    assert {half_of("sample_00000000"), half_of("sample_00000007")} <= {"A", "B"}


def test_the_reader_of_reasons_beats_chance(measured):
    read = measured["human reasons"]
    assert read["items"] == 100
    assert read["rr"] > 0.5 > read["majority"] > read["shuffled"]


def test_lines_print_every_baseline(measured):
    text = "\n".join(lines(measured))
    assert text.count("constant five labels") == text.count("of another clip") == 4
    assert "0.581777" in text


def test_own_answers(folder, tmp_path):
    own = tmp_path / "mine.csv"
    own.write_text(
        "name,openset\nsample_00000007,\"['happy']\"\nsample_00000021,\"['doubt']\"\n", "utf-8"
    )
    result = measure(folder, own)["your answers"]
    assert result["answered"] == 2
    assert 0 < result["level1"]["score"]["recall"] < 0.01
    json.dumps(result)


def test_missing_tables_say_what_they_are(tmp_path):
    with pytest.raises(MediaError) as caught:
        Wheels(tmp_path)
    assert "format_mapping.json" in caught.value.hint
