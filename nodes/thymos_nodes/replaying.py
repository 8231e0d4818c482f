"""`thymos replay --to-ros` finds this by entry point: the replayer as a process of its own.

The replayer has its own ROS, its own signals and its own memory; what it has to say it leaves in a
file. Nothing of ROS is imported here.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

from thymos.errors import MissingExtraError, ThymosError
from thymos_nodes import graph

STOP_S = 8.0
POLL_S = 0.05


def play(
    bag: Path, *, rate: float, subscribers: int, wait_s: float, stop: threading.Event
) -> dict[str, Any]:
    """Play a recording onto live topics, with `/clock`, and wait for its end.

    Args:
        bag: Recording or media file.
        rate: Seconds of the recording in a second.
        subscribers: So many must listen to each stream first.
        wait_s: How long to wait for them.
        stop: Ends it early.

    Returns:
        `streams`: by name `topic`, `published` and `received` (None if no perception node told);
        `late_ms_max`: how late a sample left, at most. Empty if it was stopped early.

    Raises:
        MissingExtraError: ROS is not installed.
        ThymosError: The replayer failed; what it said stands on stderr.
    """
    _need_ros()
    with tempfile.TemporaryDirectory(prefix="thymos-replay-") as folder:
        report = Path(folder) / "report.json"
        parameters: dict[str, graph.Value] = {
            "bag": str(bag.expanduser().resolve()),
            "rate": rate,
            "subscribers": subscribers,
            "wait_s": wait_s,
            "report": str(report),
        }
        line = graph.command(graph.Process("replay", parameters), graph.Options())
        # An own session: Ctrl-C in a terminal reaches it once, from here.
        child = subprocess.Popen(
            line, env={**os.environ, **graph.environment()}, start_new_session=True
        )
        try:
            code = _wait(child, stop)
        finally:
            _end(child)
        if stop.is_set():
            return {}
        if code != 0 or not report.is_file():
            raise ThymosError(
                f"the replayer ended with code {code}", hint="its reason stands above this line"
            )
        found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        return found


def _need_ros() -> None:
    from importlib.util import find_spec

    for library in ("rclpy", "thymos_msgs"):
        if find_spec(library) is None:
            raise MissingExtraError(library, "ros")


def _wait(child: subprocess.Popen[bytes], stop: threading.Event) -> int | None:
    while child.poll() is None and not stop.wait(POLL_S):
        pass
    return child.poll()


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
