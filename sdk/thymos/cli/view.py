"""The live terminal view: streams, cues, the estimate, the explanation as it grows, the answer.

`LiveView` is an observer and a context manager. On a terminal it keeps a live area at the bottom
and lets finished windows scroll away above it; elsewhere (a pipe, a log) it writes plain lines.
All text of people, models and devices is shown as text: it can neither style nor steer a terminal.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from thymos.align.window import Window
from thymos.cli.text import at_once, safe
from thymos.cli.text import render as render_report
from thymos.contract import Alert, Cue, Emotion, Response, WindowReport
from thymos.events import Observer
from thymos.reason.base import Affect
from thymos.report.html import clean
from thymos.samples import Kind, Sample, StreamSpec

RATE_WINDOW_S = 2.0
QUIET_AFTER_S = 2.0
MAX_TEXT = 600
MAX_CUES = 6
MAX_NOTES = 3
WIDE = 96
BAR = 20
_REFRESH_HZ = 5
_ORIGIN_STYLE = {
    "live": "green",
    "recorded": "cyan",
    "synthesised": "yellow",
    "simulated": "magenta",
}
_MODALITY_STYLE = {"face": "blue", "voice": "cyan", "words": "yellow", "smell": "green"}


@dataclass(slots=True)
class StreamRow:
    """What the view knows of one stream."""

    spec: StreamSpec
    arrivals: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=1024))
    last_s: float | None = None
    latency_s: float = 0.0
    seq: int | None = None
    lost: int = 0

    def take(self, sample: Sample, now_s: float) -> None:
        """Count one sample."""
        frames = sample.payload.shape[0] if self.spec.kind is Kind.AUDIO else 1
        self.arrivals.append((now_s, frames))
        if self.seq is not None and sample.seq > self.seq + 1:
            self.lost += sample.seq - self.seq - 1
        self.seq = sample.seq
        self.last_s = now_s
        self.latency_s = min(10.0, max(0.0, sample.latency_ns / 1e9))

    def rate_hz(self, now_s: float) -> float:
        """Samples (sound: frames) a second over the last two seconds."""
        recent = [(t, n) for t, n in self.arrivals if now_s - t <= RATE_WINDOW_S]
        if len(recent) < 2 or recent[-1][0] <= recent[0][0]:
            return 0.0
        return sum(n for _, n in recent[1:]) / (recent[-1][0] - recent[0][0])

    def age_s(self, now_s: float) -> float | None:
        """How old the newest sample is: since it came, plus what it took to come."""
        return None if self.last_s is None else now_s - self.last_s + self.latency_s

    def state(self, now_s: float) -> tuple[str, str]:
        """A word and its style."""
        age = self.age_s(now_s)
        if age is None:
            return "waiting", "dim"
        return ("quiet", "yellow") if age > QUIET_AFTER_S else ("ok", "green")


@dataclass(slots=True)
class Scene:
    """All the view shows; `LiveView` fills it, `picture` draws it."""

    title: str = "thymos"
    statements: tuple[str, ...] = ()
    streams: dict[str, StreamRow] = field(default_factory=dict)
    window: str = ""
    cues: tuple[Cue, ...] = ()
    affect: Affect = field(default_factory=Affect)
    text: str = ""
    answer: Response | None = None
    skipped: int = 0
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_NOTES))


def picture(scene: Scene, now_s: float, width: int) -> RenderableType:
    """Draw the live area; the same scene and time give the same picture."""
    head = Text(clean(scene.title), style="bold")
    if scene.window:
        head.append(f"  {scene.window}", style="dim")
    if scene.skipped:
        head.append(f"  {scene.skipped} windows skipped", style="yellow")
    parts: list[RenderableType] = [head]
    parts += [Text(clean(text), style="dim") for text in scene.statements]
    parts.append(_streams(scene, now_s, width))
    parts.append(_evidence(scene, width))
    parts.append(_explanation(scene))
    parts += [_line("note", note, "yellow") for note in scene.notes]
    return Padding(Group(*parts), (1, 0, 0, 0))


def _streams(scene: Scene, now_s: float, width: int) -> RenderableType:
    table = Table(box=None, padding=(0, 1), pad_edge=False)
    table.add_column("stream", no_wrap=True)
    table.add_column("state")
    for name in ("rate", "age", "lost"):
        table.add_column(name, justify="right")
    table.add_column("from", overflow="ellipsis", no_wrap=True, max_width=max(11, width - 46))
    for name, row in scene.streams.items():
        word, style = row.state(now_s)
        age = row.age_s(now_s)
        origin = Text(row.spec.origin.value, style=_ORIGIN_STYLE[row.spec.origin.value])
        origin.append(f" {clean(row.spec.device)}", style="dim")
        table.add_row(
            Text(clean(name)),
            Text(word, style=style),
            _rate(row.rate_hz(now_s)),
            "–" if age is None else f"{age * 1e3:.0f} ms" if age < 1 else f"{age:.1f} s",
            Text(str(row.lost), style="red" if row.lost else ""),
            origin,
        )
    return table


def _rate(hz: float) -> str:
    return f"{hz / 1e3:.1f} kHz" if hz >= 1000 else f"{hz:.1f} Hz"


def _evidence(scene: Scene, width: int) -> RenderableType:
    """Cues and estimate, side by side if there is room."""
    both = [_cues(scene), _estimate(scene.affect)]
    if width < WIDE:
        return Group(*both)
    grid = Table.grid(padding=(0, 3), expand=False)
    grid.add_column(width=width - BAR - 28, overflow="ellipsis")
    grid.add_column()
    grid.add_row(*both)
    return grid


def _cues(scene: Scene) -> RenderableType:
    if not scene.cues:
        return Text("no cue yet", style="dim")
    best = sorted(scene.cues, key=_weight)[:MAX_CUES]
    lines = []
    for cue in sorted(best, key=lambda c: (c.modality, c.t0_ns, c.id)):
        line = Text(f"{cue.modality:<6}", style=_MODALITY_STYLE[cue.modality])
        said = f"“{cue.value}”" if cue.untrusted else cue.text or f"{cue.name} {_value(cue)}"
        line.append(clean(said), style="default")
        line.append(f" {cue.confidence:.0%}", style="dim")
        line.no_wrap, line.overflow = True, "ellipsis"
        lines.append(line)
    return Group(*lines)


def _weight(cue: Cue) -> tuple[bool, bool, float, str]:
    """What was said first, then what speaks of an emotion, then the rest; the surest first."""
    return (not cue.untrusted, cue.emotion is None, -cue.confidence, cue.id)


def _value(cue: Cue) -> str:
    if isinstance(cue.value, float):
        return f"{cue.value:.3g} {cue.unit}".strip()
    if isinstance(cue.value, str):
        return cue.value
    return max(cue.value, key=lambda k: (cue.value[k], k), default="")  # type: ignore[index]


def _estimate(affect: Affect) -> RenderableType:
    if not affect.fused:
        return Text("no estimate yet", style="dim")
    best: Sequence[tuple[Emotion, float]] = sorted(
        affect.fused.items(), key=lambda p: (-p[1], p[0])
    )[:4]
    lines = []
    for name, share in best:
        full = round(share * BAR)
        line = Text(f"{name:<9}")
        line.append("█" * full, style="bold cyan")
        line.append("░" * (BAR - full), style="dim")
        line.append(f" {share:.0%}")
        lines.append(line)
    if affect.conflict >= 0.5:
        lines.append(Text(f"conflict {affect.conflict:.2f}: {', '.join(affect.dissenting)}",
                          style="yellow"))  # fmt: skip
    return Group(*lines)


def _explanation(scene: Scene) -> RenderableType:
    parts: list[RenderableType] = []
    if scene.text:
        parts.append(_line("why", scene.text, "bold"))
    if scene.answer is not None and scene.answer.text:
        guard = scene.answer.guard
        style = "bold red" if guard.danger != "none" else "bold cyan"
        parts.append(_line("robot", scene.answer.text, style))
        if guard.action != "none":
            parts.append(_line("guard", f"{guard.action}: {guard.reason}", "red"))
    return Group(*parts)


def _line(name: str, text: str, style: str) -> Text:
    line = Text(f"{name:<6}", style=style)
    line.append(clean(text), style="default" if name == "why" else style)
    return line


class LiveView(Observer):
    """Shows a run on a terminal, or as plain lines where there is none.

    Args:
        console: Where to draw; stdout if None. Give a stderr console when stdout carries JSON.
        title: First line.
        statements: What people must know about the input (recorded, synthesised, simulated).
        now_s: Monotonic clock, for tests.
    """

    def __init__(
        self,
        console: Console | None = None,
        *,
        title: str = "thymos",
        statements: Sequence[str] = (),
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console or Console(highlight=False)
        self._now = now_s
        self._lock = threading.Lock()
        self._scene = Scene(title=title, statements=tuple(statements))
        self._origin_ns: int | None = None
        self._live: Live | None = None

    def __enter__(self) -> LiveView:
        if self._console.is_terminal:
            self._live = Live(
                console=self._console,
                get_renderable=self.draw,
                refresh_per_second=_REFRESH_HZ,
                redirect_stdout=False,
                redirect_stderr=False,
                transient=True,
            )
            self._live.start()
        else:
            for text in (self._scene.title, *self._scene.statements):
                self._print(Text(clean(text)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def draw(self) -> RenderableType:
        """The picture of this moment."""
        with self._lock:
            return picture(self._scene, self._now(), self._console.width)

    def on_stream(self, spec: StreamSpec) -> None:
        """Add a row."""
        with self._lock:
            self._scene.streams[spec.name] = StreamRow(spec)
        if self._live is None:
            self._print(Text(f"{clean(spec.name)}: {spec.origin.value}, {clean(spec.device)}"))

    def on_sample(self, sample: Sample) -> None:
        """Count a sample."""
        with self._lock:
            row = self._scene.streams.get(sample.stream)
            if row is not None:
                row.take(sample, self._now())

    def on_estimate(self, window: Window, cues: tuple[Cue, ...], affect: Affect) -> None:
        """Show the cues and the first estimate of a window."""
        with self._lock:
            self._scene.window = window.id
            self._scene.cues = cues
            self._scene.affect = affect
            self._scene.text = ""

    def on_text(self, window_id: str, text: str) -> None:
        """Let the explanation grow."""
        with self._lock:
            self._scene.text = (self._scene.text + text)[-MAX_TEXT:]

    def on_report(self, report: WindowReport) -> None:
        """Let the finished window scroll away above the live area."""
        report = safe(report)
        if self._origin_ns is None:
            self._origin_ns = report.window.t0_ns
        with self._lock:
            self._scene.cues = report.cues
            self._scene.answer = report.response
            self._scene.text = report.explanation.rationale
        # The notes of all windows are told once, by on_note.
        self._print(render_report(report.model_copy(update={"notes": ()}), self._origin_ns))

    def on_alert(self, alert: Alert) -> None:
        """Show a danger at once, above the live area."""
        with self._lock:
            self._scene.answer = alert.response
        self._print(at_once(alert, self._origin_ns))

    def on_skip(self, window: Window) -> None:
        """Count a window that was passed over."""
        with self._lock:
            self._scene.skipped += 1

    def on_note(self, text: str) -> None:
        """Show what degraded or recovered."""
        with self._lock:
            self._scene.notes.append(text)
        self._print(_line("note", text, "yellow"))

    def _print(self, what: RenderableType) -> None:
        # Not under the lock: a live console draws the scene while it prints.
        self._console.print(what, soft_wrap=not self._console.is_terminal)
