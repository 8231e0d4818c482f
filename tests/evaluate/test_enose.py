"""The drift protocol: its targets on the real batches, and the same on a folder of one's own."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from thymos.cli.main import app
from thymos.errors import ConfigError, MediaError
from thymos.evaluate.enose import line_of, run_experiment, scored_with
from thymos.evaluate.enose_folder import AIR, folder_set, read_folder
from thymos.evaluate.enose_methods import BEST, LABELLED, ONLINE, Method, methods
from thymos.evaluate.enose_more import alarms, diverse, label_shift
from thymos.evaluate.enose_parts import Part, join, read_uci
from thymos.evaluate.enose_show import lines, picture


def named(*names: str) -> list[Method]:
    return [method for method in methods() if method.name in names]


@pytest.fixture(scope="module")
def batches(data_dir):
    return read_uci(data_dir / "enose/uci_drift")


@pytest.fixture(scope="module")
def scored(batches):
    pytest.importorskip("sklearn")
    chosen = named("majority class of the source", "SVM, z of the source", BEST, ONLINE, LABELLED)
    later = [b.name for b in batches if b.name in ("2", "3", "4", "5")]
    return run_experiment(batches, ["1"], later, orders=3, chosen=chosen)


@pytest.mark.data
def test_the_targets_hold_on_the_real_batches(scored):
    assert scored.line("SVM, z of the source").mean.value == pytest.approx(0.45, abs=0.02)
    assert scored.line(BEST).mean.value >= 0.95  # asked: 0.85
    assert scored.line(ONLINE).mean.value >= 0.90  # asked: 0.78
    assert scored.line(LABELLED).mean.value >= 0.96  # asked: 0.95
    assert scored.line(ONLINE).spread < 0.02
    assert len(scored.line(LABELLED).cells["4"].runs) == 3
    assert min(scored.line(BEST).cells[n].accuracy.low for n in ("2", "3", "4", "5")) > 0.85


@pytest.mark.data
def test_other_balances_of_odours_stay_above_the_naive_ones(batches):
    pytest.importorskip("sklearn")
    found = dict(label_shift(batches[0], batches[4:5], seed=0).rows)
    assert found[BEST][0] > found["logistic regression, z of each batch"][0]
    assert min(found[BEST][:2]) > 0.8


@pytest.mark.data
def test_the_alarm_is_silent_on_the_source_and_heard_on_every_later_batch(batches):
    found = dict(alarms(batches[0], batches[3:5], seed=0).rows)
    assert found.pop("held-out rows of the source: false alarms")[0] <= 0.01
    assert found["part 4"] == found["part 5"] == found["simulated: one sensor dead"] == [1.0]
    assert found["simulated: one sensor loses 10%"][0] < 0.1
    assert all(v[0] == 1.0 for name, v in found.items() if name.endswith("never learnt"))


@pytest.mark.data
def test_the_batches_read_alike_from_csv_and_libsvm(batches, data_dir, tmp_path):
    gases = ("Ethanol", "Ethylene", "Ammonia", "Acetaldehyde", "Acetone", "Toluene")
    for batch in (batches[0], batches[3]):
        rows = [
            f"{gases.index(gas) + 1};10.0 " + " ".join(f"{i}:{v!r}" for i, v in enumerate(x, 1))
            for gas, x in zip(batch.y[:40], batch.x[:40].tolist(), strict=True)
        ]
        (tmp_path / f"batch{batch.name}.dat").write_text("\n".join(rows) + "\n", "utf-8")
    one, four = read_uci(tmp_path)
    assert [one.name, four.name] == ["1", "4"]
    np.testing.assert_array_equal(four.x, batches[3].x[:40])
    np.testing.assert_array_equal(one.y, batches[0].y[:40])


def test_missing_and_damaged_batches_say_so(tmp_path):
    with pytest.raises(MediaError, match="does not hold batch1"):
        read_uci(tmp_path)
    for number in (1, 2):
        (tmp_path / f"batch{number}.dat").write_text("1;10 1:0.5 2:zwei\n", "utf-8")
    with pytest.raises(MediaError):
        read_uci(tmp_path)
    for number in (1, 2):
        (tmp_path / f"batch{number}.dat").write_bytes(b"")
    with pytest.raises(MediaError, match="empty"):
        read_uci(tmp_path)


# -- the arithmetic


def test_means_are_over_parts_and_intervals_are_of_rows():
    parts = [
        Part("a", np.zeros((100, 1)), np.full(100, "x")),
        Part("b", np.zeros((10, 1)), np.full(10, "x")),
    ]
    line = line_of("m", "online", {"a": [0.8, 1.0], "b": [0.4, 0.6]}, parts, seed=0)
    assert line.mean.value == pytest.approx(0.7)
    assert line.spread == pytest.approx(0.1)
    assert line.worst == 0.4
    a, b = line.cells["a"].accuracy, line.cells["b"].accuracy
    assert a.value == pytest.approx(0.9)
    assert a.low < 0.9 < a.high
    assert b.high - b.low > 2 * (a.high - a.low)


def test_labelled_rows_are_not_scored_and_online_rows_keep_their_order():
    part = Part("p", np.arange(12.0)[:, None], np.array(list("aabbaabbaabb")))

    def cheat(source, x, told):
        return np.where(told == "", "none", told)

    assert scored_with(Method("m", "labelled", cheat), part, part, np.arange(4)) == 0.0
    seen = []

    def watch(source, x, told):
        assert (told == "").all()
        seen.append(x[:, 0].tolist())
        return np.full(len(x), "a")

    run_experiment(
        [part], ["p"], ["p"], orders=2, labels=3, seed=5, chosen=[Method("w", "online", watch)]
    )
    with pytest.raises(ConfigError, match="12 rows: 20 labelled ones leave none"):
        run_experiment([part], ["p"], ["p"], chosen=[])
    assert sorted(seen[0]) == sorted(seen[1]) == part.x[:, 0].tolist()
    assert seen[0] != seen[1]


def test_diverse_samples_stand_for_every_cloud():
    rng = np.random.default_rng(0)
    clouds = np.concatenate([rng.normal(size=(n, 2)) + c for n, c in ((200, 0), (20, 30), (5, 90))])
    drawn = diverse(clouds, 3)
    assert sorted(np.digitize(sorted(drawn), [200, 220])) == [0, 1, 2]
    assert diverse(clouds, 3) == drawn
    assert len(diverse(clouds[:2], 5)) == 2


# -- a folder of one's own


def write_folder(folder, *, days: int = 3, leak: bool = False, kind: str = "session"):
    """Sniffs of three odours on several days, each day with its gains."""
    rng = np.random.default_rng(7)
    shape = rng.uniform(1, 30, (3, 5))
    rows = [f"label,{kind}," + ",".join(f"r{i}" for i in range(5)) + ",temperature,humidity"]
    for day in range(1, days + 1):
        gain = np.exp(0.5 * (day - 1) * rng.normal(size=5))
        for n in range(60):
            odour = n % 3
            values = gain * shape[odour] * np.exp(0.05 * rng.normal(size=5))
            air = (20 + 5 * odour * leak + 0.1 * rng.normal(), 50 + rng.normal())
            cells = [f"{v:.6g}" for v in (*values, *air)]
            rows.append(",".join([("tea", "rum", "mint")[odour], f"day {day}", *cells]))
    folder.mkdir(exist_ok=True)
    (folder / "sniffs.csv").write_text("\n".join(rows) + "\n", "utf-8")
    return folder


def test_a_folder_is_read_by_its_columns(tmp_path):
    kind, parts = read_folder(write_folder(tmp_path / "lab", days=11))
    assert kind == "session"
    assert [p.name for p in parts][:3] == ["day 1", "day 2", "day 3"]
    assert parts[-1].name == "day 11"
    assert parts[0].x.shape == (60, 5)
    assert parts[0].air.shape == (60, 2)
    assert len(join(parts).y) == 660


@pytest.mark.parametrize(("protocol", "sources"), [
    ("first", ["day 1"]), ("previous", ["day 1", "day 2"]),
    ("leave-one-out", ["day 2 + day 3", "day 1 + day 3", "day 1 + day 2"]),
])  # fmt: skip
def test_another_lab_gets_the_same_table(tmp_path, protocol, sources):
    pytest.importorskip("sklearn")
    told = []
    result = folder_set(
        write_folder(tmp_path / "lab"), protocol=protocol, orders=2, labels=6,
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert [e.source for e in result.experiments] == sources
    assert told[-1][0] == told[-1][1]
    first = result.experiments[0]
    assert first.line(BEST).mean.value > 0.9
    assert first.line(AIR).mean.value < 0.6
    text = "\n".join(lines(result))
    assert "LEAK CHECK" in text
    assert "| random forest, z of the source |" in text
    json.dumps(result.data(), allow_nan=False)


def test_a_leak_of_the_session_is_told(tmp_path):
    pytest.importorskip("sklearn")
    result = folder_set(write_folder(tmp_path / "lab", leak=True), orders=1, labels=6)
    assert result.experiments[0].line(AIR).mean.value > 0.9
    assert any("temperature, humidity and pressure alone reach" in note for note in result.notes)


@pytest.mark.parametrize(("change", "message"), [
    (lambda t: t.replace("label,", "what,", 1), "no column of labels or of parts"),
    (lambda t: t.replace("session,", "when,", 1), "no column of labels or of parts"),
    (lambda t: t + "tea,day 1,1,2\n", "line 182: not 9 cells"),
    (lambda t: t + "tea,day 1,1,2,3,x,5,6,7\n", "column 'r3': could not convert"),
    (lambda t: t + "tea,day 1,1,2,3,nan,5,6,7\n", "column 'r3' holds NaN or infinity"),
    (lambda t: t.replace("day 2", "day 1").replace("day 3", "day 1"), "same in all rows"),
    (lambda t: t.splitlines()[0] + "\n", "has no rows"),
    (lambda t: "", "has no rows"),
    (lambda t: t.replace("r1,", "r0,", 1), "stands twice"),
])  # fmt: skip
def test_bad_tables_are_refused_in_words(tmp_path, change, message):
    file = write_folder(tmp_path / "lab") / "sniffs.csv"
    file.write_text(change(file.read_text("utf-8")), "utf-8")
    with pytest.raises(MediaError, match=message):
        read_folder(tmp_path / "lab")


def test_other_bad_folders(tmp_path):
    with pytest.raises(MediaError, match=r"holds no \.csv or \.parquet"):
        read_folder(tmp_path)
    with pytest.raises(MediaError, match="no protocol 'all'"):
        folder_set(tmp_path, protocol="all")
    folder = write_folder(tmp_path / "lab")
    (folder / "b.csv").write_text("label,session,other\ntea,d,1\n", "utf-8")
    with pytest.raises(MediaError, match="different columns"):
        read_folder(folder)
    (folder / "b.csv").write_bytes(b"\xff\xfe\x00label")
    with pytest.raises(MediaError, match="cannot read"):
        read_folder(folder)


def test_the_command_writes_table_json_and_picture(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    folder = write_folder(tmp_path / "lab", kind="device")
    out = tmp_path / "result"
    call = ["eval", "enose", str(folder), "--set", "folder", "--orders", "2", "--labels", "6"]
    done = CliRunner().invoke(app, [*call, "--json", "--out", str(out)])
    assert done.exit_code == 0, done.output
    result = json.loads((out / "result.json").read_text("utf-8"))
    assert result["part_kind"] == "device"
    assert result["experiments"][0]["lines"][0]["cells"]
    assert (out / "table.md").read_text("utf-8").startswith("## Trained on day 1")
    svg = (out / "accuracy-1.svg").read_text("utf-8")
    assert svg.startswith("<svg")
    assert "aligned offline" in svg
    bad = CliRunner().invoke(app, [*call[:3], "--set", "nonsense"])
    assert isinstance(bad.exception, ConfigError)
    assert str(bad.exception) == "there is no set 'nonsense'"


def test_a_single_part_gives_no_picture(tmp_path):
    _, parts = read_folder(write_folder(tmp_path / "lab"))
    only = run_experiment(parts, ["day 1"], ["day 2"], chosen=named(BEST))
    assert picture(only) == ""
    with pytest.raises(ConfigError, match="no method 'other'"):
        only.line("other")


def test_smell_frames_become_one_row_a_recording(tmp_path):
    pytest.importorskip("pyarrow")
    from thymos.smell.frame import Channel, Fault, Nose, Odorant, SmellFrame
    from thymos.smell.parquet import write_frames

    nose = Nose("GM", "1", (Channel("NO2", "ohm"), Channel("CO", "ohm")), ("humidity",))
    made = []
    for session in range(6):
        odour = Odorant(("tea", "rum")[session % 2])
        for i in range(8):
            values = np.array([100.0 + i, 7.0])
            made.append(
                SmellFrame(
                    nose, i, session * 43_200 * 10**9 + i * 10**9, values,
                    (Fault.NONE, Fault.NONE if i else Fault.RAIL),
                    humidity_percent=40.0 + session, odorants=(odour,), session=f"s{session}",
                )
            )  # fmt: skip
    (tmp_path / "frames").mkdir()
    write_frames(tmp_path / "frames/train-00000.parquet", made)
    (tmp_path / "sessions.csv").write_text("session,split\ns0,train\n", "utf-8")
    assert [p.name for p in read_folder(tmp_path)[1]] == ["1970-01-01", "1970-01-02", "1970-01-03"]
    kind, parts = read_folder(tmp_path, "session")
    assert kind == "session"
    assert [(p.name, p.y.tolist()) for p in parts[:2]] == [("s0", ["tea"]), ("s1", ["rum"])]
    assert parts[0].x[0, 0] == 100.0
    assert parts[3].x[0, 4] == 107.0
    assert parts[2].x[0, 5:].tolist() == [7.0] * 5
    assert parts[2].air.tolist() == [[42.0]]
    with pytest.raises(MediaError, match="same in all rows"):
        read_folder(tmp_path, "device")


@pytest.mark.parametrize("place", ["enose/uci_drift", "uci_drift", ""])
def test_a_set_is_found_below_the_folder_of_all_data(tmp_path, place):
    from thymos.cli.eval_enose import _folder_of

    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    assert _folder_of(tmp_path, "uci_drift") == tmp_path / place
