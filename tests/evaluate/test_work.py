"""Workers that die take nothing with them but what they were at."""

from __future__ import annotations

from functools import partial

import pytest

from eval_tasks import Fragile, Reads
from thymos.errors import ThymosError
from thymos.evaluate.runs.items import Item
from thymos.evaluate.runs.run import Plan, run
from thymos.evaluate.runs.work import Crew, answers

ITEMS = [Item(f"{n}", "", ("joy",), f"{n}") for n in range(30)]


def test_a_worker_that_dies_is_told_and_the_rest_is_kept(tmp_path):
    plan = Plan("text", partial(Fragile, "17"), ITEMS, ("joy",), tmp_path, Crew(2))
    with pytest.raises(ThymosError, match="a worker process died") as caught:
        run(plan)
    assert "goes on where it stopped" in caught.value.hint
    kept = (tmp_path / "answers.jsonl").read_bytes().count(b"\n") - 1
    assert 0 < kept < len(ITEMS)
    mended = Plan("text", partial(Fragile, ""), ITEMS, ("joy",), tmp_path, Crew(2))
    assert run(mended)["scored"] == len(ITEMS)


@pytest.mark.parametrize("jobs", [1, 3])
def test_every_item_is_answered_once(jobs):
    parts = answers(partial(Fragile, ""), ITEMS, Crew(jobs), batch=4)
    keys = [answer.key for part in parts for answer in part]
    assert sorted(keys) == sorted(item.key for item in ITEMS)


def test_a_file_that_was_mended_is_read_again(tmp_path):
    items = [Item(n, str(tmp_path / n), ("joy",), n) for n in ("a", "b")]
    plan = Plan("text", Reads, items, ("joy",), tmp_path / "out")
    (tmp_path / "a").write_text("joy", "utf-8")
    assert [row["file"] for row in run(plan)["unreadable"]] == ["b"]
    (tmp_path / "b").write_text("joy", "utf-8")
    (tmp_path / "a").unlink()  # what was answered stays answered
    mended = run(plan)
    assert (mended["scored"], mended["unreadable"]) == (2, [])
