"""Helpers of the ROS tests: node processes, waiting, an own domain."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 60.0  # generous: a loaded machine is slow, a broken one never gets there


def wait_until(true: Callable[[], Any], what: str, seconds: float = WAIT_S) -> None:
    """Wait for a condition; fail with its name."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.02)


def claim_domain() -> tuple[int, IO[str]]:
    """A domain that no other test run on this machine uses; the lock ends with the process."""
    place = Path(tempfile.gettempdir()) / "thymos-ros-domains"
    place.mkdir(exist_ok=True)
    for number in range(20, 100):
        file = (place / str(number)).open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            continue
        return number, file
    raise RuntimeError("all ROS domains from 20 to 99 are in use")


class Nodes:
    """Node processes of one test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.all: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        log = (self._folder / f"{name}.log").open("wb")
        child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        log.close()
        self.all[name] = child
        return child

    def said(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")

    def end(self, name: str, *signals: signal.Signals) -> int:
        """Send signals to one node and return its exit code."""
        child = self.all[name]
        for number in signals or (signal.SIGINT,):
            child.send_signal(number)
        try:
            return child.wait(20.0)
        except subprocess.TimeoutExpired:
            pytest.fail(f"{name} does not end: {self.said(name)}")


def simulated_recording(path: Path, *, seconds: int, start_ns: int, size: str, events: str) -> Path:
    """Picture, sound and smell with absolute capture times, as an MCAP."""
    from thymos.align import merge
    from thymos.record import Recorder
    from thymos_drivers.sim import open_camera, open_enose, open_microphone

    options = {"seconds": str(seconds), "pace": "0"}
    sources = [
        open_camera("", stream="camera", size=size, rate="15", **options),
        open_microphone("", stream="microphone", **options),
        open_enose("", stream="enose", events=events, **options),
    ]
    with Recorder(path) as recorder, ExitStack() as stack:
        for source in sources:
            stack.enter_context(source)
            recorder.on_stream(source.spec)
        for sample in merge(sources):
            t_ns = start_ns + sample.t_ns
            recorder.on_sample(replace(sample, t_ns=t_ns, t_recv_ns=t_ns))
    return path
