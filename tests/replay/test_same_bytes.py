"""The same recording gives the same bytes: at any rate, under load, however the file is cut."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer

from stages import CountingPerceiver
from thymos.align import merge
from thymos.config import Config, PerceiveConfig, ReasonConfig, WindowConfig
from thymos.models import ModelStore
from thymos.pace import Pace
from thymos.perceive import build
from thymos.pipeline import Pipeline
from thymos.record import Recorder, open_recording
from thymos.runner import run_offline
from thymos.samples import NS_PER_S, Kind, Sample, Source
from thymos.supervise import Wrapper
from thymos_drivers.sim import open_camera, open_enose, open_microphone
from thymos_drivers.testing import ListSource

CONFIG = Config(
    window=WindowConfig(length_s=2.0, hop_s=2.0),
    perceive=PerceiveConfig(words=False),
    reason=ReasonConfig(backend="rules"),
)
RUNS = 20


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6 s of picture, something like speech, and smoke."""
    path = tmp_path_factory.mktemp("bag") / "scene.mcap"
    options = {"seconds": "6", "pace": "0"}
    sources = [
        open_camera("", stream="camera", size="64x48", rate="15", **options),
        open_microphone("", stream="microphone", rate="48000", channels="2", **options),
        open_enose("", stream="enose", events="smoke@2-4", **options),
    ]
    with Recorder(path) as recorder:
        for source in sources:
            source.open()
            recorder.on_stream(source.spec)
        for sample in merge(sources):
            recorder.on_sample(replace(sample, t_recv_ns=sample.t_ns))
        for source in sources:
            source.close()
    return path


def windows(sources: Sequence[Source], pace: Callable[[Sample], object] | None = None) -> bytes:
    """`windows.jsonl` of the real quick stages and the rules; pictures are counted only."""
    perceivers = [p for p in build(CONFIG, ModelStore()) if p.modality in ("voice", "smell")]
    pipeline = Pipeline(CONFIG, perceivers=[*perceivers, CountingPerceiver()])
    try:
        return "".join(r.line() for r in run_offline(sources, pipeline, pace=pace)).encode()
    finally:
        pipeline.close()


def of(path: Path) -> list[Source]:
    return list(open_recording(path).sources.values())


@pytest.fixture(scope="module")
def expected(recording: Path) -> bytes:
    made = windows(of(recording))
    reports = [json.loads(line) for line in made.splitlines()]
    assert len(reports) == 3
    modalities = {cue["modality"] for report in reports for cue in report["cues"]}
    assert modalities == {"face", "voice", "smell"}, "equal bytes of nothing would prove nothing"
    return made


@pytest.fixture
def load() -> Iterator[None]:
    """A process that wants all of the machine."""
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    yield
    child.kill()
    child.wait()


def test_twenty_runs_under_load(recording: Path, expected: bytes, load: None) -> None:
    assert {windows(of(recording)) for _ in range(RUNS)} == {expected}


def test_paced_by_the_clock_or_not(recording: Path, expected: bytes) -> None:
    pace = Pace(8.0, threading.Event())
    assert windows(of(recording), lambda sample: pace.until(sample.t_ns)) == expected
    assert pace.now_ns >= 5_900_000_000  # it has been asked


@pytest.mark.parametrize(
    ("chunk_bytes", "compression"),
    [(1, CompressionType.NONE), (5_000, CompressionType.LZ4), (1 << 26, CompressionType.ZSTD)],
)
def test_any_cut_of_the_file(
    recording: Path,
    expected: bytes,
    tmp_path: Path,
    compression: CompressionType,
    chunk_bytes: int,
) -> None:
    rewritten = tmp_path / recording.name
    with recording.open("rb") as source, rewritten.open("wb") as out:
        writer = Writer(out, chunk_size=chunk_bytes, compression=compression)
        writer.start(profile="ros2", library="test")
        schemas: dict[int, int] = {}
        channels: dict[int, int] = {}
        for schema, channel, message in make_reader(source).iter_messages(log_time_order=False):
            assert schema is not None
            if schema.id not in schemas:
                schemas[schema.id] = writer.register_schema(
                    schema.name, schema.encoding, schema.data
                )
            if channel.id not in channels:
                channels[channel.id] = writer.register_channel(
                    channel.topic, channel.message_encoding, schemas[schema.id], channel.metadata
                )
            writer.add_message(
                channels[channel.id],
                message.log_time,
                message.data,
                message.publish_time,
                message.sequence,
            )
        writer.finish()
    assert rewritten.read_bytes() != recording.read_bytes()
    assert windows(of(rewritten)) == expected


class Stutter(Wrapper):
    """Gives nothing every now and then, as a slow disk would."""

    def __init__(self, source: Source, seed: int) -> None:
        super().__init__(source)
        self._dice = random.Random(seed)

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        return None if self._dice.random() < 0.4 else super().read(timeout_s)


def test_reads_that_give_nothing(recording: Path, expected: bytes) -> None:
    assert windows([Stutter(s, n) for n, s in enumerate(of(recording))]) == expected


@pytest.mark.parametrize("frames", [160, 1024, 4410, 48_000])
def test_the_same_sound_in_other_blocks(recording: Path, expected: bytes, frames: int) -> None:
    """`samples` counts blocks; everything that is perceived and said stays equal."""
    sources = [s if s.spec.kind is not Kind.AUDIO else reblocked(s, frames) for s in of(recording)]
    assert _without_counts(windows(sources)) == _without_counts(expected)


def reblocked(source: Source, frames: int) -> Source:
    with source:
        taken = list(merge([source]))
    sound = np.concatenate([s.payload for s in taken])
    rate = int(source.spec.rate_hz)
    blocks = []
    for n, at in enumerate(range(0, len(sound), frames)):
        t_ns = taken[0].t_ns + at * NS_PER_S // rate
        blocks.append(Sample(source.spec.name, n, t_ns, t_ns, sound[at : at + frames]))
    return ListSource(source.spec, blocks)


def _without_counts(lines: bytes) -> list[Any]:
    reports = [json.loads(line) for line in lines.splitlines()]
    for report in reports:
        state = report["window"]["streams"]["microphone"]
        del state["samples"]
        state["age_ms"] = round(state["age_ms"], 3)  # blocks end on whole nanoseconds
    return reports
