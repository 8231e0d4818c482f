"""Damaged files: one clear error with path, line and what to do; salvage keeps the rest."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path

import pytest

from thymos.errors import MediaError
from thymos.smell import formats
from thymos.smell.formats import FormatError

CSV = "t_s,NO2,CO\n0,1,2\n1,3,4\n2,5,6\n"
KEYS = ("sensor_index", "heater_profile_step_index", "timestamp_since_poweron",
        "resistance_gassensor")  # fmt: skip


def log(rows: str) -> str:
    columns = json.dumps([{"key": key} for key in KEYS])
    return f'{{"rawDataBody": {{"dataColumns": {columns}, "dataBlock": [\n{rows}\n]}}}}\n'


LOG = log("[0, 0, 1, 1e5],\n[0, 1, 2, 1e5],\n[0, 0, 3, 1e5]")
DRIFT = "".join(
    f"{label};10.0 " + " ".join(f"{i}:{i}.5" for i in range(1, 129)) + " \n" for label in (1, 2, 6)
)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(path: Path) -> FormatError:
    """The one error that reading a file to its end gives."""

    def read_all() -> None:
        for _ in formats.read(path).rows():
            pass

    with pytest.raises(FormatError) as wrong:
        read_all()
    error = wrong.value
    assert str(path) in str(error)
    assert "\n" not in str(error)
    assert error.hint
    return error


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (gzip.compress(CSV.encode()), r"is packed \(gzip\)"),
        (b"PK\x03\x04....", r"is packed \(zip\)"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS pointer"),
        (CSV.encode("utf-16"), "is UTF-16"),
        (b"t_s,NO2\n1,\x00\n", "NUL byte"),
        (b"t_s,NO2\r1,2\r2,3\r", "single carriage returns"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "NUL byte"),
        (b"1,2,3\n4,5,6\n", "no file of a nose that is known"),
        (b"hello world\n", "no file of a nose that is known"),
        (b"Once upon a time in a land of noses, one smelt tea.\n", "no file of a nose"),
        (b"{\n1\n}\n", "no file of a nose"),
        (b"t_s,NO2\n", "holds a header and no row"),
        (b"t_s,NO2,CO,NO2\n1,2,3,4\n", r"column 'NO2' stands twice \(columns 2 and 4\)"),
        (b"t_s,NO2\n" + b"9" * 2_000_000, "longer than 1048576 characters"),
    ],
)  # fmt: skip
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    error = refusal(write(tmp_path / "a.csv", content))
    assert said.replace("\\", "") in str(error)


def test_empty_lines_without_end_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", b"t_s,NO2\n1,2\n" + (b" " * 1000 + b"\n") * 1200 + b"3,4\n")
    assert "empty lines and remarks" in str(refusal(path))


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="there is no file"):
        formats.read(tmp_path / "no.csv")
    with pytest.raises(FormatError, match="without readings of a nose"):
        formats.read(tmp_path)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("1,3", "2 cells where 3 belong"),
        ("1,3,4,5", "4 cells where 3 belong"),
        ("1,3,x", "'x' is no number"),
        ("1,3,1e999", "too large"),
        ("1,3," + "9" * 500, "a number of 500 characters"),
        ("1,3,1_000", "'1_000' is no number"),
        ("one,3,4", "'one' is no time"),
        ("1e300,3,4", "is no time"),
        ("nan,3,4", "'nan' is no time"),
        ("1,3,٤", "'٤' is no number"),
    ],
)
@pytest.mark.parametrize("name", ["csv", "smellnet"])
def test_a_damaged_row(tmp_path: Path, bad: str, said: str, name: str) -> None:
    path = write(tmp_path / "a.csv", CSV.replace("1,3,4", bad))
    if name == "smellnet":
        head = "NO2,C2H5OH,VOC,CO,Alcohol,LPG,Benzene\n"
        if "time" in said or "cells" in said:
            return
        cells = ",".join(["1"] * 6)
        path = write(path, f"{head}{cells},0\n{cells},{bad.split(',')[2]}\n{cells},2\n")
    error = refusal(path)
    assert said in str(error)
    assert (error.line, error.kept) == (3, 1)
    assert "1 rows before it are readable" in str(error)
    kept = formats.read(path, strict=False)
    assert [frame.seq for frame in formats.frames(kept)] == [0, 2]
    assert kept.damage.rows == 1
    assert kept.damage.places[0].startswith("line 3: ")


def test_decimal_commas_are_named(tmp_path: Path) -> None:
    error = refusal(write(tmp_path / "a.csv", "t_s;NO2\n0;1\n1;2,5\n"))
    assert "'2,5' has a decimal comma" in str(error)
    assert "point" in error.hint
    more = refusal(write(tmp_path / "b.csv", "t_s,NO2\n0,1\n1,2,5\n"))
    assert "perhaps decimal commas" in str(more)


def test_nothing_but_damage(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "t_s,NO2\n1\n2\n")
    assert refusal(path).line == 2
    with pytest.raises(FormatError, match="1 cells where 2 belong"):
        formats.read(path, strict=False)


def test_a_line_without_an_end_may_be_cut(tmp_path: Path) -> None:
    recording = formats.read(write(tmp_path / "a.csv", CSV[:-1]))
    assert len(list(recording.rows())) == 3
    assert recording.damage.cut


def test_bytes_in_a_foreign_encoding_within_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", b"t_s,NO2\n1,2\n2,\xb0\n")
    assert "no UTF-8" in str(refusal(path))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("[0, 1, 2]", "3 values where 4 belong"),
        ("[0, 1, 2, 1e999]", "too large"),
        ('[0, 1, 2, "x"]', "is no number"),
        ("[99, 1, 2, 1e5]", "sensor 99, heater step 1: there is none"),
        ("[0, 1, NaN, 1e5]", "is no time"),
        ("null", "is no list of numbers"),
        ("[[1], 2]", "is no list of numbers"),
        ("[0, 1, 2, 01]", "'01' is no number"),
        ("[0, 1, 2 1e5]", "'2 1e5' is no number"),
        ("[0, 1, 2, 1e5],", "comma"),
    ],
)
def test_a_damaged_row_of_a_log(tmp_path: Path, row: str, said: str) -> None:
    path = write(tmp_path / "a.bmerawdata", LOG.replace("[0, 1, 2, 1e5]", row))
    error = refusal(path)
    assert said in str(error)
    assert error.line >= 3
    assert error.kept in (1, 2)
    kept = formats.read(path, strict=False)
    made = list(formats.frames(kept))
    assert len(made) == 2
    assert kept.damage.rows >= 1
    assert made[0].t_ns == 1_000_000


@pytest.mark.parametrize("cut", range(150, len(LOG) - 8, 3))
def test_a_log_that_was_cut_off(tmp_path: Path, cut: int) -> None:
    """Whole rows before the cut are kept, and written as a file that is whole again."""
    path = write(tmp_path / "a.bmerawdata", LOG[:cut])
    error = refusal(path)
    whole = LOG[:cut].count("1e5]")
    assert error.kept == whole
    if not whole:
        return
    kept = formats.read(path, strict=False)
    assert len(list(kept.rows())) == whole
    assert kept.damage.rows == 1
    formats.write(kept, tmp_path / "b.bmerawdata")
    again = json.loads((tmp_path / "b.bmerawdata").read_text())
    assert len(again["rawDataBody"]["dataBlock"]) == whole
    assert len(list(formats.frames(formats.read(tmp_path / "b.bmerawdata")))) == whole


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "{}", "[" * 9999, '{"rawDataBody": 5}', "\x00",
        '{"rawDataBody": {"dataColumns": [], "dataBlock": [[1]]}}',
        '{"dataBlock": [[1, 2]], "rawDataBody": {}}',
        LOG.replace('"key": "sensor_index"', '"key": "heater_profile_step_index"'),
        LOG.replace("\n]}}", "\n]}"), LOG + "x",
        '{"rawDataBody": {"dataColumns": [{"key": 1}], "dataBlock": "',
        LOG.replace("dataBlock", "dataBlok"),
    ],
)  # fmt: skip
def test_what_is_no_log(tmp_path: Path, text: str) -> None:
    refusal(write(tmp_path / "a.bmerawdata", text))


def test_bytes_that_are_no_utf_8_in_a_log(tmp_path: Path) -> None:
    path = write(tmp_path / "a.bmerawdata", LOG.encode().replace(b"rawDataBody", b"raw\xffBody"))
    assert "UTF-8" in str(refusal(path))


@pytest.mark.parametrize("name", ["a.bmeconfig", "a.bmelabelinfo"])
@pytest.mark.parametrize("text", ["{", "[]", '{"configBody": {}}', '{"labelInformation": 3}'])
def test_damaged_settings(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(FormatError) as wrong:
        formats.read(write(tmp_path / name, text))
    assert wrong.value.hint


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("\n2;10.0 1:1.5", "\n2;10.0 2:1.5", "not numbered 1, 2, 3"),
        ("\n2;", "\nx;", "the label is 'x'"),
        (" 7:7.5", " 7:seven", "'seven' is no number"),
        (" 128:128.5 \n", "\n", "129 values where 130 belong"),
        (" 7:7.5", " 7:1e999", "too large"),
        (" 7:7.5", " 7:nan", "a value is missing"),
    ],
)
def test_damaged_features(tmp_path: Path, old: str, new: str, said: str) -> None:
    at = DRIFT.index("\n")
    damaged = DRIFT[:at] + DRIFT[at:].replace(old, new, 1)
    path = write(tmp_path / "batch1.dat", damaged)
    error = refusal(path)
    assert said in str(error)
    assert (error.line, error.kept) == (2, 1)
    kept = formats.read(path, strict=False)
    assert [e.gas for e in kept.exposures()] == ["Ethanol", "Toluene"]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", CSV.replace("1,3,4", "1,3"))
    (tmp_path / "b.csv").write_text("old")
    with pytest.raises(FormatError):
        formats.write(formats.read(path), tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.csv", "b.csv"]
    with pytest.raises(MediaError, match="cannot write"):
        formats.write(formats.read(path, strict=False), tmp_path / "no" / "b.csv")


@pytest.mark.parametrize("kind", ["csv", "bmerawdata"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, kind: str) -> None:
    """Ten times the rows take the same room: rows are streamed, in and out."""

    def peak(rows: int) -> int:
        path = tmp_path / f"{rows}.{kind}"
        if kind == "csv":
            path.write_text("t_s,NO2\n" + "".join(f"{n},{n % 7}\n" for n in range(rows)))
        else:
            path.write_text(log(",\n".join(f"[0, {n % 10}, {n}, 1e5]" for n in range(rows))))
        tracemalloc.start()
        recording = formats.read(path)
        formats.write(formats.from_frames(formats.frames(recording), recording.format),
                      tmp_path / "out")  # fmt: skip
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (tmp_path / "out").read_bytes() == path.read_bytes()
        return found

    few = peak(800)
    assert peak(8_000) < few + 1_000_000  # kept rows would take 5 MB
