"""How something is said: pitch, loudness, harmonicity, syllable rate, from 16 kHz sound."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thymos.errors import MissingExtraError
from thymos.perceive.hearing import F32, RATE, Chunk, Span, speech_spans

F64 = NDArray[np.float64]

HOP = 160  # 10 ms
FRAME = 640  # 40 ms: two and a half periods of the lowest pitch
MIN_HZ, MAX_HZ = 65.0, 500.0
VOICED = 0.5
"""Confidence from which SwiftF0 calls a frame voiced; it is calibrated so."""
QUIET_DB, RANGE_DB = -55.0, 35.0
"""Frames below -55 dBFS, or this far below the loudest of their stretch, are not measured."""
_FFT = 2048


@dataclass(frozen=True, slots=True)
class Prosody:
    """Frame-wise measures of one stretch of sound, every 10 ms.

    Attributes:
        f0_hz: Pitch [frames]; NaN where it is not voiced.
        db: Level [frames], dBFS.
        hnr_db: Harmonics-to-noise ratio [frames], dB; NaN where it is not voiced.
        syllables: Frame numbers of syllable-like peaks.
    """

    f0_hz: F64
    db: F64
    hnr_db: F64
    syllables: NDArray[np.intp]


def analyse(pcm: F32) -> Prosody:
    """Measure a stretch of sound.

    Args:
        pcm: float32 [n] at 16 kHz, full scale ±1.

    Raises:
        MissingExtraError: swift-f0 is not installed.
    """
    frames = _frames(pcm)
    power = np.mean(np.square(frames, dtype=np.float64), axis=1)
    db = np.maximum(-120.0, 10.0 * np.log10(power + 1e-12))
    f0 = _pitch(pcm, db)
    return Prosody(f0, db, _harmonicity(frames, f0), _syllables(db, np.isfinite(f0)))


def _frames(pcm: F32) -> F32:
    count = max(0, (len(pcm) - FRAME) // HOP + 1)
    if count == 0:
        return np.zeros((0, FRAME), dtype=np.float32)
    view: F32 = np.lib.stride_tricks.sliding_window_view(pcm, FRAME)[::HOP][:count]
    return view


@functools.cache
def _detector() -> Any:
    """SwiftF0 (Nieradzik, arXiv 2508.18440): a small network, on one thread, as replay asks."""
    try:
        from swift_f0 import SwiftF0
    except ImportError as err:
        raise MissingExtraError("swift-f0", "perceive") from err
    return SwiftF0(threads=1, spin=False)


def _pitch(pcm: F32, db: F64) -> F64:
    """Pitch at the middle of each frame, Hz; NaN where it is not voiced or hardly audible."""
    if len(db) == 0:
        return np.zeros(0)
    found = _detector().detect(pcm, RATE, MIN_HZ, MAX_HZ)
    middle = (np.arange(len(db)) * HOP + FRAME / 2) / RATE
    steps = np.arange(len(found.timestamps))
    near = np.rint(np.interp(middle, found.timestamps, steps)).astype(int)
    audible = db > max(QUIET_DB, float(db.max()) - RANGE_DB)
    voiced = (found.confidence[near] >= VOICED) & audible
    return np.where(voiced, found.pitch_hz[near], np.nan)


def _harmonicity(frames: F32, f0: F64) -> F64:
    """Harmonics-to-noise ratio after Boersma (1993, eq. 4): r / (1 - r) at the pitch, in dB.

    r is the autocorrelation of the windowed frame divided by that of the window.
    """
    out = np.full(len(f0), np.nan)
    rows = np.flatnonzero(np.isfinite(f0))
    if len(rows) == 0:
        return out
    window = np.hanning(FRAME)
    some = frames[rows]
    r = np.fft.irfft(
        np.abs(np.fft.rfft((some - some.mean(axis=1, keepdims=True)) * window, _FFT)) ** 2
    )
    rw = np.fft.irfft(np.abs(np.fft.rfft(window, _FFT)) ** 2)
    lag = np.round(RATE / f0[rows]).astype(int)
    around = lag[:, None] + np.arange(-3, 4)  # the pitch is good to a few samples
    with np.errstate(divide="ignore", invalid="ignore"):
        near = (np.take_along_axis(r, around, 1) / r[:, :1]) / (rw[around] / rw[0])
    best = np.clip(np.nan_to_num(near.max(axis=1)), 1e-3, 0.9999)
    out[rows] = 10.0 * np.log10(best / (1.0 - best))
    return out


def _syllables(db: F64, voiced: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Syllable nuclei after de Jong and Wempe (2009): voiced level peaks with a dip of 2 dB before.

    The level is smoothed over 50 ms first.
    """
    if len(db) < 5:
        return np.zeros(0, dtype=np.intp)
    smooth = np.convolve(np.pad(db, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    floor = float(np.percentile(smooth, 95)) - 25.0
    found: list[int] = []
    dip, top, where = smooth[0], -np.inf, -1
    for k, level in enumerate(smooth):
        if level > top:
            top, where = level, k
        if top - level >= 2.0 and top - dip >= 2.0:  # past a peak that had a dip before it
            if top > floor and voiced[max(0, where - 2) : where + 3].any():
                found.append(where)
            dip, top = level, -np.inf
        elif level < dip or (top - dip < 2.0 and level <= dip):
            dip, top = min(dip, level), -np.inf
    return np.array(found, dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Utterance:
    """A stretch of speech with its sound and measures."""

    span: Span
    pcm: F32
    prosody: Prosody


def utterances(chunks: Sequence[Chunk]) -> list[Utterance]:
    """Stretches that the detector calls speech and that have at least one syllable.

    The second condition removes tones, test signals and steady music, which the detector may take
    for speech. Each stretch is measured with 0.1 s before it, so that its first syllable counts.
    """
    found = []
    for span in speech_spans(chunks):
        first = span.first
        while first > max(0, span.first - 3) and chunks[first - 1].run == chunks[first].run:
            first -= 1
        pcm = np.concatenate([c.pcm for c in chunks[first : span.last + 1]])
        prosody = analyse(pcm)
        if len(prosody.syllables):
            found.append(Utterance(span, pcm, prosody))
    return found
