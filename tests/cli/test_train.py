"""`thymos train`: told at once what is missing; a tiny run makes weights that load."""

from __future__ import annotations

import importlib.util

import pytest
from typer.testing import CliRunner

from thymos.cli import train
from thymos.cli.main import app
from thymos.errors import ConfigError, MissingExtraError

RUN = CliRunner()


def test_a_missing_library_is_told_before_an_hour_of_work(monkeypatch, tmp_path):
    monkeypatch.setattr(train, "find_spec", lambda name: None if name == "onnx" else object())
    found = RUN.invoke(app, ["train", "face", str(tmp_path)])
    assert isinstance(found.exception, MissingExtraError)
    assert "onnx" in str(found.exception)


def test_a_missing_folder_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(train, "find_spec", lambda name: object())
    found = RUN.invoke(app, ["train", "face", str(tmp_path / "none")])
    assert isinstance(found.exception, ConfigError)


@pytest.mark.data
@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("torch", "onnx")),
    reason="torch and onnx (extra 'train') are not installed",
)
def test_a_tiny_run_makes_weights_that_load(data_dir, tmp_path):
    from thymos.perceive.learned import FaceExpression

    done = RUN.invoke(
        app, ["train", "face", str(data_dir), "--out", str(tmp_path), "--limit", "40", "--epochs=1"]
    )
    assert done.exit_code == 0, done.output
    FaceExpression(tmp_path / "face.onnx")
