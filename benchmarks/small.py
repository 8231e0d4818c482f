"""Small parts: start-up, decoding, the report page."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.compare import timed
from benchmarks.media import face_video
from thymos.bench.figures import Figure, repeated, spread_of
from thymos.contract import WindowReport
from thymos.report import write_report
from thymos.samples import EndOfStream


def run(repeats: int, quick: bool) -> list[Figure]:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        windows = 10 if quick else 150
        pages = [timed(lambda: page(folder, windows)) for _ in range(repeats)]
        return [
            repeated(
                "import thymos", [_python("import thymos") for _ in range(repeats)], "s", "< 0.3"
            ),
            repeated(
                "thymos --help",
                [_python("-m", "thymos.cli.main", "--help") for _ in range(repeats)],
                "s",
            ),
            decode(folder, 15 if quick else 240),
            repeated(f"report of {windows} windows", pages, "s"),
        ]


def _python(*code: str) -> float:
    """Seconds that a fresh Python takes for it."""
    command = [sys.executable, *(("-c", *code) if len(code) == 1 else code)]
    return timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))


def decode(folder: Path, frames: int) -> Figure:
    """Time for one VGA frame of the file driver, from packet to RGB sample."""
    source = face_video(folder, frames)
    times = []
    with source:
        while True:
            try:
                times.append(timed(source.read) * 1e3)
            except EndOfStream:
                return spread_of("decode a VGA frame", times[1:], "ms")


def page(folder: Path, windows: int) -> None:
    """Write the report of windows with 20 cues each."""
    report = _window()
    reports = []
    for n in range(windows):
        span = {"id": f"w{n:06}", "t0_ns": n * 10**9, "t1_ns": (n + 1) * 10**9}
        reports.append(report.model_copy(update={"window": report.window.model_copy(update=span)}))
    write_report(folder / "page.html", reports)


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
