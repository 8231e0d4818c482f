"""What the README promises works as it is written there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from thymos.cli.main import app
from thymos.models import ModelStore

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.mark.models
@pytest.mark.data
def test_the_ten_lines_of_python(
    model_store: ModelStore, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    clip = data_dir / "av/pyfeat/single_face.mp4"
    exec(compile(code.replace("talk.mp4", str(clip)), "README.md", "exec"), {})
    assert "joy" in capsys.readouterr().out


def test_every_command_it_names_exists() -> None:
    named = set(re.findall(r"^    thymos ([a-z]+)", README, re.MULTILINE)) - {"graph"}
    helped = CliRunner().invoke(app, ["--help"]).output
    assert named
    assert [name for name in sorted(named) if name not in helped] == []


def test_every_page_it_links_exists() -> None:
    root = Path(__file__).resolve().parents[1]
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert [link for link in links if not (root / link).exists()] == []
