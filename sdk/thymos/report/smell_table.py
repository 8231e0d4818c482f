"""The smell of a run as tables: the same as the pictures, for those who read."""

from __future__ import annotations

import math

from thymos.report.axis import Axis
from thymos.report.html import Html, el
from thymos.report.smell_trace import SmellTrace
from thymos.smell.frame import Fault
from thymos.smell.view import FAULT_WORDS

MAX_ROWS = 120


def smell_table(trace: SmellTrace, axis: Axis) -> Html:
    """Events, classes and channels, folded."""
    return el(
        "details",
        el("summary", "The smell in numbers"),
        _events(trace, axis),
        _classes(trace),
        _channels(trace, axis),
        class_="numbers",
    )


def _events(trace: SmellTrace, axis: Axis) -> Html | None:
    if not trace.events:
        return None
    rows = [
        [
            event.text,
            _span(axis.seconds(event.earliest_ns), axis.seconds(event.latest_ns)),
            f"{axis.seconds(event.known_ns):.1f}",
        ]
        for event in trace.events[:MAX_ROWS]
    ]
    return _table(("event", "in the air [s]", "known at [s]"), rows)


def _span(early: float, late: float) -> str:
    return f"{early:.1f}" if late - early < 0.05 else f"{early:.1f} to {late:.1f}"


def _classes(trace: SmellTrace) -> Html | None:
    smelt = sum(part.smelt for part in trace.bins.values())
    if not smelt:
        return None
    rows = []
    for name in trace.labels[:MAX_ROWS]:
        mean = sum(part.shares.get(name, 0.0) for part in trace.bins.values()) / smelt
        most = max(
            (part.shares.get(name, 0.0) / part.smelt for part in trace.bins.values() if part.smelt),
            default=0.0,
        )
        rows.append([name, f"{mean:.0%}", f"{most:.0%}"])
    return _table(("class", "mean while it smelt", "highest"), rows)


def _channels(trace: SmellTrace, axis: Axis) -> Html:
    stretches = trace.stretches()
    rows = []
    for k, channel in enumerate(trace.view.channels[:MAX_ROWS]):
        known = [(t0, float(p.response[k])) for t0, _, p in stretches if p.count[k]]
        top = max(known, key=lambda pair: abs(pair[1]), default=(0, math.nan))
        change = f"{top[1]:+.0%}".replace("-", "−") if known else "unknown"
        at = f"{axis.seconds(top[0]):.1f}" if known else "–"
        rows.append([channel.name, change, at, _lost(trace, k)])
    heads = ("channel", "strongest change", "at [s]", "not used")
    return _table(heads, rows)


def _lost(trace: SmellTrace, channel: int) -> str:
    """How long a channel was not used, by reason."""
    total: dict[Fault, int] = {}
    for t0, t1, fault in trace.unusable(channel):
        total[fault] = total.get(fault, 0) + t1 - t0
    told = [f"{ns / 1e9:.1f} s: {FAULT_WORDS[fault]}" for fault, ns in total.items()]
    return "; ".join(told) or "–"


def _table(heads: tuple[str, ...], rows: list[list[str]]) -> Html:
    head = el("tr", [el("th", name, scope="col") for name in heads])
    body = [el("tr", el("th", row[0], scope="row"), [el("td", c) for c in row[1:]]) for row in rows]
    return el("div", el("table", el("thead", head), el("tbody", body)), class_="wide")
