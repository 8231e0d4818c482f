"""What the real perceivers say of the clips of a conflict set, kept so that a second run is quick.

A face becomes a still camera picture, looked at for a second and a half; a voice goes through the
ear and the voice perceiver; a line of words is taken as a transcript (it is not spoken and not
recognised; see `HEARD`). What comes out are the cues that a robot would get, at the times of one
window, ready for `thymos.reason.fusion.fuse`.

Cues are kept in the user's cache under a name made of the perception code and its weights, so a
change of either reads everything anew.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import thymos.perceive
from thymos.align.window import Window
from thymos.config import PerceiveConfig
from thymos.contract import Cue
from thymos.evaluate.conflict_set import Clip, text_of
from thymos.models import ModelStore
from thymos.perceive import text_emotion, voice_emotion
from thymos.perceive.base import Perceiver
from thymos.perceive.face import FacePerceiver
from thymos.perceive.facemesh import Roi, cut
from thymos.perceive.learned.speech import fold_of
from thymos.perceive.voice import VoicePerceiver
from thymos.perceive.words import WordsPerceiver
from thymos.samples import NS_PER_S, Kind, Sample, StreamSpec
from thymos.train.data import read_pcm

Pcm = NDArray[np.float32]

LOOKS, LOOK_HZ = 6, 4
CANVAS, FACE_SIDE = 192, 144
"""Side of the camera picture and of the face in it, pixels."""
SILENCE_S = 0.5
NOISE_FLOOR = 1e-3
RATE = 16_000
HEARD = {"": 0.9, "half": 0.55}
"""How sure the transcript is taken to be, whole and with half of its words lost: assumptions."""


def _rng(clip: Clip) -> np.random.Generator:
    """Randomness that belongs to a clip."""
    return np.random.default_rng(list(hashlib.sha256(clip.key.encode()).digest()[:8]))


# -- faces


def picture(data: Path, clip: Clip) -> NDArray[np.uint8]:
    """The camera picture of a face: uint8 [CANVAS, CANVAS, 3]."""
    name, _, number = clip.item.partition("#")
    grey = _archive(data / name)[int(number)].astype(np.float32)
    rng = _rng(clip)
    if clip.damage == "blurred":
        grey = _blur(grey, float(rng.uniform(1.2, 1.6)))
    elif clip.damage == "moved":  # the face moves sideways while the picture is taken
        grey = np.mean([np.roll(grey, k, axis=1) for k in range(-4, 5)], axis=0)
    elif clip.damage == "shaded":  # light from one side
        grey = grey.copy()
        grey[:, 24:] *= float(rng.uniform(0.15, 0.3))
    elif clip.damage == "hidden":  # a hand or a scarf before the lower part
        rows = slice(int(rng.integers(26, 32)), None)
        grey = grey.copy()
        grey[rows] = float(rng.uniform(60, 160)) + rng.normal(0.0, 6.0, grey[rows].shape)
    small = np.clip(grey, 0, 255).astype(np.uint8)
    view = Roi(24.0, 24.0, 48.0 * CANVAS / FACE_SIDE)
    seen = cut(np.repeat(small[:, :, None], 3, axis=2), view, CANVAS)
    return np.asarray(np.clip(seen, 0, 255).astype(np.uint8))


@functools.lru_cache(maxsize=12)
def _archive(path: Path) -> NDArray[np.uint8]:
    with np.load(path, allow_pickle=False) as held:
        return np.asarray(held["images"])


def _blur(grey: Pcm, sigma: float) -> Pcm:
    """Gaussian blur, `sigma` in pixels of the 48."""
    reach = np.arange(-12, 13)
    kernel = np.exp(-0.5 * (reach / sigma) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        padded = np.pad(grey, [(12, 12) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        grey = np.apply_along_axis(np.convolve, axis, padded, kernel, mode="valid")
    return grey


def _see(data: Path, clips: Iterable[Clip]) -> Iterator[tuple[Clip, list[Cue]]]:
    perceiver = FacePerceiver(PerceiveConfig(face_hz=LOOK_HZ), ModelStore())
    spec = StreamSpec("camera", Kind.VIDEO, LOOK_HZ, (CANVAS, CANVAS, 3), "rgb8")
    perceiver.start(spec)
    for k, clip in enumerate(clips):
        frame, start = picture(data, clip), k * 10 * NS_PER_S
        for n in range(LOOKS):
            t_ns = start + n * NS_PER_S // LOOK_HZ
            perceiver.observe(Sample("camera", k * LOOKS + n, t_ns, t_ns, frame))
        yield clip, _at_zero(perceiver, start)
    perceiver.close()


# -- voices


def sound(data: Path, clip: Clip) -> Pcm:
    """The sound of a voice: float32 [samples] at 16 kHz."""
    pcm = read_pcm(data / clip.item)
    rng = _rng(clip)
    if clip.damage == "short":
        pcm = _syllables(pcm, rng)
    elif clip.damage == "noise":
        noise = _pink(len(pcm), rng)
        level = float(np.sqrt(np.mean(pcm**2)) / np.sqrt(np.mean(noise**2)))
        pcm = pcm + noise * level * 10 ** (-float(rng.uniform(-3, 5)) / 20)
    elif clip.damage == "clipped":
        pcm = np.clip(pcm / max(1e-4, float(np.abs(pcm).max())) * 30.0, -1, 1)
    elif clip.damage == "echo":
        pcm = _echo(pcm, float(rng.uniform(1.0, 1.8)), rng)
    peak = float(np.abs(pcm).max())
    if peak > 1.0:
        pcm = pcm / peak
    room = rng.normal(0.0, NOISE_FLOOR, int(SILENCE_S * RATE) * 2).astype(np.float32)
    half = len(room) // 2
    return np.concatenate([room[:half], pcm.astype(np.float32), room[half:]])


def _syllables(pcm: Pcm, rng: np.random.Generator) -> Pcm:
    """0.6 s of the clip from where its sound is."""
    loud = np.flatnonzero(np.abs(pcm) > 0.05 * float(np.abs(pcm).max()))
    first, last = int(loud[0]), max(int(loud[0]), int(loud[-1]) - int(0.6 * RATE))
    start = int(rng.integers(first, last + 1))
    return pcm[start : start + int(0.6 * RATE)]


def _pink(samples: int, rng: np.random.Generator) -> Pcm:
    """Noise with as much power in each octave."""
    spectrum = np.fft.rfft(rng.normal(size=samples))
    hz = np.maximum(np.fft.rfftfreq(samples, 1 / RATE), 50.0)
    return np.fft.irfft(spectrum / np.sqrt(hz), samples).astype(np.float32)


def _echo(pcm: Pcm, seconds: float, rng: np.random.Generator) -> Pcm:
    """A room whose sound falls by 60 dB in `seconds`; far from the speaker, so little is direct."""
    tail = np.arange(int(seconds * RATE)) / RATE
    answer = rng.normal(size=len(tail)) * 10 ** (-3.0 * tail / seconds)
    answer[0] = 3.0
    n = 1 << int(np.ceil(np.log2(len(pcm) + len(answer))))
    wet = np.fft.irfft(np.fft.rfft(pcm, n) * np.fft.rfft(answer, n), n)[: len(pcm)]
    return np.asarray(wet / max(1e-4, float(np.abs(wet).max())), dtype=np.float32)


class _Listener(VoicePerceiver):
    """The voice perceiver with a network that is already loaded."""

    def __init__(self, model: voice_emotion.VoiceEmotionModel | None) -> None:
        super().__init__(PerceiveConfig(), ModelStore())
        self._loaded = model

    def start(self, spec: StreamSpec) -> None:
        self._ear.start(spec)
        self._model = self._loaded


def _hear(data: Path, clips: Iterable[Clip]) -> Iterator[tuple[Clip, list[Cue]]]:
    models: dict[int | None, voice_emotion.VoiceEmotionModel | None] = {}
    spec = StreamSpec("microphone", Kind.AUDIO, RATE, (-1, 1), "s16")
    for clip in clips:
        without = fold_of(clip.person.split("-")[1]) if clip.source == "ravdess" else None
        if without not in models:
            models[without] = voice_emotion.load(without)
        pcm = np.round(sound(data, clip) * 32767.0).astype(np.int16)
        # A new perceiver for each clip: it compares a voice with what it heard before.
        perceiver = _Listener(models[without])
        perceiver.start(spec)
        for n, lo in enumerate(range(0, len(pcm), 1600)):
            block = pcm[lo : lo + 1600, None]
            perceiver.observe(Sample("microphone", n, lo * NS_PER_S // RATE, 0, block))
        yield clip, _at_zero(perceiver, 0)


# -- words


class _Reader(WordsPerceiver):
    """The words perceiver without a recogniser: it is given the transcript."""

    def __init__(self) -> None:
        super().__init__(PerceiveConfig(), ModelStore())
        self._emotion = text_emotion.load()

    def read(self, transcript: Cue) -> list[Cue]:
        """What the words of a transcript say."""
        return [transcript, *self._sentiment(transcript)]


def _read(data: Path, clips: Iterable[Clip]) -> Iterator[tuple[Clip, list[Cue]]]:
    reader = _Reader()
    for clip in clips:
        text = text_of(data, clip)
        if clip.damage == "half":
            words = text.split()
            keep = _rng(clip).random(len(words)) < 0.5
            text = " ".join(w for w, k in zip(words, keep, strict=True) if k)
        transcript = Cue(
            id="",
            modality="words",
            name="transcript",
            value=text,
            confidence=HEARD[clip.damage],
            t0_ns=NS_PER_S // 2,
            t1_ns=2 * NS_PER_S,
            untrusted=True,
        )
        yield clip, reader.read(transcript) if text.strip() else []


def _at_zero(perceiver: Perceiver, start_ns: int) -> list[Cue]:
    """Cues of the ten seconds from `start_ns`, with times counted from there."""
    window = Window("w000000", start_ns, start_ns + 10 * NS_PER_S, {})
    return [
        c.model_copy(update={"t0_ns": c.t0_ns - start_ns, "t1_ns": c.t1_ns - start_ns})
        for c in perceiver.cues(window)
    ]


# -- the cache


def readings(
    data: Path,
    clips: Iterable[Clip],
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, list[Cue]]:
    """Return the cues of each clip by `Clip.key`; what was read before comes from the cache.

    Args:
        data: The data folder.
        clips: In any order, repeats allowed.
        cache: Folder for readings; None is the user's.
        progress: Called with how many clips are read, and of how many of this sense.

    Raises:
        ModelError: Weights are missing.
        MissingExtraError: A runtime is.
        MediaError: A clip cannot be read.
    """
    wanted = {c.key: c for c in clips}
    done: dict[str, list[Cue]] = {}
    for modality, read in (("face", _see), ("voice", _hear), ("words", _read)):
        of = sorted(k for k, c in wanted.items() if c.modality == modality)
        place = _place(modality, cache)
        known = _load(place)
        missing = [wanted[k] for k in of if k not in known]
        if missing:
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("a", encoding="utf-8") as f:
                for count, (clip, cues) in enumerate(read(data, missing), start=1):
                    known[clip.key] = cues
                    held = [c.model_dump(mode="json", exclude_defaults=True) for c in cues]
                    f.write(json.dumps([clip.key, held]) + "\n")
                    if progress is not None:
                        progress(count, len(missing))
        done |= {k: known[k] for k in of}
    return done


def _load(place: Path) -> dict[str, list[Cue]]:
    if not place.is_file():
        return {}
    found = {}
    for line in place.read_text("utf-8").splitlines():
        try:
            key, held = json.loads(line)
        except ValueError:  # the last line of a run that was cut off
            continue
        found[key] = [Cue.model_validate(c) for c in held]
    return found


_WEIGHTS = {
    "face": ("face.onnx",),
    "voice": ("speech.onnx", "speech_folds.npz"),
    "words": ("text.onnx", "text.json"),
}


def _place(modality: str, cache: Path | None) -> Path:
    import platformdirs

    folder = Path(next(iter(thymos.perceive.__path__)))
    used = [Path(__file__), *sorted(folder.rglob("*.py"))]
    used += [folder / "learned/weights" / name for name in _WEIGHTS[modality]]
    digest = hashlib.sha256()
    for path in used:
        if path.is_file():
            digest.update(path.read_bytes())
    base = cache or platformdirs.user_cache_path("thymos") / "evaluate"
    return base / f"{modality}-{digest.hexdigest()[:16]}.jsonl"
