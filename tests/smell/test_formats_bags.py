"""Bags of olfaction_msgs/GasSensorArray, and smell frames as MCAP."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer

from thymos.record.definitions import typestore
from thymos.record.encode import Rosbags
from thymos.smell import formats
from thymos.smell.formats import FormatError
from thymos.smell.formats.bags import ARRAY, read_frames, write_frames
from thymos.smell.formats.convert import convert, open_source
from thymos.smell.frame import Channel, Fault, Nose, Odorant, SmellFrame

S = 10**9


def array(make: Rosbags, n: int) -> Any:
    def header(place: str, t_ns: int) -> Any:
        stamp = make.message("builtin_interfaces/msg/Time", sec=t_ns // S, nanosec=t_ns % S)
        return make.message("std_msgs/msg/Header", stamp=stamp, frame_id=place)

    def sensor(place: str, technology: int, units: int, raw: float) -> Any:
        return make.message(
            "olfaction_msgs/msg/GasSensor", header=header(place, (100 + n) * S),
            technology=technology, manufacturer=1, mpn=50, raw=raw, raw_units=units,
            raw_air=9e3, calib_a=1.5, calib_b=-0.5,
        )  # fmt: skip

    sensors = [sensor("a", 1, 5, 1e4 + n), sensor("b", 2, 3, float("nan")),
               sensor("t", 100, 100, 21.5)]  # fmt: skip
    return make.message(ARRAY, header=header("nose", (100 + n) * S), sensors=sensors)


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    store, path = typestore(), tmp_path / "bag"
    make = Rosbags(store.types)
    with Writer(path, version=9, storage_plugin=StoragePlugin.SQLITE3) as out:
        to = out.add_connection("/nose", ARRAY, typestore=store)
        for n in range(5):
            data = store.serialize_cdr(array(make, n), ARRAY)
            out.write(to, (100 + n) * S + 7, data)
    return path


def test_a_bag_of_others_is_read_and_written(bag: Path, tmp_path: Path) -> None:
    recording = formats.read(bag)
    made = list(formats.frames(recording))
    assert [f.t_ns for f in made] == [(100 + n) * S for n in range(5)]
    assert made[0].t_recv_ns == 100 * S + 7
    assert [c.unit for c in made[0].nose.channels] == ["ohm", "ppm"]
    assert made[2].values[0] == 10002.0
    assert made[0].faults[1] is Fault.MISSING
    assert made[0].temperature_celsius == 21.5
    assert len({id(f.nose) for f in made}) == 1
    formats.write(recording, tmp_path / "again.mcap")
    again = formats.read(tmp_path / "again.mcap")
    assert again.format == "gas-bag"
    assert list(formats.frames(again)) == made


def test_a_bag_becomes_smell_frames_and_a_bag_again(bag: Path, tmp_path: Path) -> None:
    convert([open_source(bag)], tmp_path / "a.jsonl", "smellframe")
    convert([open_source(tmp_path / "a.jsonl")], tmp_path / "b.mcap", "gas-bag")
    made = list(formats.frames(formats.read(tmp_path / "b.mcap")))
    assert made == list(formats.frames(formats.read(bag)))


def test_a_bag_without_gas_is_refused(tmp_path: Path) -> None:
    store, path = typestore(), tmp_path / "bag"
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as out:
        kind = "std_msgs/msg/String"
        to = out.add_connection("/text", kind, typestore=store)
        out.write(to, 1, store.serialize_cdr(store.types[kind](data="x"), kind))
    with pytest.raises(FormatError, match="without readings of a nose"):
        formats.read(path)


def test_smell_frames_in_mcap_keep_everything(tmp_path: Path) -> None:
    noses = [Nose(f"n{i}", str(i), (Channel("x", "ohm"), Channel("y", "adc"))) for i in (0, 1)]
    frame = SmellFrame(noses[0], 0, 5 * S, np.array([1.5, np.nan]), (Fault.NONE, Fault.MISSING),
                       odorants=(Odorant("tea", amount=2.0, unit="ppm"),), session="s",
                       extra={"column": "007"})  # fmt: skip
    wanted = [replace(frame, nose=noses[n % 2], seq=n, t_ns=(5 + n // 2) * S) for n in range(7)]
    assert write_frames(tmp_path / "a.mcap", wanted) == 7
    assert list(read_frames(tmp_path / "a.mcap")) == wanted
