"""Shapes of the smell panels: lines, bands and envelopes over stretches of time.

Drawings are 1000 × 100 units, see `thymos.report.overview.drawing`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from thymos.report.axis import Axis
from thymos.report.html import Child, Html, el, join
from thymos.report.overview import drawing
from thymos.report.smell_trace import SmellBin, SmellTrace
from thymos.samples import NS_PER_S

Stretch = tuple[int, int, SmellBin]
Run = Sequence[Stretch]
Point = tuple[float, float]
_RATIOS = (1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 100.0, 1000.0)


def picture(label: str, *shapes: Child) -> Html:
    """A drawing that a screen reader names."""
    return el("div", drawing(*shapes), role="img", aria_label=label, class_="shape")


def keys(pairs: Iterable[tuple[str, str]]) -> Html:
    """A legend: (class of the colour, text)."""
    return join(
        el("span", el("i", class_=f"key {kind}"), text, class_="legend") for kind, text in pairs
    )


def runs(trace: SmellTrace, stretches: Run) -> list[list[Stretch]]:
    """Stretches without a hole of more than three readings between them."""
    rate = trace.view.link.declared_hz or trace.view.link.measured_hz
    reach = max(trace.bin_ns, int(3 * NS_PER_S / rate) if rate else NS_PER_S)
    found: list[list[Stretch]] = []
    for one in stretches:
        if found and one[0] - found[-1][-1][1] <= reach:
            found[-1].append(one)
        else:
            found.append([one])
    return found


def limit_of(stretches: Run) -> float:
    """Full deflection of all channels, a round ratio."""
    largest = 0.0
    for _, _, part in stretches:
        known = part.response[part.count > 0]
        if known.size:
            largest = max(largest, *(abs(_log(float(v))) for v in known))
    return next((ratio for ratio in _RATIOS if largest <= math.log(ratio)), _RATIOS[-1])


def _log(response: float) -> float:
    return math.log(max(0.01, 1.0 + response))


def height(response: float, full: float) -> float | None:
    """Where a response is drawn, 0 (top) to 100; `full` is the logarithm at the edges."""
    if not math.isfinite(response):
        return None
    return 50 - 48 * min(1.0, max(-1.0, _log(float(response)) / full))


def envelope(some: Sequence[tuple[Stretch, list[float]]], axis: Axis) -> Html:
    """From the lowest to the highest step of a sensor."""
    xs = [axis.x((t0 + t1) // 2) * 10 for (t0, t1, _), _ in some]
    low = [(x, max(ys)) for x, (_, ys) in zip(xs, some, strict=True)]
    high = [(x, min(ys)) for x, (_, ys) in zip(xs, some, strict=True)]
    return el("polygon", points=points_of([*low, *reversed(high)]), class_="steps")


def band(
    run: Run,
    foot: Sequence[float],
    head: Sequence[float],
    axis: Axis,
    kind: str,
) -> Html | None:
    """The area between two lines, in steps from stretch to stretch."""
    if max(h - f for f, h in zip(foot, head, strict=True)) < 0.002:
        return None
    edges = [t0 for t0, _, _ in run] + [run[-1][1]]
    up: list[tuple[float, float]] = []
    down: list[tuple[float, float]] = []
    for k, (low, high) in enumerate(zip(foot, head, strict=True)):
        left, right = axis.x(edges[k]) * 10, axis.x(edges[k + 1]) * 10
        up += [(left, 100 - 100 * high), (right, 100 - 100 * high)]
        down += [(left, 100 - 100 * low), (right, 100 - 100 * low)]
    return el("polygon", points=points_of([*up, *reversed(down)]), class_=kind)


def points_of(at: Sequence[tuple[float, float]]) -> str:
    """Corners as SVG wants them; those on a straight level line are left out."""
    kept: list[str] = []
    for k, (x, y) in enumerate(at):
        inner = 0 < k < len(at) - 1
        if inner and abs(at[k - 1][1] - y) < 0.05 and abs(at[k + 1][1] - y) < 0.05:
            continue
        kept.append(f"{x:.1f},{y:.1f}")
    return " ".join(kept)


def pieces(run: Run, known: Sequence[Sequence[float]], axis: Axis) -> list[list[Point]]:
    """Lines through the middle of what is known; not across what is unknown."""
    parts: list[list[Point]] = [[]]
    for (t0, t1, _), heights in zip(run, known, strict=True):
        if heights:
            middle = sum(heights) / len(heights)
            parts[-1].append((axis.x((t0 + t1) // 2) * 10, middle))
        elif parts[-1]:
            parts.append([])
    # A single point would not be seen: it gets the width of a hair.
    return [p if len(p) > 1 else [*p, (p[0][0] + 1, p[0][1])] for p in parts if p]
