"""Small parts: start-up, decoding, the report page."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from thymos.bench.figures import Figure, spread_of
from thymos.bench.path import write_input
from thymos.contract import WindowReport
from thymos.devices import open_uri
from thymos.errors import ThymosError
from thymos.report import write_report
from thymos.samples import EndOfStream

STARTS = 7


def measure_small(folder: Path) -> list[Figure]:
    figures = [
        spread_of("import thymos", [_python("import thymos") for _ in range(STARTS)], "s", "< 0.3"),
        spread_of(
            "thymos --help",
            [_python("-m", "thymos.cli.main", "--help") for _ in range(STARTS)],
            "s",
        ),
    ]
    try:
        figures += [decode(folder / "input"), page(folder)]
    except ThymosError as err:
        print(f"left out: {err} ({err.hint})")
    return figures


def _python(*code: str) -> float:
    """Seconds that a fresh Python takes for it."""
    command = [sys.executable, *(("-c", *code) if len(code) == 1 else code)]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def decode(folder: Path) -> Figure:
    """Time for one VGA frame of the file driver, from packet to RGB sample."""
    video, _ = write_input(folder, 8)
    source = open_uri("camera", f"file:{video}")
    assert source is not None
    times = []
    with source:
        while True:
            start = time.perf_counter()
            try:
                source.read()
            except EndOfStream:
                return spread_of("decode a VGA frame", times[1:], "ms")
            times.append((time.perf_counter() - start) * 1e3)


def page(folder: Path) -> Figure:
    """Time for the report of 150 windows with 20 cues each."""
    report = _window()
    reports = []
    for n in range(150):
        span = {"id": f"w{n:06}", "t0_ns": n * 10**9, "t1_ns": (n + 1) * 10**9}
        reports.append(report.model_copy(update={"window": report.window.model_copy(update=span)}))
    start = time.perf_counter()
    write_report(folder / "page.html", reports)
    return Figure("report of 150 windows", time.perf_counter() - start, "s", {})


def _window() -> WindowReport:
    cue = {"modality": "face", "name": "smile", "value": 0.5, "confidence": 0.5, "t0_ns": 0}
    cues = [{**cue, "id": f"c{n}", "t1_ns": 10**9, "text": "a smile"} for n in range(20)]
    return WindowReport.model_validate({
        "window": {"id": "w", "t0_ns": 0, "t1_ns": 10**9, "streams": {}},
        "cues": cues,
        "explanation": {
            "emotions": [{"label": "joy", "confidence": 0.8, "level1": "joy"}],
            "valence": 0.5, "arousal": 0.2, "steps": [], "modality_weights": {"face": 1.0},
            "conflict": {"degree": 0.0, "modalities": []}, "rationale": "A smile.",
            "abstained": False, "backend": "rules", "model": "rules", "parse_ok": True,
        },
        "response": {
            "intent": "encouraging", "candidates": [], "text": "Good.", "text_source": "template",
            "gesture": "smile", "guard": {"action": "none"},
        },
        "latency_ms": {"total": 1.0},
    })  # fmt: skip
