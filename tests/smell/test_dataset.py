"""A dataset folder: what is in it, what it refuses, and what a crash leaves."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from thymos.errors import FrameError, MediaError
from thymos.smell.dataset import CLIMATE_LEAK, Card, DatasetWriter, open_dataset
from thymos.smell.frame import Channel, Fault, Nose, Odorant, SmellFrame

pytest.importorskip("pyarrow", reason="no pyarrow (pip install 'thymos[parquet]')")

CARD = Card("Two gases", "cc0-1.0", "made up: for a test", "GM: 2 channels", "30 s air, 60 s gas")
NOSE = Nose("GM", "1", (Channel("NO2", "ohm", "GM-102B"), Channel("CO", "ohm", "GM-702B")))
SMALL = Nose("BME", "2", (Channel("h0", "ohm", "BME688"),))


def frame(i: int, session: str, label: str = "", nose: Nose = NOSE) -> SmellFrame:
    count = len(nose.channels)
    return SmellFrame(
        nose,
        i,
        i * 10**9,
        np.arange(count) + i / 3,
        (Fault.NONE,) * count,
        odorants=(Odorant(label),) if label else (),
        session=session,
    )


def test_a_dataset_comes_back_with_its_card(tmp_path: Path) -> None:
    train = [frame(i, "a", "ethanol") for i in range(7)]
    odd = [frame(i, "b", "air", SMALL) for i in range(3)]
    test = [frame(i, "c", "ethanol", replace(NOSE, serial="9")) for i in range(4)]
    with DatasetWriter(tmp_path / "d", CARD, rows_per_file=5) as writer:
        for one in train + odd:
            writer.add(one)
        for one in test:
            writer.add(one, "test")
    found = open_dataset(tmp_path / "d")
    assert found.notes == ()
    assert [p.name for p in found.files] == [
        "test-00000.parquet",
        *(f"train-0000{i}.parquet" for i in range(3)),
    ]
    assert [*found.frames("test")] == test
    assert [*found.frames("train")] == train + odd
    assert [*found.frames()] == test + train + odd
    card = found.card
    assert (card["license"], card["smellframe"], card["frames"]) == ("cc0-1.0", "1.0", 14)
    assert card["source"] == CARD.source
    assert card["labels"] == {"air": 3, "ethanol": 11}
    assert card["devices"] == ["BME 2", "GM 1", "GM 9"]
    assert card["sensor_models"] == ["BME688", "GM-102B", "GM-702B"]
    assert card["known_leaks"] == [CLIMATE_LEAK]
    assert card["configs"][0]["data_files"][0] == {
        "split": "test",
        "path": "frames/test-*.parquet",
    }
    with (tmp_path / "d" / "sessions.csv").open(newline="") as file:
        rows = {row["session"]: row for row in csv.DictReader(file)}
    assert rows["a"]["frames"] == "7"
    assert (rows["a"]["last_ns"], rows["c"]["split"]) == ("6000000000", "test")
    assert rows["b"]["labels"] == "air"


def test_a_session_is_in_one_split_only(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "d", CARD) as writer:
        writer.add(frame(0, "a"))
        with pytest.raises(FrameError, match="session 'a' is in 'train'") as caught:
            writer.add(frame(1, "a"), "test")
        with pytest.raises(FrameError, match="not possible"):
            writer.add(frame(1, "b"), "../test")
    assert "split by session" in caught.value.hint


def test_a_crash_leaves_what_was_finished(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path / "d", CARD, rows_per_file=2)
    for i in range(5):
        writer.add(frame(i, "a"))
    found = open_dataset(tmp_path / "d")  # nobody closed it
    assert [one.seq for one in found.frames()] == [0, 1, 2, 3]
    assert found.card == {}
    assert "train-00002.parquet.part was not finished" in found.notes[0]
    assert "no card" in found.notes[1]
    with pytest.raises(FrameError, match="is not empty"):
        DatasetWriter(tmp_path / "d", CARD)


def test_an_error_on_the_way_leaves_no_half_file(tmp_path: Path) -> None:
    writer = DatasetWriter(tmp_path / "d", CARD, rows_per_file=2)

    def broken() -> None:
        with writer:
            for i in range(5):
                writer.add(frame(i, "a"))
            raise RuntimeError("no more")

    with pytest.raises(RuntimeError):
        broken()
    assert sorted(p.name for p in (tmp_path / "d" / "frames").iterdir()) == [
        "train-00000.parquet",
        "train-00001.parquet",
    ]


def test_many_noses_with_other_channels_need_few_open_files(tmp_path: Path) -> None:
    written = []
    with DatasetWriter(tmp_path / "d", CARD) as writer:
        for i in range(30):
            nose = Nose("x", str(i % 10), (Channel(f"c{i % 10}", "ohm"),))
            written.append(frame(i, f"s{i}", nose=nose))
            writer.add(written[-1])
    found = [*open_dataset(tmp_path / "d").frames("train")]
    assert sorted(f.seq for f in found) == list(range(30))
    assert {f.seq: f for f in found}[17] == written[17]


def test_texts_of_anybody_do_no_harm_to_the_card(tmp_path: Path) -> None:
    odd = Card("a: [b\n---\n# c", "x", "s", "t", "p", leaks=("- {",))
    with DatasetWriter(tmp_path / "d", odd) as writer:
        writer.add(frame(0, 'ses"sion,\n1', "---"))
    head = open_dataset(tmp_path / "d").card
    assert head["pretty_name"] == odd.title
    assert head["labels"] == {"---": 1}
    assert yaml.safe_dump(head)


def test_what_is_no_dataset_is_told(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no dataset of smell frames"):
        open_dataset(tmp_path / "no")
    with DatasetWriter(tmp_path / "d", CARD) as writer:
        writer.add(frame(0, "a"))
    with pytest.raises(FrameError, match="no split 'dev'") as caught:
        next(open_dataset(tmp_path / "d").frames("dev"))
    assert caught.value.hint == "there are: train"
    (tmp_path / "file").touch()
    with pytest.raises(FrameError, match="cannot write"):
        DatasetWriter(tmp_path / "file", CARD)
