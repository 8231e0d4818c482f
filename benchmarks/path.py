"""The whole street in real time, with all models: what `thymos bench path` measures."""

from __future__ import annotations

import tempfile
from pathlib import Path

from thymos.bench.figures import Figure
from thymos.bench.path import live, measure, write_input
from thymos.config import Config, ReasonConfig


def run(repeats: int, quick: bool) -> list[Figure]:
    """Measured once, for a minute: its spread is that of the windows in it."""
    del repeats
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if not quick:
            return measure(folder, 60)
        video, sound = write_input(folder, 8)
        return live(video, sound, 8, Config(reason=ReasonConfig(backend="rules")), folder)
