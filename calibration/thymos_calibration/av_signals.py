"""Mouth and voice as comparable curves: what `av-sync` compares.

Both become rows on one grid of capture time (50 a second), smoothed alike, each with its rate of
change. Where there is no face or no sound a row is masked, never filled in.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from thymos.perceive.facemesh import LEFT_EYE, RIGHT_EYE
from thymos.samples import NS_PER_S

F64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

GRID_HZ = 50
MAX_GAP_S = 0.15
"""A mouth unseen for longer is not interpolated over: at 10 pictures a second nobody reads lips."""
SMOOTH_S, TREND_S = 0.03, 0.25
"""Standard deviations of the two Gaussians whose difference keeps about 0.5 to 6 Hz: syllables."""

SOUND_RATE = 16_000
BAND_HZ = (80, 250, 450, 700, 1000, 1400, 1900, 2500, 3300, 4500, 7500)
"""Edges of the bands, about equally wide for the ear; the lips shape formants up to 4 kHz."""
FRAME_S = 0.03
QUIET = 1e-7
"""Power added before the logarithm (−70 dBFS), so that silence is a level and not −∞."""

# Landmark pairs of the 468-point mesh, each a distance: inner lips, outer lips, jaw, mouth width.
_INNER = ((13, 14), (82, 87), (312, 317))
_OUTER = ((0, 17), (37, 84), (267, 314))
_JAW = ((1, 152),)
_WIDTH = ((61, 291),)
MOUTH = (_INNER, _OUTER, _JAW, _WIDTH)


@dataclass(frozen=True, slots=True)
class Series:
    """Rows on the grid: row i is the time (first + i) / 50 s.

    Attributes:
        first: Grid number of the first row.
        rows: [n, d], mean 0 and deviation 1 where valid.
        valid: [n]; False where nothing was seen or heard.
    """

    first: int
    rows: F64
    valid: Mask

    @property
    def seconds(self) -> float:
        """How much of it is valid."""
        return float(self.valid.sum()) / GRID_HZ


def mouth_measures(points: NDArray[np.float32]) -> tuple[float, ...]:
    """Lip openings, jaw and width of one mesh [468, 3], in distances of the outer eye corners."""
    flat = points[:, :2].astype(np.float64)
    unit = max(float(np.linalg.norm(points[LEFT_EYE] - points[RIGHT_EYE])), 1e-6)
    return tuple(
        float(np.mean([np.linalg.norm(flat[a] - flat[b]) for a, b in pairs])) / unit
        for pairs in MOUTH
    )


def mouth_series(times_ns: NDArray[np.int64], measures: F64) -> Series:
    """Put looks at one mouth on the grid.

    Args:
        times_ns: When, rising [n].
        measures: `mouth_measures` of each look [n, 4].
    """
    times = times_ns / NS_PER_S
    first, last = int(np.ceil(times[0] * GRID_HZ)), int(np.floor(times[-1] * GRID_HZ))
    grid = np.arange(first, last + 1) / GRID_HZ
    after = np.clip(np.searchsorted(times, grid), 1, len(times) - 1)
    valid = times[after] - times[after - 1] <= MAX_GAP_S
    rows = np.stack([np.interp(grid, times, column) for column in measures.T], axis=1)
    return _series(first, rows, valid)


def sound_series(levels: list[tuple[int, F64]]) -> Series:
    """Put band energies (of `BandMeter`) on the grid.

    Args:
        levels: Grid number and log energy by band, rising; numbers may be missing.
    """
    first, last = levels[0][0], levels[-1][0]
    rows = np.zeros((last - first + 1, len(BAND_HZ) - 1))
    valid = np.zeros(len(rows), dtype=bool)
    for number, row in levels:
        rows[number - first], valid[number - first] = row, True
    return _series(first, rows, valid)


def _series(first: int, rows: F64, valid: Mask) -> Series:
    weight = valid.astype(np.float64)[:, None]
    smooth = _blur(rows, weight, SMOOTH_S) - _blur(rows, weight, TREND_S)
    return Series(first, unit_rows(np.hstack([smooth, np.gradient(smooth, axis=0)]), valid), valid)


def unit_rows(rows: F64, valid: Mask) -> F64:
    """Mean 0 and deviation 1 of every column over the valid rows; 0 elsewhere."""
    if not valid.any():
        return np.zeros_like(rows)
    seen = rows[valid]
    spread = seen.std(axis=0)
    out = (rows - seen.mean(axis=0)) / np.where(spread > 1e-12, spread, np.inf)
    out[~valid] = 0.0
    return np.asarray(out)


def _blur(rows: F64, weight: F64, sigma_s: float) -> F64:
    """Gaussian mean over time of the rows that count (normalised convolution)."""
    reach = int(4 * sigma_s * GRID_HZ) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (sigma_s * GRID_HZ)) ** 2)
    padded = np.pad(np.hstack([rows * weight, weight]), ((reach, reach), (0, 0)))
    sums = np.stack([np.convolve(c, kernel, "valid") for c in padded.T], axis=1)
    return np.asarray(sums[:, :-1] / np.maximum(sums[:, -1:], 1e-9))


class BandMeter:
    """Log energies of a sound stream in `BAND_HZ`, 50 times a second on the grid of its stamps.

    Takes 16 kHz mono blocks with the time of their first frame; blocks that do not follow on begin
    a new run, and the grid stays empty in between.
    """

    GAP_NS = 20_000_000

    def __init__(self) -> None:
        self.levels: list[tuple[int, F64]] = []
        self._size = round(SOUND_RATE * FRAME_S)
        self._window = np.hanning(self._size)
        freq = np.fft.rfftfreq(self._size, 1 / SOUND_RATE)
        self._bins = [(freq >= lo) & (freq < hi) for lo, hi in pairwise(BAND_HZ)]
        self._held = np.zeros(0)
        self._held_ns = 0
        self._next = -(1 << 62)

    def push(self, t_ns: int, pcm: F64) -> None:
        """Take a block, full scale ±1."""
        end_ns = self._held_ns + len(self._held) * NS_PER_S // SOUND_RATE
        if len(self._held) and abs(t_ns - end_ns) <= self.GAP_NS:
            self._held = np.concatenate([self._held, pcm])
        else:
            self._held, self._held_ns = pcm, t_ns
            first = int(np.ceil((t_ns / NS_PER_S + FRAME_S / 2) * GRID_HZ))
            self._next = max(self._next, first)
        self._measure()

    def _measure(self) -> None:
        """Measure every frame centred on the grid that is whole, and let go of what is behind."""
        begin = 0
        while True:
            centre = (self._next / GRID_HZ - self._held_ns / NS_PER_S) * SOUND_RATE
            begin = max(0, round(centre - self._size / 2))
            if begin + self._size > len(self._held):
                break
            frame = self._held[begin : begin + self._size] * self._window
            power = np.abs(np.fft.rfft(frame)) ** 2 / (self._size * (self._window**2).sum())
            row = np.log10([power[b].sum() + QUIET for b in self._bins])
            self.levels.append((self._next, row))
            self._next += 1
        begin = min(begin, len(self._held))
        self._held = self._held[begin:]
        self._held_ns += begin * NS_PER_S // SOUND_RATE
