"""A table as numbers at once is what it is row by row, whatever is in it."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from thymos.smell import formats
from thymos.smell.formats.bulk import _at_once, _by_row

HEAD = "t_s,NO2 [ohm],CO [ohm]\n"
ROWS = ["0,10,20\n", "0.5,10.5,4294967295\n", "1,-3e2,.25\n"]


def opened(path: Path, text: str, *, strict: bool = True) -> formats.Recording:
    path.write_text(text, encoding="utf-8", newline="")
    return formats.read(path, strict=strict)


def test_a_clean_table_is_read_at_once(tmp_path: Path) -> None:
    recording = opened(tmp_path / "a.csv", HEAD + "".join(ROWS))
    wanted = np.array([[0, 10, 20], [0.5, 10.5, 4294967295], [1, -300, 0.25]])
    assert np.array_equal(_at_once(recording), wanted)
    assert np.array_equal(formats.numbers(recording), wanted)


@pytest.mark.parametrize(
    ("row", "cells"),
    [("2,,3\n", [2, np.nan, 3]), ("2,nan,3\n", [2, np.nan, 3]), ('2,"4",3\n', [2, 4, 3]),
     ("# a remark\n", None), ("\n", None), ("2 , 4,\t3\r\n", [2, 4, 3]), ("2,4,3", [2, 4, 3])],
)  # fmt: skip
def test_what_is_no_plain_number_means_what_it_means_to_frames(
    tmp_path: Path, row: str, cells: list[float] | None
) -> None:
    found = formats.numbers(opened(tmp_path / "a.csv", HEAD + "".join(ROWS) + row))
    assert found.shape == (3 + (cells is not None), 3)
    if cells is not None:
        assert np.array_equal(found[-1], cells, equal_nan=True)


@pytest.mark.parametrize(
    "row",
    ["2,4\n", "2,4,3,1\n", "2,inf,3\n", "2,1_0,3\n", "2,x,3\n", "2,\u0663,3\n", "2,\u00a04,3\n",
     "2,4\x1c,3\n", "1e15,4,3\n", f"2,{'0' * 500}4,3\n", "2,4\x00,3\n"],
)  # fmt: skip
def test_damage_is_an_error_or_left_out_as_ever(tmp_path: Path, row: str) -> None:
    text = HEAD + "".join(ROWS) + row + ROWS[0]
    if "\x00" not in row:
        recording = opened(tmp_path / "b.csv", text, strict=False)
        assert len(formats.numbers(recording)) == 4
        assert recording.damage.rows == 1
    with pytest.raises(formats.FormatError):
        formats.numbers(opened(tmp_path / "a.csv", text))


def test_at_once_is_row_by_row_on_random_damage(tmp_path: Path) -> None:
    rng, both = random.Random(3), 0
    pool = '0123456789.,-+eE \t\r\n"#_xnaif\x0b\x1c\u00a0\u0663'
    for n in range(1500):
        text = list("".join(ROWS))
        for _ in range(rng.choice((0, 1, 1, 2, 4))):
            text[rng.randrange(len(text))] = rng.choice(pool)
        try:
            recording = opened(tmp_path / "a.csv", HEAD + "".join(text))
            fast = _at_once(recording)
        except formats.FormatError:
            continue
        if fast is None:
            continue
        both += 1
        assert fast.tobytes() == _by_row(recording).tobytes(), (n, "".join(text))
    assert both > 300


def test_every_smellnet_file_and_every_scan_is_read_at_once(data_dir: Path) -> None:
    noses = data_dir / "enose"
    files = sorted((noses / "smellnet" / "test").glob("*/*.csv"))[::10]
    files += sorted((noses / "bme688/gat3way/test").glob("*.csv"))
    assert len(files) >= 11
    for path in files:
        recording = formats.read(path)
        fast = _at_once(recording)
        assert fast is not None
        assert fast.tobytes() == _by_row(recording).tobytes()
        frame = next(recording.frames())
        assert fast[0, 0] == frame.values[0]
