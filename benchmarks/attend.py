"""Share of planted bursts that the chosen frames catch, against what others do.

    python -m benchmarks.attend            # the table of docs/reasoning.md
    python -m benchmarks.attend --noise .1 # traces that are not clean

Traces of 10 s with 1 to 3 bursts (Gaussian, σ .15 s, 1 s apart or more) at random times; a burst is
caught if a chosen frame lies within half a second of its top. Budget: 6 frames. Peers: the uniform
choice, and the selection by counts of frames, written anew from its description (StimuVAR, arXiv
2409.00304: smoothing over 6 frames, peaks 30 frames apart, ±15 frames around each, the first 6).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from thymos.attend.choose import moments, ranked
from thymos.attend.salience import events
from thymos.samples import NS_PER_S

SECONDS = 10.0
WIDTH_S = 0.15
NEAR_S = 0.5
BUDGET = 6
RATES = (5, 10, 15, 30, 60)

Values = NDArray[np.float64]
Choose = Callable[[Values, Values], Sequence[int]]


def ours(t: Values, trace: Values) -> list[int]:
    """The choice of `thymos.attend`, on a trace in grey levels."""
    times = [round(x * NS_PER_S) for x in t]
    found = events(zip(times, trace.tolist(), strict=True), 1.5)
    return list(moments(times, ranked({"motion": found}), BUDGET))


def uniform(t: Values, trace: Values) -> list[int]:
    """Evenly over the clip, first and last among them."""
    return [int(i) for i in np.linspace(0, len(t) - 1, BUDGET).round()]


def by_frames(t: Values, trace: Values) -> list[int]:
    """Selection with all thresholds in frames, the latest cut off."""
    every = list(range(len(t)))
    if len(t) <= BUDGET:
        return every
    scaled = trace - trace.min()
    top = scaled.max()
    peaks: Sequence[int] = ()
    if top > 0:
        peaks = _peaks(_smoothed(scaled / top, 6.0), 30, 0.3)
    if not 0 < len(peaks) < BUDGET - 1:
        return every[:: max(1, len(t) // BUDGET)][:BUDGET]
    n = BUDGET // (len(peaks) + 1)
    picked: list[int] = []
    taken: set[int] = set()
    for peak in peaks:
        around = list(range(max(0, peak - 15), min(len(t), peak + 15)))
        picked += around[:: 30 // n][:n]
        taken |= set(around)
    rest = [i for i in every if i not in taken]
    lacking = BUDGET - len(set(picked))
    if rest and lacking > 0:
        picked += rest[:: max(1, len(rest) // lacking)][:lacking]
    return sorted(set(picked))[:BUDGET]


def _smoothed(trace: Values, sigma: float) -> Values:
    """Gaussian filter, mirrored at the ends."""
    reach = min(len(trace) - 1, round(4 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    padded = np.pad(trace, reach, mode="symmetric")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")


def _peaks(trace: Values, distance: int, prominence: float) -> list[int]:
    """Local maxima, the higher first so far apart, then those that stand out so much."""
    inner = range(1, len(trace) - 1)
    tops = [i for i in inner if trace[i - 1] < trace[i] >= trace[i + 1]]
    kept: list[int] = []
    for i in sorted(tops, key=lambda i: -trace[i]):
        if all(abs(i - k) >= distance for k in kept):
            kept.append(i)
    return sorted(i for i in kept if _prominence(trace, i) >= prominence)


def _prominence(trace: Values, i: int) -> float:
    """Height over the higher of the two lowest points on the way to something higher."""
    sides = []
    for side in (trace[:i][::-1], trace[i + 1 :]):
        higher = np.flatnonzero(side > trace[i])
        valley = side[: higher[0]] if len(higher) else side
        sides.append(valley.min() if len(valley) else trace[i])
    return float(trace[i] - max(sides))


CHOICES: dict[str, Choose] = {"thymos": ours, "frames": by_frames, "uniform": uniform}


def planted(rng: np.random.Generator, n: int, apart_s: float) -> Values:
    """Times of n bursts, at least so far from each other and from the ends, seconds."""
    edge = 2 * WIDTH_S
    while True:
        tops = np.sort(rng.uniform(edge, SECONDS - edge, n))
        if n < 2 or np.diff(tops).min() >= apart_s:
            return tops


def caught(
    choose: Choose,
    fps: float,
    n: int,
    *,
    trials: int = 300,
    noise: float = 0.0,
    apart_s: float = 1.0,
    seed: int = 0,
) -> float:
    """Share of bursts with a chosen frame within `NEAR_S`.

    Args:
        choose: Times and trace to positions.
        fps: Frames/s.
        n: Bursts in a clip.
        trials: Clips.
        noise: Standard deviation beside bursts of height 1.
        apart_s: Smallest distance of two bursts.
        seed: Of the random numbers.
    """
    rng = np.random.default_rng([seed, n, int(fps)])
    hits = 0
    for _ in range(trials):
        t = np.arange(round(SECONDS * fps)) / fps
        tops = planted(rng, n, apart_s)
        trace = np.exp(-0.5 * ((t[:, None] - tops) / WIDTH_S) ** 2).sum(axis=1)
        trace = np.abs(trace + rng.normal(0.0, noise, len(t))) * 20.0
        at = t[list(choose(t, trace))]
        hits += int((np.abs(at[:, None] - tops).min(axis=0) <= NEAR_S).sum())
    return hits / (trials * n)


def table(noise: float, apart_s: float, trials: int) -> str:
    """The shares as a table in Markdown, for 1 / 2 / 3 bursts."""
    lines = ["| frames/s | " + " | ".join(CHOICES) + " |", "|---" * (len(CHOICES) + 1) + "|"]
    for fps in RATES:
        cells = []
        for choose in CHOICES.values():
            shares = [
                caught(choose, fps, n, trials=trials, noise=noise, apart_s=apart_s)
                for n in (1, 2, 3)
            ]
            cells.append(" / ".join(f"{s:.3f}" for s in shares))
        lines.append(f"| {fps} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--noise", type=float, default=0.0, help="beside bursts of height 1")
    parser.add_argument("--apart", type=float, default=1.0, help="least distance of bursts [s]")
    parser.add_argument("--trials", type=int, default=300)
    args = parser.parse_args()
    print(table(args.noise, args.apart, args.trials))


if __name__ == "__main__":
    main()
