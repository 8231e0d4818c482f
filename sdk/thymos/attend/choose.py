"""Choosing what stands for a window: exactly so many moments, events first, the rest evenly.

First and last are always among them: a model that is shown a window up to now must see now. Then
come events, strongest first, none within `GAP_NS` of one chosen before; then the largest gaps are
divided evenly. Without events that is the uniform choice.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from thymos.align.window import StreamSlice, Window, audio_span
from thymos.attend.media import Budget, Media, Picture, Sound
from thymos.attend.salience import Event, events, levels, movement, nose_rate
from thymos.contract import Anchor
from thymos.errors import MissingExtraError
from thymos.samples import NS_PER_S, Flag, Kind, frozen

GAP_NS = NS_PER_S
"""Events nearer than this to a chosen moment wait until the others had their turn."""
COVERED_NS = NS_PER_S // 2
"""An event this near to a chosen moment is seen in it."""
STRETCH_NS = 2 * NS_PER_S
"""Length of one stretch of sound (as AffectGPT's clips), where not all of it fits."""

LEAST_NS = NS_PER_S // 10
"""Of less sound than this nothing can be heard, unless it is all there is."""

LEAST: dict[Anchor, float] = {"motion": 1.5, "sound": 6.0, "smell": 0.05}
"""The smallest rise that is an event: grey levels, dB, relative change per second."""

EVENTS: tuple[Anchor, ...] = ("motion", "sound", "smell")

Ranked = list[tuple[int, Anchor]]


def moments(times: Sequence[int], anchors: Ranked, n: int) -> dict[int, Anchor]:
    """Choose exactly min(n, len(times)) positions.

    Args:
        times: Capture times, rising.
        anchors: Times of events with their kind, the most important first.
        n: How many to choose; of one, it is the last.

    Returns:
        Position → why, in order of time.
    """
    n = min(n, len(times))
    if n <= 0:
        return {}
    chosen: dict[int, Anchor] = {len(times) - 1: "last"}
    if n > 1:
        chosen[0] = "first"
    for gap in (GAP_NS, COVERED_NS):
        for t_ns, why in anchors:
            at = _nearest(times, t_ns)
            if len(chosen) < n and all(abs(times[at] - times[i]) >= gap for i in chosen):
                chosen[at] = why
    for at in _evenly(times, sorted(chosen), n - len(chosen)):
        chosen[at] = "even"
    return dict(sorted(chosen.items()))


def _nearest(times: Sequence[int], t_ns: int) -> int:
    at = bisect_left(times, t_ns)
    near = [i for i in (at - 1, at) if 0 <= i < len(times)]
    return min(near, key=lambda i: (abs(times[i] - t_ns), i))


def _evenly(times: Sequence[int], fixed: Sequence[int], n: int) -> list[int]:
    """Fill the gaps between `fixed` with n positions so that the widest one left is smallest."""
    gaps = [(a, b) for a, b in itertools.pairwise(fixed) if b - a > 1]
    parts = [1] * len(gaps)
    for _ in range(n):  # each goes where the pieces are longest
        g = max(
            (g for g, (a, b) in enumerate(gaps) if parts[g] < b - a),
            key=lambda g: ((times[gaps[g][1]] - times[gaps[g][0]]) / parts[g], -g),
        )
        parts[g] += 1
    made: list[int] = []
    for (a, b), count in zip(gaps, parts, strict=True):
        free = list(range(a + 1, b))
        for k in range(1, count):
            goal = times[a] + (times[b] - times[a]) * k // count
            # keep enough positions for those that come after
            rest = free[: len(free) - (count - 1 - k)]
            at = min(rest, key=lambda i: (abs(times[i] - goal), i))
            made.append(at)
            free = free[free.index(at) + 1 :]
    return made


def ranked(found: Mapping[Anchor, Sequence[Event]]) -> Ranked:
    """Events of several traces in turn, each trace's strongest first: none wins by its unit."""
    queues = [
        [(e.t_ns, why) for e in sorted(found[why], key=lambda e: (-e.rise, e.t_ns))]
        for why in EVENTS
        if found.get(why)
    ]
    longest = max((len(q) for q in queues), default=0)
    return [queue[rank] for rank in range(longest) for queue in queues if rank < len(queue)]


def look(window: Window, budget: Budget, streams: Mapping[Kind, str] | None = None) -> Media:
    """Choose pictures and sound of a window within a budget.

    Args:
        window: With the samples of its streams. What is chosen depends on them alone.
        budget: Prices and limits.
        streams: Which stream of a kind to take; by default the first by name.

    Returns:
        At most what the budget pays; pictures exactly as many as it pays, if there are so many.

    Raises:
        MissingExtraError: Pictures must be scaled and Pillow is not installed.
    """
    streams = streams or {}
    camera = _slice(window, Kind.VIDEO, streams)
    microphone = _slice(window, Kind.AUDIO, streams)
    nose = _slice(window, Kind.GAS, streams)
    frames = [] if camera is None else [s for s in camera.samples if not s.flags & Flag.INVALID]
    t0_ns, t1_ns, heard = _heard(microphone, window)
    n, sound_ns = _split(budget, len(frames), t1_ns - t0_ns)
    if n == 0 and sound_ns == 0:
        return Media()
    found: dict[Anchor, Sequence[Event]] = {
        "motion": events(movement(frames), LEAST["motion"]),
        "smell": [] if nose is None else events(nose_rate(nose.samples, nose.spec), LEAST["smell"]),
    }
    if microphone is not None and heard is not None:
        rate = int(microphone.spec.rate_hz)
        found["sound"] = events(levels(*heard, rate, t0_ns), LEAST["sound"])
    order = ranked(found)
    times = [f.t_ns for f in frames]
    pictures = tuple(
        Picture(frames[i].stream, times[i], _scaled(frames[i].payload, budget.side), why,
                budget.picture)
        for i, why in moments(times, order, n).items()
    )  # fmt: skip
    if microphone is None or heard is None:
        return Media(pictures)
    spans = stretches(t0_ns, t1_ns, order, sound_ns)
    return Media(pictures, tuple(_cut(microphone, t0, t1, w, budget) for t0, t1, w in spans))


def stretches(
    t0_ns: int, t1_ns: int, anchors: Ranked, most_ns: int
) -> list[tuple[int, int, Anchor]]:
    """Stretches of sound of at most `most_ns` together; all of it in one if that fits.

    The end of the window is always among them; events come next, what is left is placed evenly.
    """
    if most_ns >= t1_ns - t0_ns:
        return [(t0_ns, t1_ns, "whole")] if t1_ns > t0_ns else []
    length = min(STRETCH_NS, most_ns)
    if length < LEAST_NS:
        return []
    # Places where a stretch may lie: a grid that ends with the window, so that none overlap.
    ends = list(range(t1_ns, t0_ns + length - 1, -length))[::-1]
    centres = [end - length // 2 for end in ends]
    n = most_ns // length
    chosen: dict[int, Anchor] = {len(ends) - 1: "last"}
    for t_ns, why in anchors:
        at = _nearest(centres, t_ns)
        if len(chosen) < n and at not in chosen:
            chosen[at] = why
    if len(chosen) < n and 0 not in chosen:
        chosen[0] = "first"
    for at in _evenly(centres, sorted(chosen), min(n, len(ends)) - len(chosen)):
        chosen[at] = "even"
    return [(ends[i] - length, ends[i], why) for i, why in sorted(chosen.items())]


def _split(budget: Budget, frames: int, heard_ns: int) -> tuple[int, int]:
    """How many pictures and nanoseconds of sound: each gets half, and what the other leaves."""
    n = min(frames, budget.pictures) if budget.picture > 0 else 0
    sound_ns = min(heard_ns, round(budget.seconds * NS_PER_S)) if budget.second > 0 else 0
    price_n = n * budget.picture
    price_s = _price(sound_ns, budget)
    if price_n + price_s > budget.tokens:
        half = budget.tokens // 2
        n = min(n, max(half, budget.tokens - price_s) // max(1, budget.picture))
        left = budget.tokens - n * budget.picture
        sound_ns = min(sound_ns, int(left / budget.second * NS_PER_S)) if sound_ns else 0
        if 0 < sound_ns < heard_ns:  # prices of stretches are rounded up one by one
            pieces = -(-sound_ns // STRETCH_NS)
            sound_ns = max(0, min(sound_ns, int((left - pieces) / budget.second * NS_PER_S)))
    return n, sound_ns


def _price(span_ns: int, budget: Budget) -> int:
    """Tokens of a stretch of sound, rounded up."""
    return int(-(-span_ns * budget.second // NS_PER_S))


def _slice(window: Window, kind: Kind, streams: Mapping[Kind, str]) -> StreamSlice | None:
    """The stream of a kind that has samples here."""
    names = [streams[kind]] if kind in streams else sorted(window.streams)
    for name in names:
        part = window.streams.get(name)
        if part is not None and part.spec.kind is kind and part.samples:
            return part
    return None


Heard = tuple[NDArray[np.int16], NDArray[np.bool_]]


def _heard(part: StreamSlice | None, window: Window) -> tuple[int, int, Heard | None]:
    """The stretch of the window in which there is sound, and that sound."""
    if part is None:
        return window.t0_ns, window.t0_ns, None
    frames, have = audio_span(part.samples, part.spec, window.t0_ns, window.t1_ns)
    there = np.flatnonzero(have)
    if len(there) == 0:
        return window.t0_ns, window.t0_ns, None
    lo, hi = int(there[0]), int(there[-1]) + 1
    rate = int(part.spec.rate_hz)
    t0, t1 = (window.t0_ns + i * NS_PER_S // rate for i in (lo, hi))
    return t0, t1, (frames[lo:hi], have[lo:hi])


def _cut(part: StreamSlice, t0_ns: int, t1_ns: int, why: Anchor, budget: Budget) -> Sound:
    """One stretch, mono, at the rate of the model."""
    frames, _ = audio_span(part.samples, part.spec, t0_ns, t1_ns)
    mono = frames.astype(np.float32).mean(axis=1)
    made = _resampled(mono, int(part.spec.rate_hz), budget.rate_hz)
    pcm = np.clip(np.rint(made), -32768, 32767).astype(np.int16)
    tokens = _price(t1_ns - t0_ns, budget)
    name = part.spec.name
    return Sound(name, t0_ns, t1_ns, budget.rate_hz, frozen(pcm), why, tokens)


def _resampled(mono: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    if rate == wanted:
        return mono
    try:
        import soxr
    except ImportError as err:
        raise MissingExtraError("soxr", "perceive") from err
    made: NDArray[np.float32] = soxr.resample(mono, rate, wanted)
    return made


def _scaled(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The picture, its longer side at most `side` pixels."""
    height, width = pixels.shape[:2]
    if max(height, width) <= side:
        return frozen(pixels)
    try:
        from PIL import Image
    except ImportError as err:
        raise MissingExtraError("pillow", "record") from err
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = Image.fromarray(np.ascontiguousarray(pixels)).resize(size, Image.Resampling.BOX)
    return frozen(np.asarray(small))
