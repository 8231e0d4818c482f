"""docs/smellframe.md tells the truth: its examples run, its tables are those of the code."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from thymos.record.definitions import message_folder, typestore
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
from thymos.smell.schema import from_dict, json_schema

DOC = (Path(__file__).resolve().parents[2] / "docs" / "smellframe.md").read_text(encoding="utf-8")


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
