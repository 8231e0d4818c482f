"""Clips through real drivers and windows into one perceiver."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from thymos.align import Windower
from thymos.align.window import Window
from thymos.config import BufferConfig, WindowConfig
from thymos.contract import Cue
from thymos.perceive.base import Perceiver
from thymos.samples import EndOfStream, Kind, Sample
from thymos_drivers.media import open_audio, open_video


@dataclass
class Seen:
    """What a perceiver said of a clip, window by window."""

    windows: list[Window] = field(default_factory=list)
    cues: list[list[Cue]] = field(default_factory=list)
    notes: list[tuple[str, ...]] = field(default_factory=list)

    def all(self, name: str = "") -> list[Cue]:
        return [c for part in self.cues for c in part if name in ("", c.name)]


Watch = Callable[..., Seen]


def play(path: Path, perceiver: Perceiver, length_s: float = 4.0) -> Seen:
    opener = open_video if perceiver.kind is Kind.VIDEO else open_audio
    windower = Windower(WindowConfig(length_s=length_s, hop_s=length_s), BufferConfig())
    seen = Seen()

    def ask(windows: list[Window]) -> None:
        for window in windows:
            seen.windows.append(window)
            seen.cues.append(perceiver.cues(window))
            seen.notes.append(tuple(getattr(perceiver, "notes", ())))

    with opener(str(path)) as source:
        windower.add_stream(source.spec)
        perceiver.start(source.spec)
        while True:
            try:
                sample: Sample | None = source.read()
            except EndOfStream:
                break
            if sample is not None:
                windower.push(sample)
                perceiver.observe(sample)
                ask(windower.ready())
        windower.close_stream(source.spec.name)
        ask(windower.flush())
    perceiver.close()
    return seen


@pytest.fixture
def watch() -> Watch:
    return play
