"""Watching and listening for `av-sync`: one pass over a recording, or over live devices."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.align.merge import merge
from thymos.clock import MonotonicClock
from thymos.errors import CalibrationError, MissingExtraError
from thymos.models import ModelStore
from thymos.perceive.tracks import FaceTracker
from thymos.reading import Readers
from thymos.samples import NS_PER_S, Flag, Kind, Sample, Source, StreamSpec
from thymos_calibration.av_signals import (
    SOUND_RATE,
    BandMeter,
    Series,
    mouth_measures,
    mouth_series,
    sound_series,
)

F64 = NDArray[np.float64]

MAX_SECONDS = 600.0
MIN_FPS = 12.0
ONSET_HZ = 500
"""Resolution of the loudness in which claps are looked for: 2 ms."""


@dataclass(slots=True)
class Observed:
    """What was seen and heard.

    Attributes:
        camera: The camera's spec.
        microphone: The microphone's.
        frames_ns: Capture time of every picture [n].
        brightness: Mean of each picture, 0 to 1 [n].
        motion: Mean change from the picture before, 0 to 1 [n].
        mouths: One series a person, the one seen most first.
        voice: Band energies; None if nothing was heard.
        loudness: Power in steps of about 2 ms; for each run without a gap the time of its
            beginning (ns), the length of a step (s), and the power [m].
        peak: Largest sample, full scale 1.
        silent: Share of the sound that is digital silence.
    """

    camera: StreamSpec
    microphone: StreamSpec
    frames_ns: NDArray[np.int64]
    brightness: F64
    motion: F64
    mouths: list[Series]
    voice: Series | None
    loudness: list[tuple[int, float, F64]]
    peak: float
    silent: float


def observe(
    camera: Source,
    microphone: Source,
    *,
    faces: bool = True,
    seconds: float | None = None,
    progress: Callable[[float], None] | None = None,
) -> Observed:
    """Read two sources (not open) to their end, or for `seconds`.

    Args:
        camera: Pictures.
        microphone: Sound on the same clock: of one file, one recording, or both live.
        faces: Whether to look for mouths (needs the face models).
        seconds: How long; None is until they end. Never more than ten minutes.
        progress: Told the share that is done.

    Raises:
        CalibrationError: A source gives nothing of use.
        DeviceError: It cannot be opened.
        MediaError: Likewise for a file.
    """
    eye, ear = _Eye(faces), _Ear()
    limit_ns = round(min(seconds or MAX_SECONDS, MAX_SECONDS) * NS_PER_S)
    if camera.live or microphone.live:
        specs = _watch_live([camera, microphone], eye, ear, limit_ns, progress)
    else:
        specs = _play([camera, microphone], eye, ear, limit_ns, progress)
    return _observed(eye, ear, *specs)


def _play(
    sources: list[Source],
    eye: _Eye,
    ear: _Ear,
    limit_ns: int,
    progress: Callable[[float], None] | None,
) -> tuple[StreamSpec, StreamSpec]:
    camera, microphone = sources
    with camera, microphone:
        length = camera.spec.extra.get("duration_s", "")
        total_ns = min(limit_ns, round(float(length or 0) * NS_PER_S) or limit_ns)
        first: int | None = None
        for sample in merge(sources):
            first = sample.t_ns if first is None else first
            if sample.t_ns - first > limit_ns:
                break
            _take(sample, camera.spec, microphone.spec, eye, ear)
            if progress is not None:
                progress(min(1.0, (sample.t_ns - first) / max(total_ns, 1)))
        return camera.spec, microphone.spec


def _watch_live(
    sources: list[Source],
    eye: _Eye,
    ear: _Ear,
    limit_ns: int,
    progress: Callable[[float], None] | None,
) -> tuple[StreamSpec, StreamSpec]:
    notes: list[str] = []
    stop = threading.Event()
    with Readers(sources, MonotonicClock()) as readers:
        camera, microphone = readers.specs
        readers.start(
            stop,
            take=lambda s: _take(s, camera, microphone, eye, ear),
            ended=lambda _stream, _why: None,
            note=notes.append,
        )
        begin = time.monotonic_ns()
        while readers.alive and (passed := time.monotonic_ns() - begin) < limit_ns:
            if progress is not None:
                progress(passed / limit_ns)
            time.sleep(0.1)
        stop.set()
        readers.join()
    if notes:
        raise CalibrationError(
            f"a device failed while it was watched: {notes[0]}", hint="thymos devices"
        )
    return camera, microphone


def _take(sample: Sample, camera: StreamSpec, mic: StreamSpec, eye: _Eye, ear: _Ear) -> None:
    if sample.flags & Flag.INVALID:
        return
    if sample.stream == camera.name:
        eye.see(sample)
    elif sample.stream == mic.name:
        ear.hear(sample, int(mic.rate_hz))


class _Eye:
    """Mouths, brightness and motion, picture by picture (on one thread)."""

    def __init__(self, faces: bool) -> None:
        self._tracker = FaceTracker(ModelStore().path("face_mesh")) if faces else None
        self._before: NDArray[np.int16] | None = None
        self.times: list[int] = []
        self.brightness: list[float] = []
        self.motion: list[float] = []
        self.mouths: dict[str, list[tuple[int, tuple[float, ...]]]] = {}

    def see(self, sample: Sample) -> None:
        if self.times and sample.t_ns <= self.times[-1]:
            return
        step = max(1, max(sample.payload.shape[:2]) // 160)
        small = sample.payload[::step, ::step].mean(axis=2).astype(np.int16)
        before, self._before = self._before, small
        change = 0.0
        if before is not None and before.shape == small.shape:
            change = float(np.abs(small - before).mean())
        self.times.append(sample.t_ns)
        self.brightness.append(float(small.mean()) / 255)
        self.motion.append(change / 255)
        if self._tracker is not None:
            for person, mesh in self._tracker.look(sample.payload, sample.t_ns):
                row = (sample.t_ns, mouth_measures(mesh.points))
                self.mouths.setdefault(person, []).append(row)


class _Ear:
    """Bands and loudness of the mixed-down sound (on one thread)."""

    def __init__(self) -> None:
        self.meter = BandMeter()
        self.loudness: list[tuple[int, float, list[F64]]] = []
        self.peak = 0.0
        self.frames = self.zeros = 0
        self._rest = np.zeros(0)
        self._next_ns = 0
        self._out: Any = None
        self._out_ns = 0
        self._out_frames = 0

    def hear(self, sample: Sample, rate: int) -> None:
        if rate < SOUND_RATE:
            raise CalibrationError(
                f"the sound has {rate} Hz; reading lips by ear needs at least {SOUND_RATE}",
                hint="open the microphone with ?rate=16000 or more",
            )
        mono = sample.payload.astype(np.float64).mean(axis=1) / 32768.0
        if not len(mono):
            return
        self.peak = max(self.peak, float(np.abs(mono).max()))
        self.frames, self.zeros = self.frames + len(mono), self.zeros + int((mono == 0).sum())
        new_run = abs(sample.t_ns - self._next_ns) > BandMeter.GAP_NS or not self.loudness
        self._next_ns = sample.t_ns + len(mono) * NS_PER_S // rate
        self._power(sample.t_ns, mono, rate, new_run)
        if new_run:
            self._out, self._out_ns, self._out_frames = _resampler(rate), sample.t_ns, 0
        low = mono if self._out is None else self._out.resample_chunk(mono)
        self.meter.push(self._out_ns + self._out_frames * NS_PER_S // SOUND_RATE, low)
        self._out_frames += len(low)

    def _power(self, t_ns: int, mono: F64, rate: int, new_run: bool) -> None:
        if new_run:
            self._rest = np.zeros(0)
            self.loudness.append((t_ns, rate // ONSET_HZ / rate, []))
        mono = np.concatenate([self._rest, mono])
        step = rate // ONSET_HZ
        whole = len(mono) // step * step
        # A first difference keeps hum and rumble out: claps are broad-band.
        sharp = np.diff(mono[:whole], prepend=mono[:1])
        self.loudness[-1][2].append((sharp**2).reshape(-1, step).mean(axis=1))
        self._rest = mono[whole:]


def _resampler(rate: int) -> Any:
    if rate == SOUND_RATE:
        return None
    try:
        import soxr
    except ImportError as err:
        raise MissingExtraError("soxr", "perceive") from err
    return soxr.ResampleStream(rate, SOUND_RATE, 1, dtype="float64")


def _observed(eye: _Eye, ear: _Ear, camera: StreamSpec, microphone: StreamSpec) -> Observed:
    for spec, kind in ((camera, Kind.VIDEO), (microphone, Kind.AUDIO)):
        if spec.kind is not kind:
            raise CalibrationError(f"'{spec.name}' is {spec.kind.value}, not {kind.value}")
    if len(eye.times) < 2:
        raise CalibrationError("no pictures came", hint="thymos devices")
    times = np.array(eye.times, dtype=np.int64)
    fps = NS_PER_S / float(np.median(np.diff(times)))
    if fps < MIN_FPS:
        raise CalibrationError(
            f"{fps:.0f} pictures a second are too few to time a mouth or a clap "
            f"(at least {MIN_FPS:.0f})",
            hint="more light, a smaller picture, or a higher frame rate",
        )
    seen = sorted(eye.mouths.items(), key=lambda item: (-len(item[1]), item[0]))
    mouths = [
        mouth_series(np.array([t for t, _ in looks]), np.array([row for _, row in looks]))
        for _, looks in seen
        if len(looks) >= 2 * MIN_FPS
    ]
    return Observed(
        camera,
        microphone,
        times,
        np.array(eye.brightness),
        np.array(eye.motion),
        mouths,
        sound_series(ear.meter.levels) if ear.meter.levels else None,
        [(t, step_s, np.concatenate(parts)) for t, step_s, parts in ear.loudness],
        ear.peak,
        ear.zeros / ear.frames if ear.frames else 1.0,
    )
