"""Hours of input in constant memory, and live runs whose sensors misbehave."""

from __future__ import annotations

import gc
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest

from media import write_media
from stages import CountingPerceiver, EchoReasoner, PlainResponder
from thymos.config import Config, RespondConfig, WindowConfig
from thymos.contract import StreamState, WindowReport
from thymos.devices import open_uri
from thymos.events import Observer
from thymos.explainer import open_media
from thymos.pipeline import Pipeline
from thymos.runner import LiveSummary, run_live, run_offline
from thymos.samples import NS_PER_S, Sample

HOURS = 2
PART_S = 64


class Forgetful(CountingPerceiver):
    """Counts the samples of a window and forgets them."""

    def __init__(self, kind: Any, modality: Any) -> None:
        super().__init__()
        self.kind, self.modality = kind, modality  # type: ignore[misc]

    def cues(self, window: Any) -> list[Any]:
        found = super().cues(window)
        self.seen = [t for t in self.seen if t >= window.t1_ns]
        return found


class Short(EchoReasoner):
    """Keeps no evidence."""

    def explain(self, evidence: Any, **more: Any) -> Any:
        done = super().explain(evidence, **more)
        self.evidence.clear()
        return done


def resident_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@pytest.fixture(scope="module")
def two_hours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small film of two hours: one of 64 s (whole packets of both tracks), written 113 times."""
    folder = tmp_path_factory.mktemp("long")
    part = write_media(folder / "part.mkv", seconds=PART_S, size=(32, 24), fps=5, rate_hz=8000)
    path = folder / "long.mkv"
    with av.open(str(path), "w") as out, av.open(str(part)) as source:
        tracks = {s.index: out.add_stream_from_template(s) for s in source.streams}
        packets = [
            p for p in source.demux() if p.pts is not None and 0 <= p.pts * p.time_base < PART_S
        ]
        kept = [(p.stream.index, bytes(p), p.pts, p.time_base, p.is_keyframe) for p in packets]
        for turn in range(HOURS * 3600 // PART_S + 1):
            for index, data, pts, base, key in kept:
                packet = av.Packet(data)
                packet.stream, packet.time_base = tracks[index], base
                packet.pts = packet.dts = pts + round(turn * PART_S / base)
                packet.is_keyframe = key
                out.mux(packet)
    return path


@pytest.mark.slow
def test_two_hours_take_constant_memory(two_hours: Path) -> None:
    from thymos.samples import Kind

    sources, _, _ = open_media(two_hours)
    pipeline = Pipeline(
        Config(window=WindowConfig(length_s=4, hop_s=4), respond=RespondConfig(speak=False)),
        perceivers=[Forgetful(Kind.VIDEO, "face"), Forgetful(Kind.AUDIO, "voice")],
        reasoner=Short(),
        responder=PlainResponder(),
    )
    windows = (HOURS * 3600 // PART_S + 1) * PART_S // 4
    at: dict[int, float] = {}
    count = 0
    for report in run_offline(sources, pipeline):
        count += 1
        assert report.window.t1_ns > (count - 1) * 4 * NS_PER_S
        if count in (windows // 5, windows // 2, windows - 1):
            gc.collect()
            at[count] = resident_mb()
    pipeline.close()
    assert windows <= count <= windows + 1
    first, *_, last = at.values()
    assert last - first < 8, at


# -- sensors that misbehave, live


class Keeper(Observer):
    def __init__(self) -> None:
        self.reports: list[WindowReport] = []
        self.notes: list[str] = []

    def on_report(self, report: WindowReport) -> None:
        self.reports.append(report)

    def on_note(self, text: str) -> None:
        self.notes.append(text)

    def states(self, stream: str) -> list[StreamState]:
        return [report.window.streams[stream] for report in self.reports]


def live(keeper: Keeper, *sources: Any, stop: threading.Event | None = None) -> LiveSummary:
    pipeline = Pipeline(
        Config(
            window=WindowConfig(length_s=0.5, hop_s=0.5, max_wait_s=0.3),
            respond=RespondConfig(speak=False),
        ),
        perceivers=[CountingPerceiver()],
        reasoner=EchoReasoner(),
        responder=PlainResponder(),
        observers=[keeper],
    )
    summary = run_live(sources, pipeline, stop=stop)
    pipeline.close()
    assert summary.windows == summary.reasoned + summary.skipped
    ids = [r.window.id for r in keeper.reports]
    assert ids == sorted(ids)
    return summary


def sim(role: Any, options: str) -> Any:
    return open_uri(role, f"sim:?{options}")


def test_windows_keep_coming_while_sensors_vanish_stall_and_send_rubbish() -> None:
    keeper = Keeper()
    summary = live(
        keeper,
        sim("camera", "size=32x24&rate=20&seconds=4&lose=1"),
        sim("microphone", "seconds=4&stall=1.5-3"),
        sim("enose", "seconds=4&corrupt=0.4&drop=0.3"),
    )
    assert len(keeper.reports) + summary.skipped >= 8
    # The camera went and came back: told when it happened, and only then.
    seen = [n for n in keeper.notes if n.startswith("camera: ")]
    assert ["lost" in n for n in seen] == [True, False]
    assert "camera: back after" in seen[1]
    told = [n for r in keeper.reports for n in r.notes if n.startswith("camera: ")]
    assert told == seen
    assert "microphone: ok again" in keeper.notes
    assert summary.counters["camera"].reconnects == 1
    assert sum(s.dropped for s in keeper.states("camera")) == summary.counters["camera"].dropped
    assert max(s.gaps for s in keeper.states("camera")) == 1
    # The microphone stalled: stale with its age, then present again with the hole counted.
    sound = keeper.states("microphone")
    stale = [s for s in sound if s.state == "stale"]
    assert stale
    assert all("old" in s.reason and (s.age_ms or 0) > 500 for s in stale)
    assert any("nothing of the last" in s.reason for s in sound if s.state == "present")
    assert (sound[-1].state, sound[-1].gaps) == ("present", 0)
    assert sum(s.gaps for s in sound) == 1
    # Rubbish is flagged by the source; lost readings are counted.
    assert summary.counters["enose"].corrupt > 0
    assert sum(s.dropped for s in keeper.states("enose")) > 0


def test_a_device_that_is_lost_again_is_told_again() -> None:
    keeper, stop = Keeper(), threading.Event()
    camera = Loose(sim("camera", "size=32x24&rate=20&lose=0.4"))
    threading.Timer(3.2, stop.set).start()
    summary = live(keeper, camera, sim("microphone", ""), stop=stop)
    assert summary.counters["camera"].reconnects >= 2
    assert sum("lost" in n for n in keeper.notes) >= 2


@pytest.mark.parametrize("every", [True, False])
def test_stamps_that_go_backwards(every: bool) -> None:
    """Of one stream, or of all: no window is waited for for ever, and it is said."""
    keeper = Keeper()
    camera = Jumping(sim("camera", "size=32x24&rate=20&seconds=4"))
    sound = sim("microphone", "seconds=4")
    live(keeper, camera, Jumping(sound) if every else sound)
    assert len(keeper.reports[4:]) >= 2  # after the jump
    told = " ".join(n for r in keeper.reports for n in r.notes) + " ".join(
        s.reason for s in keeper.states("camera")
    )
    assert "went back by" in told
    if not every:
        assert all(s.state == "present" for s in keeper.states("microphone"))


class Around:
    """Passes a source on."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __enter__(self) -> Any:
        self._source.open()
        return self

    def __exit__(self, *details: object) -> None:
        self._source.close()


class Loose(Around):
    """A plug with a loose contact: the camera is lost again soon after each opening."""

    def open(self) -> None:
        self._source._gone, self._source._began = False, None
        self._source.open()


class Jumping(Around):
    """A source whose clock goes back by three seconds after two."""

    first_ns = 0

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        sample: Sample | None = self._source.read(timeout_s)
        if sample is None:
            return None
        self.first_ns = self.first_ns or sample.t_ns
        late = sample.t_ns - self.first_ns >= 2 * NS_PER_S
        return replace(sample, t_ns=sample.t_ns - 3 * NS_PER_S) if late else sample
