"""Whatever the stamps do: no stall, no flood of windows, no endless memory. And real stamps."""

from __future__ import annotations

import csv
import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thymos.align import Windower
from thymos.config import BufferConfig, WindowConfig
from thymos.samples import NS_PER_S, Kind, Sample, StreamSpec

MS = 1_000_000
S = NS_PER_S
SPECS = {
    "camera": StreamSpec("camera", Kind.VIDEO, 20.0, (2, 2, 3), "rgb8"),
    "microphone": StreamSpec("microphone", Kind.AUDIO, 1000.0, (-1, 1), "s16"),
    "enose": StreamSpec("enose", Kind.GAS, 1.0, (2,), "ohm", ("a", "b")),
}
PAYLOAD: dict[str, Any] = {
    "camera": np.zeros((2, 2, 3), np.uint8),
    "microphone": np.zeros((50, 1), np.int16),
    "enose": np.zeros(2),
}

STEPS = st.one_of(
    st.integers(1, 100).map(lambda ms: ms * MS),
    st.integers(-20_000, 20_000).map(lambda ms: ms * MS),
    st.sampled_from([0, -(10**6) * S, 10**6 * S, -(2**61), 2**61]),
)
EVENTS = st.lists(
    st.tuples(st.sampled_from(sorted(SPECS)), STEPS, st.integers(0, 3), st.booleans()),
    max_size=150,
)


@settings(max_examples=300, deadline=None)
@given(EVENTS, st.booleans())
def test_wild_stamps_never_stall_nor_flood(
    events: list[tuple[str, int, int, bool]], live: bool
) -> None:
    made = Windower(WindowConfig(length_s=1.0, hop_s=0.5), BufferConfig(seconds=5.0))
    for spec in SPECS.values():
        made.add_stream(spec)
    clocks = dict.fromkeys(SPECS, 10**12)
    seqs = dict.fromkeys(SPECS, 0)
    now, windows = 10**12, []
    for name, step, skipped, close in events:
        clocks[name] += step
        seqs[name] += 1 + skipped
        now += abs(step) if abs(step) < S else MS
        made.push(Sample(name, seqs[name], clocks[name], now, PAYLOAD[name]))
        if close and skipped == 3:
            made.close_stream(name, "gone")
        windows += made.ready(now if live else None)
    windows += made.flush()
    assert made.flush() == []
    assert [w.id for w in windows] == [f"w{i:06d}" for i in range(len(windows))]
    # Each sample touches at most 3 windows (length 1 s, hop 0.5 s, sound reaches over a border),
    # and behind each there is at most one empty one.
    assert len(windows) <= 4 * len(events) + 2
    for window in windows:
        assert window.t0_ns < window.t1_ns
        for part in window.streams.values():
            assert all(s.t_ns < window.t1_ns for s in part.samples)
            assert part.state.age_ms is None or part.state.age_ms >= 0
    for track in made._tracks.values():
        assert len(track.items) <= len(events)


def read_runs(path: Path) -> dict[str, list[int]]:
    runs: dict[str, list[int]] = {}
    with gzip.open(path, "rt", newline="") as file:
        for row in csv.DictReader(file):
            stamps = [v for k, v in row.items() if v and v.isdigit()]
            runs.setdefault(str(row.get("run", "")), []).append(int(stamps[0]))
    return runs


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "period_ms"), [("tumvi_camera.csv.gz", 50), ("euroc_camera.csv.gz", 50)]
)
def test_real_cameras_give_a_window_for_every_hop(
    data_dir: Path, name: str, period_ms: int
) -> None:
    camera = replace(SPECS["camera"], rate_hz=1000 / period_ms)
    for stamps in list(read_runs(data_dir / "timing" / name).values())[:4]:
        made = Windower(WindowConfig(length_s=1.0, hop_s=1.0), BufferConfig())
        made.add_stream(camera)
        windows = []
        for seq, t_ns in enumerate(stamps):
            made.push(Sample("camera", seq, t_ns, t_ns, PAYLOAD["camera"]))
            windows += made.ready()
        windows += made.flush()
        seconds = (stamps[-1] - stamps[0]) / S
        assert seconds - 1 <= len(windows) <= seconds + 2
        assert sum(w.streams["camera"].state.samples for w in windows) >= len(stamps) - 10
        steps = np.diff(np.array(stamps))
        holes = int((steps > 1.5 * period_ms * MS).sum())
        gaps = sum(w.streams["camera"].state.gaps for w in windows)
        assert abs(gaps - holes) <= 1
