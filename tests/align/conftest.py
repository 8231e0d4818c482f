"""Streams and timelines for the tests of alignment."""

from __future__ import annotations

import numpy as np
import pytest

from thymos.align import Window
from thymos.samples import Flag, Kind, Sample, StreamSpec

MS = 1_000_000
S = 1_000_000_000

SPECS = {
    "camera": StreamSpec("camera", Kind.VIDEO, 10.0, (2, 2, 3), "rgb8"),
    "microphone": StreamSpec("microphone", Kind.AUDIO, 1000.0, (-1, 1), "s16"),
    "enose": StreamSpec("enose", Kind.GAS, 1.0, (2,), "ohm", ("NO2", "CO")),
}


class Timeline:
    """Reads drawings of streams: one character is 100 ms.

    `#` a sample, `x` an invalid one, `!` one with GAP_BEFORE, `_` a sample the device made and
    nobody received (the number jumps), anything else nothing. `|` is ignored: draw windows with it.
    """

    def sample(
        self, stream: str, at_ms: float, seq: int = 0, flags: Flag = Flag.OK, **more: object
    ) -> Sample:
        payload = {
            "camera": np.zeros((2, 2, 3), np.uint8),
            "microphone": np.zeros((100, 1), np.int16),
            "enose": np.array([1.0, 2.0]),
        }[stream]
        t_ns = round(at_ms * MS)
        return Sample(stream, seq, t_ns, t_ns, payload, flags, str(more.get("note", "")))

    def draw(self, stream: str, row: str, start_ms: float = 0.0) -> list[Sample]:
        made, seq = [], 0
        for slot, char in enumerate(row.replace("|", "")):
            if char in "#x!":
                flags = {"#": Flag.OK, "x": Flag.INVALID, "!": Flag.GAP_BEFORE}[char]
                made.append(self.sample(stream, start_ms + slot * 100, seq, flags))
            seq += char in "#x!_"
        return made

    def states(self, windows: list[Window], stream: str) -> str:
        """One letter a window: Present, Stale, Missing, Invalid."""
        return "".join(w.streams[stream].state.state[0].upper() for w in windows)

    def spans(self, windows: list[Window]) -> list[tuple[float, float]]:
        """Windows in ms."""
        return [(w.t0_ns / MS, w.t1_ns / MS) for w in windows]


@pytest.fixture
def timeline() -> Timeline:
    return Timeline()
