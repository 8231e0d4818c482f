"""`thymos eval explain`, `conflict` and `face` on real clips: the whole street."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("onnxruntime")

from thymos.config import Config, PerceiveConfig, ReasonConfig
from thymos.contract import EMOTIONS
from thymos.evaluate.runs.conflicts import subsets
from thymos.evaluate.runs.face import Face
from thymos.evaluate.runs.items import Item
from thymos.evaluate.runs.run import Plan, run
from thymos.evaluate.runs.street import Street

pytestmark = [pytest.mark.data, pytest.mark.models, pytest.mark.slow]


def street():
    words = PerceiveConfig(words=False)
    return Street(Config(perceive=words, reason=ReasonConfig(backend="rules")))


@pytest.fixture(scope="module")
def items(data_dir, model_store):
    def item(name, label, video, audio):
        path = str(data_dir / "av" / name)
        return Item(name, path, (label,), name, {"video": video, "audio": audio})

    return [
        item("pyfeat/single_face.mp4", "joy", "joy", "joy"),
        item("pyfeat/no_face.mp4", "neutral", "neutral", "joy"),
        item("video_retalking/5.mp4", "neutral", "joy", "neutral"),
        item("pyfeat/nothing.mp4", "joy", "joy", "joy"),
    ]


def test_the_street_is_scored_with_its_reasons(items, tmp_path):
    subset = subsets(items, {})
    result = run(Plan("conflict", street, items, EMOTIONS, tmp_path, subset=subset))
    json.dumps(result)
    assert [row["file"] for row in result["unreadable"]] == ["pyfeat/nothing.mp4"]
    told = result["told"]
    assert told["windows"] >= 3
    assert told["steps"]["rea"] == 1.0  # rules say nothing that no cue tells
    assert 0 <= told["doubly_right"]["rr"] <= 1
    assert {"face"} <= set(told["alone"])
    assert result["conflict"]["ways"]["fused"].keys() >= {"conflict", "overall"}
    joyful = json.loads((tmp_path / "answers.jsonl").read_text("utf-8").splitlines()[1])
    assert "smiles" in joyful["why"]


def test_a_face_is_found_in_a_video_and_not_where_none_is(items):
    smiling, nobody, _, missing = Face().answer(items)
    assert max(smiling.probs, key=lambda e: smiling.probs[e]) == "joy"
    assert (dict(nobody.probs), nobody.error) == ({}, "")
    assert nobody.why.startswith("no face was found")
    assert missing.error


def test_a_face_is_found_in_a_still_picture(items, tmp_path, data_dir):
    import av

    path = tmp_path / "still.png"
    with av.open(items[0].path) as film:
        frame = [f for _, f in zip(range(40), film.decode(video=0), strict=False)][-1]
        frame.to_image().save(path)
    (found,) = Face().answer([Item("still.png", str(path), ("joy",), "x")])
    assert max(found.probs, key=lambda e: found.probs[e]) == "joy"
