"""docs/smellframe.md tells the truth: its examples run, its tables are those of the code."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from thymos.record.definitions import message_folder, typestore
from thymos.samples import Flag
from thymos.smell.check import problems
from thymos.smell.frame import (
    BaselineAir,
    Channel,
    Fault,
    Nose,
    Odorant,
    Percept,
    Phase,
    SmellFrame,
    TimeSource,
)
from thymos.smell.schema import from_dict, json_schema, read_lines, write_lines

ROOT = Path(__file__).resolve().parents[2]
DOC = (ROOT / "docs" / "smellframe.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOC, re.DOTALL)


def test_the_smallest_frame_is_one() -> None:
    (text,) = blocks("json")
    jsonschema.Draft202012Validator(json.loads(json_schema())).validate(json.loads(text))
    assert from_dict(json.loads(text)).values.tolist() == [412.0]


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow", reason="no pyarrow (pip install 'thymos[parquet]')")
    monkeypatch.chdir(tmp_path)
    known: dict[str, object] = {}
    for text in blocks("python"):
        exec(compile(text, "docs/smellframe.md", "exec"), known)
    assert np.array_equal(known["values"], [[412.0]])  # type: ignore[arg-type]
    assert (tmp_path / "a.smell.jsonl").is_file()


def test_every_field_is_explained() -> None:
    for record in (Channel, Nose, SmellFrame, BaselineAir, Odorant, Percept):
        for field in fields(record):
            assert f"`{field.name}`" in DOC or field.name == "nose", (
                f"{record.__name__}.{field.name}"
            )


def test_the_numbers_of_messages_are_those_of_the_code() -> None:
    message = (message_folder() / "SmellFrame.msg").read_text(encoding="utf-8")
    numbers = dict(re.findall(r"^uint8 (\w+)=(\d+)", message, re.MULTILINE))
    for kind in (Fault, TimeSource, Phase):
        for number, member in enumerate(kind):
            assert numbers[member.name] == str(number)
            if kind is not Phase:
                name = f"`{member.value}`" if member.value else r"\*\(empty\)\*"
                assert re.search(rf"\| {name} \| {number} \|", DOC), member
            else:
                assert f"`{member.value}` {number}" in DOC
    stored = typestore().types["thymos_msgs/msg/SmellChannel"].__dataclass_fields__
    told = [field.name for field in fields(Channel)]
    assert [name for name in stored if name != "__msgtype__"] == told


def test_the_columns_are_those_of_the_code() -> None:
    pa = pytest.importorskip("pyarrow", reason="no pyarrow (pip install 'thymos[parquet]')")
    from thymos.smell.parquet_columns import plain_columns

    for name in plain_columns(pa):
        assert f"`{name}`" in DOC, name


def example() -> list[SmellFrame]:
    """Two readings that use every field."""
    board = Nose(
        "BME688 board",
        "84CC",
        (
            Channel("s0_h0", "ohm", "BME688", "0", "VOC", "320-100", 0, 320.0, 700_000_000),
            Channel(
                "MQ3", "adc", "MQ3", "A1", "ethanol", "", -1, float("nan"), 0, 5.0, 1e4, 10, 5.0
            ),
        ),
        ("temperature", "humidity", "pressure"),
        rate_hz=1.0,
        tick_hz=1000.0,
        burn_in_ns=172_800_000_000_000,
        frame_id="enose_link",
        extra={"firmware": "2.1.5"},
    )
    first = SmellFrame(
        board,
        41,
        1_700_000_000_123_456_789,
        np.array([102345.5, 4294967295.0]),
        (Fault.NONE, Fault.SENTINEL),
        (0, 140_000_000),
        1_700_000_000_125_000_000,
        TimeSource.DEVICE,
        9_007_199_254_740_993,
        0.98,
        21.53,
        100.0,
        1013.25,
        {"humidity": Fault.STUCK},
        BaselineAir(
            np.array([1e5, float("nan")]),
            np.array([350.0, float("nan")]),
            1_699_999_000_000_000_000,
            "calibrated",
            60,
        ),
        1_207_000_000_000,
        Phase.EXPOSURE,
        (Odorant("ethanol", "64-17-5", 50.0, "ppm"),),
        (Percept("panel 1", ("sharp", "sweet"), -0.25, 0.5),),
        "2026-11-23 a",
        Flag.GAP_BEFORE,
        "MQ3: 4294967295 stands for no value",
        {"Altitude": "15.44"},
    )
    made_up = Nose("made up", "", (Channel("VOC", "ppm"),), simulated=True)
    second = SmellFrame(made_up, 0, 1_700_000_001_000_000_000, np.array([-0.0]), (Fault.NONE,))
    third = replace(
        first,
        seq=42,
        t_ns=1_700_000_001_123_456_789,
        t_recv_ns=1_700_000_001_125_000_000,
        tick=9_007_199_254_741_993,
        on_for_ns=1_208_000_000_000,
        values=np.array([np.nan, np.inf]),
        faults=(Fault.MISSING, Fault.RAIL),
    )
    return [first, second, third]


def test_the_example_file_is_what_is_written_and_reads_back(tmp_path: Path) -> None:
    path = ROOT / "docs" / "schema" / "smellframe-example.smell.jsonl"
    write_lines(tmp_path / "a", example())
    assert (tmp_path / "a").read_bytes() == path.read_bytes()
    assert [*read_lines(path)] == example()
    assert [text for frame in example() for text in problems(frame)] == []
    schema = json.loads(json_schema())
    line = jsonschema.Draft202012Validator({"$ref": "#/$defs/Line", "$defs": schema["$defs"]})
    for text in path.read_text(encoding="utf-8").splitlines():
        line.validate(json.loads(text))
