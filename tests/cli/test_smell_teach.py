"""`thymos smell teach`, `taught`, `forget`, as a person types them."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from thymos.cli.main import app
from thymos.config import PerceiveConfig
from thymos.devices import open_uri
from thymos.errors import CalibrationError, ConfigError, ThymosError
from thymos.perceive.smell import SmellPerceiver
from thymos.samples import each

RUN = CliRunner()


def nose(odour: str, seed: int = 7) -> str:
    """A simulated nose that is held to an odour three times."""
    events = ",".join(f"{odour}@{begin}-{begin + 35}" for begin in (20, 160, 300))
    return f"sim:?pace=0&seconds=400&seed={seed}&events={events}"


@pytest.fixture(autouse=True)
def own_store(tmp_path, monkeypatch):
    monkeypatch.setenv("THYMOS_CALIBRATION", str(tmp_path / "calibrations"))


def run(*args: str | Path) -> str:
    done = RUN.invoke(app, ["smell", *map(str, args)])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def refusal(*args: str | Path) -> ThymosError:
    done = RUN.invoke(app, ["smell", *map(str, args)])
    assert isinstance(done.exception, ThymosError), done.output
    assert done.exception.hint
    return done.exception


def guesses(odour: str) -> set[tuple[str, bool]]:
    """What the street's perceiver says of an odour it never saw in this run (other noise)."""
    perceiver, said = SmellPerceiver(PerceiveConfig()), set()
    source = open_uri("enose", f"sim:?pace=0&seconds=55&seed=11&events={odour}@20-50")
    assert source is not None
    with source:
        perceiver.start(source.spec)
        for sample in each(source):
            perceiver.observe(sample)
            if perceiver.guess is not None:
                said.add((perceiver.guess.label, perceiver.guess.taught))
    return said


def test_a_taught_odour_is_recognised_by_the_street_and_can_be_forgotten():
    told = json.loads(run("teach", "Mum's Coffee", "--enose", nose("coffee"), "--json"))
    assert (told["odour"], told["sniffs"]) == ("mum's coffee", 3)
    run("teach", "orange peel", "--enose", nose("orange"))
    assert guesses("coffee") == {("mum's coffee", True)}
    assert guesses("orange") == {("orange peel", True)}
    assert guesses("smoke") == {("unknown", False)}
    rows = json.loads(run("taught", "--json"))
    assert [row["odour"] for row in rows] == ["mum's coffee", "orange peel"]
    assert "orange peel" in run("taught")
    run("forget", "MUM'S coffee")
    assert ("mum's coffee", True) not in guesses("coffee")
    assert "forgotten" in run("forget", "orange peel", "--json")
    assert json.loads(run("taught", "--json")) == []


def test_what_it_stands_for_is_said_shown_and_kept():
    told = json.loads(
        run("teach", "our stove", "--means", "Gas Leak", "--enose", nose("coffee"), "--json")
    )
    assert (told["means"], told["danger"], told["sniffs"]) == ("gas", "gas_leak", 3)
    run("teach", "mum's cake", "--enose", nose("orange"))
    shown = run("taught")
    assert "stands for" in shown
    assert "gas (warns people)" in shown
    more = json.loads(run("teach", "our stove", "--enose", nose("coffee", 8), "--json"))
    assert (more["means"], more["sniffs"]) == ("gas", 6)  # what was said stays
    later = json.loads(run("teach", "Mum's Cake", "--means", "vanilla", "--json"))
    assert (later["means"], later["danger"], later["sniffs"]) == ("vanilla", "none", 3)
    again = json.loads(run("teach", "our stove", "--means", "smoke", "--json"))
    assert (again["means"], again["sniffs"]) == ("smoke", 6)
    rows = {row["odour"]: row["means"] for row in json.loads(run("taught", "--json"))}
    assert rows == {"our stove": "smoke", "mum's cake": "vanilla"}


def test_a_class_that_is_none_is_refused_with_near_matches(tmp_path):
    error = refusal("teach", "our stove", "--means", "smoek", "--enose", "serial:/dev/none")
    assert "'smoek' is not in the odour table" in str(error)
    assert "near: smoke" in error.hint
    far = refusal("teach", "our stove", "--means", "xyzzy", "--from", tmp_path / "a.csv")
    assert "dangers: smoke, gas, solvent, spoiled food" in far.hint
    refusal("teach", "our stove", "--means", "air", "--enose", "sim:")
    assert "thymos smell taught" in refusal("teach", "our stove", "--means", "gas").hint
    assert json.loads(run("taught", "--json")) == []


def test_it_says_what_to_do_and_why_a_sniff_is_refused():
    events = "coffee@20-25,coffee@120-155,coffee@260-295,coffee@400-435"
    done = RUN.invoke(
        app, ["smell", "teach", "x", "--enose", f"sim:?pace=0&seconds=500&events={events}"]
    )
    assert done.exit_code == 0, done.output
    for words in ("clean air", "hold it to the nose", "take it away", "refused: the smell went"):
        assert words in done.stderr


def test_a_nose_that_ends_too_soon_teaches_nothing():
    error = refusal("teach", "x", "--enose", "sim:?pace=0&seconds=70&events=coffee@20-55")
    assert isinstance(error, CalibrationError)
    assert "1 of 3 sniffs" in str(error)
    assert json.loads(run("taught", "--json")) == []


def test_air_is_no_odour():
    assert "no change" in str(refusal("teach", "x", "--enose", "sim:?pace=0&seconds=900"))


@pytest.mark.parametrize("name", ["", "unknown", "!!", "y" * 50])
def test_names_that_are_none_are_refused_before_anything_is_opened(name):
    assert isinstance(refusal("teach", name, "--enose", "serial:/dev/none"), ConfigError)


def test_where_from_must_be_said_once(tmp_path):
    refusal("teach", "x")
    refusal("teach", "x", "--enose", "sim:", "--from", tmp_path / "a.csv")


def test_forgetting_what_nobody_taught_is_told():
    assert "thymos smell taught" in refusal("forget", "tea").hint
    run("taught")


def write(path: Path, sniffs: int = 1) -> Path:
    """A recording of clean air and sniffs, in ohm, half a second apart."""
    rng = np.random.default_rng(5)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["t_s", "A [ohm]", "B [ohm]", "C [ohm]"])
        felt, n = 0.0, 0
        for seconds, to in [(25, 0.0), *[(40, 1.0), (40, 0.0)] * sniffs]:
            for _ in range(2 * seconds):
                felt += (to - felt) * (0.4 if to else 0.1)
                pattern = np.array([1.0, 0.1, 0.5]) * felt
                row = np.array([1e4, 2e4, 3e4]) * np.exp(-pattern + rng.normal(0, 0.002, 3))
                rows.writerow([n / 2, *np.round(row, 1)])
                n += 1
    return path


def test_recordings_teach_too_and_must_say_of_which_nose(tmp_path):
    files = [write(tmp_path / f"{i}.csv") for i in range(3)]
    given = [part for file in files for part in ("--from", file)]
    assert "--nose" in refusal("teach", "tea", *given).hint
    assert "twice" in str(refusal("teach", "tea", "--nose", "S1", *given, "--from", files[0]))
    few = refusal("teach", "tea", "--nose", "S1", *given[:2])
    assert "too few" in str(few)
    told = json.loads(run("teach", "tea", "--nose", "S1", *given, "--json"))
    assert (told["nose"], told["sniffs"], told["refused"]) == ("S1", 3, [])
    more = run("teach", "tea", "--nose", "S1", "--json", "--from", write(tmp_path / "d.csv", 2))
    assert json.loads(more)["sniffs"] == 5
    run("teach", "tea", "--nose", "S2", *given)
    assert "--nose" in refusal("forget", "tea").hint
    run("forget", "tea", "--nose", "S2")
    assert [row["nose"] for row in json.loads(run("taught", "--json"))] == ["S1"]


def test_other_channels_and_other_noses_lose_nothing(tmp_path):
    files = [write(tmp_path / f"{i}.csv") for i in range(3)]
    run("teach", "tea", "--nose", "S1", *[part for f in files for part in ("--from", f)])
    other = tmp_path / "other.csv"
    other.write_text(files[0].read_text().replace("C [ohm]", "D [ohm]"))
    error = refusal("teach", "tea", "--nose", "S1", "--from", other)
    assert "other channels" in str(error)
    assert "forget" in error.hint
    (row,) = json.loads(run("taught", "--json"))
    assert (row["sniffs"], row["channels"]) == (3, ["A", "B", "C"])
    live = "simulated electronic nose"
    run("teach", "rum", "--nose", live, *[part for f in files for part in ("--from", f)])
    done = RUN.invoke(app, ["smell", "teach", "rum", "--enose", nose("coffee")])
    assert "other channels" in str(done.exception)
    assert "sniff 1" not in done.stderr  # told before the lesson
    run("forget", "rum")
    given = ("--from", files[0], "--from", other)
    assert "another nose" in str(refusal("teach", "soup", "--nose", "S1", *given))
    one = refusal("teach", "soup", "--nose", "S1", "--from", files[0])
    assert "1 good sniff is too few" in str(one)


def test_asking_of_a_nose_that_is_none_makes_no_folder(tmp_path):
    run("teach", "tea", "--enose", nose("coffee"))
    for asked in (("forget", "tea"), ("teach", "tea", "--means", "gas")):
        assert "not taught" in str(refusal(*asked, "--nose", "nobody"))
    assert len(list((tmp_path / "calibrations/enose-taught").iterdir())) == 1


def test_names_of_noses_cannot_move_the_cursor(tmp_path):
    store = tmp_path / "calibrations/enose-taught/S1/odours.json"
    files = [write(tmp_path / f"{i}.csv") for i in range(3)]
    run("teach", "tea", "--nose", "S1", *[part for f in files for part in ("--from", f)])
    store.write_text(store.read_text().replace('"S1"', '"S1\\u001b[2J"'))
    assert "\x1b" not in run("taught")
    assert "\\u001b" in json.dumps(json.loads(run("taught", "--json")))


def test_recordings_that_are_none_teach_nothing(tmp_path):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "other.csv").write_text("hello\nworld\n")
    for name in ("empty.csv", "other.csv", "none.csv"):
        refusal("teach", "tea", "--nose", "S1", "--from", tmp_path / name)
    assert json.loads(run("taught", "--json")) == []


def test_smellnet_recordings_are_whole_sniffs(data_dir):
    files = sorted((data_dir / "enose/smellnet/train/garlic").glob("*.csv"))[:3]
    given = [part for file in files for part in ("--from", file)]
    told = json.loads(run("teach", "my garlic", "--nose", "N", *given, "--json"))
    assert told["sniffs"] == 3


def test_a_damaged_store_is_told_and_the_others_are_listed(tmp_path):
    run("teach", "tea", "--enose", nose("coffee"))
    broken = tmp_path / "calibrations/enose-taught/S9/odours.json"
    broken.parent.mkdir()
    broken.write_text("{")
    done = RUN.invoke(app, ["smell", "taught", "--json"])
    assert [row["odour"] for row in json.loads(done.stdout)] == ["tea"]
    assert "S9" in done.stderr
    done = RUN.invoke(app, ["smell", "forget", "other"])
    assert isinstance(done.exception, CalibrationError)
    assert "S9" in done.stderr


def test_a_store_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("THYMOS_CALIBRATION", str(tmp_path / "file"))
    error = refusal("teach", "tea", "--enose", nose("coffee"))
    assert "THYMOS_CALIBRATION" in error.hint


def test_ctrl_c_teaches_nothing():
    command = [sys.executable, "-m", "thymos", "smell", "teach", "tea", "--enose", "sim:"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        first = child.stderr.readline()
        assert "clean air" in first
        child.send_signal(signal.SIGINT)
        rest = child.stderr.read()
    assert child.returncode == 1
    assert "nothing was taught" in rest
    assert json.loads(run("taught", "--json")) == []
