"""`thymos smell dataset`: files in, a folder with a card out; sessions stay whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from thymos.cli.smell_dataset import read_card, split_of
from thymos.errors import ConfigError, FrameError, ThymosError
from thymos.smell.dataset import CLIMATE_LEAK, open_dataset

pytest.importorskip("pyarrow", reason="no pyarrow (pip install 'thymos[parquet]')")

CARD = "title: Two smells\nlicence: cc0-1.0\nsource: made up\nsensors: 2 channels\nprotocol: none\n"


def files(folder: Path, count: int = 6) -> list[str]:
    made = []
    for n in range(count):
        path = folder / f"{'mint' if n % 2 else 'air'}_{n}.csv"
        rows = "".join(f"{i},{100 + i + n},{7 * i},21.5\n" for i in range(20))
        path.write_text(f"t_s,NO2 [ohm],CO [ohm],temperature\n{rows}")
        made.append(str(path))
    (folder / "card.yaml").write_text(CARD + "leaks: [every smell had a day of its own]\n")
    return made


def run(*arguments: str) -> str:
    from thymos.cli.smell import app

    result = CliRunner().invoke(app, ["dataset", *arguments])
    if isinstance(result.exception, ThymosError):
        raise result.exception
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.output


def test_files_become_a_dataset(tmp_path: Path) -> None:
    out = tmp_path / "out"
    card = ("--card", str(tmp_path / "card.yaml"))
    told = json.loads(
        run(*files(tmp_path), "--out", str(out), *card, "--test", "mint_1*", "--json")
    )
    assert told["frames"] == {"test": 20, "train": 100}
    assert told["sessions"] == {"test": 1, "train": 5}
    found = open_dataset(out)
    assert found.card["known_leaks"] == [CLIMATE_LEAK, "every smell had a day of its own"]
    assert found.card["license"] == "cc0-1.0"
    test = [*found.frames("test")]
    assert {frame.session for frame in test} == {"mint_1.csv"}
    assert test[3].values.tolist() == [104.0, 21.0]
    assert test[3].temperature_celsius == 21.5
    with pytest.raises(FrameError, match="is not empty"):
        run(*files(tmp_path), "--out", str(out), *card)


def test_features_are_no_readings(tmp_path: Path) -> None:
    made = files(tmp_path, 1)
    row = " ".join(f"{i}:{i}.5" for i in range(1, 129))
    (tmp_path / "batch1.dat").write_text(f"1;10.000000 {row}\n" * 4)
    with pytest.raises(ThymosError, match="features of exposures"):
        run(
            *(str(tmp_path / "batch1.dat"), *made, "--out", str(tmp_path / "out")),
            *("--card", str(tmp_path / "card.yaml")),
        )


def test_sessions_are_chosen_by_their_name_alone() -> None:
    names = [f"session {n}" for n in range(2000)]
    chosen = [split_of(name, (), 0.2) for name in names]
    assert chosen == [split_of(name, (), 0.2) for name in names]
    assert 0.15 < chosen.count("test") / len(chosen) < 0.25
    assert {split_of(name, (), 0.0) for name in names} == {"train"}
    assert {split_of(name, (), 1.0) for name in names} == {"test"}


def test_a_card_may_spell_its_licence_as_a_written_card_does(tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_text(CARD.replace("licence", "license"))
    assert read_card(tmp_path / "card.yaml").licence == "cc0-1.0"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "No such file"),
        ("title: [", "cannot read the card"),
        ("- a", "lacks 'title'"),
        (CARD.replace("licence: cc0-1.0\n", ""), "lacks 'licence'"),
        (CARD + "licens: x\n", "does not know 'licens'"),
        (CARD + "leaks: all\n", "lacks 'leaks'"),
    ],
)
def test_a_card_that_says_too_little_is_refused(
    tmp_path: Path, text: str | None, words: str
) -> None:
    made = files(tmp_path, 1)
    (tmp_path / "card.yaml").unlink()
    if text is not None:
        (tmp_path / "card.yaml").write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        run(*made, "--out", str(tmp_path / "out"), "--card", str(tmp_path / "card.yaml"))
    assert "licence" in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_dataset_is_checked_and_converted_as_a_whole(tmp_path: Path) -> None:
    from thymos.cli.smell import app

    out, card = str(tmp_path / "out"), ("--card", str(tmp_path / "card.yaml"))
    said = run(*files(tmp_path), "--out", out, *card, "--test", "nobody*")
    assert "no session is called nobody*" in said
    run(*files(tmp_path), "--out", f"{out}2", *card, "--test", "mint*")
    checked = CliRunner().invoke(app, ["check", f"{out}2"])
    assert checked.exit_code == 0, checked.output
    assert "120 readings" in checked.output
    one = tmp_path / "all.jsonl"
    made = CliRunner().invoke(app, ["convert", f"{out}2", str(one)])
    assert made.exit_code == 0, made.output
    assert len(one.read_text("utf-8").splitlines()) == 120
