"""The page: one file that needs no network and no JavaScript to be read."""

from __future__ import annotations

import base64
import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.resources import files
from pathlib import Path

import numpy as np

from thymos.contract import WindowReport
from thymos.errors import RecordingError
from thymos.report.axis import Axis, axis_of
from thymos.report.cards import Media, card
from thymos.report.html import Child, Html, el, join
from thymos.report.overview import overview
from thymos.report.smell import smell_section
from thymos.report.smell_trace import SmellTrace
from thymos.report.traces import Trace
from thymos.samples import NS_PER_S, Kind, StreamSpec

MAX_CARDS = 150
_EPOCH_NS = 10**18  # capture times above this are wall-clock times (2001 and later)
_ORIGIN_TEXT = {
    "live": "measured live by a device",
    "recorded": "recorded earlier, played back",
    "synthesised": "made by a computer voice or drawn",
    "simulated": "computed from a sensor model, no device",
}


@dataclass(frozen=True, slots=True)
class _Run:
    """All that goes into one page."""

    reports: Sequence[WindowReport]
    streams: Sequence[StreamSpec]
    traces: Sequence[Trace]
    title: str
    statements: Sequence[str]
    media: Media
    smell: SmellTrace | None


def write_report(
    path: Path | str,
    reports: Sequence[WindowReport],
    *,
    streams: Sequence[StreamSpec] = (),
    traces: Sequence[Trace] = (),
    title: str = "Thymos report",
    statements: Sequence[str] = (),
    audio: Mapping[str, Path] | None = None,
    pictures: Mapping[str, bytes] | None = None,
    smell: SmellTrace | None = None,
) -> Path:
    """Write a self-contained `report.html`, whole or not at all.

    Args:
        path: Where to; an older file there is replaced.
        reports: Windows in order of time; may be empty (the page says so).
        streams: What each source delivered; from the windows' own notes if left out.
        traces: Of each stream, see `TraceCollector`.
        title: Heading of the page.
        statements: What the reader must know first, one sentence each.
        audio: WAV file of the spoken answer, by window id.
        pictures: JPEG bytes to show, by window id; nothing of a camera is shown otherwise.
        smell: What the nose went through, see `SmellCollector`.

    Raises:
        RecordingError: The file cannot be written.
    """
    media = Media(audio or {}, pictures or {})
    run = _Run(reports, streams, traces, title, statements, media, smell)
    return write_whole(Path(path), _render(run).encode("utf-8"))


def write_whole(path: Path, data: bytes) -> Path:
    """Write a file so that `path` never holds a part of it.

    Raises:
        RecordingError: The folder cannot be written, or the disk is full.
    """
    part = ""
    try:
        handle, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(part).chmod(0o644)
        Path(part).replace(path)
    except OSError as err:
        raise RecordingError(
            f"cannot write '{path}': {err.strerror}",
            hint=f"check the folder and the space left: df -h '{path.parent}'",
        ) from err
    finally:
        if part:
            Path(part).unlink(missing_ok=True)
    return path


def _render(run: _Run) -> str:
    script, style = _asset("report.js"), _asset("report.css")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "img-src data:; media-src data:; base-uri 'none'; form-action 'none'"
    )
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", http_equiv="Content-Security-Policy", content=policy),
        el("meta", name="color-scheme", content="light dark"),
        el("link", rel="icon", href="data:,"),
        el("title", run.title),
        el("style", Html(style)),
    )
    body = el("body", el("main", _sections(run)), el("script", Html(script)))
    return "<!doctype html>\n" + el("html", head, body, lang="en") + "\n"


def _sections(run: _Run) -> list[Child]:
    reports = run.reports
    ends = [(spans[0][0], t.t_end_ns) for t in run.traces if (spans := t.spans())]
    if run.smell is not None:
        ends.append((run.smell.stretches()[0][0], run.smell.t_end_ns))
    axis = axis_of(reports, ends)
    said_above = frozenset.intersection(*(frozenset(r.notes) for r in reports)) if reports else ()
    return [
        el("h1", run.title),
        el("p", _summary(reports, axis), class_="lead"),
        [el("p", statement, class_="statement") for statement in run.statements],
        _origins(reports, run.streams),
        _notes(reports),
        el("h2", "Over time"),
        overview(reports, run.traces, axis)
        if reports or run.traces
        else el("p", "Nothing came in."),
        smell_section(run.smell, axis),
        el("h2", "Window by window"),
        [card(report, axis, run.media, said_above) for report in reports[:MAX_CARDS]],
        _left_out(reports),
        _latency(reports),
        _about(reports),
    ]


def _summary(reports: Sequence[WindowReport], axis: Axis) -> str:
    if not reports:
        return "No window was completed."
    seconds = (axis.t1_ns - axis.t0_ns) / NS_PER_S
    text = f"{seconds:.1f} s in {len(reports)} window{'s' * (len(reports) != 1)}. "
    if axis.t0_ns > _EPOCH_NS:
        start = datetime.fromtimestamp(axis.t0_ns / NS_PER_S, tz=timezone.utc)
        text = f"Began {start:%Y-%m-%d %H:%M:%S} UTC. {text}"
    read = [r for r in reports if r.explanation.emotions and not r.explanation.abstained]
    # Calm is the ordinary case: what stands out from it is what a reader wants to know first.
    moved = [r for r in read if r.explanation.emotions[0].level1 != "neutral"]
    if read:
        best = max(moved or read, key=lambda r: r.explanation.emotions[0].confidence)
        at = axis.seconds(best.window.t0_ns)
        guess = best.explanation.emotions[0]
        text += f"Clearest reading: {guess.label}, {guess.confidence:.0%}, at {at:.0f} s. "
    dangers = [r for r in reports if r.response.guard.danger != "none"]
    if dangers:
        first = dangers[0]
        text += (
            f"Danger ({first.response.guard.danger}) in {len(dangers)} of {len(reports)} windows, "
            f"first in the one that begins at {axis.seconds(first.window.t0_ns):.0f} s."
        )
    return text.strip()


def _origins(reports: Sequence[WindowReport], streams: Sequence[StreamSpec]) -> Html | None:
    """What is real and what is not, before anything else."""
    order = list(Kind)
    known = sorted(streams, key=lambda s: (order.index(s.kind), s.name))
    rows = [(s.name, s.origin.value, s.device, _rate(s)) for s in known]
    if not rows:
        seen = {s.stream: s for r in reports for s in r.sources}
        rows = [(s.stream, s.origin, s.device, s.note) for s in seen.values()]
    if not rows:
        return None
    return el(
        "ul",
        [
            el(
                "li",
                el("b", name),
                " ",
                el("span", origin, class_=f"badge {origin}"),
                f" {_ORIGIN_TEXT[origin]}: {device or 'unnamed'}",
                el("span", f" {detail}", class_="when") if detail else None,
            )
            for name, origin, device, detail in rows
        ],
        class_="origins",
    )


def _rate(spec: StreamSpec) -> str:
    size = "×".join(str(n) for n in spec.shape[:2][::-1]) + ", " if len(spec.shape) == 3 else ""
    # The names of colours and of a single microphone tell nobody anything.
    told = len(spec.channels) > 1 and spec.kind is not Kind.VIDEO
    names = f", {', '.join(spec.channels)}" if told else ""
    return (
        f"{size}{spec.rate_hz:g} Hz, {spec.unit}{names}" if spec.rate_hz else f"{size}{spec.unit}"
    )


def _notes(reports: Sequence[WindowReport]) -> Html | None:
    """Every note once, with how many windows say it."""
    count: dict[str, int] = {}
    for note in (note for r in reports for note in r.notes):
        count[note] = count.get(note, 0) + 1
    if not count:
        return None
    lines = [
        el(
            "li",
            f"{note} ({'all windows' if n == len(reports) else f'{n} of {len(reports)} windows'})",
        )
        for note, n in count.items()
    ]
    return el("div", el("h2", "What was lacking"), el("ul", lines, class_="notes"))


def _left_out(reports: Sequence[WindowReport]) -> Html | None:
    more = len(reports) - MAX_CARDS
    if more <= 0:
        return None
    return el(
        "p",
        f"{more} later windows are drawn above and not written out here; "
        "windows.jsonl holds all of them.",
        class_="statement",
    )


def _latency(reports: Sequence[WindowReport]) -> Html | None:
    stages = {name: None for r in reports for name in r.latency_ms}
    if not stages:
        return None
    rows = []
    for stage in stages:
        values = np.array([r.latency_ms[stage] for r in reports if stage in r.latency_ms])
        p50, p95 = np.percentile(values, [50, 95])
        cells = [f"{p50:.0f}", f"{p95:.0f}", f"{values.max():.0f}", str(len(values))]
        rows.append(el("tr", el("th", stage, scope="row"), [el("td", c) for c in cells]))
    names = ("stage", "p50", "p95", "max", "n")
    head = el("tr", [el("th", name, scope="col") for name in names])
    table = el("table", el("thead", head), el("tbody", rows))
    return join([el("h2", "How long it took"), el("p", "Milliseconds for each window."), table])


def _about(reports: Sequence[WindowReport]) -> Html:
    version = reports[0].schema_version if reports else ""
    return el(
        "footer",
        el(
            "p",
            "A reading is an inference from how someone appears, with doubt; it is not what they "
            "feel. Nothing on this page comes from or goes to a network.",
        ),
        el("p", f"Times are seconds since the first sample. Contract {version}.")
        if version
        else None,
    )


def _asset(name: str) -> str:
    return files("thymos.report").joinpath("assets", name).read_text(encoding="utf-8")
