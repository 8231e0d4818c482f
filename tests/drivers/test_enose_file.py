"""Nose recordings as CSV."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reading import all_of
from thymos.devices import open_uri
from thymos.errors import MediaError
from thymos.samples import Flag, gas_channels
from thymos_drivers.enose.file import NoseFile


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_time_column_stamps_are_estimated(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "NO2,CO,Temperature\n1,2,20\n3,4294967295,20\n5,6,20\n")
    with NoseFile(path, rate_hz=2.0) as nose:
        assert nose.spec.channels == ("NO2", "CO", "temperature")
        samples = all_of(nose)
    assert [s.t_ns for s in samples] == [0, 500_000_000, 1_000_000_000]
    assert all(s.flags == Flag.TIME_ESTIMATED for s in samples)
    np.testing.assert_array_equal(samples[1].payload, [3, np.nan, 20])
    assert samples[1].note.startswith("CO: 4294967295")


@pytest.mark.parametrize(
    ("column", "times", "expected"),
    [
        ("timestamp", ("1700000000.0", "1700000000.5", "1700000001.5"), (0.0, 0.5, 1.5)),
        ("timestamp", ("1000", "1500", "2500"), (0.0, 0.5, 1.5)),
        ("time_ms", ("7", "8", "9"), (0.0, 0.001, 0.002)),
        ("t_s", ("3", "4", "5"), (3.0, 4.0, 5.0)),
        ("timestamp", ("5", "6", "2"), (0.0, 1.0, 2.0)),
    ],
)
def test_time_columns(
    tmp_path: Path, column: str, times: tuple[str, ...], expected: tuple[float, ...]
) -> None:
    rows = "".join(f"{t},1,2\n" for t in times)
    with NoseFile(write(tmp_path / "a.csv", f"{column},ch0,ch1\n{rows}")) as nose:
        got = [s.t_ns / 1e9 for s in all_of(nose)]
    assert got == pytest.approx(expected)


def test_bad_rows_are_counted_and_leave_a_gap(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "t_s,a,b\n0,1,2\n1,1\n2,x,2\n3,,4\n")
    with NoseFile(path) as nose:
        samples = all_of(nose)
        assert nose.counters.corrupt == 2
        assert "2 unreadable rows" in nose.health.reason
    assert [s.seq for s in samples] == [0, 3]
    assert samples[1].flags & Flag.GAP_BEFORE
    assert np.isnan(samples[1].payload[0])


@pytest.mark.parametrize(
    "content", [b"", b"1,2,3\n4,5,6\n", b"\x00\x01\x02", b"Temperature,Humidity\n20,40\n"]
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(MediaError) as wrong:
        NoseFile(path).open()
    assert wrong.value.hint


def test_a_missing_file() -> None:
    with pytest.raises(MediaError, match="there is no file"):
        NoseFile("no.csv").open()


@pytest.mark.data
def test_smellnet_files(data_dir: Path) -> None:
    """Every test recording opens, and every sentinel becomes NaN."""
    paths = sorted((data_dir / "enose/smellnet/test").glob("*/*.csv"))
    assert len(paths) == 50
    sentinels = stuck = 0
    for path in paths:
        source = open_uri("enose", f"file:{path}")
        assert source is not None
        with source:
            samples = all_of(source)
            assert len(source.spec.channels) == 10
            assert gas_channels(source.spec) == tuple(range(7))
            assert len(samples) > 100
            assert source.counters.corrupt == 0
        values = np.stack([s.payload for s in samples])
        assert not (values > 1e6).any()
        sentinels += int(np.isnan(values[:, :7]).sum())
        stuck += int(np.isnan(values[:, source.spec.channels.index("humidity")]).sum())
    text = sum(path.read_text().count("4294967295") for path in paths)
    assert text > 0
    assert sentinels >= text
    rows = [line.split(",") for path in paths for line in path.read_text().splitlines()[1:]]
    assert stuck == sum(float(row[9]) in (0.0, 100.0) for row in rows if len(row) == 12) > 0
