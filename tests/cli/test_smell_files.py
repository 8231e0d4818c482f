"""`thymos smell check` and `thymos smell convert`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from thymos.cli.smell import app
from thymos.errors import ThymosError

NAMES = "NO2,C2H5OH,VOC,CO,Alcohol,LPG,Benzene,Temperature,Pressure,Humidity,Gas_Resistance"
ROW = "31,67,75,818,2,29,4294967295,25.59,1015.15,38.72,242.43,15.44"
OWN = "t_s,NO2 [ohm],CO [ohm],temperature\n" + "".join(f"{n / 4},{n}e3,2e3,20\n" for n in range(8))


@pytest.fixture
def smellnet(tmp_path: Path) -> Path:
    path = tmp_path / "mint_1.csv"
    path.write_text(f"{NAMES},Altitude\n" + f"{ROW}\n" * 40)
    return path


def run(*args: object) -> tuple[int, str]:
    """The command within this process; a ThymosError is what the real one turns into words."""
    done = CliRunner().invoke(app, [str(a) for a in args])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


def checked(*args: object) -> tuple[int, list[dict[str, Any]]]:
    code, out = run("check", *args, "--json")
    return code, json.loads(out)


def test_as_a_person_runs_it(thymos: Callable[..., Any], smellnet: Path) -> None:
    done = thymos("smell", "check", smellnet, "no.csv")
    assert done.code == 1
    for words in ("SmellNet CSV", "40 readings", "sentinel 40", "100.0%", "no time column",
                  "climate channels present", "mint 40"):  # fmt: skip
        assert words in done.out
    assert "error: there is no file 'no.csv'" in done.err
    assert "next:" in done.err
    out = smellnet.with_name("mint.jsonl")
    made = thymos("smell", "convert", smellnet, out)
    assert (made.code, made.out) == (0, "")
    assert f"wrote {out}: smellframe, 40 rows" in made.err


def test_check_tells_rates_and_reasons(smellnet: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text(OWN)
    code, (first, second) = checked(smellnet, own)
    assert code == 0
    assert (first["format"], second["format"]) == ("smellnet", "csv")
    (nose,) = second["noses"]
    assert nose["measured_hz"] == pytest.approx(4.0)
    assert nose["seconds"] == 1.75
    assert nose["channels"][0]["invalid"] == {"out_of_range": 1}
    (nose,) = first["noses"]
    assert nose["measured_hz"] == 0.0
    reasons = {c["name"]: c["invalid"] for c in nose["channels"]}
    assert reasons["Benzene"] == {"sentinel": 40}
    assert reasons["Gas_Resistance"] == {"stuck": 10}
    assert reasons["NO2"] == {}


def test_a_folder_is_told_line_by_line(smellnet: Path, tmp_path: Path) -> None:
    folder = tmp_path / "many" / "deep"
    folder.mkdir(parents=True)
    for n in range(9):
        (folder / f"mint_{n}.csv").write_bytes(smellnet.read_bytes())
    (folder / "LICENSE").write_text("no nose")
    code, out = run("check", tmp_path / "many")
    assert code == 0
    assert out.count("smellnet") == 9
    assert "40 rows" in out
    assert "9 files, 0 with errors" in out
    (folder / "bad.csv").write_text("t_s,NO2\n1\n")
    code, told = checked(tmp_path / "many")
    assert (code, len(told)) == (1, 10)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ThymosError, match="holds no file of a nose"):
        run("check", tmp_path / "empty")


def test_texts_of_files_do_not_reach_the_terminal(tmp_path: Path) -> None:
    evil = "[red]x[/red]\x1b[2J\x07\u202e"
    path = tmp_path / "a.csv"
    path.write_text(f"t_s,NO2{evil},label\n0,1,{evil}\n1,2,{evil}\n")
    code, out = run("check", path)
    assert code == 0
    assert "odours: [red]x[/red][2J 2" in out
    assert not any(c in out for c in "\x1b\x07\u202e")
    path.write_text(f"t_s,NO2\n0,{evil}\n1,2\n2,3\n")
    code, (told,) = checked(path)
    assert code == 1
    assert told["errors"][0].isprintable()


def test_damage_is_an_error_and_salvage_counts_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(OWN.replace("0.5,2e3,2e3,20", "0.5,2e3"))
    code, (told,) = checked(path)
    assert code == 1
    assert "line 4: 2 cells where 4 belong; 2 rows before it are readable" in told["errors"][0]
    assert "--salvage" in told["hint"]
    code, (told,) = checked(path, "--salvage")
    assert code == 1
    assert (told["rows"], told["left_out"]) == (7, 1)
    assert told["damage"] == ["line 4: 2 cells where 4 belong"]


@pytest.mark.parametrize(
    ("names", "same"),
    [
        (("a.jsonl", "b.csv:smellnet"), True),
        (("a.mcap", "b.csv:smellnet"), True),
        (("a.csv:exchange", "b.csv:smellnet"), True),
        (("a.parquet", "b.csv:smellnet"), True),
        (("a.csv:smellnet",), True),
        (("a.csv",), False),
    ],
)
def test_there_and_back(smellnet: Path, tmp_path: Path, names: tuple[str, ...], same: bool) -> None:
    if any(name.endswith(".parquet") for name in names):
        pytest.importorskip("pyarrow")
    folder = tmp_path / "out"
    folder.mkdir()
    step = smellnet
    for text in names:
        name, _, to = text.partition(":")
        more = ["--to", to] if to else []
        code, out = run("convert", step, folder / name, *more, "--json")
        assert code == 0
        (told,) = json.loads(out)
        assert told["left_out"] == 0
        step = folder / name
    assert (step.read_bytes() == smellnet.read_bytes()) is same
    if not same:
        assert "odorants" in told["not_kept"]


def test_a_gas_array_says_what_it_cannot_hold(smellnet: Path, tmp_path: Path) -> None:
    code, out = run("convert", smellnet, tmp_path / "a.mcap", "--to", "gas-bag", "--json")
    assert code == 0
    (told,) = json.loads(out)
    assert {"odorants", "session", "further columns"} <= set(told["not_kept"])
    code, (told,) = checked(tmp_path / "a.mcap")
    assert (code, told["format"], told["rows"]) == (0, "gas-bag", 40)


def test_several_inputs_become_one_set_or_a_folder(smellnet: Path, tmp_path: Path) -> None:
    smellnet = smellnet.rename(tmp_path / "mint.0a1b2c3d4e5f.csv.csv")
    other = smellnet.with_name("tea_2.csv")
    other.write_bytes(smellnet.read_bytes())
    run("convert", smellnet, other, tmp_path / "all.jsonl")
    code, (told,) = checked(tmp_path / "all.jsonl")
    assert (code, told["rows"], told["labels"]) == (0, 80, {"mint": 40, "tea": 40})
    folder = tmp_path / "each"
    folder.mkdir()
    run("convert", smellnet, other, folder, "--to", "exchange")
    names = sorted(p.name for p in folder.iterdir())
    assert names == [
        "mint.0a1b2c3d4e5f.csv", "mint.0a1b2c3d4e5f.json", "tea_2.csv", "tea_2.json"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("{in}",), "an input and an output are needed"),
        (("{in}", "a.xyz"), "does not tell what is to be written"),
        (("{in}", "a.csv", "--to", "hologram"), "'hologram' cannot be written"),
        (("{in}", "{in}", "a.csv"), "2 inputs do not fit into one 'csv'"),
        (("{in}", "a.bmerawdata"), "do not come from such a file"),
        (("{in}", "{in}"), "exists"),
        (("{in}", "{in}", "--force"), "is the input itself"),
        (("no.csv", "a.jsonl"), "there is no file"),
        (("{in}", "no/a.jsonl"), "cannot write"),
    ],
)
def test_what_cannot_be(
    smellnet: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    args: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(ThymosError, match=said) as wrong:
        run("convert", *(str(smellnet) if a == "{in}" else a for a in args))
    assert wrong.value.hint
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_sidecar_of_somebody_else_is_not_replaced(smellnet: Path, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(ThymosError, match=r"a.json' exists and is another"):
        run("convert", smellnet, tmp_path / "a.csv", "--to", "exchange")
    assert not (tmp_path / "a.csv").exists()
    run("convert", smellnet, tmp_path / "a.csv", "--to", "exchange", "--force")
    assert "substance" in (tmp_path / "a.json").read_text()


def test_features_go_between_csv_and_libsvm_only(tmp_path: Path) -> None:
    path = tmp_path / "batch1.dat"
    path.write_text("1;10.0 " + " ".join(f"{i}:{i}.50" for i in range(1, 129)) + " \n")
    run("convert", path, tmp_path / "batch1.csv", "--to", "uci-drift-csv")
    code, (told,) = checked(tmp_path / "batch1.csv")
    assert (code, told["features"], told["labels"]) == (0, 128, {"Ethanol": 1})
    run("convert", tmp_path / "batch1.csv", tmp_path / "back.dat")
    assert (tmp_path / "back.dat").read_bytes() == path.read_bytes()
    with pytest.raises(ThymosError, match="features of exposures, not readings"):
        run("convert", path, tmp_path / "a.jsonl")
    with pytest.raises(ThymosError, match="features, not readings"):
        run("convert", path, tmp_path / "a.csv", "--to", "exchange")
    assert not (tmp_path / "a.jsonl").exists()


def test_ohms_by_the_formula_of_the_data_set(tmp_path: Path) -> None:
    path = tmp_path / "000_Et_H_CO_n"
    path.write_text("".join(f"{t},23,50,{','.join(['700'] * 8)}\n" for t in range(3)))
    run("convert", path, tmp_path / "a.jsonl", "--ohms")
    first = json.loads((tmp_path / "a.jsonl").read_text().split("\n")[0])
    assert first["nose"]["channels"][0]["unit"] == "ohm"
    assert first["values"][0] == pytest.approx(10 * (3110 - 700) / 700 * 1000)
    run("convert", tmp_path / "a.jsonl", tmp_path / "001_Et_H_CO_n", "--to", "turbulent-mixtures")
    assert (tmp_path / "001_Et_H_CO_n").read_bytes() == path.read_bytes()
