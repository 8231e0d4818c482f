"""A plot as SVG: one panel a series, points with their spread, and the straight line."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH, HEIGHT, GAP, ROW = 300, 200, 70, 2
TOP, LEFT = 60, 60
INK, SOFT, BLUE, RED = "#2b2620", "#5b5346", "#3d6073", "#96592c"


@dataclass(frozen=True, slots=True)
class Series:
    """One panel: (x, y, lowest, highest) of each point."""

    name: str
    points: list[tuple[float, float, float, float]]


def panels(series: list[Series], unit: str) -> str:
    """All series, two in a row, each on its own scale."""
    rows = -(-len(series) // ROW)
    width, height = LEFT + ROW * (WIDTH + GAP), TOP + rows * (HEIGHT + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="{escape(unit)}" font-family="system-ui, sans-serif" '
        f'font-size="12" fill="{SOFT}">',
        f'<rect width="{width}" height="{height}" fill="#fffdf9"/>',
        f'<text x="{LEFT}" y="20" font-size="14" fill="{INK}">{escape(unit)}</text>',
    ]
    for n, one in enumerate(series):
        row, column = divmod(n, ROW)
        parts += _panel(one, LEFT + column * (WIDTH + GAP), TOP + row * (HEIGHT + GAP))
    return "\n".join([*parts, "</svg>", ""])


def _panel(series: Series, left: int, above: int) -> list[str]:
    x, y, _, high = (np.array(column) for column in zip(*series.points, strict=True))
    top = _round_up(float(high.max()))
    most = float(x.max())

    def at(a: float, b: float) -> tuple[float, float]:
        return round(left + WIDTH * a / most, 1), round(above + HEIGHT * (1 - b / top), 1)

    parts = [f'<text x="{left}" y="{above - 12}" fill="{INK}">{escape(series.name)}</text>']
    for share in (0, 0.25, 0.5, 0.75, 1):
        _, height = at(0, top * share)
        parts += [
            f'<path d="M{left} {height}h{WIDTH}" stroke="{SOFT}" stroke-opacity="0.25"/>',
            f'<text x="{left - 6}" y="{height + 4}" text-anchor="end">{top * share:.3g}</text>',
        ]
    slope, base = np.polyfit(x, y, 1) if len(x) > 1 else (0.0, y[0])
    (x0, y0), (x1, y1) = at(0, base), at(most, slope * most + base)
    parts.append(f'<path d="M{x0} {y0}L{x1} {y1}" stroke="{RED}" stroke-dasharray="5 4"/>')
    for a, b, lowest, highest in series.points:
        (px, py), (_, bottom), (_, upper) = at(a, b), at(a, lowest), at(a, highest)
        parts += [
            f'<path d="M{px} {upper}V{bottom}" stroke="{BLUE}" stroke-width="1.5"/>',
            f'<circle cx="{px}" cy="{py}" r="3.5" fill="{BLUE}"/>',
        ]
    shown = {p[0] for p in series.points if p[0] * 8 >= most}
    for a in sorted(shown):
        px, _ = at(a, 0)
        parts.append(f'<text x="{px}" y="{above + HEIGHT + 18}" text-anchor="middle">{a:g}</text>')
    return parts


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 5 and 8 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(max(value, 1e-9)))
    return float(next(m * power for m in (1, 2, 4, 5, 8, 10) if m * power >= value))
