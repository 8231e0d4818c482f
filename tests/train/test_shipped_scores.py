"""The shipped weights keep the floors their cards state, on people and texts not trained on."""

from __future__ import annotations

import pytest

pytest.importorskip("onnxruntime")

from thymos.train import evaluate
from thymos.train.data import fer2013, part_of, ravdess
from thymos.train.speech import FOLDS, fold_of

pytestmark = [pytest.mark.data, pytest.mark.models]


def _value(text: str) -> float:
    return float(text.split(maxsplit=1)[0])


def test_parts_share_nobody(data_dir):
    faces = fer2013(data_dir)
    groups = {p: set(faces.part(p).groups.tolist()) for p in ("train", "val", "test")}
    assert not groups["train"] & groups["test"]
    assert not groups["val"] & groups["test"]
    assert part_of(7) == part_of(7)
    held = {c.speaker for c in ravdess(data_dir) if fold_of(c.speaker) == FOLDS - 1}
    assert held == {"16", "17", "18"}


def test_face_floor(data_dir):
    assert _value(evaluate.face(data_dir, limit=600)["accuracy"]) > 0.60


def test_text_floor(data_dir):
    assert _value(evaluate.text(data_dir, limit=1500)["ekman_macro_f1"]) > 0.57


def test_speech_floor(data_dir):
    report = evaluate.speech(data_dir, limit=90)
    assert _value(report["ravdess"]["uar"]) > 0.60
    assert _value(report["emodb"]["uar"]) > 0.45
