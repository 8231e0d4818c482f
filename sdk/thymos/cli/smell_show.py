"""Draws a `SmellView` on a terminal: the same view and width give the same picture."""

from __future__ import annotations

import math

from rich.cells import set_cell_size
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from thymos.cli.smell_channels import MAX_ROWS, WIDE, channel_table, percent
from thymos.report.axis import clock
from thymos.report.html import clean
from thymos.samples import NS_PER_S
from thymos.smell.frame import Phase
from thymos.smell.view import HOW_WORDS, EventView, SmellView

MAX_EVENTS = 5
LOW = 34  # rows of a terminal
MAX_CLASSES = 4
LABEL = 9
_PHASE_STYLE = {Phase.BASELINE: "green", Phase.EXPOSURE: "bold yellow", Phase.RECOVERY: "cyan"}
_ORIGIN_STYLE = {"live": "green", "recorded": "cyan", "synthesised": "yellow",
                 "simulated": "magenta"}  # fmt: skip


def render(view: SmellView, width: int, height: int = 50) -> RenderableType:
    """Draw everything, top to bottom: the device, its channels, what was smelt, what happened.

    Args:
        view: What to show.
        width: Columns of the terminal, 60 or more.
        height: Its rows; fewer channels and events are shown on a low one.
    """
    rows = min(MAX_ROWS, max(4, height - 20))
    events = MAX_EVENTS if height >= LOW else 2
    parts: list[RenderableType] = [_head(view, width), _link(view)]
    danger = _line("danger", *_danger(view))
    parts += [danger, Text()] if view.danger is not None else [Text()]  # first what matters most
    parts += [_line("air", _air(view)), _line("baseline", *_baseline(view))]
    parts += [_line("phase", *_phase(view)), Text()]
    parts += [channel_table(view, width, rows), *_not_used(view), Text()]
    parts += _odour(view, width)
    parts += [danger] if view.danger is None else []
    parts.append(_line("drift", *_drift(view)))
    if view.events:
        parts.append(Text())
    parts += [_event(view, event) for event in view.events[-events:]]
    parts += [_line("note", clean(note), "yellow") for note in view.notes[:3]]
    return Padding(Group(*parts), (1, 0, 0, 0))


def line(view: SmellView) -> str:
    """The view in one line, for a log."""
    parts = [view.phase.value if view.phase is not Phase.UNKNOWN else "no baseline yet"]
    if view.link.state not in ("ok", "waiting"):
        parts.insert(0, view.link.state)
    known = [c for c in view.channels if math.isfinite(c.response)]
    if known:
        top = max(known, key=lambda c: abs(c.response))
        parts.append(f"strongest {top.name} {percent(top.response)}")
    bad = sum(bool(c.why) for c in view.channels)
    if bad:
        parts.append(f"{bad} of {len(view.channels)} channels not used")
    parts += [f"{label} {share:.0%}" for label, share in view.odour.shares[:1]]
    if view.danger is not None:
        word = "DANGER" if view.danger.sure else "possible danger"
        parts.append(f"{word} {view.danger.kind} {view.danger.confidence:.0%}")
    if view.drift is not None:
        parts.append(f"drift {view.drift.score:.2f}" + ", recalibrate" * view.drift.needed)
    parts.append(f"{_rate(view.link.measured_hz or 1)}, {view.link.lost} lost")
    return clean(f"{_at(view, view.now_ns)}  " + " · ".join(parts))


def event_line(view: SmellView, event: EventView) -> str:
    """One event in words, with the interval in which it happened in the air."""
    text = f"{_at(view, event.known_ns)}  {event.text}"
    if event.earliest_ns < event.known_ns and event.name.startswith("odour"):
        tenths = event.latest_ns - event.earliest_ns < 10 * NS_PER_S  # else they mean nothing
        early, late = (_at(view, t, tenths) for t in (event.earliest_ns, event.latest_ns))
        text += f" (in the air {early} to {late})"
    return clean(text)


# -- the lines


def _line(name: str, text: str | Text, style: str = "") -> Table:
    """A label and what it says; long text goes on below itself."""
    made = Table.grid(padding=0)
    made.add_column(width=LABEL + 1)
    made.add_column(overflow="fold")
    body = text if isinstance(text, Text) else Text(text, style=style)
    made.add_row(Text(f" {name}", style="dim"), body)
    return made


def _head(view: SmellView, width: int) -> Text:
    made = Text(f" {clean(view.device or view.stream)}", style="bold")
    made.truncate(max(8, width - len(view.origin) - 12), overflow="ellipsis")
    made.append(f"  {view.origin}", style=_ORIGIN_STYLE.get(view.origin, "dim"))
    if view.begin_ns is not None:
        made.append(f"  {_at(view, view.now_ns)}", style="dim")
    return made


def _link(view: SmellView) -> Text:
    link = view.link
    declared = f" (declared {_rate(link.declared_hz)})" if link.declared_hz else ""
    rate = _rate(link.measured_hz) if link.measured_hz else "rate not known yet"
    style = {"ok": "green", "waiting": "dim"}.get(link.state, "yellow")
    off = (
        link.declared_hz
        and not 0.5 <= (link.measured_hz or link.declared_hz) / link.declared_hz <= 2
    )
    made = Text(" ").append(clean(link.state), style=style)
    made.append(f"  {rate}{declared}", style="yellow" if off else "")
    if link.state == "quiet":
        made.append(f"  {link.age_s:.0f} s old", style="yellow")
    made.append(f"  {link.lost} lost", style="red" if link.lost else "dim")
    if link.invalid:
        made.append(f"  {link.invalid} of {link.received} invalid", style="yellow")
    return made


def _rate(hz: float) -> str:
    return f"{hz:.3g} Hz" if hz >= 0.5 else f"every {1 / hz:.3g} s"


def _air(view: SmellView) -> Text:
    air = view.air
    parts = []
    if math.isfinite(air.temperature_celsius):
        parts.append(f"{air.temperature_celsius:.1f} °C")
    if math.isfinite(air.humidity_percent):
        parts.append(f"{air.humidity_percent:.0f}% humidity")
    if math.isfinite(air.pressure_hpa):
        parts.append(f"{air.pressure_hpa:.0f} hPa")
    if not parts:
        return Text("temperature and humidity are not measured", style="dim")
    return Text("  ".join(parts))


def _baseline(view: SmellView) -> tuple[str, str]:
    base = view.baseline
    if math.isfinite(view.warm) and view.warm < 1.0:
        left = f", {clock(view.warm_left_s)} left" if math.isfinite(view.warm_left_s) else ""
        return f"warming up {_gauge(view.warm)} {view.warm:.0%}{left}", "yellow"
    if not base.how:
        return f"learning clean air {_gauge(base.learnt)} {base.learnt:.0%}", "yellow"
    age = f", {clock(base.age_s)} ago" if math.isfinite(base.age_s) else ""
    return HOW_WORDS.get(base.how, clean(base.how)) + age, ""


def _phase(view: SmellView) -> tuple[str, str]:
    since = f" since {_at(view, view.phase_since_ns)}" if view.phase_since_ns is not None else ""
    text = f"{view.phase.value}{since}"
    left = view.baseline.rezero_in_s
    if view.phase is not Phase.UNKNOWN and math.isfinite(left):
        wait = f"re-zero after {clock(left)} of clean air" if left > 0 else "follows slow drift"
        text += f"; {wait}"
    return text, _PHASE_STYLE.get(view.phase, "dim")


def _odour(view: SmellView, width: int) -> list[Table]:
    odour = view.odour
    if not odour.shares:
        return [_line("odour", "nothing is smelt", "dim")]
    room = 20 if width >= WIDE else 12
    lines = []
    shown = [(n, p) for n, p in odour.shares[:MAX_CLASSES] if p >= 0.005]
    for n, (label, share) in enumerate(shown):
        row = Text(set_cell_size(clean(label), 16) + " ", style="bold" if n == 0 else "")
        row.append("█" * round(share * room), style="green" if label != "unknown" else "yellow")
        row.append("░" * (room - round(share * room)), style="dim").append(f" {share:>4.0%}")
        if n == 0 and odour.since_ns is not None:
            row.append(f"  since {_at(view, odour.since_ns)}", style="dim")
        lines.append(_line("odour" if n == 0 else "", row))
    return lines


def _danger(view: SmellView) -> tuple[str, str]:
    danger = view.danger
    if danger is None:
        return "none smelt, which proves nothing", "dim"
    since = _at(view, danger.since_ns)
    text = (
        f"{'' if danger.sure else 'perhaps '}{danger.kind}, {danger.confidence:.0%}, since {since}"
    )
    style = "bold red" if danger.sure else "bold yellow"
    return clean(f"{text}: {danger.text}" if danger.text else text), style


def _drift(view: SmellView) -> tuple[str, str]:
    drift = view.drift
    if drift is None:
        return "not judged; thymos smell guard learns what to judge by", "dim"
    gauge = f"{_gauge(min(1.0, drift.score))} {drift.score:.2f} of the limit"
    if not drift.needed:
        return gauge, ""
    return clean(f"{gauge}; needs recalibration: {drift.reason}; type: {drift.command}"), "yellow"


def _event(view: SmellView, event: EventView) -> Table:
    style = {"danger": "bold red", "link": "yellow", "odour_onset": "yellow"}.get(event.name, "")
    at, text = event_line(view, event).split("  ", 1)
    return _line(at, text, style)


def _not_used(view: SmellView) -> list[Table]:
    """Why channels are not used, each reason once with its channels."""
    reasons: dict[str, list[str]] = {}
    for channel in view.channels:
        if channel.why:
            reasons.setdefault(clean(channel.why), []).append(clean(channel.name))
    lines = []
    for why, names in sorted(reasons.items())[:3]:
        told = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
        lines.append(_line("not used", f"{told}: {why}", "yellow"))
    return lines


def _gauge(share: float, room: int = 10) -> str:
    full = room if share >= 1 else round(share * room) if share > 0 else 0
    return "▰" * full + "▱" * (room - full)


def _at(view: SmellView, t_ns: int, tenths: bool = False) -> str:
    """Time since the first reading: `1:02`, `1:02.5`, `1:00:02`."""
    seconds = view.seconds(t_ns)
    tenth = round(abs(seconds) * 10) if tenths else int(abs(seconds)) * 10
    minutes, rest = divmod(tenth, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest / 10:04.1f}" if tenths else f"{rest // 10:02}"
    text = f"{hours}:{minutes:02}:{tail}" if hours else f"{minutes}:{tail}"
    return f"−{text}" if seconds < 0 and tenth else text
