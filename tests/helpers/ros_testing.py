"""Helpers of the ROS tests: node processes, waiting, an own domain."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
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
