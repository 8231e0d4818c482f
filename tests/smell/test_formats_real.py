"""Every real file of a nose, byte for byte: as it was read, and through smell frames.

With THYMOS_FORMAT_TABLE=FILE the table of docs/smell-formats.md is written there.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from thymos.smell import formats
from thymos.smell.check import problems
from thymos.smell.formats import FORMATS, FormatError
from thymos.smell.formats.compose import exchange
from thymos.smell.formats.convert import convert, open_source
from thymos.smell.formats.uci_drift import UciCsv, UciLibsvm
from thymos.smell.frame import Fault, SmellFrame

pytestmark = pytest.mark.data
SENTINEL = 4294967295.0


@dataclass
class Line:
    kind: str
    files: int = 0
    rows: int = 0
    raw: int = 0
    through: int = 0


TABLE: list[Line] = []


@pytest.fixture(scope="module", autouse=True)
def _table() -> Iterator[None]:
    yield
    place = os.environ.get("THYMOS_FORMAT_TABLE")
    if place:
        head = "| files | count | rows | written again: equal | through smell frames: equal |\n"
        rows = (
            f"| {t.kind} | {t.files} | {t.rows:,} | {t.raw} of {t.files} | "
            + (f"{t.through} of {t.files} |\n" if t.through >= 0 else "– |\n")
            for t in TABLE
        )
        Path(place).write_text(head + "|---|---|---|---|---|\n" + "".join(rows))


def digest(texts: Iterator[str]) -> str:
    made = hashlib.sha256()
    for text in texts:
        made.update(text.encode())
    return made.hexdigest()


def both_ways(kind: str, paths: list[Path], name: str) -> list[SmellFrame]:
    """Read each file, write it, and write it from its frames; returns a few frames of each."""
    line, some = Line(kind, len(paths)), []
    for path in paths:
        wanted = hashlib.sha256(path.read_bytes()).hexdigest()
        recording = formats.read(path)
        assert recording.format == name, path
        line.raw += digest(recording.texts()) == wanted
        made = list(formats.frames(recording))
        line.rows += len(made)
        line.through += digest(formats.from_frames(made, name).texts()) == wanted
        some += made[:: max(1, len(made) // 20)]
    TABLE.append(line)
    assert (line.raw, line.through) == (line.files, line.files)
    return some


@pytest.mark.parametrize("part", ["train", "test"])
def test_smellnet(data_dir: Path, part: str) -> None:
    paths = sorted((data_dir / "enose/smellnet" / part).glob("*/*.csv"))
    assert len(paths) == {"train": 250, "test": 50}[part]
    some = both_ways(f"SmellNet, {part}", paths, "smellnet")
    assert TABLE[-1].rows == {"train": 150_711, "test": 30_007}[part]
    assert {f.odorants[0].name for f in some} == {path.parent.name for path in paths}
    assert len({f.session for f in some}) == len(paths)
    names = tuple(channel.name for channel in some[0].nose.channels)
    assert all(tuple(c.name for c in f.nose.channels) == names for f in some)
    for frame in some:
        faults = [fault is Fault.SENTINEL for fault in frame.faults]
        assert faults == [value == SENTINEL for value in frame.values]
        assert problems(frame) == []
    assert part == "train" or any(Fault.SENTINEL in f.faults for f in some)


def test_the_typo_of_a_header_stays_in_the_file_only(data_dir: Path) -> None:
    (path,) = (data_dir / "enose/smellnet/test/lemon").glob("*.csv")
    recording = formats.read(path)
    assert "C2H50H" in recording.dialect.preamble
    assert recording.noses[0].channels[1].name == "C2H5OH"
    assert any("C2H50H" in words for words in recording.warnings)


def test_bme_logs(data_dir: Path) -> None:
    paths = sorted((data_dir / "enose/bme688/rawdata").glob("*.bmerawdata"))
    empty = [path for path in paths if path.stat().st_size == 0]
    assert len(empty) == 1
    with pytest.raises(FormatError, match=r"is empty \(0 bytes\)") as wrong:
        formats.read(empty[0])
    assert wrong.value.hint
    paths.remove(empty[0])
    some = both_ways("BME688 logs (.bmerawdata)", paths, "bmerawdata")
    assert TABLE[-1].rows == 44_200
    for frame in some:
        assert [f is not Fault.MISSING for f in frame.faults].count(True) == 1
        assert len(frame.nose.channels) == 10
        assert problems(frame) == []
        assert frame.nose.channels[0].heater_celsius == 320.0
        assert frame.nose.channels[3].heater_ns == 30 * 140_000_000
        assert abs(frame.t_ns / 1e9 - int(frame.extra["real_time_clock"])) < 30
    assert len({frame.nose.serial for frame in some}) == 8
    assert {o.name for f in some for o in f.odorants} >= {"Specimen avo41"}


def test_error_codes_of_bme_logs_are_faults(data_dir: Path) -> None:
    (path,) = (data_dir / "enose/bme688/rawdata").glob("*n7zf4wazr9s87xod*.bmerawdata")
    made = formats.frames(formats.read(path))
    (bad,) = [frame for frame in made if Fault.UNSTABLE in frame.faults]
    assert bad.extra["error_code"] == "1"
    assert "error 1" in bad.note


def test_bme_settings(data_dir: Path) -> None:
    folder = data_dir / "enose/bme688"
    for kind, ending in (("board settings", "bmeconfig"), ("label names", "bmelabelinfo")):
        paths = sorted(folder.rglob(f"*.{ending}"))
        line, made = Line(f"BME688 {kind} (.{ending})", len(paths), 0, 0, -1), 0
        for path in paths:
            found = formats.read(path)
            assert found.format == ending
            made += found.style is not None  # not all: boards mix their ends of lines
            line.raw += "".join(found.texts()).encode() == path.read_bytes()
            with pytest.raises(FormatError, match="settings and no readings"):
                next(formats.frames(found))
        TABLE.append(line)
        assert (line.raw, made) == (line.files, 3)
    config = FORMATS["bmeconfig"].read(folder / "gat3way/BoardConfiguration.bmeconfig")
    assert config.data["configBody"]["dutyCycleProfiles"][0]["numberSleepingCycles"] == 10


def test_bme_scans_without_header(data_dir: Path) -> None:
    paths = sorted((data_dir / "enose/bme688/gat3way").rglob("*.csv"))
    some = both_ways("BME688 scans (CSV without header)", paths, "bme-scans")
    assert TABLE[-1].rows == 1801 + 40
    labels = {o.name for f in some for o in f.odorants}
    assert labels == {path.stem for path in paths} - {"test"}
    first = some[0].nose.channels[13]
    assert (first.name, first.heater_step, first.heater_celsius) == ("c1_h3", 3, 100.0)


def test_uci_drift_as_csv_and_libsvm(data_dir: Path, tmp_path: Path) -> None:
    line = Line("UCI drift features, batches 1-5 (CSV)", 5, 0, 0, -1)
    twin = Line("the same as libsvm (made from the CSV), and back to CSV", 5, 0, 0, -1)
    for path in sorted((data_dir / "enose/uci_drift").glob("*.csv")):
        table = formats.read(path)
        line.raw += "".join(table.texts()).encode() == path.read_bytes()
        exposures = list(table.exposures())
        line.rows += len(exposures)
        other = tmp_path / f"{path.stem}.dat"
        formats.write(UciLibsvm().of(table), other)
        again = formats.read(other)
        assert again.format == "uci-drift-libsvm"
        same = "".join(again.texts()).encode() == other.read_bytes()
        back = "".join(UciCsv().of(again).texts()).encode() == path.read_bytes()
        twin.raw += same and back
        twin.rows += len(exposures)
        first = next(again.exposures())
        assert (first.gas, first.ppm) == (exposures[0].gas, exposures[0].ppm)
        assert first.values.tolist() == exposures[0].values.tolist()
        with pytest.raises(FormatError, match="features of exposures, not readings"):
            table.frames()
    TABLE.extend([line, twin])
    assert (line.raw, twin.raw, line.rows) == (5, 5, 3633)


@pytest.mark.parametrize(
    "name", ["smellnet/test/lemon", "bme688/rawdata/*kucwp5*", "bme688/gat3way/test.csv"]
)
def test_through_every_other_file_and_back(data_dir: Path, tmp_path: Path, name: str) -> None:
    """Native → exchange → JSON Lines → MCAP → Parquet → native: same bytes, same frames."""
    pytest.importorskip("pyarrow")
    found = sorted((data_dir / "enose").glob(name))
    if found[0].is_dir():
        found = sorted(found[0].glob("*.csv"))
    path = next(p for p in found if p.suffix != ".bmelabelinfo")
    source = open_source(path)
    wanted = list(source.frames())
    step = source
    for out, to in (
        ("a.csv", "exchange"),
        ("b.jsonl", "smellframe"),
        ("c.mcap", "mcap"),
        ("d.parquet", "parquet"),
    ):
        convert([step], tmp_path / out, to)
        step = open_source(tmp_path / out)
        assert list(step.frames()) == wanted, to
    done = convert([step], tmp_path / f"e{path.suffix}", source.format)
    assert done.rows == len(wanted)
    assert (tmp_path / f"e{path.suffix}").read_bytes() == path.read_bytes()


def test_exchange_keeps_what_others_read_too(data_dir: Path, tmp_path: Path) -> None:
    """Values, units and substance stand where the format wants them."""
    (path,) = (data_dir / "enose/smellnet/test/lemon").glob("*.csv")
    made, lost = exchange(lambda: formats.frames(formats.read(path)))
    formats.write(made, tmp_path / "lemon_smellnet_2025.csv")
    told = json.loads((tmp_path / "lemon_smellnet_2025.json").read_text())
    assert told["substance"] == "lemon"
    assert told["sampling_rate_hz"] == 1.0
    assert told["sensor_units"]["sensor_NO2"] == "adc"
    assert lost == ["unit kohm: none of the format, written as it is"]
    head, row = (tmp_path / "lemon_smellnet_2025.csv").read_text().split("\n")[:2]
    assert head.startswith("timestamp,sensor_NO2,sensor_C2H5OH,")
    assert row.split(",")[:3] == [
        "0",
        *map(repr, next(formats.frames(formats.read(path))).values.tolist()[:2]),
    ]


def test_frames_of_another_file_are_refused(data_dir: Path) -> None:
    (path,) = (data_dir / "enose/smellnet/test/lemon").glob("*.csv")
    frames = list(formats.frames(formats.read(path)))[:3]
    with pytest.raises(FormatError, match="do not come from such a file"):
        formats.from_frames(frames, "bmerawdata")
    bare = [replace(f, nose=replace(f.nose, extra={})) for f in frames]
    with pytest.raises(FormatError, match="do not come from such a file"):
        formats.from_frames(bare, "smellnet")
