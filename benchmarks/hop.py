"""Pictures from one process to another, 100 a second, against rclpy.

Both ends are processes of their own (`hop_ends.py`); ours and the two of the peer take turns. The
peer: `sensor_msgs/Image`, QoS of sensors (best effort, depth 5), Fast DDS as it comes out of the
box and with the profile of `launch/config/fastdds.xml`, which gives it room in shared memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from benchmarks.compare import peer_module
from thymos.bench.figures import Figure, repeated
from thymos.errors import ThymosError

ROOT = Path(__file__).resolve().parents[1]
PROFILE = "FASTRTPS_DEFAULT_PROFILES_FILE"
SIZES = {"VGA": (640, 480), "1080p": (1920, 1080)}
RATE = 100.0
END_S = 10.0
DOMAIN = "101"  # the highest that leaves Linux its own ports
OURS, IN_PLACE = "thymos", "thymos, filled in place"
SHARED, DEFAULT = "rclpy, shared-memory profile", "rclpy, default"
STEPS, PIPE = "thymos, step by step", "a stamp through a pipe"
ENDS = {
    OURS: ("thymos", "write"),
    IN_PLACE: ("thymos", "fill"),
    STEPS: ("thymos", "parts"),
    PIPE: ("pipe", "write"),
    SHARED: ("ros", "write"),
    DEFAULT: ("ros", "write"),
}
"""What the two processes of each way are: kind, and the writing end."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one way: microseconds of each picture that came, and what it cost."""

    sent: int
    latency_us: list[float]
    cpu_s: float
    steps_us: dict[str, float] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        """Sent and not seen."""
        return self.sent - len(self.latency_us)

    def percentile(self, q: float) -> float:
        """Of the latency; NaN if nothing came."""
        return float(np.percentile(self.latency_us, q)) if self.latency_us else float("nan")


def run(repeats: int, quick: bool) -> list[Figure]:
    count = 60 if quick else 500
    library, name = peer_module("rclpy")
    peers = [SHARED, DEFAULT] if library else []
    figures = []
    for size in list(SIZES)[: 1 if quick else None]:
        runs: dict[str, list[Run]] = {way: [] for way in (OURS, IN_PLACE, *peers)}
        for _ in range(min(repeats, 3)):
            for way, made in runs.items():
                made.append(hop(way, SIZES[size], count))
        for peer in peers or [name]:
            figures += compare(size, runs[OURS], peer, runs.get(peer, []))
        figures += latency(f"{title(size)}, filled in place", runs[IN_PLACE])
    return figures + where_time_goes(min(repeats, 3), count)


def where_time_goes(repeats: int, count: int) -> list[Figure]:
    """The steps of a VGA hop, and what any two processes that sleep in between pay."""
    runs = {way: [hop(way, SIZES["VGA"], count) for _ in range(repeats)] for way in (STEPS, PIPE)}
    figures = [
        repeated(f"{title('VGA')}, writer: {step}", [r.steps_us[step] for r in runs[STEPS]], "µs")
        for step in runs[STEPS][0].steps_us
    ]
    for name, way in (("from copied to in hand", STEPS), ("floor: a stamp through a pipe", PIPE)):
        values = [r.percentile(50) for r in runs[way]]
        figures.append(repeated(f"{title('VGA')}, {name}, p50", values, "µs"))
    return figures


def title(size: str) -> str:
    """First part of the name of a figure."""
    return f"hop of {size} at {RATE:.0f}/s"


def compare(size: str, ours: list[Run], peer: str, theirs: list[Run]) -> list[Figure]:
    """Latency, losses and cost beside those of one peer."""
    deaf = sum(not r.latency_us for r in theirs)
    if deaf:
        peer = f"{peer}: nothing arrived in {deaf} of {len(theirs)} runs"
    figures = latency(title(size), ours, peer, [] if deaf else theirs)
    lost, sent = sum(r.lost for r in ours), sum(r.sent for r in ours)
    gone = float(sum(r.lost for r in theirs)) if theirs else None
    ratio = lost / gone if gone else None
    figures.append(
        Figure(f"{title(size)}, lost", lost, f"of {sent}", {}, "== 0", peer, gone, ratio)
    )
    figures.append(
        repeated(
            f"{title(size)}, processor use of both",
            [100 * r.cpu_s * RATE / r.sent for r in ours],
            "%",
            peer=peer,
            peer_values=[100 * r.cpu_s * RATE / r.sent for r in theirs],
        )
    )
    return figures


def latency(name: str, ours: list[Run], peer: str = "", theirs: Sequence[Run] = ()) -> list[Figure]:
    """The two percentiles that have targets."""
    return [
        repeated(
            f"{name}, p{q}",
            [r.percentile(q) for r in ours],
            "µs",
            target,
            peer=peer,
            peer_values=[r.percentile(q) for r in theirs],
        )
        for q, target in ((50, "<= 150"), (99, "<= 1000"))
    ]


def hop(way: str, size: tuple[int, int], count: int) -> Run:
    """Start both ends, wait until they see each other, count.

    Raises:
        ThymosError: An end failed, or nothing at all came through before counting began.
    """
    kind, writing = ENDS[way]
    name = f"bench_{os.getpid()}_{time.monotonic_ns()}"
    if way == PIPE:
        name = str(Path(tempfile.gettempdir()) / name)
        os.mkfifo(name)
    options = json.dumps({"name": name, "size": size, "rate": RATE, "count": count})
    env = {k: v for k, v in os.environ.items() if k != PROFILE}
    env |= {"ROS_DOMAIN_ID": DOMAIN, "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    env |= {"PYTHONPATH": str(ROOT)}
    if way == SHARED:
        env[PROFILE] = str(ROOT / "launch" / "config" / "fastdds.xml")
    ends: list[subprocess.Popen[str]] = []
    try:
        for end in ("read", writing):
            command = [sys.executable, "-m", "benchmarks.hop_ends", kind, end, options]
            pipe = subprocess.PIPE
            ends.append(
                subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=env, cwd=ROOT)
            )
        reader, writer = ends
        told = _line(reader)
        if told == "here\n":
            _say(writer)
            told = _line(reader)
        seen = _json(told, f"the reader of {way} ended early")
        if not seen["latency_us"]:
            return Run(count, [], seen["cpu_s"])
        wrote = _json(_line(writer), f"the writer of {way} ended early")
        cpu_s = seen["cpu_s"] + wrote["cpu_s"]
        return Run(count, seen["latency_us"], cpu_s, wrote["steps_us"])
    finally:
        for process in ends:
            _end(process)
        if way == PIPE:
            Path(name).unlink()


def _end(process: subprocess.Popen[str]) -> None:
    """Let it close what it has open, by closing its input; kill it if it does not."""
    try:
        process.communicate(timeout=END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _line(process: subprocess.Popen[str]) -> str:
    out: IO[str] | None = process.stdout
    assert out is not None
    return out.readline()


def _say(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def _json(text: str, error: str) -> dict[str, Any]:
    if not text.startswith("{"):
        raise ThymosError(error)
    found: dict[str, Any] = json.loads(text)
    return found
