from __future__ import annotations

import itertools
import json
import re

import pytest

from thymos.errors import ModelError
from thymos.reason.prompt import asked, load_prompt
from thymos.reason.wording import adjective


@pytest.mark.parametrize("name", ["explain-2", "explain-media-1", "reply-2", "reply-write-2"])
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
    turn = load_prompt("explain-2").chat(sentences="{labels}", labels="joy")[-1]["content"]
    assert turn == "{labels}\nLabels: joy"


def test_an_unknown_prompt_is_an_error():
    with pytest.raises(ModelError):
        load_prompt("explain-999")


EXPLAIN = load_prompt("explain-2")
TURNS = [m["content"] for m in EXPLAIN.fixed[1:]]


@pytest.mark.parametrize("n", range(len(TURNS) // 2))
def test_examples_do_what_is_asked_of_the_model(n):
    """Reviewed: nothing in an answer that its turn does not hold; checked by our own post-check."""
    turn, said = TURNS[2 * n], json.loads(TURNS[2 * n + 1])
    *lines, labels = turn.splitlines()
    assert said["label"] in labels.removeprefix("Labels: ").split(", ")
    order = [i for i, s in enumerate(EXPLAIN.sentences.values()) for line in lines
             if line.startswith(s.split("{")[0])]  # fmt: skip
    assert order == sorted(order)
    assert len(order) == len(lines)
    told = dict(re.findall(r"(c\d) (.*?)(?=; c\d|\.?$)", "\n".join(lines), re.MULTILINE))
    assert set(said["use"]) <= set(told)
    for short in said["use"]:
        assert told[short] in said["why"]  # with its second, word for word
        assert "<<<" not in told[short]
    for figure in re.findall(r"\d+\.\d", said["why"]):
        assert figure in turn
    opener = f"They seem {adjective(said['label'])} because "
    clauses = [told[short] for short in said["use"]]
    allowed = literal_reasons(clauses)
    assert said["why"].removeprefix(opener).removesuffix(".") in allowed


def literal_reasons(clauses):
    """What the grammar of small models could write of these clauses, each once, in any order."""
    return {
        link.join(order)
        for order in itertools.permutations(clauses)
        for link in (" and ", " while ")
    }


def test_the_right_answer_is_not_always_in_the_same_place():
    answers = [json.loads(m["content"])["pick"] for m in load_prompt("reply-2").fixed[2::2]]
    counts = [m["content"].count("\n") for m in load_prompt("reply-2").fixed[1::2]]
    assert len({a == 1 for a in answers}) == 2
    assert len({a == c for a, c in zip(answers, counts, strict=True)}) == 2


def test_tokens_are_published_if_the_backend_tells_them():
    chat = EXPLAIN.chat(sentences="x", labels="joy")
    assert asked(EXPLAIN, chat, "y").prompt_tokens is None
    told = asked(EXPLAIN, chat, "y", prompt_tokens=310, answer_tokens=7)
    assert (told.prompt_tokens, told.answer_tokens) == (310, 7)
