"""The conflict set: what is drawn, from whom, and that it is told truly."""

from __future__ import annotations

import csv

import pytest

from thymos.errors import MediaError
from thymos.evaluate.conflict_set import DAMAGE, KINDS, SUBSETS, Recipe, build, write_csv
from thymos.train.data import part_of

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def rows(data_dir):
    return build(data_dir, Recipe(each=25))


def test_the_recipe_is_the_set(data_dir, rows):
    assert build(data_dir, Recipe(each=25)) == rows
    assert build(data_dir, Recipe(each=25, seed=6)) != rows
    shorter = {r.id: r for r in build(data_dir, Recipe(each=10))}
    assert all(shorter[r.id] == r for r in rows if r.id in shorter)
    assert len(rows) == 25 * len(KINDS) * 2 * len(SUBSETS)


def test_nobody_is_in_both_folds(rows):
    people = [{c.person for r in rows if r.fold == f for c in r.clips} for f in (0, 1)]
    assert not people[0] & people[1]


def test_faces_are_of_test_groups_and_nobody_else(rows):
    groups = {c.person.removeprefix("fer-") for r in rows for c in r.clips if c.modality == "face"}
    assert {part_of(int(g)) for g in groups} == {"test"}


def test_truth_is_that_of_the_aligned_side(rows):
    for row in rows:
        face, *heard = row.clips
        assert {c.modality for c in heard} == set(row.kind.split("+")[1:])
        assert len({c.label for c in heard}) == 1
        if row.subset == "consistent":
            assert {c.label for c in row.clips} == {row.truth}
        elif row.subset == "audio":
            assert heard[0].label == row.truth != face.label
        else:
            assert face.label == row.truth != heard[0].label


def test_only_the_misleading_side_is_damaged(rows):
    for row in rows:
        face, *heard = (bool(c.damage) for c in row.clips)
        expected = {"video": (False, True), "audio": (True, False), "open": (False, False)}
        if row.subset in expected:
            assert (face, all(heard)) == expected[row.subset]
            assert len(set(heard)) == 1
        else:
            assert face != all(heard)
    used = {(c.modality, c.damage) for r in rows for c in r.clips if c.damage}
    assert used == {(m, d) for m, kinds in DAMAGE.items() for d in kinds}


def test_an_open_row_has_two_true_labels(rows):
    assert {len(r.labels) for r in rows if r.subset == "open"} == {2}
    assert {len(r.labels) for r in rows if r.subset != "open"} == {1}


def test_the_file_holds_names_and_labels_only(rows, tmp_path):
    write_csv(rows, tmp_path / "set.csv")
    with (tmp_path / "set.csv").open(encoding="utf-8") as f:
        lines = list(csv.DictReader(f))
    assert len(lines) == sum(len(r.clips) for r in rows)
    assert max(len(v) for line in lines for v in line.values()) < 80


def test_without_the_data_it_says_so(tmp_path):
    with pytest.raises(MediaError, match="FER2013"):
        build(tmp_path, Recipe())
