"""How far mapped capture times are from the truth, against simpler ways.

    python -m benchmarks.clock_model [--seeds 5] [--hours 1] [--plot docs/images/clock-error.svg]
    python -m benchmarks.clock_model --seeds 30 --first-seed 1000 --ppm -200 --hours 0.17

A device 200 ppm slow counts microseconds; its readings cross one queue in order, each delayed by
an exponential time (mean 20 ms), and 1 % of them by 500 ms more. All of it is simulated, with seeds
0, 1, 2 …, so the table is the same on every machine.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thymos.clock import ClockModel

S, MS = 1_000_000_000, 1_000_000
WARM_UP_S = 10.0
RATES = (10.0, 30.0, 100.0)
WINDOW_S = 60.0
COLOURS = {
    "arrival": "#96592c",
    "base taken once": "#8a8072",
    "least squares, 60 s": "#3d6073",
    "ClockModel": "#2b2620",
}

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Link:
    """Readings of a device: its ticks (1 µs), their arrival and the truth, ns."""

    ticks: Ints
    arrived: Ints
    truth: Ints

    @property
    def seconds(self) -> Floats:
        seconds: Floats = (self.truth - self.truth[0]) / S
        return seconds


def simulate(
    seconds: float,
    rate_hz: float,
    seed: int,
    *,
    ppm: float = 200.0,
    mean_ms: float = 20.0,
    spikes: float = 0.01,
    truth: Ints | None = None,
) -> Link:
    """Readings at a steady rate, or at the times `truth` (ns), through one queue."""
    rng = np.random.default_rng(seed)
    if truth is None:
        truth = 1000 * S + np.round(np.arange(int(seconds * rate_hz)) * S / rate_hz).astype(int)
    device_ns = (truth - truth[0]) / (1 + ppm * 1e-6)
    delay = rng.exponential(mean_ms * MS, len(truth))
    delay += np.where(rng.random(len(truth)) < spikes, 500 * MS, 0)
    arrived = np.maximum.accumulate(truth + np.round(delay).astype(int))
    return Link(np.floor(device_ns / 1000).astype(int), arrived, truth)


def model(link: Link) -> tuple[Floats, Floats]:
    """Error and stated uncertainty of `ClockModel`, ms."""
    clock = ClockModel(tick_ns=1000)
    pairs = zip(link.ticks.tolist(), link.arrived.tolist(), strict=True)
    stamps = [clock.observe(ticks, arrived) for ticks, arrived in pairs]
    error = np.array([stamp.t_ns for stamp in stamps]) - link.truth
    return error / MS, np.array([stamp.uncertainty_ns for stamp in stamps]) / MS


def base_once(link: Link) -> Floats:
    """What many drivers do: arrival of the first reading plus the device's own time."""
    error: Floats = (link.arrived[0] + (link.ticks - link.ticks[0]) * 1000 - link.truth) / MS
    return error


def least_squares(link: Link) -> Floats:
    """The straight line through the last 60 s of pairs, read at the newest."""
    x = (link.ticks - link.ticks[0]) / 1e6
    y = (link.arrived - link.arrived[0]) / MS - x * 1e3
    sums = [np.concatenate(([0.0], np.cumsum(v))) for v in (np.ones_like(x), x, y, x * x, x * y)]
    last = np.arange(1, len(x) + 1)
    first = np.searchsorted(x, x - WINDOW_S)
    n, sx, sy, sxx, sxy = (v[last] - v[first] for v in sums)
    spread = n * sxx - sx * sx
    slope = np.where(spread > 0, (n * sxy - sx * sy) / np.where(spread > 0, spread, 1), 0.0)
    line: Floats = (sy - slope * sx) / n + slope * x + x * 1e3 + link.arrived[0] / MS
    return line - link.truth / MS


def errors(link: Link) -> tuple[dict[str, Floats], Floats]:
    """Error of each way, ms (the keys of `COLOURS`), and what `ClockModel` says of its own."""
    error, bound = model(link)
    found = {
        "arrival": (link.arrived - link.truth) / MS,
        "base taken once": base_once(link),
        "least squares, 60 s": least_squares(link),
        "ClockModel": error,
    }
    return found, bound


def row(name: str, found: Sequence[Floats]) -> str:
    """One line of the table: the worst seed of each figure."""
    cells = [max(np.percentile(e, q) for e in found) for q in (50, 95, 99, 100)]
    return f"| {name} | " + " | ".join(f"{cell:.3g}" for cell in cells) + " |"


def plot(link: Link) -> str:
    """The 95th percentile of each 30 s over the hour, ms, logarithmic."""
    left, top, width, height = 62, 30, 640, 260
    low, high = -2, 3
    bins = (link.seconds // 30).astype(int)
    end = link.seconds[-1]

    def y_of(ms: float) -> float:
        share = (np.log10(max(ms, 10**low)) - low) / (high - low)
        return round(float(top + height * (1 - share)), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 880 {top + height + 44}" '
        'role="img" aria-label="error of capture times over one hour" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#5b5346">',
        f'<rect width="880" height="{top + height + 44}" fill="#fffdf9"/>',
        f'<text x="{left}" y="18">|error| of capture times, 95th percentile of each 30 s [ms]; '
        "30 Hz, 200 ppm, delays of mean 20 ms, 1 % of 500 ms</text>",
    ]
    for decade in range(low, high + 1):
        y = y_of(10.0**decade)
        parts.append(f'<path d="M{left} {y}h{width}" stroke="#5b5346" stroke-opacity=".2"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{10.0**decade:g}</text>')
    for minute in range(0, round(end / 60) + 1, 10):
        x = round(left + width * minute * 60 / end)
        parts.append(f'<text x="{x}" y="{top + height + 18}" text-anchor="middle">{minute}</text>')
    parts.append(
        f'<text x="{left + width / 2}" y="{top + height + 36}" text-anchor="middle">minutes</text>'
    )
    for name, error in errors(link)[0].items():
        p95 = [float(np.percentile(np.abs(error[bins == n]), 95)) for n in range(bins[-1] + 1)]
        dots = [f"{left + width * (n + 0.5) * 30 / end:.1f},{y_of(v):g}" for n, v in enumerate(p95)]
        parts.append(
            f'<polyline points="{" ".join(dots)}" fill="none" stroke="{COLOURS[name]}" '
            'stroke-width="1.8"/>'
        )
        parts.append(
            f'<text x="{left + width + 8}" y="{y_of(p95[-1]) + 4}" fill="{COLOURS[name]}">'
            f"{name}</text>"
        )
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--ppm", type=float, default=200.0, help="how slow the device is")
    parser.add_argument("--plot", type=Path, help="write the picture here")
    options = parser.parse_args()
    print("|error| after 10 s [ms], the worst of all seeds | p50 | p95 | p99 | max")
    for rate in RATES:
        found: dict[str, list[Floats]] = {name: [] for name in COLOURS}
        held = []
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            link = simulate(options.hours * 3600, rate, seed, ppm=options.ppm)
            late = link.seconds >= WARM_UP_S
            each, bound = errors(link)
            for name, error in each.items():
                found[name].append(np.abs(error[late]))
            held.append(float(np.mean(np.abs(each["ClockModel"]) <= bound)))
        for name, seeds in found.items():
            print(row(f"{rate:g} Hz, {name}", seeds))
        print(f"  stated uncertainty held in {100 * min(held):.1f} % or more")
    if options.plot:
        options.plot.write_text(plot(simulate(options.hours * 3600, 30.0, 0)), encoding="utf-8")
        print(f"written: {options.plot}")


if __name__ == "__main__":
    main()
