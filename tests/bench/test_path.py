"""The benchmark itself, short and without the language model: it counts, it loses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from thymos.bench.path import live, write_input
from thymos.config import Config, ReasonConfig


@pytest.mark.models
@pytest.mark.slow
@pytest.mark.usefixtures("model_store")
def test_live_run_accounts_for_every_sample(tmp_path: Path) -> None:
    video, sound = write_input(tmp_path, 8)
    config = Config(reason=ReasonConfig(backend="rules"))
    figures = {f.name: f for f in live(video, sound, 8, config, tmp_path)}
    losses = {name: f.value for name, f in figures.items() if name.startswith("unaccounted")}
    assert losses == {
        "unaccounted loss, camera": 0,
        "unaccounted loss, microphone": 0,
        "unaccounted loss, enose": 0,
    }
    assert figures["first estimate after the window's end"].spread["n"] >= 1
    assert figures["memory, peak resident"].value > 50
    assert figures["stage words"].spread["n"] >= 1
