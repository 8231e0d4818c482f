"""The whole path in real time: VGA 30 fps, 16 kHz sound, a 10 Hz nose, the default models.

The picture is the recorded face of the demo, looped and cut to 640×480; the sound is a synthesised
voice that speaks in every second window; the nose is simulated. Everything is played in real time
through `run_live`, the code of a robot.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import wave
from collections.abc import Callable
from pathlib import Path

from thymos.bench.figures import Figure, spread_of
from thymos.clock import MonotonicClock
from thymos.config import Config
from thymos.contract import WindowReport
from thymos.demo.scene import LAST, SMILING, STILL, back_and_forth
from thymos.demo.writers import write_sound, write_video
from thymos.devices import open_uri
from thymos.errors import ThymosError
from thymos.events import Observer
from thymos.models import ModelStore
from thymos.pipeline import Pipeline
from thymos.runner import LiveSummary, run_live
from thymos.samples import Sample, Source, StreamSpec

FPS, NOSE_HZ, SIZE = 30, 10, (640, 480)
CLIP_SECONDS = 60
SENTENCES = (
    "I finally got the job. I am so happy!",
    "My dog died last week and I miss him.",
    "Wait. Do you smell that? Something is burning.",
    "Leave me alone, I am really angry with you.",
)
Say = Callable[[str], None]


class Watch(Observer):
    """Counts what comes in and when results come out, on the clock of the run."""

    def __init__(self, clock: MonotonicClock) -> None:
        self._clock = clock
        self.units: dict[str, int] = {}
        self.reports: list[WindowReport] = []
        self.estimate_ms: list[float] = []
        self.answer_ms: list[float] = []
        self.explanation_ms: list[float] = []
        self.model_ms: list[float] = []
        self.model_failed = 0

    def on_stream(self, spec: StreamSpec) -> None:
        """Begin to count."""
        self.units[spec.name] = 0

    def on_sample(self, sample: Sample) -> None:
        """Count frames: of sound each one, of the others one a sample."""
        self.units[sample.stream] += sample.payload.shape[0] if sample.payload.ndim == 2 else 1

    def on_report(self, report: WindowReport) -> None:
        """Note how old the window is now that its answer is there."""
        age = (self._clock.now_ns() - report.window.t1_ns) / 1e6
        late = report.latency_ms.get("respond", 0.0) + report.latency_ms.get("speak", 0.0)
        self.answer_ms.append(age)
        self.explanation_ms.append(age - late)
        said = report.explanation
        if said.backend != "rules" or not said.parse_ok:  # otherwise the model was not asked
            self.model_ms.append(age - late)
            self.model_failed += said.backend == "rules"
        self.estimate_ms.append(report.latency_ms["estimate"])
        self.reports.append(report)


def measure(
    folder: Path, seconds: int = 60, config: Config | None = None, say: Say = lambda _: None
) -> list[Figure]:
    """Measure the path.

    Args:
        folder: For the input files; they are reused.
        seconds: How long to run live.
        config: Settings; the defaults if None.
        say: Told what is going on.

    Raises:
        ModelError: The face clip of the demo or a voice is missing.
    """
    say(f"writing the input to {folder}")
    video, sound = write_input(folder, seconds)
    say(f"running live for {seconds} s")
    figures = live(video, sound, seconds, config or Config(), folder)
    say(f"explaining a clip of {CLIP_SECONDS} s")
    return [*figures, *explain_clip(folder)]


def write_input(folder: Path, seconds: int) -> tuple[Path, Path]:
    """Write (or find) the video and the sound of a run."""
    video, sound = folder / f"face-{seconds}s.mp4", folder / f"voice-{seconds}s.wav"
    if not sound.exists():
        from thymos.respond import build_speaker

        speaker = build_speaker(Config())
        spoken = [speaker.synthesise(text) for text in SENTENCES]
        lines = [(1.0 + 8 * n, spoken[n % len(spoken)]) for n in range(max(1, seconds // 8))]
        write_sound(sound, lines, seconds)
    if not video.exists():
        clip = ModelStore().path("media-face")
        write_video(clip, video, _order(seconds), FPS, size=SIZE)
    return video, sound


def _order(seconds: int) -> list[int]:
    """Four seconds a still face, four seconds a smile, and so on."""
    still = [back_and_forth(n, STILL) for n in range(4 * FPS)]
    smile = [SMILING + back_and_forth(n, LAST - SMILING) for n in range(4 * FPS)]
    return ([*still, *smile] * (seconds // 8 + 1))[: seconds * FPS]


def live(video: Path, sound: Path, seconds: int, config: Config, folder: Path) -> list[Figure]:
    """Run in real time and measure latency, loss and memory."""
    clock = MonotonicClock()
    watch = Watch(clock)
    sources = _sources(video, sound, seconds)
    pipeline = Pipeline(config, observers=[watch], answer_dir=folder)
    start, cpu = time.perf_counter(), time.process_time()
    try:
        summary = run_live(sources, pipeline, clock=clock)
    finally:
        pipeline.close()
    wall = time.perf_counter() - start
    stages = ("perceive", "words", "reason", "respond", "speak", "total")
    by_stage = {s: [r.latency_ms[s] for r in watch.reports if s in r.latency_ms] for s in stages}
    with wave.open(str(sound)) as file:
        frames = file.getnframes()
    expected = {"camera": seconds * FPS, "microphone": frames, "enose": seconds * NOSE_HZ}
    return [
        spread_of("first estimate after the window's end", watch.estimate_ms, "ms", "<= 150"),
        spread_of("explanation after the window's end", watch.explanation_ms, "ms", "<= 2500"),
        spread_of("of these, by the language model", watch.model_ms, "ms", "<= 2500"),
        Figure("model too late or not parsed", watch.model_failed, f"of {len(watch.model_ms)}", {}),
        spread_of("spoken answer after the window's end", watch.answer_ms, "ms"),
        *(spread_of(f"stage {s}", values, "ms") for s, values in by_stage.items() if values),
        *_losses(watch, summary, expected),
        Figure("windows skipped", summary.skipped, f"of {summary.windows}", {}),
        Figure("samples aligned, not perceived", sum(summary.unobserved.values()), "samples", {}),
        Figure("memory, peak resident", peak_mib(), "MiB", {}, "<= 1200"),
        Figure("processor use", (time.process_time() - cpu) / wall, "cores", {}),
    ]


def _sources(video: Path, sound: Path, seconds: int) -> list[Source]:
    uris = {
        "camera": f"file:{video}",
        "microphone": f"file:{sound}",
        "enose": f"sim:?pace=0&rate={NOSE_HZ}&seconds={seconds}&events=smoke@{seconds // 2}-"
        f"{seconds}",
    }
    made = [open_uri(role, uri) for role, uri in uris.items()]  # type: ignore[arg-type]
    return [source for source in made if source is not None]


def _losses(watch: Watch, summary: LiveSummary, expected: dict[str, int]) -> list[Figure]:
    """What was sent, less what arrived, less what was reported as dropped: must be nothing."""
    lost = {
        name: sent - watch.units.get(name, 0) - summary.counters[name].dropped
        for name, sent in expected.items()
    }
    return [
        Figure(f"unaccounted loss, {name}", missing, f"of {expected[name]}", {}, "== 0")
        for name, missing in lost.items()
    ]


def peak_mib(process: str = "self") -> float:
    """Peak resident memory of a process since it began, MiB; 0 if it is gone."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except OSError:
        return 0.0
    lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(lines[0].split()[1]) / 1024 if lines else 0.0


def explain_clip(folder: Path, runs: int = 1) -> list[Figure]:
    """Run `thymos explain` on a clip as a process of its own, from start to end.

    Raises:
        ThymosError: It failed.
    """
    clip = folder / f"clip-{CLIP_SECONDS}s.mp4"
    if not clip.exists():
        _, sound = write_input(folder, CLIP_SECONDS)
        face = ModelStore().path("media-face")
        write_video(face, clip, _order(CLIP_SECONDS), FPS, size=SIZE, sound=sound)
    factors, peak = [], 0.0
    for _ in range(runs):
        start = time.perf_counter()
        peak = max(peak, _explain(clip))
        factors.append((time.perf_counter() - start) / CLIP_SECONDS)
    spread = spread_of("", factors, "").spread if runs > 1 else {}
    return [
        Figure("thymos explain, time over length", max(factors), "", spread, "< 1"),
        Figure("thymos explain, peak resident", peak, "MiB", {}),
    ]


def _explain(clip: Path) -> float:
    """Run it; return its peak resident memory, MiB.

    Read from /proc while it runs: `ru_maxrss` of a child counts the parent's memory before exec.
    """
    command = [sys.executable, "-m", "thymos", "explain", str(clip), "--json"]
    peak = 0.0
    with tempfile.TemporaryFile("w+") as told:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=told)
        try:
            while process.poll() is None:
                peak = max(peak, peak_mib(str(process.pid)))
                time.sleep(0.1)
        finally:
            process.kill()
            process.wait()
        if process.returncode != 0:
            told.seek(0)
            raise ThymosError(f"thymos explain failed: {told.read().strip()[-300:]}")
    return peak
