"""The ear: any sound stream becomes 16 kHz mono chunks, each with a probability of speech.

Voice and words share one ear, so a sample is resampled and judged once whoever hears it first.
"""

from __future__ import annotations

import functools
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
MAX_ENDS = 256
"""Ends of speech remembered until somebody asks."""
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
        self._delay_ns = 0
        self._rest = np.zeros(0, dtype=np.float32)
        self._run = 0
        self._run_start_ns = 0
        self._run_frames = 0  # input frames since the run began
        self._run_out = 0  # 16 kHz frames cut into chunks since the run began
        self._last_ns: int | None = None
        self._speech = SpeechFinder()
        self._ends: deque[int] = deque(maxlen=MAX_ENDS)

    def start(self, spec: StreamSpec) -> None:
        """Get ready for a stream; the second caller for the same stream changes nothing.

        Raises:
            MissingExtraError: faster-whisper or soxr is not installed.
            ModelError: The stream has no rate, or the detector does not load.
        """
        with self._lock:
            if self._spec == spec:
                return
            if spec.rate_hz <= 0:
                raise ModelError(f"the sound stream '{spec.name}' does not say its rate")
            self._vad = _load_vad()
            self._delay_ns = _delay_ns(int(spec.rate_hz))
            self._spec = spec
            self._chunks.clear()
            self._last_ns = None
            self._speech = SpeechFinder()

    def feed(self, sample: Sample) -> None:
        """Take a block of sound in, once."""
        with self._lock:
            if self._spec is None:
                return
            if self._last_ns is not None and sample.t_ns <= self._last_ns:
                if sample.t_ns > self._last_ns - BACK_NS:
                    return
                self._chunks.clear()
                self._speech = SpeechFinder()
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
        """Chunks that end in (t0, t1] as far as `heard_to` goes, in order.

        Those are the chunks that the sound from before `t1` makes, and no others, in whatever
        blocks it came.
        """
        with self._lock:
            late = self._delay_ns
            return [c for c in self._chunks if t0_ns < c.end_ns + late <= t1_ns]

    def heard_to(self, t1_ns: int) -> int:
        """Up to when sound is in chunks once all from before `t1` has come: resampling delays."""
        return t1_ns - self._delay_ns

    def ends(self, *, closed: bool = False) -> tuple[list[int], int | None]:
        """Take the ends of speech found since the last call, in order of time.

        Args:
            closed: There will be no more sound: speech that goes on ends here.

        Returns:
            Their times, and a promise: none still to be found lies before this time.
        """
        with self._lock:
            if closed:
                self._note_end(self._speech.end())
            found = list(self._ends)
            self._ends.clear()
            return found, self._speech.heard_ns

    def _note_end(self, span: Span | None) -> None:
        if span is not None:
            self._ends.append(span.t1_ns)

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
            speech = self._vad.speech(pcm)
            chunk = Chunk(t_ns, pcm, 0.0 if zero else speech, self._run, zero)
            self._chunks.append(chunk)
            self._note_end(self._speech.add(chunk))
        self._rest = sound[whole:]


def _load_vad() -> Any:
    from thymos.perceive.vad import SpeechDetector

    return SpeechDetector()


def _resampler(rate: int) -> Any:
    if rate == RATE:
        return None
    try:
        import soxr
    except ImportError as err:
        raise MissingExtraError("soxr", "perceive") from err
    return soxr.ResampleStream(rate, RATE, 1, dtype="float32")


@functools.cache
def _delay_ns(rate: int) -> int:
    """How far the resampler is behind what it was given, at most; measured on one second."""
    resampler = _resampler(rate)
    if resampler is None:
        return 0
    block = np.zeros(max(1, rate // 1000), dtype=np.float32)
    worst = given = made = 0
    while given < rate:
        given += len(block)
        made += len(resampler.resample_chunk(block))
        worst = max(worst, given * NS_PER_S // rate - made * NS_PER_S // RATE)
    return worst + len(block) * NS_PER_S // rate  # it may be further behind between two blocks


class SpeechFinder:
    """Finds stretches of speech, by hysteresis over the probabilities; short pauses are bridged.

    Attributes:
        heard_ns: No stretch still to be found ends before this.
    """

    def __init__(self) -> None:
        self._count = 0
        self._span: Span | None = None  # the stretch that goes on, up to its newest speech
        self._run = 0
        self._loudest = 0.0
        self.heard_ns: int | None = None

    def add(self, chunk: Chunk) -> Span | None:
        """Take the next chunk in; return the stretch that it proves to be over.

        A new run ends a stretch, and so does a pause of more than `MIN_PAUSE_NS`.
        """
        done = None
        span = self._span
        if span is not None and (
            chunk.run != self._run or chunk.end_ns - span.t1_ns > MIN_PAUSE_NS
        ):
            done, span = self.end(), None
        k = self._count
        self._count += 1
        if span is None and chunk.speech >= SPEECH_ON:
            self._span, self._loudest = Span(k, k, chunk.t_ns, chunk.end_ns), chunk.dbfs
            self._run = chunk.run
        elif span is not None and chunk.speech >= SPEECH_OFF:
            self._span = Span(span.first, k, span.t0_ns, chunk.end_ns)
            self._loudest = max(self._loudest, chunk.dbfs)
        self.heard_ns = chunk.end_ns if self._span is None else self._span.t1_ns
        return done

    def end(self) -> Span | None:
        """No more sound: return the stretch that went on."""
        span, self._span = self._span, None
        if span is None or span.t1_ns - span.t0_ns < MIN_SPEECH_NS or self._loudest <= QUIET_DBFS:
            return None
        return span


def speech_spans(chunks: Sequence[Chunk]) -> list[Span]:
    """All stretches of speech in a sequence, see `SpeechFinder`.

    Args:
        chunks: In order of time.
    """
    finder = SpeechFinder()
    found = [*(finder.add(chunk) for chunk in chunks), finder.end()]
    return [span for span in found if span is not None]


def dbfs(pcm: F32) -> float:
    """Root mean square level in dB of full scale; −120 at least."""
    power = float(np.mean(np.square(pcm, dtype=np.float64))) if len(pcm) else 0.0
    return max(-120.0, 10.0 * float(np.log10(power + 1e-12)))
