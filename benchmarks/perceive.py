"""What perception costs on one core: a picture, a second of sound, each stage, more people.

Measured is processor time (of all threads, so that a model with two threads is not half as dear).
Pictures: the face clip of the demo, VGA at 30 a second, one to four of it in a picture. Sound: a
recorded sentence again and again, three seconds of speech and one of silence, at 48 kHz.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.media import FPS, face_video
from thymos.align.window import Window
from thymos.bench.figures import Figure, repeated, spread_of
from thymos.config import PerceiveConfig
from thymos.devices import open_uri
from thymos.models import ModelStore
from thymos.perceive import expression, voice_emotion
from thymos.perceive.action_units import measure
from thymos.perceive.face import FacePerceiver
from thymos.perceive.facemesh import Detector, MeshNet, whole
from thymos.perceive.gaze import IrisNet, gaze_of
from thymos.perceive.hearing import Ear
from thymos.perceive.prosody import utterances
from thymos.perceive.speaking import turns
from thymos.perceive.tracks import portrait, tile
from thymos.perceive.voice import VoicePerceiver
from thymos.perceive.words import WordsPerceiver
from thymos.samples import NS_PER_S, EndOfStream, Kind, Sample, Source, StreamSpec

PEOPLE = (1, 2, 4)
WINDOW_S = 4
MIC_HZ, BLOCK = 48_000, 960
FRAME_TARGET, SOUND_TARGET = "<= 25", "<= 0.15"
REAL_TIME = "of real time"
LISTEN, VOICE = "resampling and speech detection", "voice"
WORDS = "words (recogniser and sentiment)"
U8 = NDArray[np.uint8]


def run(repeats: int, quick: bool) -> list[Figure]:
    seconds = 4 if quick else 12
    store = ModelStore()
    with tempfile.TemporaryDirectory() as place:
        film = face_video(Path(place), FPS * WINDOW_S)
        pictures = [sample.payload.copy() for sample in _all(film)]
    blocks = _sound(store, seconds)
    figures: list[Figure] = []
    for people in PEOPLE:
        figures += frames(store, _crowd(pictures, people), people, blocks)
    figures += stages(store, pictures[0], 5 if quick else 50)
    figures += sound(store, blocks, seconds, repeats)
    return figures


def frames(
    store: ModelStore, pictures: list[U8], people: int, blocks: list[Sample]
) -> list[Figure]:
    """Each picture through the face perceiver; then who speaks in windows of it."""
    seconds = len(blocks) * BLOCK // MIC_HZ
    ear = Ear()
    face = FacePerceiver(PerceiveConfig(), store, ear)
    face.start(StreamSpec("camera", Kind.VIDEO, FPS, pictures[0].shape, "rgb8"))
    spent = []
    for k in range(seconds * FPS):
        at = k * NS_PER_S // FPS
        sample = Sample("camera", k, at, at, pictures[k % len(pictures)])
        start = time.process_time()
        face.observe(sample)
        spent.append((time.process_time() - start) * 1e3)
    spent = spent[FPS:]  # in the first second everybody is found
    window = Window("w", (seconds - WINDOW_S) * NS_PER_S, seconds * NS_PER_S, {})
    found = len({cue.track for cue in face.cues(window)})
    who = f"{people} in view" + ("" if found == people else f" ({found} found)")
    ear.start(StreamSpec("microphone", Kind.AUDIO, MIC_HZ, (BLOCK, 1), "pcm_s16le"))
    for block in blocks:
        ear.feed(block)
    asked = _cpu_ms(lambda: turns(face.mouths, ear, window.t0_ns, window.t1_ns))
    summed = _cpu_ms(lambda: face.cues(window))
    return [
        spread_of(f"VGA frame, {who}", spent, "ms", FRAME_TARGET),
        Figure(f"VGA frame, {who}, mean", statistics.mean(spent), "ms", {}),
        Figure(f"face cues of a window of {WINDOW_S} s, {who}", summed, "ms", {}),
        Figure(f"who speaks in a window of {WINDOW_S} s, {who}", asked, "ms", {}),
    ]


def stages(store: ModelStore, picture: U8, count: int) -> list[Figure]:
    """Each stage of a look at one face."""
    folder = store.path("face_mesh")
    far, near, net = Detector.far(folder), Detector.near(folder), MeshNet(folder)
    model, iris = expression.load(store), IrisNet(store.path("face_iris"))
    roi = near.find(picture, whole(picture))[0][1]
    mesh = net.look(picture, roi)
    assert mesh is not None, "the clip of the demo shows a face"
    eyes = iris.look(picture, mesh)
    jobs: dict[str, Callable[[], object]] = {
        "detect, near, whole picture": lambda: near.find(picture, whole(picture)),
        "detect, far, whole picture": lambda: far.find(picture, whole(picture)),
        "detect, far, one tile": lambda: far.find(picture, tile(picture, 3)),
        "mesh of a face": lambda: net.look(picture, roi),
        "portrait of a face": lambda: portrait(picture, mesh),
        "measures and head pose": lambda: measure(mesh),
        "expression": lambda: model.probabilities(expression.face_crop(picture, mesh)),
        "gaze (both irises)": lambda: gaze_of(mesh, iris.look(picture, mesh)),
        "gaze, geometry alone": lambda: gaze_of(mesh, eyes),
    }
    return [
        spread_of(f"stage {name}", [_cpu_ms(job) for _ in range(count)], "ms")
        for name, job in jobs.items()
    ]


def sound(
    store: ModelStore, blocks: list[Sample], seconds: int, repeats: int
) -> list[Figure]:  # fmt: skip
    """Seconds of processor time for a second of sound: each part, and all together."""
    parts: dict[str, list[float]] = {}
    for _ in range(repeats):
        for name, ms in _listening(store, blocks, seconds).items():
            parts.setdefault(name, []).append(ms / 1e3 / seconds)
    listen, voice, words = (parts[k] for k in (LISTEN, VOICE, WORDS))
    together = [sum(one) for one in zip(listen, voice, words, strict=True)]
    return [
        *(repeated(f"sound, {name}", values, REAL_TIME) for name, values in parts.items()),
        repeated("sound, voice and words together", together, REAL_TIME, SOUND_TARGET),
    ]


def _listening(store: ModelStore, blocks: list[Sample], seconds: int) -> dict[str, float]:
    """Processor time of each part in ms, over all of the sound."""
    spec = StreamSpec("microphone", Kind.AUDIO, MIC_HZ, (BLOCK, 1), "pcm_s16le")
    ear = Ear()
    voice = VoicePerceiver(PerceiveConfig(), store, ear)
    words = WordsPerceiver(PerceiveConfig(), store, ear)
    for perceiver in (voice, words):
        perceiver.start(spec)
    tone = voice_emotion.load()
    start = time.process_time()
    for block in blocks:
        ear.feed(block)
    spent = {LISTEN: (time.process_time() - start) * 1e3}
    windows = [
        Window("w", t * NS_PER_S, (t + WINDOW_S) * NS_PER_S, {})
        for t in range(0, seconds, WINDOW_S)
    ]
    chunks = ear.between(0, seconds * NS_PER_S)
    said = utterances(chunks)
    spent[VOICE] = _cpu_ms(lambda: [voice.cues(window) for window in windows])
    spent["of this prosody"] = _cpu_ms(lambda: utterances(chunks))
    if tone is not None:
        spent["of this the tone of voice"] = _cpu_ms(lambda: [tone.read(u.pcm) for u in said])
    spent[WORDS] = _cpu_ms(lambda: [words.cues(window) for window in windows])
    for perceiver in (voice, words):
        perceiver.close()
    return spent


def _all(source: Source | None) -> Iterator[Sample]:
    assert source is not None
    with source:
        while True:
            try:
                sample = source.read()
            except EndOfStream:
                return
            if sample is not None:
                yield sample


def _crowd(pictures: list[U8], people: int) -> list[U8]:
    """Several times the same person in a VGA picture, each at another moment of the clip."""
    if people == 1:
        return pictures
    made = []
    for k in range(len(pictures)):
        moments = [pictures[(k + 23 * n) % len(pictures)] for n in range(people)]
        cells = [moment[::2, ::2] for moment in moments]
        picture = np.zeros_like(pictures[0])
        for n, cell in enumerate(cells):
            y, x = divmod(n, 2)
            picture[y * 240 : y * 240 + 240, x * 320 : x * 320 + 320] = cell
        made.append(picture)
    return made


def _sound(store: ModelStore, seconds: int) -> list[Sample]:
    import soxr

    clip = store.path("media-speech")
    read = list(_all(open_uri("microphone", f"file:{clip}")))
    opened = open_uri("microphone", f"file:{clip}")
    assert opened is not None
    with opened:
        rate = opened.spec.rate_hz
    said = np.concatenate([s.payload.mean(axis=1) for s in read]).astype(np.float32)
    said = soxr.resample(said, rate, MIC_HZ)[: 3 * MIC_HZ]
    rest = np.random.default_rng(1).normal(0, 8, 4 * MIC_HZ - len(said))
    pcm = np.tile(np.concatenate([said, rest]), seconds // 4).astype(np.int16)
    blocks = pcm[: len(pcm) // BLOCK * BLOCK].reshape(-1, BLOCK, 1)
    times = [k * BLOCK * NS_PER_S // MIC_HZ for k in range(len(blocks))]
    return [Sample("microphone", k, t, t, blocks[k]) for k, t in enumerate(times)]


def _cpu_ms(job: Callable[[], object]) -> float:
    start = time.process_time()
    job()
    return (time.process_time() - start) * 1e3
