from __future__ import annotations

import subprocess
import sys

import pytest

from thymos import perceive
from thymos.config import Config, PerceiveConfig
from thymos.models import ModelStore


def test_quick_perceivers_first_and_words_last(tmp_path):
    made = perceive.build(Config(), ModelStore(tmp_path))
    assert [p.modality for p in made] == ["face", "voice", "smell", "face", "voice", "words"]
    assert [p.slow for p in made] == [False, False, False, False, False, True]


def test_words_can_be_left_out(tmp_path):
    config = Config(perceive=PerceiveConfig(words=False))
    assert "words" not in [p.modality for p in perceive.build(config, ModelStore(tmp_path))]


def test_nothing_heavy_is_imported_before_start(tmp_path):
    heavy = ("faster_whisper", "ai_edge_litert", "soxr", "onnxruntime", "av")
    code = (
        "import sys; from thymos import perceive; from thymos.config import Config;"
        "from thymos.models import ModelStore; perceive.build(Config(), ModelStore());"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize("times", [1, 2])
def test_close_may_come_without_start_and_twice(tmp_path, times):
    for made in perceive.build(Config(), ModelStore(tmp_path)):
        for _ in range(times):
            made.close()
