"""From a recording through the windows: the same as from the samples themselves."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from thymos.align import Window, Windower, merge
from thymos.config import BufferConfig, WindowConfig
from thymos.record import Recorder, open_recording
from thymos.samples import EndOfStream, Flag, Kind, Sample, Source, StreamSpec


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


def test_a_recording_that_begins_at_time_zero_keeps_it(
    tmp_path: Path, samples: list[Sample], specs: dict[str, StreamSpec]
) -> None:
    first = min(s.t_ns for s in samples)
    with Recorder(tmp_path / "zero.mcap") as recorder:
        for spec in specs.values():
            recorder.on_stream(spec)
        for sample in samples:
            recorder.on_sample(replace(sample, t_ns=sample.t_ns - first))
    for source in open_recording(tmp_path / "zero.mcap").sources.values():
        with source:
            sample = source.read()
            assert sample is not None
            assert sample.t_ns == 0
            assert Flag.TIME_ESTIMATED not in sample.flags


@pytest.mark.data
@pytest.mark.parametrize("clip", ["pyfeat/single_face.mp4", "pyfeat/face_noface.mov"])
def test_a_recording_of_a_film_gives_the_windows_of_the_film(
    tmp_path: Path, data_dir: Path, clip: str
) -> None:
    from thymos.devices import open_uri

    def run(sources: list[Source], recorder: Recorder | None) -> list[Window]:
        with ExitStack() as stack:
            for source in sources:
                stack.enter_context(source)
            if recorder is not None:
                for source in sources:
                    recorder.on_stream(source.spec)
            taken = []
            for sample in merge(sources):
                video = sample.payload.ndim == 3
                taken.append(replace(sample, payload=sample.payload[:0]) if video else sample)
                if recorder is not None:
                    recorder.on_sample(sample)
            return windows([s.spec for s in sources], taken, [])

    film = [open_uri(role, f"file:{data_dir / 'av' / clip}") for role in ("camera", "microphone")]
    with Recorder(tmp_path / "film.mcap") as recorder:
        live = run([s for s in film if s is not None], recorder)
    replayed = run(list(open_recording(tmp_path / "film.mcap").sources.values()), None)
    assert len(live) > 3
    assert described(replayed) == described(live)


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
