"""The shipped weights keep the floors their cards state, on people and texts not trained on."""

from __future__ import annotations

import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("av")

from thymos.contract import EMOTIONS
from thymos.evaluate.runs.face import Face
from thymos.evaluate.runs.labels import translate
from thymos.evaluate.runs.presets import PRESETS, preset_items
from thymos.evaluate.runs.score import summarise
from thymos.evaluate.runs.speech import CLASSES, FOLD_TAG, Speech
from thymos.evaluate.runs.text import FINE_CLASSES, Text, finely
from thymos.train.data import fer2013, part_of

pytestmark = [pytest.mark.data, pytest.mark.models]


def score(data_dir, name, task, classes, limit, change=list):
    """The result of a preset on some of its items, evenly spread."""
    preset = PRESETS[name]
    items = preset_items(name, preset.task, data_dir / preset.folder, everything=False)
    items = translate(change(items), dict.fromkeys(preset.left_out), classes)
    items = items[:: max(1, len(items) // limit)][:limit]
    answers = {answer.key: answer for answer in task.answer(items)}
    return summarise(items, answers, classes, rounds=20)


def test_parts_share_nobody(data_dir):
    faces = fer2013(data_dir)
    groups = {p: set(faces.part(p).groups.tolist()) for p in ("train", "val", "test")}
    assert not groups["train"] & groups["test"]
    assert not groups["val"] & groups["test"]
    assert part_of(7) == part_of(7)
    items = preset_items("ravdess", "speech", data_dir / "speech/ravdess", everything=False)
    assert len({item.group for item in items}) == 18
    assert {int(item.tags[FOLD_TAG]) for item in items if item.group in ("04", "05", "06")} == {1}


def test_face_floor(data_dir):
    found = score(data_dir, "fer2013", Face(), EMOTIONS, 400)
    assert found["scores"]["war"]["value"] > 0.60
    assert found["interval"].endswith("groups")


def test_text_floor(data_dir):
    found = score(data_dir, "goemotions", Text(), EMOTIONS, 800)
    assert found["each_class"]["macro_f1"]["value"] > 0.57
    assert found["each_class"]["macro_f1"]["always_yes"] < 0.3


def test_fine_text_floor(data_dir):
    found = score(data_dir, "goemotions", Text(fine=True), FINE_CLASSES, 400, finely)
    assert found["each_class"]["macro_f1"]["value"] > 0.38


def test_foreign_text_is_read(data_dir):
    found = score(data_dir, "meld", Text(), EMOTIONS, 400)
    assert found["scores"]["uar"]["value"] > found["scores"]["uar"]["shuffled"] + 0.05


def test_speech_floor(data_dir):
    found = score(data_dir, "ravdess", Speech(), CLASSES, 90)
    assert found["scores"]["uar"]["value"] > 0.60
    assert set(found["by"]["sex"]) == {"female", "male"}


def test_foreign_speech_floor(data_dir):
    found = score(data_dir, "emodb", Speech(), CLASSES, 90)
    assert found["scores"]["uar"]["value"] > 0.45
    assert len(found["classes"]) == 6


@pytest.mark.parametrize("condition", ["quiet", "noise", "telephone", "second"])
def test_worse_sound_is_still_above_chance(data_dir, condition):
    found = score(data_dir, "ravdess", Speech(condition), CLASSES, 24)
    assert found["scores"]["uar"]["value"] > 0.2


def test_the_28_labels_are_the_model_s():
    assert tuple(Text(fine=True)._model.labels) == FINE_CLASSES
