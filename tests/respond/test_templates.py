from __future__ import annotations

import itertools

import pytest

from thymos.contract import INTENTS
from thymos.errors import ConfigError
from thymos.respond import guard
from thymos.respond.intents import GROUP
from thymos.respond.templates import choose, known_words, offered, templates

CELLS = [(i, g) for i, groups in templates().items() for g in groups]
ROWS = [(i, g, row) for i, g in CELLS for row in templates()[i][g]]


def test_every_intent_has_sentences_and_every_group_has_intents():
    assert set(templates()) == set(INTENTS)
    assert {g for _, g in CELLS} == set(GROUP.values())
    for group in GROUP.values():
        assert len(offered(group)) >= 7


@pytest.mark.parametrize(("intent", "group"), CELLS)
def test_at_least_four_different_sentences(intent, group):
    cell = templates()[intent][group]
    assert len(set(cell)) == len(cell) >= 4


@pytest.mark.parametrize(("intent", "group", "row"), ROWS)
def test_the_guard_passes_every_reviewed_sentence(intent, group, row):
    assert guard.objection(row, [], known_words(group), []) == ""


@pytest.mark.parametrize(("intent", "group", "row"), [r for r in ROWS if r[0] == "questioning"])
def test_questions_ask(intent, group, row):
    assert row.endswith("?")


def test_choice_depends_on_seed_and_window_only():
    def one(**change):
        given = {"seed": 7, "window": "w000001", "recent": []} | change
        return choose("neutral", "even", **given)

    assert one() == one()
    assert len({tuple(one(window=f"w{n}")) for n in range(40)}) > 1
    assert len({tuple(one(seed=n)) for n in range(40)}) > 1


def test_nothing_is_said_twice_in_a_row():
    recent: list[str] = []
    for n in range(60):
        (row,) = choose("neutral", "even", seed=7, window=f"w{n}", recent=recent[-3:])
        recent.append(row)
    assert all(a != b for a, b in itertools.pairwise(recent))


def test_an_empty_cell_is_an_error():
    with pytest.raises(ConfigError):
        choose("consoling", "bright", seed=7, window="w", recent=[])
