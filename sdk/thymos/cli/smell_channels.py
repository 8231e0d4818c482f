"""The channels of a `SmellView` as rows: reading, response against clean air, the last minute."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from thymos.report.html import clean
from thymos.smell.frame import Fault
from thymos.smell.view import NAN, PAST_BINS, ChannelView, SmellView, by_sensor

WIDE = 96
MAX_ROWS = 16
_LEVELS = "▁▂▃▄▅▆▇█"
_SCALES = (1.2, 1.5, 2.0, 3.0, 5.0, 10.0, 100.0, 1000.0)  # full deflection, as a ratio
_LEAST, _MOST = 0.01, 1e6  # of the ratio: what fell to nothing is still on the scale
_SIGNS = {"ohm": "Ω", "volt": "V", "adc": "adc", "ppm": "ppm", "rs_r0": "Rs/R0"}
_FAULT = {
    Fault.SENTINEL: "no value",
    Fault.RAIL: "at its rail",
    Fault.STUCK: "stuck",
    Fault.WARM_UP: "warming up",
    Fault.OUT_OF_RANGE: "out of range",
    Fault.UNSTABLE: "unstable",
    Fault.MISSING: "missing",
}


def channel_table(view: SmellView, width: int, rows: int = MAX_ROWS) -> Table:
    """A row for each channel; of a nose with many, one for each sensor or for the strongest."""
    scale = scale_of(view.channels)
    wide = width >= WIDE
    bar = 21 if wide else 13
    groups = _groups(view.channels)
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    heads = ("sensor", "used") if groups else ("channel", "reading")
    names = 14 if wide else 9
    table.add_column(" " + heads[0], width=names + 1, no_wrap=True, overflow="ellipsis")
    table.add_column(heads[1], width=10 if wide else 9, justify="right", no_wrap=True)
    middle = "heater steps" if groups else f"÷{scale:g} to ×{scale:g}"
    table.add_column(middle, width=bar, no_wrap=True, overflow="crop")
    table.add_column("", width=11 if groups else 6, justify="right", no_wrap=True)
    left = width - (names + 1) - (10 if wide else 9) - bar - (11 if groups else 6) - 5
    last = max(4, min(60, left))
    span = PAST_BINS * view.bin_s
    since = "last minute" if span == 60 else f"last {span // 60} min"
    table.add_column(since, width=last, no_wrap=True, overflow="ellipsis")
    if groups:
        for name, members in groups.items():
            table.add_row(*_group_cells(name, members, scale, last))
        return table
    shown = view.channels if len(view.channels) <= rows else _strongest(view.channels, rows)
    for channel in shown:
        table.add_row(*_cells(channel, scale, bar, last))
    if len(shown) < len(view.channels):
        table.add_row(Text(f" + {len(view.channels) - len(shown)} more", style="dim"))
    return table


def _cells(channel: ChannelView, scale: float, bar: int, room: int) -> list[Text]:
    name, value = Text(f" {clean(channel.name)}"), Text(_reading(channel.value, channel.unit))
    if channel.why:
        word = _FAULT.get(channel.fault, "no clean air")
        return [name, value, Text("·" * bar, style="dim"), Text("–", style="yellow"),
                Text(word, style="yellow")]  # fmt: skip
    strong = abs(channel.response) > channel.threshold
    style = "bold cyan" if strong else "dim"
    return [
        name,
        value,
        _bar(channel.response, scale, bar, style),
        Text(percent(channel.response), style="bold" if strong else ""),
        Text(_spark(channel.past, channel.threshold, room), style="" if strong else "dim"),
    ]


def _groups(channels: Sequence[ChannelView]) -> dict[str, list[ChannelView]]:
    """By sensor, where a nose has many channels that are heater steps of few sensors."""
    if len(channels) <= MAX_ROWS:
        return {}
    groups = by_sensor([channel.name for channel in channels])
    if len(groups) > MAX_ROWS:
        return {}
    return {name: [channels[k] for k in members] for name, members in groups.items()}


def _group_cells(name: str, members: Sequence[ChannelView], scale: float, room: int) -> list[Text]:
    """One sensor: how many steps are used, its shape over the steps, the strongest of them."""
    known = [c for c in members if not c.why and math.isfinite(c.response)]
    used = Text(f"{sum(not c.why for c in members)}/{len(members)}")
    steps = Text()
    for channel in members:
        size = abs(channel.response)
        if channel.why:
            steps.append("×", style="yellow")
        elif not math.isfinite(size):
            steps.append("·", style="dim")
        else:
            strong = size > channel.threshold
            level = _LEVELS[min(7, int(8 * abs(_log(channel.response)) / math.log(scale)))]
            steps.append(level, style="bold cyan" if strong else "dim")
    if not known:
        return [Text(f" {clean(name)}"), used, steps, Text("–"), Text()]
    top = max(known, key=lambda c: abs(c.response))
    short = top.name[len(name) :].lstrip("_ ")
    return [
        Text(f" {clean(name)}"),
        used,
        steps,
        Text(f"{clean(short)} {percent(top.response)}"),
        Text(_spark(top.past, top.threshold, room)),
    ]


def _strongest(channels: Sequence[ChannelView], rows: int) -> list[ChannelView]:
    """The channels that answer most, and those that may not be used, in the order of the nose."""

    def weight(channel: ChannelView) -> float:
        return abs(channel.response) if math.isfinite(channel.response) else -1.0

    order = sorted(range(len(channels)), key=lambda k: (-weight(channels[k]), k))[: rows - 1]
    return [channels[k] for k in sorted(order)]


def _log(response: float) -> float:
    """Responses as the logarithm of the ratio to clean air: twice and half are equally far."""
    return math.log(min(_MOST, max(_LEAST, 1.0 + response)))


def scale_of(channels: Sequence[ChannelView]) -> float:
    """Full deflection of all bars, in round steps so that it stays where it is."""
    sizes = [abs(_log(v)) for c in channels for v in (c.response, *c.past) if math.isfinite(v)]
    largest = max(sizes, default=0.0)
    return next((step for step in _SCALES if largest <= math.log(step)), _SCALES[-1])


def _bar(value: float, scale: float, width: int, style: str) -> Text:
    """A bar that grows from the middle: to the left below clean air, to the right above."""
    half = width // 2
    if not math.isfinite(value):
        return Text(" " * half + "│", style="dim")
    size = min(half, round(half * abs(_log(value)) / math.log(scale)))
    left, right = (size, 0) if value < 0 else (0, size)
    made = Text(" " * (half - left)).append("█" * left, style=style).append("│", style="dim")
    return made.append("█" * right, style=style).append(" " * (half - right))


def _spark(past: Sequence[float], threshold: float, room: int) -> str:
    """The last minute in `room` characters; what stays below the threshold looks flat."""
    logs = [_log(v) if math.isfinite(v) else NAN for v in past]
    known = [v for v in logs if math.isfinite(v)]
    if not known or room < 4:
        return ""
    low, high = min(0.0, *known), max(0.0, *known)
    least = 2 * threshold if 0 < threshold < _MOST else 0.1
    if high - low < least:
        middle = (high + low) / 2
        low, high = middle - least / 2, middle + least / 2
    size = max(1, math.ceil(len(logs) / room))
    made = []
    for end in range(len(logs), 0, -size):
        part = [v for v in logs[max(0, end - size) : end] if math.isfinite(v)]
        level = (sum(part) / len(part) - low) / (high - low) if part else NAN
        made.append(_LEVELS[min(7, max(0, int(8 * level)))] if part else " ")
    return "".join(reversed(made))


def percent(value: float) -> str:
    """A response as people write it; far from clean air as a ratio."""
    if not math.isfinite(value):
        return "–"
    if abs(value) < 0.005:
        return "0%"
    return f"{value:+.0%}".replace("-", "−") if abs(value) < 10 else f"×{1 + value:.3g}"


def _reading(value: float, unit: str) -> str:
    """A raw value as people write it: `24.6 kΩ`."""
    if not math.isfinite(value):
        return "–"
    sign = _SIGNS.get(unit, clean(unit)[:5])
    if unit != "ohm":
        return f"{value:.4g} {sign}".strip()
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {prefix}{sign}"
    return f"{value:.3g} {sign}"
