"""From answers to the result: what counts as what, against values by hand."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest
from rich.console import Console

from thymos.errors import ConfigError
from thymos.evaluate.runs.items import Answer, Item
from thymos.evaluate.runs.run import write
from thymos.evaluate.runs.score import NO_ANSWER, summarise
from thymos.evaluate.runs.show import render

CLASSES = ("neutral", "joy", "anger", "calm")


def made(rows, **tags):
    """Items and answers from (key, label, probs or an error)."""
    items, answers = [], {}
    for key, label, said in rows:
        labels = tuple(label.split("|"))
        items.append(Item(key, f"/x/{key}", labels, key, {"sex": key[0]}))
        answers[key] = Answer(key, error=said) if isinstance(said, str) else Answer(key, said)
    return items, answers


ROWS = [
    ("f1", "joy", {"joy": 0.9, "anger": 0.1}),
    ("f2", "joy", {"joy": 0.3, "anger": 0.7}),
    ("m1", "anger", {"joy": 0.2, "anger": 0.8}),
    ("m2", "anger", {}),
    ("m3", "anger", "cannot be read"),
]


@pytest.fixture
def result():
    return summarise(*made(ROWS), CLASSES, rounds=50)


def test_unreadable_is_listed_and_no_answer_is_wrong(result):
    assert (result["items"], result["scored"], result["no_answer"]) == (5, 4, 1)
    assert result["unreadable"] == [{"file": "m3", "error": "cannot be read"}]
    assert result["scores"]["war"]["value"] == 0.5
    assert result["scores"]["uar"]["value"] == 0.5
    assert result["confusion"] == {
        "columns": ["joy", "anger", NO_ANSWER],
        "rows": [[1, 1, 0], [0, 1, 1]],
    }
    by = result["by"]["sex"]
    assert [(v, row["n"], row["uar"]) for v, row in by.items()] == [("f", 2, 0.5), ("m", 2, 0.5)]
    assert (by["f"]["low"], by["f"]["high"]) == (0.0, 1.0)


def test_trivial_baselines_stand_beside_each_score(result):
    for row in result["scores"].values():
        assert {"value", "low", "high", "majority", "shuffled"} == row.keys()
    assert result["scores"]["uar"]["majority"] == 0.5


def test_worst_is_wrong_and_sure_first(result):
    assert [row["file"] for row in result["worst"]] == ["f2", "m2"]
    assert result["worst"][0]["said"] == "anger"


def test_answers_are_among_the_labels_unless_open():
    rows = [("a", "joy", {"neutral": 0.6, "joy": 0.4}), ("b", "anger", {"anger": 1.0})]
    assert summarise(*made(rows), CLASSES, rounds=5)["scores"]["war"]["value"] == 1.0
    told = summarise(*made(rows), CLASSES, rounds=5, open_set=True)
    assert told["scores"]["war"]["value"] == 0.5


def test_calm_is_neutral_where_the_labels_know_no_calm():
    probs = {"neutral": 0.3, "joy": 0.4, "calm": 0.3}
    rows = [("a", "neutral", probs), ("b", "joy", {"joy": 1.0})]
    assert summarise(*made(rows), CLASSES, rounds=5)["scores"]["war"]["value"] == 1.0
    rows.append(("c", "calm", {"calm": 1.0}))
    assert summarise(*made(rows), CLASSES, rounds=5)["confusion"]["rows"][0] == [0, 1, 0, 0]


def test_several_labels_are_a_yes_or_no_each():
    items, answers = made([("a", "joy|anger", {"joy": 1.0}), ("b", "joy", {"joy": 1.0})])
    answers["a"] = Answer("a", {"joy": 1.0}, found=("joy",))
    answers["b"] = Answer("b", {"joy": 1.0}, found=("joy", "anger"))
    found = summarise(items, answers, CLASSES, rounds=5)["each_class"]
    assert found["f1"] == {"joy": 1.0, "anger": 0.0}
    assert found["macro_f1"]["value"] == 0.5
    assert found["macro_f1"]["always_yes"] == pytest.approx((1 + 2 / 3) / 2, abs=1e-4)


def test_intervals_over_people_where_there_are_enough():
    rows = [(f"f{n}", "joy" if n % 2 else "anger", {"joy": 1.0}) for n in range(40)]
    items, answers = made(rows)
    few = [Item(i.key, i.path, i.labels, str(int(i.key[1:]) % 3)) for i in items]
    many = [Item(i.key, i.path, i.labels, str(int(i.key[1:]) % 10)) for i in items]
    assert "only 3 groups" in summarise(few, answers, CLASSES, rounds=5)["interval"]
    assert "over 10 groups" in summarise(many, answers, CLASSES, rounds=5)["interval"]


def test_nothing_readable_is_an_error():
    with pytest.raises(ConfigError, match="none of 1 items"):
        summarise(*made([("a", "joy", "no such file")]), CLASSES)


def test_it_can_be_shown_and_written(result, tmp_path):
    result = {"task": "speech", **result}
    console = Console(record=True, width=120)
    console.print(render(result))
    text = console.export_text()
    assert "always the commonest" in text
    assert "unreadable: m3" in text
    names = [path.name for path in write(result, tmp_path)]
    assert names == ["result.json", "confusion.svg", "reliability.svg"]
    assert json.loads((tmp_path / "result.json").read_text("utf-8")) == result
    for name in names[1:]:
        ET.parse(tmp_path / name)
