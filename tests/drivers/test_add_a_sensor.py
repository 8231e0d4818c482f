"""The example of docs/add-a-sensor.md is executed as it is printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from thymos.errors import DeviceLostError, DeviceNotFoundError
from thymos.samples import EndOfStream, Flag, Health, Source
from thymos_drivers import base

PAGE = Path(__file__).resolve().parents[2] / "docs/add-a-sensor.md"


@pytest.fixture
def names() -> dict[str, Any]:
    """What the first example defines."""
    example, _ = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    code = [line for line in example.splitlines() if line.strip()]
    body = code[next(i for i, line in enumerate(code) if line.startswith("class")) :]
    assert len(body) <= 35, "it is promised to be short"
    out: dict[str, Any] = {}
    exec(compile(example, str(PAGE), "exec"), out)
    return out


def test_the_example_works(
    names: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = tmp_path / "in_resistance_input"
    value.write_text("51200.5\n")
    source = names["open_iio"](str(tmp_path), stream="enose")
    assert isinstance(source, base.BaseSource)
    assert isinstance(source, Source)
    with source:
        sample = source.read(0.01)
        assert sample is not None
        assert sample.payload[0] == 51200.5
        assert source.health.health is Health.OK
        value.write_text("0\n")
        bad = source.read(0.01)
        assert bad is not None
        assert bad.flags == Flag.INVALID
        assert bad.seq == sample.seq + 1
        value.unlink()
        with pytest.raises(DeviceLostError):
            source.read(0.01)
    with pytest.raises(EndOfStream):
        source.read()
    with pytest.raises(DeviceNotFoundError):
        source.open()


def test_the_fault_example_works(names: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "in_resistance_input").write_text("1.0\n")
    _, example = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    place = {"source": names["open_iio"](str(tmp_path))}
    exec(compile(example, str(PAGE), "exec"), place)
    with place["shaky"] as shaky:
        assert shaky.live
        assert shaky.spec.channels == ("VOC",)
        assert any(shaky.read(0.01) is not None for _ in range(5))
