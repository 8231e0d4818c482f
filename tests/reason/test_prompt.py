from __future__ import annotations

import json

import pytest

from thymos.errors import ModelError
from thymos.reason.prompt import load_prompt


@pytest.mark.parametrize("name", ["explain-1", "reply-1", "reply-write-1"])
def test_prompts_are_whole(name):
    prompt = load_prompt(name)
    roles = [m["role"] for m in prompt.fixed]
    assert roles[0] == "system"
    assert roles[1:] == ["user", "assistant"] * (len(roles[1:]) // 2)
    for turn in prompt.fixed:
        if turn["role"] == "assistant":
            json.loads(turn["content"])
    assert not any(line.startswith("#") for m in prompt.fixed for line in m["content"].splitlines())


def test_values_are_put_in_once_and_literally():
    turn = load_prompt("explain-1").chat(sentences="{labels}", labels="joy")[-1]["content"]
    assert turn == "{labels}\nLabels: joy"


def test_an_unknown_prompt_is_an_error():
    with pytest.raises(ModelError):
        load_prompt("explain-999")
