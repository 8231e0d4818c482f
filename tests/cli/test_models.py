from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from thymos.cli.models import app, size
from thymos.errors import ConfigError, ModelError

runner = CliRunner()


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's role that comes from a folder, and an empty cache."""
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "tiny.bin").write_bytes(b"weights")
    role = {
        "title": "Tiny", "licence": "CC0",
        "files": {"tiny.bin": {"bytes": 7, "sha256": hashlib.sha256(b"weights").hexdigest()}},
        "sources": [{"kind": "folder", "path": str(weights)}],
    }  # fmt: skip
    path = tmp_path / "models.yaml"
    path.write_text(yaml.safe_dump({"roles": {"tiny": role}}))
    monkeypatch.setenv("THYMOS_MODELS_REGISTRY", str(path))
    monkeypatch.setenv("THYMOS_MODELS", str(tmp_path / "cache"))
    return tmp_path


def listed() -> dict[str, dict]:
    result = runner.invoke(app, ["list", "--json"])
    assert result.exit_code == 0, result.output
    return {role["role"]: role for role in json.loads(result.stdout)}


def test_list_pull_verify(registry: Path) -> None:
    before = listed()
    assert before["tiny"]["state"] == "missing"
    assert before["tiny"]["hint"] == "thymos models pull tiny"
    result = runner.invoke(app, ["pull", "tiny", "--json"])
    assert json.loads(result.stdout)["fetched"] == ["tiny"]
    assert "fetched from" in result.stderr
    assert listed()["tiny"]["state"] == "present"
    result = runner.invoke(app, ["verify", "tiny"])
    assert result.exit_code == 0
    assert result.stdout == "tiny/tiny.bin: ok\n"


def test_damage_is_found_and_the_next_step_named(registry: Path) -> None:
    runner.invoke(app, ["pull", "tiny"])
    (registry / "cache" / "tiny" / "tiny.bin").write_bytes(b"weightX")
    result = runner.invoke(app, ["verify", "tiny"])
    assert result.exit_code == 1
    assert "WRONG" in result.stdout
    assert "thymos models pull tiny" in result.stderr
    assert not json.loads(runner.invoke(app, ["verify", "tiny", "--json"]).stdout)[0]["ok"]


def test_table_names_all_roles(registry: Path) -> None:
    result = runner.invoke(app, ["list"])
    assert result.exit_code == 0
    for role in listed():
        assert role in result.stdout
    assert "next: thymos models pull tiny" in result.stdout


def test_wrong_roles_are_errors(registry: Path) -> None:
    assert isinstance(runner.invoke(app, ["pull", "nope"]).exception, ConfigError)
    assert isinstance(runner.invoke(app, ["verify", "tiny"]).exception, ModelError)


def test_size() -> None:
    assert [size(n) for n in (0, 2048, 98362432)] == ["", "2 KiB", "94 MiB"]
