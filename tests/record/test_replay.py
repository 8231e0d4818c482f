"""From a recording through the windows: the same as from the samples themselves."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from thymos.align import Window, Windower, merge
from thymos.config import BufferConfig, WindowConfig
from thymos.record import Recorder, open_recording
from thymos.samples import EndOfStream, Kind, Sample, StreamSpec


def windows(
    specs: Iterable[StreamSpec], samples: Iterable[Sample], ends: list[tuple[str, str]]
) -> list[Window]:
    made = Windower(WindowConfig(length_s=0.5, hop_s=0.25), BufferConfig())
    for spec in specs:
        made.add_stream(spec)
    out = []
    for sample in samples:
        made.push(sample)
        made.advance(sample.t_ns)
        for name, reason in ends:
            made.close_stream(name, reason)
        ends.clear()
        out += made.ready()
    return out + made.flush()


def described(made: list[Window]) -> list[tuple[object, ...]]:
    return [
        (
            w.id,
            w.t0_ns,
            w.t1_ns,
            tuple((n, s.state.model_dump_json(exclude={"origin"})) for n, s in w.streams.items()),
            tuple(
                (x.stream, x.t_ns, x.seq, x.flags)
                for s in w.streams.values()
                for x in (*s.samples, *([s.last] if s.last else []))
            ),
        )
        for w in made
    ]


def test_windows_of_a_recording_are_those_of_the_live_samples(
    record: Callable[..., Path], samples: list[Sample], specs: dict[str, StreamSpec]
) -> None:
    live = windows(specs.values(), sorted(samples, key=lambda s: (s.t_ns, s.stream, s.seq)), [])
    assert len(live) > 5

    def replayed() -> list[Window]:
        sources = open_recording(record_path).sources
        for source in sources.values():
            source.open()
        ends: list[tuple[str, str]] = []
        merged = merge(list(sources.values()), lambda name, why: ends.append((name, why)))
        made = windows([s.spec for s in sources.values()], merged, ends)
        for source in sources.values():
            source.close()
        return made

    record_path = record()
    first = described(replayed())
    assert first == described(live)
    assert described(replayed()) == first


def test_merging_is_in_order_of_time_then_name_then_number(
    record: Callable[..., Path], samples: list[Sample]
) -> None:
    sources = list(open_recording(record()).sources.values())
    for order in range(3):
        random.Random(order).shuffle(sources)
        ended: dict[str, str] = {}
        for source in sources:
            source.open()
        found = [(s.t_ns, s.stream, s.seq) for s in merge(sources, ended.__setitem__)]
        for source in sources:
            source.close()
        assert found == sorted((s.t_ns, s.stream, s.seq) for s in samples)
        assert sorted(ended) == ["camera", "enose", "microphone"]


def test_reading_takes_the_memory_of_a_chunk_not_of_the_file(tmp_path: Path) -> None:
    spec = StreamSpec("microphone", Kind.AUDIO, 16_000.0, (-1, 8), "s16")
    rng = np.random.default_rng(1)
    path = tmp_path / "long.mcap"
    with Recorder(path) as recorder:
        recorder.on_stream(spec)
        for i in range(300):
            pcm = rng.integers(-32768, 32768, (8000, 8)).astype(np.int16)
            recorder.on_sample(Sample("microphone", i, i * 500_000_000, i * 500_000_000, pcm))
    assert path.stat().st_size > 30_000_000
    open_recording(path)  # caches of libraries
    tracemalloc.start()
    count = 0
    with open_recording(path).sources["microphone"] as source:
        while True:
            try:
                source.read()
            except EndOfStream:
                break
            count += 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 300
    assert peak < 10_000_000
