"""Small plots as SVG, in the colours of the report: a table of counts, a reliability diagram."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

INK, SOFT, BLUE, RED, PAPER = "#2b2620", "#5b5346", "#3d6073", "#96592c", "#fffdf9"


def document(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    """Put parts on paper; the title is also what a screen reader says."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(title)}" font-family="system-ui, sans-serif" font-size="12" '
        f'fill="{SOFT}">'
    )
    paper = f'<rect width="{width:g}" height="{height:g}" fill="{PAPER}"/>'
    return "\n".join([head, paper, words(16, 24, title, size=14, colour=INK), *parts, "</svg>", ""])


def words(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, colour: str = SOFT
) -> str:
    """A line of text; `anchor` is start, middle or end."""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}" fill="{colour}">'
        f"{escape(text)}</text>"
    )


def confusion_picture(
    title: str, names: Sequence[str], columns: Sequence[str], counts: Sequence[Sequence[int]]
) -> str:
    """A row for each true class, shaded by its share of the row; the counts are written in.

    Args:
        title: What was scored.
        names: Of the rows.
        columns: Of the columns; may be one more (no answer).
        counts: [rows][columns].
    """
    cell, left, top = 56, 24 + 7 * max(map(len, names)), 76
    parts = [words(left, 44, "said →   (rows: true class, shaded by share of the row)")]
    for j, name in enumerate(columns):
        parts.append(words(left + cell * (j + 0.5), top - 8, name[:9], anchor="middle", size=11))
    for i, (name, row) in enumerate(zip(names, counts, strict=True)):
        y, total = top + cell * i, max(1, sum(row))
        parts.append(words(left - 8, y + cell / 2 + 4, name, anchor="end"))
        for j, count in enumerate(row):
            share, x = count / total, left + cell * j
            fill = BLUE if j == i else RED
            parts.append(
                f'<rect x="{x:g}" y="{y:g}" width="{cell - 2}" height="{cell - 2}" fill="{fill}" '
                f'fill-opacity="{share:.3f}" stroke="{SOFT}" stroke-opacity="0.2"/>'
            )
            ink = PAPER if share > 0.55 else INK
            parts.append(
                words(x + cell / 2 - 1, y + cell / 2 + 4, str(count), anchor="middle", colour=ink)
            )
    width = max(left + cell * len(columns) + 24, 420)
    return document(width, top + cell * len(names) + 16, title, parts)


def reliability_picture(title: str, bins: Sequence[tuple[float, float, float]]) -> str:
    """How often an answer of a given confidence is right; on the dashed line it is calibrated.

    Args:
        title: What was scored.
        bins: (share of the answers, mean confidence, accuracy) of each bin.
    """
    side, left, top = 260, 56, 48
    parts = [
        f'<path d="M{left} {top + side}L{left + side} {top}" stroke="{SOFT}" '
        'stroke-dasharray="5 4"/>'
    ]
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x, y = left + side * tick, top + side * (1 - tick)
        parts += [
            f'<path d="M{left} {y:g}h{side}" stroke="{SOFT}" stroke-opacity="0.2"/>',
            words(left - 8, y + 4, f"{tick:g}", anchor="end"),
            words(x, top + side + 18, f"{tick:g}", anchor="middle"),
        ]
    for share, confidence, right in bins:
        x, y = left + side * confidence, top + side * (1 - right)
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{3 + 14 * share**0.5:.1f}" fill="{BLUE}" '
            'fill-opacity="0.75"/>'
        )
    parts.append(words(left, top + side + 38, "confidence →, share right ↑, area: how many"))
    return document(left + side + 40, top + side + 52, title, parts)
