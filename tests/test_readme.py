"""What the README promises works as it is written there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from thymos.cli.main import app
from thymos.models import ModelStore
from thymos.samples import Sample

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def snippets() -> list[str]:
    """The pieces of Python in it."""
    found: list[str] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    return found


@pytest.mark.models
@pytest.mark.data
def test_the_ten_lines_of_python(
    model_store: ModelStore, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = snippets()[0]
    clip = data_dir / "av/pyfeat/single_face.mp4"
    exec(compile(code.replace("talk.mp4", str(clip)), "README.md", "exec"), {})
    assert "joy" in capsys.readouterr().out


def test_the_three_line_test_has_its_fixture(pytestconfig: pytest.Config) -> None:
    (code,) = (text for text in snippets() if "thymos_replay" in text)
    assert len(code.splitlines()) == 2
    compile(code, "README.md", "exec")
    assert pytestconfig.pluginmanager.has_plugin("thymos")


def test_the_join_gives_one_result_for_each_picture() -> None:
    (code,) = (text for text in snippets() if "Join(" in text)
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    join = names["join"]
    for name, t_ms in (("camera", 100), ("enose", 0), ("microphone", 95), ("camera", 133)):
        join.push(Sample(name, 0, t_ms * 1_000_000, t_ms * 1_000_000, np.zeros(1)))
    got = join.flush()
    assert [r.t_ns for r in got] == [100_000_000, 133_000_000]
    assert got[0].streams["enose"].age_ns == 100_000_000
    assert got[0].streams["microphone"].skew_ns == -5_000_000


def test_every_command_it_names_exists() -> None:
    named = set(re.findall(r"^    thymos ([a-z]+)", README, re.MULTILINE)) - {"graph", "calibrate"}
    helped = CliRunner().invoke(app, ["--help"]).output
    assert named
    assert [name for name in sorted(named) if name not in helped] == []


def test_every_page_it_links_exists() -> None:
    root = Path(__file__).resolve().parents[1]
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert [link for link in links if not (root / link).exists()] == []
