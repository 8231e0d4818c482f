"""One card for each window: what was noticed, why it is read so, what was answered."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from thymos.contract import Alert, Cue, Explanation, Response, Step, WindowReport
from thymos.report.axis import Axis, free_rows
from thymos.report.evidence import looked_at, scene, tree
from thymos.report.html import Html, el, join

MAX_SOUND_BYTES = 1_500_000
MAX_RIVALS = 3
_GUARD_TEXT = {
    "none": "passed unchanged",
    "warned": "added a warning",
    "replaced": "replaced the answer",
    "silenced": "kept silent",
}


@dataclass(frozen=True, slots=True)
class Media:
    """Pictures and sounds a caller wants inside the page.

    Attributes:
        audio: WAV file of a spoken answer, by window id.
        pictures: JPEG bytes, by window id.
    """

    audio: Mapping[str, Path] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)


def card(report: WindowReport, axis: Axis, media: Media, said_above: Collection[str] = ()) -> Html:
    """Everything about one window, readable without JavaScript.

    Args:
        report: The window.
        axis: Time axis of the page.
        media: Pictures and sounds.
        said_above: Notes that the page has already told for all windows.
    """
    window, said = report.window, report.explanation
    span = f"{axis.seconds(window.t0_ns):.1f} to {axis.seconds(window.t1_ns):.1f} s"
    inner = Axis(*_reach(report))
    return el(
        "article",
        el("header", el("h3", headline(said)), el("p", f"{span} · {window.id}", class_="when")),
        [_alert(alert, axis) for alert in report.alerts],
        el(
            "div",
            el("section", _picture(report, media), _why(report, inner, axis)),
            el("section", _reading(said), scene(said.viewer), looked_at(said, axis)),
            el("section", _answer(report.response, media.audio.get(window.id))),
            class_="parts",
        ),
        _notes(report, said_above),
        tree(said),
        _cue_table(report, axis),
        class_="card danger" if _dangerous(report) else "card",
        id=window.id,
    )


def _dangerous(report: WindowReport) -> bool:
    return report.response.guard.danger != "none" or bool(report.alerts)


def _alert(alert: Alert, axis: Axis) -> Html:
    """What was said at once, before the window was over."""
    cue, said = alert.cue, alert.response
    found = cue.text or str(cue.value)
    return el(
        "p",
        el("b", f"At once, at {axis.told(alert.t_ns)}: "),
        f"{found}, {cue.confidence:.0%}. ",
        f"Said: “{said.text}”" if said.text else "Nothing was said.",
        class_="guard danger",
    )


def headline(said: Explanation) -> str:
    """The reading in a few words."""
    if said.abstained or not said.emotions:
        return "No reading: " + (said.abstain_reason or "too little evidence")
    best = said.emotions[0]
    name = best.label if best.label == best.level1 else f"{best.label} ({best.level1})"
    return f"Appears: {name}, {best.confidence:.0%}"


def _reach(report: WindowReport) -> tuple[int, int]:
    """Time the strip covers: the window and every cited span."""
    spans = [(s.t0_ns, s.t1_ns) for s in report.explanation.steps]
    t0 = min([report.window.t0_ns, *(s[0] for s in spans)])
    t1 = max([report.window.t1_ns, *(s[1] for s in spans)])
    return t0, max(t1, t0 + 1)


def _picture(report: WindowReport, media: Media) -> Html | None:
    data = media.pictures.get(report.window.id)
    if not data:
        return None
    return el(
        "img",
        src="data:image/jpeg;base64," + base64.b64encode(data).decode("ascii"),
        alt=f"A camera frame of window {report.window.id}",
        class_="thumb",
    )


def _why(report: WindowReport, inner: Axis, axis: Axis) -> Html:
    steps = report.explanation.steps
    return join(
        [
            el("h4", "Why"),
            el("p", report.explanation.rationale) if report.explanation.rationale else None,
            _strip(report, inner) if steps else None,
            el("ol", [_step(report, step, axis) for step in steps], class_="steps"),
        ]
    )


def _step(report: WindowReport, step: Step, axis: Axis) -> Html:
    t0, t1 = axis.seconds(step.t0_ns), axis.seconds(step.t1_ns)
    return el(
        "li",
        el("span", step.n, class_=f"num {step.modality}"),
        el(
            "span",
            step.text,
            " ",
            el("span", f"{step.modality}, {t0:.1f} to {t1:.1f} s", class_="when"),
        ),
        id=f"{report.window.id}-s{step.n}",
        tabindex=0,
        data_t0=axis.x(step.t0_ns),
        data_t1=axis.x(step.t1_ns),
        data_cues=" ".join(f"{report.window.id}/{cue}" for cue in step.cue_ids),
        data_step=f"{report.window.id}-s{step.n}",
    )


def _strip(report: WindowReport, inner: Axis) -> Html:
    """Where in the window the evidence of each step lies; numbers are those of the steps."""
    cited: dict[str, list[Step]] = {}
    for step in report.explanation.steps:
        if step.modality != "fusion":
            cited.setdefault(step.modality, []).append(step)
    rows = [
        el(
            "div",
            el("span", modality, class_=f"mod {modality}"),
            _track(report, steps, inner),
            class_="strip-row",
        )
        for modality, steps in cited.items()
    ]
    return el("div", rows, class_="strip") if rows else Html()


def _track(report: WindowReport, steps: Sequence[Step], inner: Axis) -> Html:
    rows = free_rows([(step.t0_ns, step.t1_ns) for step in steps], inner.length_ns // 8)
    spans = [
        el(
            "a",
            step.n,
            class_=f"span {step.modality}",
            style=f"left:min({inner.x(step.t0_ns):g}%, 100% - 1.6rem);"
            f"width:{inner.x(step.t1_ns) - inner.x(step.t0_ns):.3g}%;top:{row * 1.75:g}rem",
            href=f"#{report.window.id}-s{step.n}",
            data_step=f"{report.window.id}-s{step.n}",
            title=step.text,
        )
        for step, row in zip(steps, rows, strict=True)
    ]
    return el("div", spans, class_="track", style=f"height:{1.75 * (max(rows) + 1):g}rem")


def meter(name: str, value: float, kind: str = "", note: str = "") -> Html:
    """A named bar from 0 to 1."""
    return el(
        "div",
        el("span", name, class_="meter-name"),
        el("span", el("i", class_=kind, style=f"width:{100 * value:.3g}%"), class_="meter-bar"),
        el("span", f"{value:.0%}", class_="meter-value"),
        el("span", note, class_="meter-note") if note else None,
        class_="meter",
    )


def _reading(said: Explanation) -> Html:
    mood = " · ".join(
        f"{name} {value:+.2f}"
        for name, value in (("valence", said.valence), ("arousal", said.arousal))
        if value is not None
    )
    weights = " · ".join(f"{name} {share:.0%}" for name, share in said.modality_weights.items())
    backend = f"Read by {said.backend} ({said.model})."
    if said.fallback:
        backend += f" Rules stood in: {said.fallback}."
    elif not said.parse_ok:
        backend += " The model's output did not parse; rules stood in."
    return join(
        [
            el("h4", "Reading"),
            [meter(g.label, g.confidence, g.level1) for g in said.emotions],
            el("p", mood) if mood else None,
            el("p", f"Trust in the senses: {weights}") if weights else None,
            el("p", _conflict(said)),
            el("p", backend, class_="when"),
        ]
    )


def _conflict(said: Explanation) -> str:
    conflict = said.conflict
    who = f" ({', '.join(conflict.modalities)} dissent)" if conflict.modalities else ""
    text = f": {conflict.text}" if conflict.text else ""
    return f"Conflict {conflict.degree:.2f}{who}{text}"


def _answer(answer: Response, sound: Path | None) -> Html:
    guard = answer.guard
    kind = "guard danger" if guard.danger != "none" else "guard"
    verdict = f"Guard: {_GUARD_TEXT[guard.action]}"
    verdict += f", danger {guard.danger}" if guard.danger != "none" else ""
    verdict += f". {guard.reason}" if guard.reason else "."
    rivals = [
        meter(c.intent, c.score, "chosen" if c.intent == answer.intent else "rival", c.why)
        for c in answer.candidates[:MAX_RIVALS]
    ]
    more = len(answer.candidates) - len(rivals)
    return join(
        [
            el("h4", "Answer"),
            el("blockquote", answer.text or "(nothing is said)"),
            _sound(answer, sound),
            el(
                "p",
                f"Intent {answer.intent} · gesture {answer.gesture.replace('_', ' ')} · "
                f"words from {answer.text_source}",
            ),
            el("p", verdict, class_=kind),
            el("h4", "Intents weighed") if rivals else None,
            rivals,
            el("p", f"and {more} weaker intents", class_="when") if more > 0 else None,
        ]
    )


def _sound(answer: Response, sound: Path | None) -> Html | None:
    if sound is None:
        return el("p", f"Spoken in {answer.spoken}.", class_="when") if answer.spoken else None
    try:
        size = sound.stat().st_size
        data = sound.read_bytes() if size <= MAX_SOUND_BYTES else b""
    except OSError as err:
        return el("p", f"{sound.name} cannot be read: {err.strerror}.", class_="when")
    if not data:
        return el("p", f"Spoken in {sound.name} (too long to be put in here).", class_="when")
    url = "data:audio/wav;base64," + base64.b64encode(data).decode("ascii")
    return el("audio", src=url, controls=True, preload="metadata", aria_label=answer.text)


def _notes(report: WindowReport, said_above: Collection[str]) -> Html | None:
    lacking = [
        f"{name} is {state.state}" + (f": {state.reason}" if state.reason else "")
        for name, state in sorted(report.window.streams.items())
        if state.state != "present"
    ]
    notes = [*lacking, *(note for note in report.notes if note not in said_above)]
    return el("ul", [el("li", note) for note in notes], class_="notes") if notes else None


def _cue_table(report: WindowReport, axis: Axis) -> Html:
    rows = [_cue_row(report, cue, axis) for cue in report.cues]
    streams = ", ".join(
        f"{name} {state.samples} samples" for name, state in sorted(report.window.streams.items())
    )
    summary = el("summary", f"All {len(rows)} cues of this window")
    return el(
        "details",
        summary,
        el("ul", rows, class_="cues") if rows else None,
        el("p", f"Taken from: {streams or 'nothing'}.", class_="when"),
    )


def _cue_row(report: WindowReport, cue: Cue, axis: Axis) -> Html:
    t0, t1 = axis.seconds(cue.t0_ns), axis.seconds(cue.t1_ns)
    return el(
        "li",
        el("span", cue.modality, class_=f"mod {cue.modality}"),
        el("b", cue.name),
        " ",
        el("span", f"“{_value(cue)}”" if cue.untrusted else _value(cue)),
        f" · {cue.text}" if cue.text and not cue.untrusted else None,
        el(
            "span",
            f" {cue.confidence:.0%}, {t0:.1f} to {t1:.1f} s{_began(cue, axis)}",
            class_="when",
        ),
        id=f"{report.window.id}-{cue.id}",
        data_cue=f"{report.window.id}/{cue.id}",
    )


def _began(cue: Cue, axis: Axis) -> str:
    """When it began in the air, which sensors tell of later."""
    if cue.began_ns is None:
        return ""
    early, late = (axis.seconds(t_ns) for t_ns in cue.began_ns)
    return f", in the air since {early:.1f} to {late:.1f} s"


def _value(cue: Cue) -> str:
    if isinstance(cue.value, str):
        return cue.value
    if isinstance(cue.value, float):
        return f"{cue.value:.3g} {cue.unit}".strip()
    best: Sequence[tuple[str, float]] = sorted(cue.value.items(), key=lambda p: (-p[1], p[0]))[:3]
    return ", ".join(f"{name} {share:.2f}" for name, share in best)
