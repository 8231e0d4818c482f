"""Understanding words: speech recognition with its doubts, and what the words express."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from thymos.align.window import Window
from thymos.config import PerceiveConfig
from thymos.contract import EMOTIONS, Cue, Modality, SpokenWord
from thymos.errors import MissingExtraError, ModelError
from thymos.models import ModelStore
from thymos.perceive import text_emotion
from thymos.perceive.denial import denied
from thymos.perceive.hearing import CHUNK_NS, F32, RATE, Chunk, Ear
from thymos.perceive.prosody import Utterance, utterances
from thymos.samples import NS_PER_S, Kind, Sample, StreamSpec

CATCH_UP_NS = 8 * NS_PER_S
"""How far before a window unheard speech is still taken up, after windows were skipped."""
TOUCHES_NS = 150_000_000
"""A word this close to the window's end may go on after it."""
CONTEXT_NS = 1_500_000_000
"""How much speech that was already transcribed is given once more as context."""
JOIN_NS = 1_200_000_000
RUN_UP = 10
"""Chunks (0.3 s) before speech was detected that the recogniser hears, too: with 0.1 s it
understood nothing of some short sentences after silence (tests/align/test_street.py)."""
LONGEST_NS = 25 * NS_PER_S  # Whisper looks at 30 s
RETRY_NS = 1_500_000_000
"""A shorter beginning of an utterance that makes no sense yet is tried again with what follows."""

# What Whisper's own paper uses to reject a decoding (Radford et al., arXiv 2212.04356, §4.5), made
# stricter by what the clips at hand gave: English −0.27 … −0.73, Chinese and Russian below −1.0.
MIN_LOGPROB = -0.9
MAX_COMPRESSION = 2.4
MAX_NO_SPEECH = 0.6
MIN_WORD_PROBABILITY = 0.45
DENIED_TRUST = 0.5
"""How far words that deny a feeling are believed: "I'm not angry" is said in anger too."""

_BOILERPLATE = ("for watching", "the next video", "this video", "subscribe", "subtitles by")
"""Ends of videos, which Whisper writes when it understands nothing; dropped unless it is sure."""


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word with its capture time."""

    text: str
    t0_ns: int
    t1_ns: int
    probability: float
    language: str

    def spoken(self) -> SpokenWord:
        """The same in the contract."""
        sure = round(min(1.0, max(0.0, self.probability)), 3)
        return SpokenWord(
            text=self.text.strip(), t0_ns=self.t0_ns, t1_ns=self.t1_ns, confidence=sure
        )


class _SameEverywhere(np.ndarray):
    """A matrix whose products do not depend on how many processors there are.

    BLAS shares a product out among its threads and sums in another order for each number of them;
    of Whisper's spectrum that turned "help" into "a help point" on one processor instead of two.
    """

    def __matmul__(self, other: Any) -> Any:
        return np.einsum("ij,jk->ik", np.asarray(self), other)


@dataclass(frozen=True, slots=True)
class Passage:
    """Speech that is recognised in one go: neighbouring utterances with the pauses between."""

    t0_ns: int
    t1_ns: int
    pcm: F32


class WordsPerceiver:
    """Transcribes each stretch of speech once.

    Speech may run over the window's end. A word that touches the end may be half a word: it is
    reported as heard, and heard again, whole, with the next window.

    Args:
        config: Language.
        store: Where the weights of the role `asr` are.
        ear: Shared with the voice; None makes one.

    Attributes:
        notes: What was lacking in the window last asked for, in words.
    """

    modality: ClassVar[Modality] = "words"
    kind: ClassVar[Kind] = Kind.AUDIO
    slow: ClassVar[bool] = True

    def __init__(self, config: PerceiveConfig, store: ModelStore, ear: Ear | None = None) -> None:
        self._language = config.language
        self._store = store
        self._ear = ear or Ear()
        self._whisper: Any = None
        self._emotion: text_emotion.TextEmotionModel | None = None
        self._next_ns: int | None = None
        self._words: deque[Word] = deque(maxlen=2000)
        self.notes: tuple[str, ...] = ()

    def start(self, spec: StreamSpec) -> None:
        """Load recogniser and text model.

        Raises:
            ModelError: Weights are missing, damaged, or do not know the language asked for.
            MissingExtraError: faster-whisper is not installed.
        """
        folder = self._store.path("asr")
        try:
            from faster_whisper import WhisperModel
        except ImportError as err:
            raise MissingExtraError("faster-whisper", "perceive") from err
        try:
            whisper = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=2)
        except (RuntimeError, ValueError, OSError) as err:
            raise ModelError(
                f"the speech recogniser in '{folder}' does not load: {err}",
                hint="thymos models verify asr",
            ) from err
        if not whisper.model.is_multilingual and self._language != "en":
            raise ModelError(
                f"the speech recogniser knows English only, and the language is '{self._language}'",
                hint="set perceive.language to 'en', or name a multilingual model for 'asr'",
            )
        extractor = whisper.feature_extractor
        extractor.mel_filters = np.asarray(extractor.mel_filters).view(_SameEverywhere)
        self._whisper = whisper
        self._emotion = text_emotion.load()
        self._ear.start(spec)

    def observe(self, sample: Sample) -> None:
        """Listen."""
        self._ear.feed(sample)

    def cues(self, window: Window) -> list[Cue]:
        """Transcribe what is new up to the window's end; return the words of the window."""
        self.notes = ()
        if self._whisper is None:
            return []
        new, lost = self._listen(window)
        if lost:
            self.notes = (f"{lost:.1f} s of speech was not understood ({self._assumed})",)
        inside = [w for w in self._words if w.t1_ns > window.t0_ns and w.t0_ns < window.t1_ns]
        words = sorted({*inside, *new}, key=lambda w: (w.t0_ns, w.t1_ns))
        if not words:
            return []
        text = "".join(w.text for w in words).strip()
        sure = float(np.mean([w.probability for w in words]))
        transcript = Cue(
            id="",
            modality="words",
            name="transcript",
            value=text,
            confidence=round(min(0.95, sure), 3),
            t0_ns=words[0].t0_ns,
            t1_ns=words[-1].t1_ns,
            text=f'somebody says ({self._assumed}): "{text}"',
            untrusted=True,
            spoken=tuple(w.spoken() for w in words),
            language=Counter(w.language for w in words).most_common(1)[0][0],
        )
        return [transcript, *self._sentiment(transcript)]

    def close(self) -> None:
        """Let the models go."""
        self._whisper = self._emotion = None

    @property
    def _assumed(self) -> str:
        return (
            "language found by the recogniser"
            if self._language == "auto"
            else (f"language assumed: {self._language}")
        )

    def _listen(self, window: Window) -> tuple[list[Word], float]:
        """New words up to the window's end, and seconds of speech that made no sense."""
        start = max(window.t0_ns - CATCH_UP_NS, self._next_ns or 0)
        end = self._ear.heard_to(window.t1_ns)
        # A little of what was heard before helps the recogniser with what comes after it.
        chunks = self._ear.between(start - CONTEXT_NS, window.t1_ns)
        self._next_ns = max(start, end)
        new: list[Word] = []
        lost = 0.0
        for said in _passages(chunks):
            if said.t1_ns <= start + CHUNK_NS:
                continue
            words = [w for w in self._transcribe(said) if w.t0_ns + w.t1_ns >= 2 * start]
            cut = said.t1_ns >= end - 2 * CHUNK_NS
            length = said.t1_ns - max(start, said.t0_ns)
            if words and cut and words[-1].t1_ns > end - TOUCHES_NS:
                self._next_ns = words[-1].t0_ns
            elif not words and cut and length < RETRY_NS:
                self._next_ns = max(start, said.t0_ns)
            elif not words:
                lost += length / NS_PER_S
            new += words
        while self._words and self._words[-1].t0_ns >= start:
            self._words.pop()  # half a word, now heard whole
        self._words.extend(new)
        return new, lost

    def _transcribe(self, said: Passage) -> list[Word]:
        """Words of one passage, or none if the recogniser is not to be believed."""
        segments, found = self._whisper.transcribe(
            said.pcm,
            language=None if self._language == "auto" else self._language,
            beam_size=2,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
            # Nobody says more; a decoder that understands nothing would go on for seconds.
            max_new_tokens=24 + 10 * len(said.pcm) // RATE,
            vad_filter=False,
        )
        heard = list(segments)
        if not heard or not believable(heard):
            return []
        begin, end = said.t1_ns - len(said.pcm) * NS_PER_S // RATE, said.t1_ns
        return [
            Word(
                word.word,
                min(end, begin + int(word.start * NS_PER_S)),
                min(end, begin + int(word.end * NS_PER_S)),
                float(word.probability),
                str(found.language),
            )
            for segment in heard
            for word in segment.words
        ]

    def _sentiment(self, transcript: Cue) -> list[Cue]:
        if self._emotion is None:
            return []
        found = self._emotion.read(str(transcript.value))
        if found is None:
            return []
        p = found.probabilities
        emotion = {name: round(float(v), 4) for name, v in zip(EMOTIONS, p / p.sum(), strict=True)}
        ranked = sorted(EMOTIONS, key=lambda name: -emotion[name])
        away = sorted(denied(str(transcript.value)))
        trust = self._emotion.reliability * (DENIED_TRUST if away else 1.0)
        return [
            Cue(
                id="",
                modality="words",
                name="sentiment",
                value={str(k): v for k, v in emotion.items()},
                confidence=round(trust * transcript.confidence, 3),
                t0_ns=transcript.t0_ns,
                t1_ns=transcript.t1_ns,
                text=f"the words express {ranked[0]} most ({emotion[ranked[0]]:.2f}), then "
                f"{ranked[1]} ({emotion[ranked[1]]:.2f})"
                + (f"; they deny {' and '.join(away)}" if away else ""),
                emotion=emotion,
                valence=None if found.valence is None else round(found.valence, 3),
                arousal=None if found.arousal is None else round(found.arousal, 3),
            )
        ]


def _passages(chunks: Sequence[Chunk]) -> list[Passage]:
    """Join utterances: a pass of Whisper costs the same for one second and for twenty."""
    groups: list[list[Utterance]] = []
    for said in utterances(chunks):
        if groups:
            first, last = groups[-1][0].span, groups[-1][-1].span
            near = said.span.t0_ns - last.t1_ns <= JOIN_NS
            same = chunks[last.last].run == chunks[said.span.first].run
            if near and same and said.span.t1_ns - first.t0_ns <= LONGEST_NS:
                groups[-1].append(said)
                continue
        groups.append([said])
    made = []
    for group in groups:
        begin, end = _run_up(chunks, group[0].span.first), group[-1].span.last + 1
        pcm = np.concatenate([c.pcm for c in chunks[begin:end]])
        made.append(Passage(group[0].span.t0_ns, group[-1].span.t1_ns, pcm))
    return made


def _run_up(chunks: Sequence[Chunk], first: int) -> int:
    """Number of the first chunk that the recogniser hears; never across a gap."""
    begin = first
    while begin > max(0, first - RUN_UP) and chunks[begin - 1].run == chunks[first].run:
        begin -= 1
    return begin


def believable(segments: Sequence[Any]) -> bool:
    """Whether a decoding can be trusted: likely, not repeating itself, on speech, not boilerplate.

    Args:
        segments: faster-whisper segments of one utterance, with words.
    """
    text = "".join(s.text for s in segments).strip().lower()
    words = [w for s in segments for w in s.words or ()]
    if not text or not words:
        return False
    seconds = np.array([max(0.1, s.end - s.start) for s in segments])
    logprob = float(np.average([s.avg_logprob for s in segments], weights=seconds))
    if (
        logprob < MIN_LOGPROB
        or float(np.mean([w.probability for w in words])) < MIN_WORD_PROBABILITY
    ):
        return False
    if any(s.compression_ratio > MAX_COMPRESSION for s in segments) or _repeats(text):
        return False
    if any(s.no_speech_prob > MAX_NO_SPEECH for s in segments) and logprob < -0.7:
        return False
    return not (logprob < -0.4 and any(phrase in text for phrase in _BOILERPLATE))


def _repeats(text: str) -> bool:
    """True if the same four words come three times."""
    words = text.split()
    grams = Counter(tuple(words[k : k + 4]) for k in range(len(words) - 3))
    return max(grams.values(), default=0) >= 3
