"""Plots as SVG from data: panels with axes, curves, bands; lines over named steps.

In the colours of `thymos.report.svg`; lines differ by dashes and direct labels too, so that they
can be told apart without colour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from thymos.report.svg import BLUE, INK, RED, SOFT, document, words

GREEN, GOLD, PLUM = "#4d7c0f", "#b07d1a", "#7a4a86"
PAINTS = (BLUE, RED, GREEN, GOLD, PLUM, SOFT)
DASHES = ("", "7 4", "2 4", "10 4 2 4", "14 4", "5 2")
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Panel:
    """A rectangle of the page with data coordinates.

    Attributes:
        left: Of the page.
        top: Of the page.
        width: On the page.
        height: On the page.
        x: Data at the left and right edge.
        y: Data at the lower and upper edge.
    """

    left: float
    top: float
    width: float
    height: float
    x: Point
    y: Point

    def at(self, x: float, y: float) -> Point:
        """Place on the page, held inside the panel."""
        share_x = (x - self.x[0]) / (self.x[1] - self.x[0])
        share_y = (y - self.y[0]) / (self.y[1] - self.y[0])
        held = (min(1.0, max(0.0, share)) for share in (share_x, share_y))
        across, up = held
        return self.left + self.width * across, self.top + self.height * (1 - up)

    def axes(
        self, x_ticks: Mapping[float, str], y_ticks: Mapping[float, str], y_name: str = ""
    ) -> list[str]:
        """Thin lines at the ticks with their labels; the name of y above the panel."""
        parts = []
        for value, text in y_ticks.items():
            _, y = self.at(self.x[0], value)
            parts += [
                f'<path d="M{self.left:g} {y:.1f}h{self.width:g}" stroke="{SOFT}" '
                'stroke-opacity="0.2"/>',
                words(self.left - 8, round(y + 4, 1), text, anchor="end"),
            ]
        for value, text in x_ticks.items():
            x, _ = self.at(value, self.y[0])
            parts.append(words(round(x, 1), self.top + self.height + 18, text, anchor="middle"))
        if y_name:
            parts.append(words(self.left, self.top - 8, y_name))
        return parts

    def curve(self, points: Sequence[Point], colour: str = BLUE, dash: str = "") -> str:
        """A line through points; it breaks where a value is NaN."""
        pieces: list[list[str]] = [[]]
        for x, y in points:
            if math.isfinite(y):
                px, py = self.at(x, y)
                pieces[-1].append(f"{px:.1f} {py:.1f}")
            elif pieces[-1]:
                pieces.append([])
        path = "".join("M" + "L".join(piece) for piece in pieces if piece)
        style = f' stroke-dasharray="{dash}"' if dash else ""
        return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"{style}/>'

    def band(self, x0: float, x1: float, colour: str, opacity: float = 0.14) -> str:
        """A stretch of x over the whole height."""
        left, right = self.at(x0, 0)[0], self.at(x1, 0)[0]
        return (
            f'<rect x="{left:.1f}" y="{self.top:g}" width="{max(0.5, right - left):.1f}" '
            f'height="{self.height:g}" fill="{colour}" fill-opacity="{opacity:g}"/>'
        )

    def upright(self, x: float, colour: str = INK, dash: str = "") -> str:
        """A line at x over the whole height."""
        px = self.at(x, 0)[0]
        style = f' stroke-dasharray="{dash}"' if dash else ""
        return f'<path d="M{px:.1f} {self.top:g}v{self.height:g}" stroke="{colour}"{style}/>'

    def level(self, y: float, colour: str = SOFT, dash: str = "5 4") -> str:
        """A line at y over the whole width."""
        py = self.at(0, y)[1]
        return (
            f'<path d="M{self.left:g} {py:.1f}h{self.width:g}" stroke="{colour}" '
            f'stroke-dasharray="{dash}"/>'
        )

    def dot(self, x: float, y: float, colour: str = INK) -> str:
        """A point."""
        px, py = self.at(x, y)
        return f'<circle cx="{px:.1f}" cy="{py:.1f}" r="4" fill="{colour}"/>'

    def say(
        self, x: float, y: float, text: str, *, anchor: str = "start", shift: Point = (6.0, -6.0),
        colour: str = INK,
    ) -> str:  # fmt: skip
        """Words beside a point."""
        px, py = self.at(x, y)
        return words(round(px + shift[0], 1), round(py + shift[1], 1), text, anchor=anchor,
                     colour=colour)  # fmt: skip


def steps_picture(
    title: str,
    steps: Sequence[str],
    lines: Mapping[str, Sequence[float]],
    *,
    x_name: str = "",
    note: str = "",
    low: float = 0.0,
    high: float = 1.0,
    percent: bool = True,
    spread: Mapping[str, Sequence[Point]] | None = None,
) -> str:
    """Lines over named steps (accuracy over the batches of a drift set), labelled at their end.

    Args:
        title: What was measured.
        steps: Names on the x axis.
        lines: A value for each step by name of the line; NaN where it was not measured.
        x_name: What the steps are.
        note: One line below: data, protocol.
        low: Lower edge of y.
        high: Upper edge of y.
        percent: Values are shares.
        spread: Lowest and highest of each step, by name of the line, drawn as upright strokes.
    """
    legend = 30 + 7 * max(len(name) for name in lines)
    panel = Panel(60, 64, 480, 260, (-0.3, len(steps) - 0.7), (low, high))
    marks = [low + (high - low) * k / 5 for k in range(6)]
    ticks = {value: f"{value:.0%}" if percent else f"{value:.3g}" for value in marks}
    parts = panel.axes({float(k): name for k, name in enumerate(steps)}, ticks)
    ends = []
    for n, (name, values) in enumerate(lines.items()):
        paint, dash = PAINTS[n % len(PAINTS)], DASHES[n % len(DASHES)]
        for k, (least, most) in enumerate((spread or {}).get(name, ())):
            (x, y0), (_, y1) = panel.at(k, least), panel.at(k, most)
            parts.append(
                f'<path d="M{x:.1f} {y0:.1f}V{y1:.1f}" stroke="{paint}" stroke-opacity="0.5" '
                'stroke-width="5"/>'
            )
        points = [(float(k), value) for k, value in enumerate(values)]
        known = [point for point in points if math.isfinite(point[1])]
        parts.append(panel.curve(points, paint, dash))
        parts += [panel.dot(x, y, paint) for x, y in known]
        if known:
            ends.append((panel.at(*known[-1])[1], name, paint))
    parts += _end_labels(ends, panel.left + panel.width + 12)
    foot = panel.top + panel.height + 40
    if x_name:
        parts.append(words(panel.left + panel.width / 2, foot, x_name, anchor="middle"))
    if note:
        parts.append(words(16, foot + 24, note))
    width = max(panel.left + panel.width + legend, 40 + 6.2 * len(note), 40 + 8 * len(title))
    return document(width, foot + 40, title, parts)


def _end_labels(ends: Sequence[tuple[float, str, str]], x: float) -> list[str]:
    """Names at the ends of their lines, moved apart so that they do not cover each other."""
    parts, last = [], -math.inf
    for y, name, paint in sorted(ends):
        last = max(y, last + 16)
        parts.append(words(x, round(last + 4, 1), name, colour=paint))
    return parts
