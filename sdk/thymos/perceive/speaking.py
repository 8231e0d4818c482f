"""Who speaks: the face whose mouth moves with the voice.

Two things go together in somebody who speaks: the mouth is open where the sound is strong, and it
moves where the sound changes. Each stretch of speech is compared with the mouth of every face in
view by these two correlations, over lags of at most 0.2 s (cameras and microphones are never
quite in step, and lips move before the sound). That mouths and sound energy are correlated is as
old as Hershey and Movellan (Audio Vision, NIPS 1999); the two features are ours.

A softmax over the faces *and nobody in view* makes probabilities of the scores; the same voice
from the radio has no mouth. Where no answer is clear, nobody is named.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from thymos.align.window import Window
from thymos.contract import Cue, Modality
from thymos.perceive.hearing import RATE, Chunk, Ear, Span, speech_spans
from thymos.perceive.looks import who
from thymos.samples import NS_PER_S

F64 = NDArray[np.float64]

HZ = 25.0
"""Grid of both series. At 8 looks a second a mouth tells little of syllables."""
LAG = 5  # grid steps, 0.2 s
SLOW = 25  # opening and loudness are compared against their mean over a second
QUICK = 7  # movement is smoothed over 0.28 s
JOIN_NS = NS_PER_S // 2  # speech over shorter pauses is one turn
LONGEST_NS = 8 * NS_PER_S
CONTEXT_NS = 2 * NS_PER_S
"""How far back a turn that began before is heard: the longer, the surer."""
SHORTEST_NS = NS_PER_S
MARGIN_NS = 3 * NS_PER_S // 10
COVERED = 0.7  # of a turn a face must be in view for
HOLE_NS = NS_PER_S // 5
LOW_HZ, HIGH_HZ = 250.0, 2000.0  # where an open mouth sounds
STEEP, USUAL, DOUBT = 2.75, 0.75, 1.25
"""Log odds of a face against nobody in view: √seconds · (STEEP · score − USUAL) − DOUBT. Chance
correlations shrink with the root of the length. Fitted on the clips named in docs/models.md."""
CLEAR = 0.6
"""Named from this probability on."""
MAJORITY = 0.6  # of the speech in a cue's span
HEARD: tuple[Modality, ...] = ("voice", "words")
KEEP = 16_000  # 80 s of four faces at 50 looks a second


@dataclass(frozen=True, slots=True)
class Mouth:
    """One look at a mouth.

    Attributes:
        t_ns: Capture time.
        track: Whose.
        opening: Height of the opening and of the lips around it, in eye distances.
        width: Between the corners, in eye distances.
    """

    t_ns: int
    track: str
    opening: float
    width: float


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch of speech and whose it is.

    Attributes:
        t0_ns: Its begin.
        t1_ns: Its end.
        track: Who speaks; empty if nobody can be named.
        confidence: Probability of that; of the likeliest answer if nobody is named.
        faces: How many faces were in view.
    """

    t0_ns: int
    t1_ns: int
    track: str
    confidence: float
    faces: int


class Mouths:
    """The mouths seen lately. Thread-safe: faces are seen in one thread, attributed in another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: deque[Mouth] = deque(maxlen=KEEP)

    def add(self, mouth: Mouth) -> None:
        """Take a look in; times never fall."""
        with self._lock:
            self._seen.append(mouth)

    def clear(self) -> None:
        """The clock was set back."""
        with self._lock:
            self._seen.clear()

    def between(self, t0_ns: int, t1_ns: int) -> dict[str, list[Mouth]]:
        """Looks from [t0, t1) by face, in order of time."""
        found: dict[str, list[Mouth]] = {}
        with self._lock:
            for mouth in self._seen:
                if t0_ns <= mouth.t_ns < t1_ns:
                    found.setdefault(mouth.track, []).append(mouth)
        return found


def turns(mouths: Mouths, ear: Ear, t0_ns: int, t1_ns: int, *, clear: float = CLEAR) -> list[Turn]:
    """Attribute the speech of [t0, t1) to the faces in view, stretch by stretch.

    A stretch that goes on from before is judged with what came before, so it may begin earlier.

    Args:
        mouths: Of the faces in view.
        ear: What was heard.
        t0_ns: From when.
        t1_ns: Until when.
        clear: Probability from which somebody is named.
    """
    chunks = ear.between(t0_ns - CONTEXT_NS, t1_ns)
    found = []
    for first, last in _pieces(chunks, speech_spans(chunks)):
        part = chunks[first : last + 1]
        if part[-1].end_ns <= t0_ns:
            continue
        seen = mouths.between(part[0].t_ns, part[-1].end_ns)
        found.append(_turn(part, seen, clear))
    return found


def _pieces(chunks: Sequence[Chunk], spans: Iterable[Span]) -> list[tuple[int, int]]:
    """First and last chunk of each stretch to attribute: short pauses joined, long ones cut."""
    joined: list[tuple[int, int]] = []
    for span in spans:
        begin, end = _widened(chunks, span.first, span.last)
        if joined:
            first, last = joined[-1]
            near = span.t0_ns - chunks[last].end_ns <= JOIN_NS - MARGIN_NS
            if near and chunks[last].run == chunks[begin].run:
                joined[-1] = (first, end)
                continue
        joined.append((begin, end))
    pieces: list[tuple[int, int]] = []
    for first, last in joined:
        count = math.ceil((chunks[last].end_ns - chunks[first].t_ns) / LONGEST_NS)
        edges = [first + k * (last + 1 - first) // count for k in range(count + 1)]
        pieces += [(a, b - 1) for a, b in pairwise(edges)]
    return pieces


def _widened(chunks: Sequence[Chunk], first: int, last: int) -> tuple[int, int]:
    """With a little of what is around: a mouth at rest before and after tells as well."""
    run, t0_ns, t1_ns = chunks[first].run, chunks[first].t_ns, chunks[last].end_ns
    while first > 0 and chunks[first - 1].run == run and t0_ns - chunks[first].t_ns < MARGIN_NS:
        first -= 1
    end = len(chunks) - 1
    while last < end and chunks[last + 1].run == run and chunks[last].end_ns - t1_ns < MARGIN_NS:
        last += 1
    return first, last


def _turn(part: Sequence[Chunk], seen: dict[str, list[Mouth]], clear: float) -> Turn:
    t0_ns, t1_ns = part[0].t_ns, part[-1].end_ns
    grid = np.arange(0.0, (t1_ns - t0_ns) / NS_PER_S, 1.0 / HZ)
    covered = {name: looks for name, looks in seen.items() if _covers(looks, t0_ns, t1_ns)}
    if t1_ns - t0_ns < SHORTEST_NS or not covered:
        return Turn(t0_ns, t1_ns, "", 0.0, len(seen))
    loud = _loudness(np.concatenate([c.pcm for c in part]), grid)
    names = sorted(covered)
    scores = [_score(covered[name], loud, grid, t0_ns) for name in names]
    root = math.sqrt((t1_ns - t0_ns) / NS_PER_S)
    odds = np.array([*(math.exp(root * (STEEP * s - USUAL) - DOUBT) for s in scores), 1.0])
    shares = odds / odds.sum()
    best = int(shares.argmax())
    named = best < len(names) and shares[best] >= clear
    return Turn(t0_ns, t1_ns, names[best] if named else "", float(shares[best]), len(seen))


def _covers(looks: Sequence[Mouth], t0_ns: int, t1_ns: int) -> bool:
    times = [t0_ns, *(look.t_ns for look in looks), t1_ns]
    holes = sum(b - a for a, b in pairwise(times) if b - a > HOLE_NS)
    return len(looks) > 2 * LAG and holes <= (1.0 - COVERED) * (t1_ns - t0_ns)


def _loudness(pcm: NDArray[np.float32], grid: F64) -> F64:
    """Fourth root of the power between 250 and 2000 Hz, smoothed over 50 ms, on the grid."""
    width, hop = RATE // 40, RATE // 100
    frames = np.lib.stride_tricks.sliding_window_view(pcm, width)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(width), 512)) ** 2
    hz = np.fft.rfftfreq(512, 1.0 / RATE)
    root = power[:, (hz >= LOW_HZ) & (hz < HIGH_HZ)].sum(axis=1) ** 0.25
    middle = (np.arange(len(root)) * hop + width / 2) / RATE
    return np.interp(grid, middle, _smooth(root, 5))


def _score(looks: Sequence[Mouth], loud: F64, grid: F64, t0_ns: int) -> float:
    """How well a mouth goes with the sound, −2 … 2: two correlations at their best common lag."""
    times = np.array([look.t_ns - t0_ns for look in looks]) / NS_PER_S
    opening = np.interp(grid, times, [look.opening for look in looks])
    width = np.interp(grid, times, [look.width for look in looks])
    moving = _smooth(np.abs(np.gradient(opening)) + np.abs(np.gradient(width)), QUICK)
    changing = _smooth(np.abs(np.gradient(loud)), QUICK)
    opened = opening - _smooth(opening, SLOW)
    sounding = loud - _smooth(loud, SLOW)
    together = _lagged(opened, sounding) + _lagged(moving, changing)
    return float(together.max())


def _lagged(mouth: F64, sound: F64) -> F64:
    """Correlation at each lag from −LAG (the mouth is early) to LAG."""
    found = []
    for lag in range(-LAG, LAG + 1):
        a, b = (mouth[lag:], sound[: len(sound) - lag]) if lag >= 0 else (mouth[:lag], sound[-lag:])
        a, b = a - a.mean(), b - b.mean()
        size = math.sqrt(float((a * a).sum()) * float((b * b).sum()))
        found.append(float((a * b).sum()) / size if size > 1e-12 else 0.0)
    return np.array(found)


def _smooth(x: F64, width: int) -> F64:
    """Running mean over an odd number of places; the ends are repeated."""
    padded = np.pad(x, (width // 2 + 1, width // 2), mode="edge")
    total = np.cumsum(padded)
    return np.asarray((total[width:] - total[:-width]) / width)


def of_span(found: Sequence[Turn], t0_ns: int, t1_ns: int) -> str:
    """The track whose speech fills [t0, t1]; empty if several speak in it, or nobody is named."""
    said: dict[str, int] = {}
    for turn in found:
        shared = min(turn.t1_ns, t1_ns) - max(turn.t0_ns, t0_ns)
        if shared > 0:
            said[turn.track] = said.get(turn.track, 0) + shared
    named = [track for track in said if track]
    enough = len(named) == 1 and said[named[0]] >= MAJORITY * sum(said.values())
    return named[0] if enough else ""


def attribute(
    mouths: Mouths, ear: Ear, window: Window, cues: Sequence[Cue]
) -> tuple[list[Cue], list[str]]:
    """Give what was heard to who said it.

    Args:
        mouths: Of the faces in view.
        ear: What was heard.
        window: The window.
        cues: Of all modalities; those of voice and words that belong to nobody yet get the track
            of the speaker of their span.

    Returns:
        The cues, and if cues of the voice are among them one `speaker` cue for each who speaks;
        and a note if people in view cannot be told apart.
    """
    if not any(cue.modality in HEARD for cue in cues):
        return list(cues), []
    found = turns(mouths, ear, window.t0_ns, window.t1_ns)
    told = [_told(cue, found) if cue.modality in HEARD else cue for cue in cues]
    if not any(cue.modality == "voice" for cue in cues):
        return told, []
    unknown = [turn for turn in found if not turn.track and turn.faces > 1]
    notes = ["who of the people in view speaks is not clear"] if unknown else []
    return told + _speakers(found, window), notes


def _told(cue: Cue, found: Sequence[Turn]) -> Cue:
    track = "" if cue.track else of_span(found, cue.t0_ns, cue.t1_ns)
    return cue.model_copy(update={"track": track}) if track else cue


def _speakers(found: Sequence[Turn], window: Window) -> list[Cue]:
    cues = []
    for track in sorted({turn.track for turn in found if turn.track}):
        own = [turn for turn in found if turn.track == track]
        seconds = [turn.t1_ns - turn.t0_ns for turn in own]
        sure = sum(t.confidence * s for t, s in zip(own, seconds, strict=True)) / sum(seconds)
        cues.append(
            Cue(
                id="",
                modality="voice",
                name="speaker",
                value=track,
                confidence=round(sure, 3),
                t0_ns=max(window.t0_ns, own[0].t0_ns),
                t1_ns=own[-1].t1_ns,
                text=f"{who(track)} speaks: their mouth moves with the voice",
                track=track,
            )
        )
    return cues
