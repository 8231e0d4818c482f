"""The overview: all streams, cues, emotions and answers over one time axis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from thymos.contract import EMOTIONS, MODALITIES, Alert, Cue, Emotion, StreamState, WindowReport
from thymos.report.axis import Axis, free_rows
from thymos.report.html import Child, Html, el, join
from thymos.report.traces import SILENCE_DB, Trace
from thymos.samples import Kind, gas_channels

MAX_CUE_ROWS = 6
_STATE_TEXT = {"present": "", "stale": "stale", "missing": "missing", "invalid": "invalid"}
_MARKS = {"none": "●", "warned": "▲", "replaced": "◆", "silenced": "■"}


def overview(reports: Sequence[WindowReport], traces: Sequence[Trace], axis: Axis) -> Html:
    """Draw every lane, top to bottom: what came in, what was noticed, what was made of it."""
    by_stream = {trace.spec.name: trace for trace in traces}
    names = {name for r in reports for name in r.window.streams} | set(by_stream)
    order = [kind.value for kind in Kind]
    place = {name: order.index(trace.spec.kind) for name, trace in by_stream.items()}
    return el(
        "div",
        ruler(axis),
        _borders(reports, axis),
        [
            _stream_lane(name, by_stream.get(name), reports, axis)
            for name in sorted(names, key=lambda n: (place.get(n, 9), n))
        ],
        [_cue_lane(modality, reports, axis) for modality in MODALITIES],
        _emotion_lane(reports, axis),
        _mood_lane(reports, axis),
        _conflict_lane(reports, axis),
        _answer_lane(reports, axis),
        class_="lanes",
    )


def lane(title: Child, plot: Child, *, under: Child = None, height: float = 2.0) -> Html:
    """One row: a name, a plot over the time axis, and a line below it."""
    return el(
        "div",
        el("div", title, class_="lane-name"),
        el(
            "div",
            el("div", plot, class_="plot", style=f"height:{height:g}rem"),
            el("div", under, class_="under") if under else None,
        ),
        class_="lane",
    )


def drawing(*shapes: Child, low: bool = False) -> Html:
    """A picture that stretches with its lane: 1000 × 100 units, line widths stay.

    Args:
        shapes: What to draw.
        low: Leave room for the presence bar above it.
    """
    return el(
        "svg",
        *shapes,
        class_="low" if low else None,
        viewBox="0 0 1000 100",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


def ruler(axis: Axis) -> Html:
    """The seconds, as the first lane."""
    ticks = list(axis.ticks())
    room = [x for x, _ in ticks if x < 96]
    labels = [el("span", text, style=f"left:{x:g}%") for x, text in ticks if x in room]
    return lane("", el("div", labels, class_="ruler"), height=1.8)


def _borders(reports: Sequence[WindowReport], axis: Axis) -> Html | None:
    """Where windows end, through all lanes; too many windows would make a grey wall."""
    if not 1 < len(reports) <= 60:
        return None
    ends = [el("i", style=f"left:{axis.x(r.window.t1_ns):g}%") for r in reports[:-1]]
    return el("div", el("div"), el("div", ends), class_="borders", aria_hidden="true")


def _stream_lane(
    name: str, trace: Trace | None, reports: Sequence[WindowReport], axis: Axis
) -> Html:
    states = [(r, r.window.streams[name]) for r in reports if name in r.window.streams]
    spans = trace.present() if trace else _present_windows(name, reports)
    bars = [el("i", class_="have", style=axis.place(a, b)) for a, b in spans]
    faults = [_fault(r, s, axis) for r, s in states if s.state in ("stale", "invalid", "missing")]
    gaps = _gap_marks(trace, axis)
    under: list[Child] = [_stream_sum(trace, [s for _, s in states])]
    plots: list[Child] = [el("div", bars, faults, gaps, class_="bar")]
    height = 1.4
    if trace and trace.spec.kind is Kind.AUDIO:
        plots.append(_level(trace, axis))
        under.append(f" Level from −{-SILENCE_DB:g} to 0 dB of full scale.")
        height = 4.5
    elif trace and trace.spec.kind is Kind.GAS:
        drawn, legend = _gas(trace, axis)
        plots.append(drawn)
        under.append(legend)
        height = 7.0
    origin = trace.spec.origin.value if trace else states[0][1].origin
    title = join([el("b", name), " ", el("span", origin, class_=f"badge {origin}")])
    return lane(title, plots, under=under, height=height)


def _present_windows(name: str, reports: Sequence[WindowReport]) -> list[tuple[int, int]]:
    """Without a trace, the windows say where the stream was."""
    return [
        (r.window.t0_ns, r.window.t1_ns)
        for r in reports
        if name in r.window.streams and r.window.streams[name].state == "present"
    ]


def _fault(report: WindowReport, state: StreamState, axis: Axis) -> Html:
    span = axis.place(report.window.t0_ns, report.window.t1_ns)
    why = f"{_STATE_TEXT[state.state]}: {state.reason}".rstrip(": ")
    return el("i", class_=f"fault {state.state}", style=span, title=why)


def _gap_marks(trace: Trace | None, axis: Axis) -> list[Html]:
    if trace is None:
        return []
    return [
        el("i", class_="gap", style=f"left:{axis.x(t0):g}%", title=f"{part.lost or 'some'} lost")
        for t0, _, part in trace.spans()
        if part.gaps
    ]


def _stream_sum(trace: Trace | None, states: Sequence[StreamState]) -> str:
    gaps = sum(s.gaps for s in states)
    dropped = sum(s.dropped for s in states)
    away = sum(s.state != "present" for s in states)
    parts = [trace.spec.device] if trace and trace.spec.device else []
    parts.append(
        f"{gaps} gap{'s' * (gaps != 1)}, {dropped} dropped" if gaps or dropped else "nothing lost"
    )
    if away:
        parts.append(f"not present in {away} of {len(states)} windows")
    return " · ".join(parts) + "."


def _level(trace: Trace, axis: Axis) -> Html:
    """Sound level as an area that begins anew after every hole."""
    areas: list[Html] = []
    points: list[tuple[float, float]] = []
    edge = -1
    for t0, t1, part in trace.spans():
        if part.level_db is None:
            continue
        if points and t0 != edge:
            areas.append(_area(points))
            points = []
        height = 100.0 * (1.0 - part.level_db / SILENCE_DB)
        points += [(axis.x(t0) * 10, 100 - height), (axis.x(t1) * 10, 100 - height)]
        edge = t1
    return drawing(areas, _area(points) if points else None, low=True)


def _area(points: Sequence[tuple[float, float]]) -> Html:
    left, right = points[0][0], points[-1][0]
    corners = [(left, 100.0), *points, (right, 100.0)]
    return el("polygon", points=_points(corners), class_="sound")


def _gas(trace: Trace, axis: Axis) -> tuple[Html, Html]:
    """Each gas channel over its own first readings, on a logarithmic scale."""
    channels = sorted({c for _, _, part in trace.spans() for c in part.values})
    if trace.spec.channels:  # °C and hPa have no place on this scale
        channels = [c for c in channels if c in gas_channels(trace.spec)]
    names = trace.spec.channels or tuple(f"ch{c}" for c in range(len(channels)))
    curves = {c: _relative(trace, c) for c in channels}
    logs = [math.log(v) for curve in curves.values() for _, v in curve] or [0.0]
    low, high = min(*logs, 0.0, -0.1), max(*logs, 0.0, 0.1)
    lines = []
    for channel, curve in curves.items():
        at = [
            (axis.x(t) * 10, 96 - 92 * (math.log(value) - low) / (high - low)) for t, value in curve
        ]
        lines.append(el("polyline", points=_points(at), class_=f"gas g{channel % 8}"))
    start = 96 - 92 * (0.0 - low) / (high - low)
    base = el("line", x1=0, x2=1000, y1=f"{start:.1f}", y2=f"{start:.1f}", class_="base")
    legend = el(
        "div",
        [
            el("span", el("i", class_=f"key g{c % 8}"), _name(names, c), class_="legend")
            for c in channels
        ],
        f" Each channel ({trace.spec.unit}) over its first readings, "
        f"×{math.exp(low):.2g} to ×{math.exp(high):.2g}; thin dashes: unchanged.",
    )
    return drawing(base, lines, low=True), legend


def _name(names: Sequence[str], channel: int) -> str:
    return names[channel] if channel < len(names) else f"ch{channel}"


def _relative(trace: Trace, channel: int) -> list[tuple[int, float]]:
    """Means of each bin over the mean of the first five bins; positive readings only."""
    means = [
        ((t0 + t1) // 2, part.values[channel][0] / part.values[channel][1])
        for t0, t1, part in trace.spans()
        if channel in part.values
    ]
    means = [(t, value) for t, value in means if value > 0]
    head = [value for _, value in means[:5]]
    return [(t, value * len(head) / sum(head)) for t, value in means]


def _points(at: Iterable[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in at)


def _cue_lane(modality: str, reports: Sequence[WindowReport], axis: Axis) -> Html | None:
    cues = [(r, c) for r in reports for c in r.cues if c.modality == modality]
    if not cues:
        return None
    rows = free_rows([(c.t0_ns, c.t1_ns) for _, c in cues], axis.length_ns // 200, MAX_CUE_ROWS)
    marks = [
        el(
            "a",
            class_=f"cue {modality}",
            href=f"#{report.window.id}",
            title=cue.text or cue.name,
            aria_label=f"{modality}: {cue.text or cue.name}",
            data_cue=f"{report.window.id}/{cue.id}",
            style=f"{axis.place(cue.t0_ns, cue.t1_ns)};top:{row * 100 / (max(rows) + 1):.3g}%;"
            f"height:{92 / (max(rows) + 1):.3g}%;opacity:{0.35 + 0.65 * cue.confidence:.2g}",
        )
        for (report, cue), row in zip(cues, rows, strict=True)
    ]
    height = max(1.6, 0.75 * (max(rows) + 1))
    said = [_said(cue, axis) for _, cue in cues if cue.name == "transcript"]
    name = el("b", modality, class_=f"mod {modality}")
    return lane(name, marks, under=said, height=height)


def _said(cue: Cue, axis: Axis) -> Html:
    return el("div", f"{axis.seconds(cue.t0_ns):.1f} s “{cue.value}”")


def columns(reports: Sequence[WindowReport]) -> list[tuple[int, int, WindowReport]]:
    """The stretch each window newly adds: windows may overlap, columns do not."""
    out = []
    edge: int | None = None
    for report in reports:
        t0 = report.window.t0_ns if edge is None else max(edge, report.window.t0_ns)
        out.append((t0, report.window.t1_ns, report))
        edge = report.window.t1_ns
    return [column for column in out if column[1] > column[0]]


def _skipped(reports: Sequence[WindowReport], axis: Axis) -> list[Html]:
    """Stretches between windows that nobody reasoned about."""
    pairs = pairwise(reports)
    holes = [(a.window.t1_ns, b.window.t0_ns) for a, b in pairs]
    return [
        el("span", "passed over", class_="skipped", style=axis.place(t0, t1))
        for t0, t1 in holes
        if t1 > t0
    ]


def level1(report: WindowReport) -> dict[Emotion, float]:
    """Confidence of each class, finer labels added up."""
    total: dict[Emotion, float] = dict.fromkeys(EMOTIONS, 0.0)
    for guess in report.explanation.emotions:
        total[guess.level1] += guess.confidence
    return total


def _emotion_lane(reports: Sequence[WindowReport], axis: Axis) -> Html:
    stacks = [_stack(t0, t1, report, axis) for t0, t1, report in columns(reports)]
    keys = [el("span", el("i", class_=f"key {name}"), name, class_="legend") for name in EMOTIONS]
    return lane(
        el("b", "emotions"),
        stacks,
        under=[*keys, "Height is confidence; pale: the robot abstained."],
        height=7.5,
    )


def _stack(t0: int, t1: int, report: WindowReport, axis: Axis) -> Html:
    parts = [
        el(
            "i",
            el("span", name) if share >= 0.25 else None,
            class_=name,
            style=f"height:{100 * share:.3g}%",
            title=f"{name} {share:.0%}",
        )
        for name, share in level1(report).items()
        if share >= 0.005
    ]
    return el(
        "a",
        parts or el("span", "no reading", class_="none"),
        class_="stack unsure" if report.explanation.abstained else "stack",
        style=axis.place(t0, t1),
        href=f"#{report.window.id}",
    )


def _mood_lane(reports: Sequence[WindowReport], axis: Axis) -> Html | None:
    lines = []
    for name, kind in (("valence", "g0"), ("arousal", "g1")):
        at = [
            (axis.x((t0 + t1) // 2) * 10, 50 - 46 * value)
            for t0, t1, report in columns(reports)
            if (value := getattr(report.explanation, name)) is not None
        ]
        if at:
            lines.append(el("polyline", points=_points(at), class_=f"gas {kind}"))
    if not lines:
        return None
    zero = el("line", x1=0, x2=1000, y1=50, y2=50, class_="base")
    keys = [
        el("span", el("i", class_=f"key {kind}"), text, class_="legend")
        for text, kind in (("valence", "g0"), ("arousal", "g1"))
    ]
    return lane(
        el("b", "mood"),
        drawing(zero, lines),
        under=[*keys, "From −1 to 1; thin dashes: 0."],
        height=4.5,
    )


def _conflict_lane(reports: Sequence[WindowReport], axis: Axis) -> Html:
    bars = [
        el(
            "i",
            el("span", f"{report.explanation.conflict.degree:.2f}"),
            class_="conflict",
            style=f"{axis.place(t0, t1)};--degree:{report.explanation.conflict.degree:.3g}",
            title=report.explanation.conflict.text,
        )
        for t0, t1, report in columns(reports)
    ]
    return lane(
        el("b", "conflict"), bars, under="0 the senses agree, 1 they contradict.", height=2.2
    )


def _answer_lane(reports: Sequence[WindowReport], axis: Axis) -> Html:
    marks = []
    for t0, t1, report in columns(reports):
        answer = report.response
        if not answer.text and answer.guard.action == "none":
            continue
        danger = answer.guard.danger != "none"
        what = answer.guard.danger if danger else answer.intent
        marks.append(
            el(
                "a",
                f"{_MARKS[answer.guard.action]} ",
                el("span", what),
                class_="answer danger" if danger else "answer",
                href=f"#{report.window.id}",
                title=answer.text,
                style=axis.place(t0, t1),
            )
        )
    alerts = [_alert(report, alert, axis) for report in reports for alert in report.alerts]
    told = "● answered · ▲ the guard warned · ◆ replaced · ■ silenced"
    return lane(
        el("b", "answers"),
        [marks, alerts],
        under=told + (" · below, in red: said at once." if alerts else "."),
        height=3.4 if alerts else 2.0,
    )


def _alert(report: WindowReport, alert: Alert, axis: Axis) -> Html:
    """What was said before its window was over."""
    found = alert.cue.text or str(alert.cue.value)
    return el(
        "a",
        "▲",
        class_="alarm below",
        href=f"#{report.window.id}",
        title=f"at once: {alert.response.text or found}",
        aria_label=f"at once: {found}",
        style=f"left:{axis.x(alert.t_ns):g}%",
    )
