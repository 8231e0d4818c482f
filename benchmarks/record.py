"""Pictures and sound as they are recorded: how big, how good, at what cost; raw is the measure.

VGA at 30 fps with a face, as it is and with the noise of a camera (sigma 2 grey levels), and 16 kHz
mono sound in the blocks of the simulated microphone. The samples are in memory before; processor
time is that of the whole process until the file is closed. PSNR is the mean over all pictures of
what `open_recording` brings back.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.media import FPS, face_video
from thymos.bench.figures import Figure, repeated
from thymos.config import RecordConfig
from thymos.devices import open_uri
from thymos.record import Recorder, open_recording
from thymos.samples import EndOfStream, Sample, Source, StreamSpec, frozen

NOISE = 2.0
Recorded = tuple[float, float, float]
"""Megabytes a second, per cent of a core, PSNR in dB (NaN: bit for bit)."""


def run(repeats: int, quick: bool) -> list[Figure]:
    seconds = 1 if quick else 6
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        clean, spec = samples(face_video(folder, seconds * FPS))
        sound = open_uri("microphone", f"sim:?pace=0&seed=3&seconds={seconds}")
        assert sound is not None
        blocks, sound_spec = samples(sound)
        videos = [RecordConfig(video=v) for v in ("raw", "mjpeg", "h264")]
        audios = [RecordConfig(audio=a) for a in ("pcm", "flac")]
        jobs: list[tuple[str, Sequence[Sample], StreamSpec, list[RecordConfig]]] = [
            ("pictures", clean, spec, videos),
            ("noisy pictures", noisy(clean), spec, videos),
            ("sound", blocks, sound_spec, audios),
        ]
        figures: list[Figure] = []
        for what, items, of, configs in jobs:
            figures += compare(what, items, of, configs, min(repeats, 3), folder, seconds)
    return figures


def compare(
    what: str,
    items: Sequence[Sample],
    spec: StreamSpec,
    configs: list[RecordConfig],
    repeats: int,
    folder: Path,
    seconds: float,
) -> list[Figure]:
    """All codings in turn; the first is what the others are compared with."""
    found: list[list[Recorded]] = [[] for _ in configs]
    for _ in range(repeats):
        for config, made in zip(configs, found, strict=True):
            made.append(record(items, spec, config, folder / "out.mcap", seconds))
    plain = coding(configs[0], what)
    figures = []
    for config, made in zip(configs, found, strict=True):
        name = f"recorded {what}, {coding(config, what)}"
        for n, (quantity, unit) in enumerate((("size", "MB/s"), ("processor use", "%"))):
            peers = [r[n] for r in found[0]] if made is not found[0] else []
            mine = [r[n] for r in made]
            peer = plain if peers else ""
            figures.append(
                repeated(f"{name}, {quantity}", mine, unit, peer=peer, peer_values=peers)
            )
        quality = [r[2] for r in made if not np.isnan(r[2])]
        if quality:
            figures.append(repeated(f"{name}, PSNR", quality, "dB"))
    return figures


def coding(config: RecordConfig, what: str) -> str:
    """Its name in the settings."""
    return config.audio if what == "sound" else config.video


def samples(source: Source) -> tuple[list[Sample], StreamSpec]:
    """All of a source, in memory."""
    found: list[Sample] = []
    with source:
        while True:
            try:
                sample = source.read()
            except EndOfStream:
                return found, source.spec
            if sample is not None:
                found.append(sample)


def noisy(clean: Sequence[Sample]) -> list[Sample]:
    """The same pictures with the noise of a sensor (seeded)."""
    rng = np.random.default_rng(11)
    made = []
    for sample in clean:
        pixels = sample.payload + rng.normal(0.0, NOISE, sample.payload.shape)
        payload = frozen(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))
        made.append(Sample(sample.stream, sample.seq, sample.t_ns, sample.t_recv_ns, payload))
    return made


def record(
    items: Sequence[Sample], spec: StreamSpec, config: RecordConfig, path: Path, seconds: float
) -> Recorded:
    """Record once, read back, compare."""
    began = time.process_time()
    with Recorder(path, config, overwrite=True) as recorder:
        recorder.on_stream(spec)
        for sample in items:
            recorder.on_sample(sample)
    spent = time.process_time() - began
    back, _ = samples(open_recording(path).sources[spec.name])
    assert [(s.seq, s.t_ns) for s in back] == [(s.seq, s.t_ns) for s in items]
    size = path.stat().st_size / 1e6 / seconds
    return size, 100 * spent / seconds, psnr(items, back)


def psnr(given: Sequence[Sample], back: Sequence[Sample]) -> float:
    """Mean peak signal-to-noise ratio, dB; NaN if every sample came back bit for bit."""
    found = []
    for a, b in zip(given, back, strict=True):
        error = float(np.mean((a.payload.astype(np.float64) - b.payload) ** 2))
        if error:
            found.append(10 * np.log10(255**2 / error))
    return float(np.mean(found)) if found else float("nan")
