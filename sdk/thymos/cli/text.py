"""A window report in a few lines for people."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from thymos.contract import Alert, Explanation, Response, WindowReport
from thymos.report.html import clean
from thymos.samples import NS_PER_S

_STATE_STYLE = {"present": "green", "stale": "yellow", "missing": "dim", "invalid": "red"}


def render(report: WindowReport, origin_ns: int = 0) -> RenderableType:
    """Render one window: time, streams, emotion, steps, answer.

    Args:
        report: The window.
        origin_ns: Capture time that is shown as 0 s.
    """
    report = safe(report)
    return Group(
        _head(report, origin_ns),
        *_steps(report.explanation, origin_ns),
        *(
            at_once(alert, origin_ns)
            for alert in report.alerts
            if alert.response.text != report.response.text
        ),
        *_answer(report.response),
        *(Text(f"  note: {note}", style="dim") for note in report.notes),
    )


def seconds(t_ns: int, origin_ns: int) -> str:
    """A capture time as people read it."""
    return f"{(t_ns - origin_ns) / NS_PER_S:.1f}"


def _head(report: WindowReport, origin_ns: int) -> Text:
    window = report.window
    line = Text(f"{seconds(window.t0_ns, origin_ns):>7} - {seconds(window.t1_ns, origin_ns)} s  ")
    line.append(feeling(report.explanation), style="bold")
    for name, state in window.streams.items():
        line.append(f"  {name}:")
        line.append(state.state, style=_STATE_STYLE[state.state])
    return line


def feeling(explanation: Explanation) -> str:
    """The first emotion with its confidence, or why there is none."""
    if explanation.abstained or not explanation.emotions:
        return f"no estimate ({explanation.abstain_reason or 'not sure enough'})"
    first = explanation.emotions[0]
    return f"{first.label} {first.confidence:.0%}"


def _steps(explanation: Explanation, origin_ns: int) -> list[Text]:
    lines = [
        Text(
            f"    {step.n}. [{step.modality} {seconds(step.t0_ns, origin_ns)}"
            f"-{seconds(step.t1_ns, origin_ns)} s] {step.text}"
        )
        for step in explanation.steps
    ]
    if explanation.conflict.degree >= 0.5 and explanation.conflict.text:
        lines.append(Text(f"    conflict: {explanation.conflict.text}", style="yellow"))
    backend = f"    ({explanation.backend}: {explanation.model}"
    backend += f"; {explanation.fallback})" if explanation.fallback else ")"
    return [*lines, Text(backend, style="dim")]


def _answer(response: Response) -> list[Text]:
    if not response.text:
        return []
    line = Text("    robot: ", style="cyan")
    line.append(response.text, style="bold cyan")
    line.append(f"  [{response.intent}, {response.gesture}]", style="dim")
    if response.guard.action != "none":
        line.append(f"  guard: {response.guard.action}, {response.guard.reason}", style="red")
    return [line]


def at_once(alert: Alert, origin_ns: int | None) -> Text:
    """A danger that was answered between windows; without its time if 0 s is not known yet."""
    when = "" if origin_ns is None else f" at {seconds(alert.t_ns, origin_ns)} s"
    line = Text(f"    robot, at once{when}: ", style="red")
    line.append(clean(alert.response.text), style="bold red")
    line.append(f"  guard: {clean(alert.response.guard.reason)}", style="red")
    return line


def safe(report: WindowReport) -> WindowReport:
    """The report with all control characters taken out of its text, for terminals."""
    return WindowReport.model_validate(_safe(report.model_dump()))


def _safe(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key): _safe(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_safe(item) for item in value]
    return value
