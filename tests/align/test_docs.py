"""The page about alignment says what is so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from join_pictures import COLUMN, play
from thymos.align import Interpolator, all_in_span, exact, last_before, linear, nearest
from thymos.config import WindowConfig

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "alignment.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_runs_and_prints_what_the_page_says(capsys: Any) -> None:
    (code,) = blocks("python")
    exec(compile(code, "docs/alignment.md", "exec"), {})
    assert capsys.readouterr().out == blocks("text")[0]


def test_the_settings_are_settings() -> None:
    (text,) = blocks("yaml")
    assert WindowConfig.model_validate(yaml.safe_load(text)["window"]).anchor == "speech"


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("exact", exact),
        ("nearest", nearest(3 * COLUMN)),
        ("last_before", last_before(9 * COLUMN)),
        ("linear", linear(9 * COLUMN)),
        ("all_in_span", all_in_span(4 * COLUMN)),
    ],
)
def test_the_pictures_of_the_interpolators_are_right(name: str, rule: Interpolator) -> None:
    lines = blocks("text")[1].splitlines()
    camera = lines[0].strip()
    (line,) = [row for row in lines if row.startswith(name)]
    found = re.fullmatch(rf"{name}\S*(?: ms\))?\s+(\S+\s+\|.*\|)\s+(\w+)\b.*", line)
    assert found is not None
    drawn, wanted = found.groups()
    assert f"2{wanted}" in play(f"{camera}\n{drawn}", rule).joined.split()
