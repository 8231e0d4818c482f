"""Frames as Parquet: nothing is lost, damage is told, a dataset keeps its sessions apart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smell_frames import frames, noses
from thymos.errors import FrameError, MediaError, MissingExtraError
from thymos.samples import Flag
from thymos.smell import parquet
from thymos.smell.frame import Channel, Fault, Nose, Odorant, SmellFrame
from thymos.smell.parquet import FrameFile, noses_of, read_frames, read_table, write_frames

pa = pytest.importorskip(
    "pyarrow", reason="pyarrow is not installed (pip install 'thymos[parquet]')"
)
pq = pytest.importorskip("pyarrow.parquet")

NAN = float("nan")
NOSE = Nose("GM", "1", (Channel("NO2", "ohm"), Channel("CO", "adc")), ("humidity",), rate_hz=1.0)


def frame(i: int, nose: Nose = NOSE, **other: Any) -> SmellFrame:
    values = np.array([1e4 + i / 3, -0.0, *([1.0] * len(nose.channels))])[: len(nose.channels)]
    faults = (Fault.NONE,) * len(values)
    return SmellFrame(nose, i, 10**18 + i * 10**9, values, faults, **other)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_any_frames_come_back_in_every_bit(tmp_path: Path, data: st.DataObject) -> None:
    nose = data.draw(noses())
    written = data.draw(st.lists(frames(nose) | frames(), min_size=1, max_size=4))
    path = tmp_path / "a.parquet"
    assert write_frames(path, written) == len(written)
    assert [*read_frames(path)] == written


def test_a_number_that_is_none_is_kept_apart_from_a_channel_that_is_not_there(
    tmp_path: Path,
) -> None:
    odd = np.array([0x7FF8000000000001, 0xFFF0000000000000], np.uint64).view(np.float64)
    other = Nose("BME", "2", (Channel("h0", "ohm"),))
    written = [
        replace(frame(0), values=odd, faults=(Fault.UNSTABLE, Fault.RAIL)),
        frame(1, other, tick=2**53 + 1, t_recv_ns=-(2**63)),
        frame(2),
        frame(3, replace(other)),
    ]
    path = tmp_path / "a.parquet"
    write_frames(path, written)
    found = [*read_frames(path)]
    assert found == written
    assert found[0].values.tobytes() == odd.tobytes()  # the bits of NaN too
    assert np.signbit(found[2].values[1])
    table = pq.read_table(path)
    assert table.column("value.CO").null_count == 2
    assert table.column("value.h0").to_pylist()[1] == 10000.0 + 1 / 3
    assert table.column("fault.NO2").to_pylist() == ["unstable", None, "", None]
    assert table.column("nose").to_pylist() == [0, 1, 0, 1]
    assert [nose.model for nose in noses_of(path)] == ["GM", "BME"]


def test_many_rows_are_written_in_groups_and_read_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    count = 2 * parquet.ROWS + 7
    assert write_frames(path, (frame(i) for i in range(count))) == count
    assert pq.ParquetFile(path).num_row_groups == 3
    rows = read_frames(path)
    assert next(rows) == frame(0)
    assert sum(1 for _ in rows) == count - 1
    rows.close()  # type: ignore[attr-defined]


def test_no_frames_make_a_file_without_rows(tmp_path: Path) -> None:
    assert write_frames(tmp_path / "a.parquet", []) == 0
    assert [*read_frames(tmp_path / "a.parquet")] == []


def test_a_table_for_those_who_compute(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    ethanol = (Odorant("ethanol"), Odorant("water"))
    write_frames(
        path,
        [
            frame(0, odorants=ethanol, session="a"),
            replace(frame(1), faults=(Fault.STUCK, Fault.NONE)),
            frame(2, flags=Flag.INVALID),
        ],
    )
    table = read_table(path)
    assert table.values.shape == (3, 2)
    assert np.isnan(table.usable).tolist() == [[False, False], [True, False], [True, True]]
    assert table.t_ns.tolist() == [10**18 + i * 10**9 for i in range(3)]
    assert (table.session, table.label) == (["a", "", ""], ["ethanol + water", "", ""])
    for row, one in zip(table.usable, read_frames(path), strict=True):
        assert np.array_equal(row, one.usable, equal_nan=True)
    write_frames(path, [frame(0), frame(1, replace(NOSE, serial="2"))])
    with pytest.raises(FrameError, match="2 noses"):
        read_table(path)


# -- what goes wrong


def test_a_channel_that_comes_too_late_is_refused(tmp_path: Path) -> None:
    other = Nose("BME", "2", (Channel("h0", "ohm"),))
    file = FrameFile(tmp_path / "a.parquet", ["NO2", "CO"])
    file.add(frame(0))
    file.add(frame(1, other))
    with pytest.raises(FrameError, match="no column for channel 'h0'"):
        file.close()
    assert not list(tmp_path.iterdir())


def test_a_writer_that_fails_leaves_nothing_and_the_old_file_stays(tmp_path: Path) -> None:
    def broken() -> Iterator[SmellFrame]:
        yield frame(5)
        raise RuntimeError("no more")

    path = tmp_path / "a.parquet"
    write_frames(path, [frame(0)])
    with pytest.raises(RuntimeError):
        write_frames(path, broken())
    assert [p.name for p in tmp_path.iterdir()] == ["a.parquet"]
    assert [*read_frames(path)] == [frame(0)]
    with pytest.raises(FrameError, match="cannot write"):
        write_frames(tmp_path / "no" / "a.parquet", [frame(0)])


def test_damage_is_told_wherever_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_frames(path, [frame(i) for i in range(200)])
    whole = path.read_bytes()
    told: list[str] = []
    rng = np.random.default_rng(7)
    for cut in (0, 3, 8, len(whole) // 2, len(whole) - 5):
        path.write_bytes(whole[:cut])
        with pytest.raises((FrameError, MediaError)):
            [*read_frames(path)]
    for at in rng.integers(0, len(whole), 60):
        broken = bytearray(whole)
        broken[at] ^= 0xFF
        path.write_bytes(broken)
        try:
            assert len([*read_frames(path)]) <= 200
        except (FrameError, MediaError) as err:
            told.append(str(err))
    assert len(told) > 10
    assert all(str(path) in text for text in told)


@pytest.mark.parametrize(
    ("columns", "metadata", "words"),
    [
        ({"a": [1]}, {}, "has no smell frames"),
        ({"a": [1]}, {"smellframe": "{"}, "has no smell frames"),
        ({"a": [1]}, {"smellframe": '{"version": "1.0"}'}, "has no smell frames"),
        ({"a": [1]}, {"smellframe": '{"version": "2.0", "noses": []}'}, "version '2.0'"),
        ({"a": [1]}, {"smellframe": '{"version": "1.0", "noses": []}'}, "no column 'nose'"),
        ({"nose": ["x"]}, {"smellframe": '{"version": "1.0", "noses": []}'}, "'nose' is string"),
    ],
)
def test_a_foreign_file_is_refused_in_words(
    tmp_path: Path, columns: dict[str, Any], metadata: dict[str, str], words: str
) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path)
    with pytest.raises(FrameError, match=words) as caught:
        [*read_frames(path)]
    assert caught.value.hint


def test_rows_that_contradict_themselves_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    for name, value, words in (
        ("nose", 7, "of nose 7"),
        ("phase", "sniffing", "sniffing"),
        ("t_ns", None, "t_ns"),
        ("offset_ns", [1, 2, 3], "3 offset_ns"),
        ("fault.CO", "broken", "broken"),
    ):
        write_frames(path, [frame(0)])
        table = pq.read_table(path)
        at = table.schema.get_field_index(name)
        column = pa.array([value], table.schema.field(at).type)
        odd = table.set_column(at, table.schema.field(at), column)
        told = pq.ParquetFile(path).metadata.metadata[parquet.KEY]
        pq.write_table(odd.replace_schema_metadata({parquet.KEY: told}), path)
        with pytest.raises(FrameError, match=words):
            [*read_frames(path)]


def test_missing_and_empty_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="No such file"):
        [*read_frames(tmp_path / "a.parquet")]
    (tmp_path / "b.parquet").touch()
    with pytest.raises(MediaError, match="0 bytes"):
        [*read_frames(tmp_path / "b.parquet")]


def test_without_the_library_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtraError) as caught:
        write_frames(tmp_path / "a.parquet", [frame(0)])
    assert caught.value.hint == "pip install 'thymos[parquet]'"
    assert json.dumps(caught.value.extra) == '"parquet"'


def test_a_disk_that_is_full_at_the_first_byte_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(where: Path, *more: object, **options: object) -> None:
        where.write_bytes(b"")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.parquet.ParquetWriter", full)
    with pytest.raises(FrameError, match="No space left"):
        FrameFile(tmp_path / "a.parquet", ("NO2",))
    assert list(tmp_path.iterdir()) == []
