"""The smell of a run: phases, events with their lag, channels, classes, drift, over one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

from thymos.report.axis import Axis
from thymos.report.html import Child, Html, el, join
from thymos.report.overview import lane, ruler
from thymos.report.smell_shapes import (
    Run,
    band,
    envelope,
    height,
    keys,
    limit_of,
    picture,
    pieces,
    points_of,
    runs,
)
from thymos.report.smell_table import smell_table
from thymos.report.smell_trace import SmellBin, SmellTrace
from thymos.smell.frame import Fault, Phase
from thymos.smell.view import FAULT_WORDS, HOW_WORDS, EventView, by_sensor

MAX_LANES = 24
MAX_CLASSES = 7
ROOM = 9  # percent of the width that a name needs
LEAST_SHARE = 0.02  # of a class to get a colour of its own
_PHASE_WORDS = {
    Phase.UNKNOWN: "no clean air known yet",
    Phase.BASELINE: "clean air",
    Phase.EXPOSURE: "exposure",
    Phase.RECOVERY: "recovery",
}


def smell_section(trace: SmellTrace | None, axis: Axis) -> Html | None:
    """Everything about the nose, or nothing if there was none.

    Args:
        trace: From `SmellCollector`.
        axis: Time axis of the page.
    """
    if trace is None:
        return None
    stretches = trace.stretches()
    lanes = [
        ruler(axis),
        _phase_lane(trace, axis),
        _event_lane(trace, axis),
        _class_lane(trace, stretches, axis),
        _drift_lane(trace, stretches, axis),
        *_channel_lanes(trace, stretches, axis),
    ]
    return join(
        [
            el("h2", "Smell"),
            el("p", _lead(trace, axis)),
            el("p", _advice(trace), class_="statement") if _advice(trace) else None,
            el("div", lanes, class_="lanes smells"),
            smell_table(trace, axis),
        ]
    )


def _lead(trace: SmellTrace, axis: Axis) -> str:
    """The whole section in a few sentences, for those who read and do not look."""
    view, onsets = trace.view, [e for e in trace.events if e.name == "odour_onset"]
    sensors = len(view.channels)
    text = f"{view.device or view.stream}: {sensors} gas channel{'s' * (sensors != 1)}. "
    if not onsets:
        text += "No smell began. "
    elif len(onsets) == 1:
        text += f"A smell began {when(onsets[0], axis)}. "
    else:
        text += f"{len(onsets)} smells began, the first {when(onsets[0], axis)}. "
    shares = [f"{name} {share:.0%}" for name, share in mean_shares(trace)[:3] if share >= 0.05]
    if shares:
        text += f"While it smelt, on average: {', '.join(shares)}. "
    for alarm in trace.alarms[:1]:
        word = "Danger" if alarm.sure else "Possible danger"
        found = axis.told(alarm.known_ns)
        text += f"{word}: {alarm.kind}, {alarm.confidence:.0%}, known at {found}. "
    bad = sum(bool(trace.unusable(k)) for k in range(sensors))
    if bad:
        text += f"{bad} of {sensors} channels could not be used at times. "
    return text + "Such sensors lag the air, so what happened in it is told as an interval."


def _advice(trace: SmellTrace) -> str:
    drift = trace.view.drift
    if drift is None or not drift.needed:
        return ""
    return f"The nose needs recalibration: {drift.reason}. Type: {drift.command}"


def when(event: EventView, axis: Axis) -> str:
    """When something happened in the air, as far as it is known."""
    early, late = axis.told(event.earliest_ns), axis.told(event.latest_ns)
    if early == late:
        return f"at {late}"
    if event.earliest_ns < axis.t0_ns:
        return f"before {late}"
    if early.endswith(" s") and late.endswith(" s"):
        early = early.removesuffix(" s")
    return f"between {early} and {late}"


def mean_shares(trace: SmellTrace) -> list[tuple[str, float]]:
    """Mean probability of each class while something smelt, most probable first."""
    smelt = sum(part.smelt for part in trace.bins.values())
    means = {n: sum(p.shares.get(n, 0.0) for p in trace.bins.values()) for n in trace.labels}
    return sorted(((n, total / smelt) for n, total in means.items()), key=lambda p: (-p[1], p[0]))


# -- lanes


def _phase_lane(trace: SmellTrace, axis: Axis) -> Html:
    blocks = [
        el(
            "i",
            el("span", _PHASE_WORDS[phase]) if axis.x(t1) - axis.x(t0) > ROOM else None,
            class_=f"phase {phase.value}",
            style=axis.place(t0, t1),
            title=f"{_PHASE_WORDS[phase]}, {axis.told(t0)} to {axis.told(t1)}",
        )
        for t0, t1, phase in trace.phases()
    ]
    how = HOW_WORDS.get(trace.view.baseline.how, trace.view.baseline.how)
    legend = keys(
        (p.value, _PHASE_WORDS[p]) for p in Phase if any(p is q for *_, q in trace.phases())
    )
    return lane(el("b", "phase"), blocks, under=[legend, f"Compared with: {how}."], height=1.9)


def _event_lane(trace: SmellTrace, axis: Axis) -> Html | None:
    """Intervals in the air as bars; a tick where it could be known, dangers as triangles."""
    if not trace.events and not trace.alarms:
        return None
    marks: list[Html] = []
    for event in trace.events:
        if event.name not in ("odour_onset", "odour_fading", "odour_cleared"):
            continue
        title = f"{event.text} {when(event, axis)}; known at {axis.told(event.known_ns)}"
        kind = event.name.removeprefix("odour_")
        if event.latest_ns > event.earliest_ns:
            span = axis.place(event.earliest_ns, event.latest_ns)
            marks.append(el("i", class_=f"inair {kind}", title=title, style=span))
        marks += [
            el("i", class_=f"known {kind}", title=title,
               style=f"left:{axis.x(event.known_ns):g}%"),
        ]  # fmt: skip
    for alarm in trace.alarms:
        title = f"{alarm.kind} {alarm.confidence:.0%}, {axis.told(alarm.known_ns)}: {alarm.text}"
        marks.append(el("i", "▲", class_="alarm" if alarm.sure else "alarm hint", title=title,
                        style=f"left:{axis.x(alarm.known_ns):g}%"))  # fmt: skip
    under = [
        keys((("onset", "begins"), ("fading", "begins to fade"), ("cleared", "clean again"))),
        "Bar: when it happened in the air; line: when it could be known",
        "; ▲ danger." if trace.alarms else ".",
        f" {trace.left_out} further events are not drawn." if trace.left_out else None,
    ]
    return lane(el("b", "events"), marks, under=under, height=2.9)


def _class_lane(trace: SmellTrace, stretches: Run, axis: Axis) -> Html | None:
    """Probabilities of the classes, stacked; empty where nothing smelt."""
    labels = trace.labels
    if not labels:
        return None
    means = dict(mean_shares(trace))
    shown = [n for n in labels if n != "unknown" and means[n] >= LEAST_SHARE][:MAX_CLASSES]
    rest = [n for n in labels if n not in shown and n != "unknown"]
    others = ["others"] if sum(means[n] for n in rest) >= LEAST_SHARE / 4 else []
    order = [*shown, *others, *(["unknown"] if "unknown" in labels else [])]
    paint = {name: f"g{n % 8}" for n, name in enumerate(shown)} | {
        "others": "rest", "unknown": "unsure"}  # fmt: skip

    def share(part: SmellBin, name: str) -> float:
        names = rest if name == "others" else [name]
        return sum(part.shares.get(n, 0.0) for n in names) / part.smelt if part.smelt else 0.0

    areas = []
    for run in runs(trace, stretches):
        foot = [0.0] * len(run)
        for name in order:
            head = [low + share(part, name) for low, (_, _, part) in zip(foot, run, strict=True)]
            areas.append(band(run, foot, head, axis, f"area {paint[name]}"))
            foot = head
    legend = keys((paint[name], name) for name in order)
    return lane(
        el("b", "what it may be"),
        picture("probability of each class over time", *areas),
        under=[legend, "Height is probability; empty: nothing was smelt."],
        height=6.0,
    )


def _drift_lane(trace: SmellTrace, stretches: Run, axis: Axis) -> Html | None:
    points = [((t0 + t1) // 2, part.drift) for t0, t1, part in stretches]
    points = [(t, score) for t, score in points if math.isfinite(score)]
    drift = trace.view.drift
    if not points or drift is None:
        return None
    top = max(1.25, *(score for _, score in points))
    line = points_of([(axis.x(t) * 10, 98 - 96 * score / top) for t, score in points])
    limit = 98 - 96 / top
    gauge = el(
        "span", el("i", style=f"width:{100 * min(1.0, drift.score):.3g}%"),
        class_="gauge over" if drift.needed else "gauge",
    )  # fmt: skip
    said = f"needs recalibration: {drift.reason}" if drift.needed else "within what it knows"
    return lane(
        el("b", "drift"),
        picture(
            f"drift over time, at the end {drift.score:.2f} of the limit",
            el("line", x1=0, x2=1000, y1=f"{limit:.1f}", y2=f"{limit:.1f}", class_="base"),
            el("polyline", points=line, class_="gas g1" if drift.needed else "gas g0"),
        ),
        under=[gauge, f" At the end {drift.score:.2f} of the limit (dashes): {said}."],
        height=3.0,
    )


def _channel_lanes(trace: SmellTrace, stretches: Run, axis: Axis) -> list[Html]:
    """Small multiples, all on one scale, so that they may be compared."""
    groups = grouped([c.name for c in trace.view.channels])
    limit = limit_of(stretches)
    lanes = [
        _channel_lane(trace, name, members, stretches, (axis, limit))
        for name, members in list(groups.items())[:MAX_LANES]
    ]
    left = len(groups) - len(lanes)
    note = (
        f"Each against its clean air, all from ÷{limit:g} to ×{limit:g} (logarithmic); dashes: "
        "unchanged, grey: too little to count, hatched: not used."
    )
    more = f" {left} further channels are in the table." if left else ""
    return [*lanes, el("p", note + more, class_="under")]


def grouped(names: Sequence[str]) -> dict[str, list[int]]:
    """Channels by sensor where there are many: the steps of a heater share a lane."""
    if len(names) <= MAX_LANES:
        return {name: [k] for k, name in enumerate(names)}
    return by_sensor(names)


def _channel_lane(
    trace: SmellTrace, name: str, members: list[int], stretches: Run, scale: tuple[Axis, float]
) -> Html:
    axis, full = scale[0], math.log(scale[1])
    shapes: list[Child] = [
        _unchanged(trace, members, full),
        el("line", x1=0, x2=1000, y1=50, y2=50, class_="base"),
    ]
    for run in runs(trace, stretches):
        known = []
        for answer in (part.response for _, _, part in run):
            found = [height(float(answer[k]), full) for k in members]
            known.append([y for y in found if y is not None])
        some = [(one, ys) for one, ys in zip(run, known, strict=True) if ys]
        if len(members) > 1 and some:
            shapes.append(envelope(some, axis))
        shapes += [
            el("polyline", points=points_of(part), class_="gas smell")
            for part in pieces(run, known, axis)
        ]
    said, worst = strongest(trace, members, stretches, axis)
    many = f", {len(members)} steps" if len(members) > 1 else ""
    lost = f" Not used at times: {worst}." if worst else ""
    title = join([el("b", name), many, el("div", said, lost, class_="when")])
    marks = _bad_marks(trace, members, axis)
    return lane(title, [picture(f"{name}: {said}", *shapes), marks], height=4.2)


def _unchanged(trace: SmellTrace, members: list[int], full: float) -> Html:
    """What is too little to count, as a grey band."""
    least = min(trace.view.channels[k].threshold for k in members)
    half = 48 * min(1.0, math.log1p(least) / full) if math.isfinite(least) else 0.0
    return el(
        "rect", x=0, width=1000, y=f"{50 - half:.1f}", height=f"{2 * half:.1f}", class_="quiet"
    )


def strongest(trace: SmellTrace, members: list[int], stretches: Run, axis: Axis) -> tuple[str, str]:
    """The largest answer in words, and why the channels were not used, if that happened."""
    top = (0.0, 0, -1)
    for t0, _, part in stretches:
        answer = part.response
        for k in members:
            if math.isfinite(answer[k]) and abs(answer[k]) > abs(top[0]):
                top = (float(answer[k]), t0, k)
    faults = sorted({f.value for k in members for *_, f in trace.unusable(k)})
    why = "; ".join(FAULT_WORDS[Fault(f)] for f in faults)
    if top[2] < 0:
        return "no response is known." if not why else f"not used: {why}.", ""
    at = axis.told(top[1]).replace(" ", "\u00a0")
    step = f" ({trace.view.channels[top[2]].name})" if len(members) > 1 else ""
    change = f"{top[0]:+.0%}".replace("-", "−")
    return f"at most {change}{step} at {at}.", why


def _bad_marks(trace: SmellTrace, members: list[int], axis: Axis) -> list[Html]:
    """Where a channel (of a sensor: none of its steps) could be used."""
    return [
        el("i", class_="bad", style=axis.place(t0, t1),
           title=f"{axis.told(t0)} to {axis.told(t1)}: {FAULT_WORDS[fault]}")
        for t0, t1, fault in trace.unusable(*members)
    ]  # fmt: skip
