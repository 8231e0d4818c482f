"""Offset between sound and picture from a talking face.

The lips shape what is heard, so a few weighted sums of mouth measures follow a few weighted sums of
the voice's band energies: the canonical correlations of the two (H. Hotelling, "Relations between
two sets of variates", Biometrika 28, 1936; for faces and speech M. Slaney and M. Covell,
"FaceSync", NIPS 2000). The weights were learnt once on clips of other people (`av_learn`, file
`av_speech.json`); here they are only applied. The weighted correlation over all shifts has one
sharp peak at the offset if the voice belongs to the face, and none if it does not.

Better no answer than a wrong one: the peak must be high, stand out against the rest of the curve,
and stay where it is when the clip is cut into seconds and these are drawn anew (block bootstrap,
H. Künsch, Annals of Statistics 17, 1989).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from thymos_calibration.av_signals import GRID_HZ, Series, unit_rows

F64 = NDArray[np.float64]

MAX_OFFSET_S = 0.8
"""Offsets looked for; twice as far is looked at, to see how high chance goes."""
MIN_SECONDS = 3.0
PEAK_S = 0.2
"""Half width of a peak: what lies nearer belongs to it."""
SAME_S = 0.04
DRAWS = 400


@dataclass(frozen=True, slots=True)
class SpeechModel:
    """Learnt weights.

    Attributes:
        mouth: [d_mouth, k], columns of weights.
        sound: [d_sound, k].
        strength: Canonical correlations [k], the weight of each pair.
        zero_s: Peak of a clip whose sound and picture are in step.
    """

    mouth: F64
    sound: F64
    strength: F64
    zero_s: float = 0.0


@lru_cache(maxsize=1)
def packaged_model() -> SpeechModel:
    """The weights that come with Thymos."""
    text = (
        resources.files("thymos_calibration").joinpath("av_speech.json").read_text(encoding="utf-8")
    )
    data = json.loads(text)
    mouth, sound, strength = (np.array(data[key], float) for key in ("mouth", "sound", "strength"))
    return SpeechModel(mouth, sound, strength, float(data["zero_s"]))


@dataclass(frozen=True, slots=True)
class Peak:
    """What the curve over all shifts says.

    Attributes:
        offset_s: Sound after picture, seconds; positive if the sound is late.
        height: Weighted correlation at the peak, −1 to 1.
        rival: The same at the best other shift.
        agreement: Share of redrawn clips whose peak is within 40 ms of this one.
        spread_s: Standard deviation of the redrawn peaks that agree.
        seconds: How much of face and voice was compared.
        beyond: The peak lies further out than was looked for.
    """

    offset_s: float
    height: float
    rival: float
    agreement: float
    spread_s: float
    seconds: float
    beyond: bool = False


def find_peak(
    mouth: Series, sound: Series, model: SpeechModel, *, max_offset_s: float = MAX_OFFSET_S
) -> Peak | None:
    """Compare mouth and voice at every shift; None if they hardly overlap."""
    shifts = np.arange(-round(2 * max_offset_s * GRID_HZ), round(2 * max_offset_s * GRID_HZ) + 1)
    shifts = shifts + round(model.zero_s * GRID_HZ)
    sums, counts = _by_second(mouth, sound, model, shifts)
    total = counts.sum(axis=0)
    middle = len(shifts) // 2
    if total[middle] < MIN_SECONDS * GRID_HZ:
        return None
    curve = _curve(sums, counts, np.ones(len(sums)), total)
    top = int(curve.argmax())
    other = np.abs(shifts - shifts[top]) > PEAK_S * GRID_HZ
    draws = np.random.default_rng(0).multinomial(len(sums), [1 / len(sums)] * len(sums), DRAWS)
    tops = np.array([int(_curve(sums, counts, d, total).argmax()) for d in draws])
    same = np.abs(tops - top) <= SAME_S * GRID_HZ
    offset = (shifts[top] + _vertex(curve, top)) / GRID_HZ - model.zero_s
    return Peak(
        offset_s=float(offset),
        height=float(curve[top]),
        rival=float(curve[other].max()),
        agreement=float(same.mean()),
        spread_s=float(np.std(tops[same]) / GRID_HZ) if same.any() else 0.0,
        seconds=float(total[top]) / GRID_HZ,
        beyond=abs(float(offset)) > max_offset_s,
    )


def _by_second(
    mouth: Series, sound: Series, model: SpeechModel, shifts: NDArray[np.int64]
) -> tuple[F64, F64]:
    """Products of mouth and shifted voice, summed over each second: [seconds, shifts], and counts.

    A shift s compares the mouth at t with the voice at t + s.
    """
    x = unit_rows(mouth.rows @ model.mouth, mouth.valid)
    y = unit_rows(sound.rows @ model.sound, sound.valid)
    weight = model.strength / model.strength.sum()
    n = len(x)
    edges = np.arange(0, n, GRID_HZ)
    sums, counts = np.zeros((len(edges), len(shifts))), np.zeros((len(edges), len(shifts)))
    for j, shift in enumerate(shifts):
        at = np.arange(n) + mouth.first - sound.first + shift
        inside = (at >= 0) & (at < len(y))
        both = np.zeros(n)
        both[inside] = mouth.valid[inside] & sound.valid[at[inside]]
        product = np.zeros(n)
        product[inside] = ((x[inside] * y[at[inside]]) @ weight) * both[inside]
        sums[:, j], counts[:, j] = np.add.reduceat(product, edges), np.add.reduceat(both, edges)
    return sums, counts


def _curve(sums: F64, counts: F64, draw: F64 | NDArray[np.int64], total: F64) -> F64:
    """Mean product at each shift; shifts with under half of the usual overlap count less."""
    floor = max(float(total.max()) / 2, 1.0)
    return np.asarray((draw @ sums) / np.maximum(draw @ counts, floor))


def _vertex(curve: F64, top: int) -> float:
    """Where between the grid points the parabola through the peak has its vertex, −0.5 … 0.5."""
    if not 0 < top < len(curve) - 1:
        return 0.0
    left, middle, right = curve[top - 1 : top + 2]
    bend = left - 2 * middle + right
    return float(0.5 * (left - right) / bend) if bend < 0 else 0.0
