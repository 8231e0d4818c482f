"""Figures: a value, its spread, and what it should be."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure.

    Attributes:
        name: What was measured.
        value: The figure that `target` is about (p95 where there is a spread).
        unit: Of value and spread.
        spread: p50, p95, max and the number of measurements; empty for a single one.
        target: What it should be, as `<= 150`; empty if nothing was promised.
    """

    name: str
    value: float
    unit: str
    spread: dict[str, float]
    target: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the target is met; None without one, or without a measurement."""
        if not self.target or self.spread.get("n") == 0:
            return None
        sign, _, bound = self.target.partition(" ")
        compare = {"<=": operator.le, "<": operator.lt, "==": operator.eq}[sign]
        return bool(compare(self.value, float(bound)))


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


def table(figures: Sequence[Figure], title: str) -> Table:
    """All figures as a table for people."""
    made = Table("figure", title=title, box=None, pad_edge=False)
    for column in ("value", "p50", "p95", "max", "n", "target", ""):
        made.add_column(column, justify="right", no_wrap=True)
    for figure in figures:
        shares = [_number(figure.spread[k]) if k in figure.spread else ""
                  for k in ("p50", "p95", "max", "n")]  # fmt: skip
        verdict = {None: Text(""), True: Text("reached", "green"), False: Text("missed", "red")}
        value = f"{_number(figure.value)} {figure.unit}"
        made.add_row(figure.name, value, *shares, figure.target, verdict[figure.reached])
    return made


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
