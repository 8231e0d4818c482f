"""The same samples and reports give the same file, byte for byte, however fast they come."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from thymos.align import merge
from thymos.config import RecordConfig
from thymos.contract import WindowReport
from thymos.record import Recorder
from thymos.samples import Origin, Sample, StreamSpec


def write(
    path: Path,
    specs: dict[str, StreamSpec],
    samples: list[Sample],
    report: WindowReport,
    config: RecordConfig,
    pause_s: float,
) -> bytes:
    with Recorder(path, config) as recorder:
        for spec in specs.values():
            recorder.on_stream(replace(spec, origin=Origin.RECORDED))
        for i, sample in enumerate(samples):
            recorder.on_sample(sample)
            if i % 40 == 0:
                spent = {"total": time.monotonic()}
                recorder.on_report(report.model_copy(update={"latency_ms": spent}))
                time.sleep(pause_s)
    assert recorder.notes == []
    return path.read_bytes()


@pytest.mark.parametrize(("video", "audio"), [("raw", "pcm"), ("mjpeg", "pcm"), ("h264", "flac")])
def test_recording_twice_gives_the_same_bytes(
    tmp_path: Path,
    specs: dict[str, StreamSpec],
    samples: list[Sample],
    report: WindowReport,
    video: str,
    audio: str,
) -> None:
    config = RecordConfig(video=video, audio=audio)  # type: ignore[arg-type]
    fast = write(tmp_path / "fast.mcap", specs, samples, report, config, 0.0)
    slow = write(tmp_path / "slow.mcap", specs, samples, report, config, 0.2)
    assert fast == slow
    assert b"latency_ms" not in fast


@pytest.mark.data
def test_a_film_recorded_twice_gives_the_same_bytes(tmp_path: Path, data_dir: Path) -> None:
    from thymos.devices import open_uri

    def recorded(name: str) -> bytes:
        with ExitStack() as stack:
            film = data_dir / "av" / "pyfeat" / "single_face.mp4"
            made = [open_uri(role, f"file:{film}") for role in ("camera", "microphone")]
            sources = [stack.enter_context(s) for s in made if s is not None]
            recorder = stack.enter_context(
                Recorder(tmp_path / name, RecordConfig(video="h264", audio="flac"))
            )
            for source in sources:
                recorder.on_stream(source.spec)
            for sample in merge(sources):
                recorder.on_sample(sample)
        return (tmp_path / name).read_bytes()

    assert recorded("a.mcap") == recorded("b.mcap")
