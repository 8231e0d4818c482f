"""Figures: a value, its spread, what a peer reaches, and what it should be."""

from __future__ import annotations

import math
import operator
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

_SIGNS = {"<=": operator.le, "<": operator.lt, "==": operator.eq, ">=": operator.ge}


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    Attributes:
        name: What was measured.
        value: The figure that `target` is about (p95 of single events, median of repeats).
        unit: Of value, spread and peer_value.
        spread: How it varied, by name: p50, p95, max of single events, or min and max of
            repeats; `n` is the number of either. Empty for a single measurement.
        target: What it should be, as `<= 150`, or `ratio >= 10`; empty if nothing was promised.
        peer: Whom it is compared with, and why that was not measured if it was not.
        peer_value: What the peer reached in the same run; None if it was not measured.
        ratio: value / peer_value, for repeats the median over neighbouring pairs.
    """

    name: str
    value: float
    unit: str
    spread: Mapping[str, float]
    target: str = ""
    peer: str = ""
    peer_value: float | None = None
    ratio: float | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the target is met; None without one, or without a measurement."""
        value = self.ratio if self.target.startswith("ratio ") else self.value
        sign, _, bound = self.target.removeprefix("ratio ").partition(" ")
        if not sign or value is None or self.spread.get("n") == 0:
            return None
        return bool(_SIGNS[sign](value, float(bound)))

    def as_json(self) -> dict[str, Any]:
        """All attributes and `reached`, as plain JSON has them (no NaN)."""
        fields = {**asdict(self), "spread": dict(self.spread), "reached": self.reached}
        return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in fields.items()}


def spread_of(name: str, values: Sequence[float], unit: str, target: str = "") -> Figure:
    """A figure from many measurements: its value is the p95.

    With few measurements the p95 lies between the two largest (linear interpolation); the number
    of measurements is told beside it.
    """
    data = np.asarray(values, dtype=np.float64)
    if not len(data):
        return Figure(name, float("nan"), unit, {"n": 0}, target)
    p50, p95 = np.percentile(data, [50, 95])
    spread = {"p50": float(p50), "p95": float(p95), "max": float(data.max()), "n": len(data)}
    return Figure(name, float(p95), unit, spread, target)


def repeated(
    name: str,
    values: Sequence[float],
    unit: str,
    target: str = "",
    *,
    peer: str = "",
    peer_values: Sequence[float] = (),
) -> Figure:
    """A figure from repeats of a whole measurement: median, least and greatest.

    Args:
        name: What was measured.
        values: One a repeat, at least one.
        unit: Of the values.
        target: See `Figure`.
        peer: See `Figure`.
        peer_values: What the peer reached in the repeat of the same number; empty if it was not
            measured.
    """
    spread = {"min": min(values), "max": max(values), "n": len(values)}
    value = statistics.median(values)
    if not peer_values:
        return Figure(name, value, unit, spread, target, peer)
    spread |= {"peer_min": min(peer_values), "peer_max": max(peer_values)}
    pairs = zip(values, peer_values, strict=True)
    ratios = [a / b if b else math.nan for a, b in pairs]
    ratio = statistics.median(ratios)
    theirs = statistics.median(peer_values)
    known = None if math.isnan(ratio) else ratio
    return Figure(name, value, unit, spread, target, peer, theirs, known)


def table(figures: Sequence[Figure], title: str) -> Table:
    """All figures as a table for people."""
    made = Table("figure", title=title, box=None, pad_edge=False)
    for column in ("value", "spread", "peer", "ratio", "target", ""):
        made.add_column(column, justify="right", no_wrap=column != "peer")
    for figure in figures:
        verdict = {None: Text(""), True: Text("ok", "green"), False: Text("missed", "red")}
        made.add_row(*cells(figure), verdict[figure.reached])
    return made


def cells(figure: Figure) -> tuple[str, str, str, str, str, str]:
    """A figure as text: name, value, spread, peer, ratio, target."""
    value = f"{number(figure.value)} {figure.unit}".strip()
    peer = figure.peer
    if figure.peer_value is not None:
        peer = f"{number(figure.peer_value)} ({peer})"
    return figure.name, value, _spread(figure.spread), peer, _ratio(figure.ratio), figure.target


def _ratio(ratio: float | None) -> str:
    """`12` or, below one, `1/12`."""
    if ratio is None:
        return ""
    return number(ratio) if ratio >= 1 or ratio <= 0 else f"1/{number(1 / ratio)}"


def _spread(spread: Mapping[str, float]) -> str:
    """`1.2-3.4 (n 5)` of repeats, `p50 3, max 9 (n 60)` of single events."""
    if not spread.get("n"):
        return ""
    count = f"(n {spread['n']:.0f})"
    if "min" in spread:
        return f"{number(spread['min'])}–{number(spread['max'])} {count}"
    return f"p50 {number(spread['p50'])}, max {number(spread['max'])} {count}"


def number(value: float) -> str:
    """Three digits, thousands set apart."""
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
