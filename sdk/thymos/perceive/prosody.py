"""How something is said: pitch, loudness, syllable rate, from 16 kHz sound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thymos.perceive.hearing import F32, RATE, Chunk, Span, speech_spans

F64 = NDArray[np.float64]

HOP = 160  # 10 ms
FRAME = 640  # 40 ms: two and a half periods of the lowest pitch
MIN_HZ, MAX_HZ = 65.0, 500.0
VOICED = 0.55
_FFT = 2048


@dataclass(frozen=True, slots=True)
class Prosody:
    """Frame-wise measures of one stretch of sound, every 10 ms.

    Attributes:
        f0_hz: Pitch [frames]; NaN where it is not voiced.
        db: Level [frames], dBFS.
        syllables: Frame numbers of syllable-like peaks.
    """

    f0_hz: F64
    db: F64
    syllables: NDArray[np.intp]


def analyse(pcm: F32) -> Prosody:
    """Measure a stretch of sound.

    Args:
        pcm: float32 [n] at 16 kHz, full scale ±1.
    """
    frames = _frames(pcm)
    power = np.mean(np.square(frames, dtype=np.float64), axis=1)
    db = np.maximum(-120.0, 10.0 * np.log10(power + 1e-12))
    f0 = _smooth_pitch(_pitch(frames, db))
    return Prosody(f0, db, _syllables(db, np.isfinite(f0)))


def _frames(pcm: F32) -> F32:
    count = max(0, (len(pcm) - FRAME) // HOP + 1)
    if count == 0:
        return np.zeros((0, FRAME), dtype=np.float32)
    view: F32 = np.lib.stride_tricks.sliding_window_view(pcm, FRAME)[::HOP][:count]
    return view


def _pitch(frames: F32, db: F64) -> F64:
    """Autocorrelation pitch after Boersma (1993): the window's own autocorrelation divided out.

    Of all peaks the strongest wins, where a lower pitch has to be clearly better (octave cost).
    """
    if len(frames) == 0:
        return np.zeros(0)
    window = np.hanning(FRAME)
    centred = (frames - frames.mean(axis=1, keepdims=True)) * window
    r = np.fft.irfft(np.abs(np.fft.rfft(centred, _FFT)) ** 2)
    rw = np.fft.irfft(np.abs(np.fft.rfft(window, _FFT)) ** 2)
    lo, hi = int(RATE / MAX_HZ), int(RATE / MIN_HZ) + 1
    with np.errstate(divide="ignore", invalid="ignore"):
        r = (r[:, : hi + 2] / r[:, :1]) / (rw[: hi + 2] / rw[0])
    r = np.nan_to_num(r, nan=0.0, posinf=0.0, neginf=0.0)
    lags = np.arange(lo, hi + 1)
    middle = r[:, lo : hi + 1]
    peak = (middle >= r[:, lo - 1 : hi]) & (middle > r[:, lo + 1 : hi + 2])
    cost = 0.02 * np.log2(lags / lo)
    score = np.where(peak & (middle <= 1.05), middle - cost, -1.0)
    best = score.argmax(axis=1)
    rows = np.arange(len(frames))
    strength = np.where(score[rows, best] > -1.0, middle[rows, best], 0.0)
    voiced = (strength >= VOICED) & (db > max(-55.0, float(db.max()) - 35.0))
    left, right = r[rows, lags[best] - 1], r[rows, lags[best] + 1]
    bend = left - 2 * middle[rows, best] + right
    shift = np.where(np.abs(bend) > 1e-9, 0.5 * (left - right) / np.where(bend == 0, 1, bend), 0.0)
    hz = RATE / (lags[best] + np.clip(shift, -0.5, 0.5))
    return np.where(voiced, hz, np.nan)


def _smooth_pitch(f0: F64) -> F64:
    """Drop lone frames and octave errors: what is far from the median of its neighbours."""
    out = f0.copy()
    for k in np.flatnonzero(np.isfinite(f0)):
        near = f0[max(0, k - 5) : k + 6]
        near = near[np.isfinite(near)]
        if len(near) < 4 or abs(np.log2(f0[k] / np.median(near))) > 0.35:
            out[k] = np.nan
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
