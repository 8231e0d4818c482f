"""`thymos graph`: start or show the ROS graph without ros2 launch."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from types import FrameType
from typing import Annotated, Any

import typer

from thymos_nodes import graph
from thymos_nodes.graph import DESCRIPTIONS, Options, Process

app = typer.Typer(
    no_args_is_help=True,
    help="The ROS 2 graph: all nodes, without ros2 launch.",
    add_completion=False,
)

STOP_S = 8.0  # after SIGINT; a process that is still there then is ended by force


def _option(name: str) -> Any:
    return typer.Option(help=DESCRIPTIONS[name])


@app.callback()
def _group() -> None:
    """A group, also while it has one command."""


@app.command()
def up(  # noqa: PLR0917  one option each
    camera: Annotated[str, _option("camera")] = "real",
    microphone: Annotated[str, _option("microphone")] = "real",
    enose: Annotated[str, _option("enose")] = "real",
    bag: Annotated[str, _option("bag")] = "",
    bag_rate: Annotated[float, _option("bag_rate")] = 1.0,
    speaker: Annotated[bool, _option("speaker")] = True,
    namespace: Annotated[str, _option("namespace")] = "",
    use_sim_time: Annotated[bool, _option("use_sim_time")] = False,
    params_file: Annotated[str, _option("params_file")] = "",
    autostart: Annotated[bool, _option("autostart")] = True,
    log_level: Annotated[str, _option("log_level")] = "info",
    show: Annotated[bool, typer.Option("--show", help="Print the processes, start none.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --show: as JSON.")] = False,
) -> None:
    """Start all nodes; Ctrl-C ends them."""
    options = Options(
        camera=camera,
        microphone=microphone,
        enose=enose,
        bag=bag,
        bag_rate=bag_rate,
        speaker=speaker,
        namespace=namespace,
        use_sim_time=use_sim_time,
        params_file=params_file,
        autostart=autostart,
        log_level=log_level,
    )
    table = graph.processes(options)
    if show:
        _show(table, options, as_json)
        return
    raise typer.Exit(Graph(table, options).run())


def _show(table: list[Process], options: Options, as_json: bool) -> None:
    if as_json:
        rows = [{**dataclasses.asdict(p), "command": graph.command(p, options)} for p in table]
        print(json.dumps(rows, indent=2))
        return
    for process in table:
        print(" ".join(graph.command(process, options)))


class Graph:
    """Runs the processes of a table until Ctrl-C, SIGTERM, or until all have ended.

    Args:
        table: What to start.
        options: With which options.
    """

    def __init__(self, table: list[Process], options: Options) -> None:
        self._table = table
        self._options = options
        self._stop = threading.Event()
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def run(self) -> int:
        """Start, wait, end. Returns 0, or 1 if a process failed."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        environment = {**os.environ, **graph.environment()}
        failed = False
        try:
            for process in self._table:
                # An own session: Ctrl-C in a terminal reaches the children once, from here.
                self.running[process.executable] = subprocess.Popen(
                    graph.command(process, self._options), env=environment, start_new_session=True
                )
            while self.running and not self._stop.wait(0.1):
                failed |= self._reap()
        finally:
            failed |= self.end()
        return int(failed)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stop.set()

    def _reap(self) -> bool:
        """Take note of processes that have ended. When the recording is over, so is the graph."""
        failed = False
        for name, child in list(self.running.items()):
            if child.poll() is None:
                continue
            del self.running[name]
            failed |= child.returncode != 0
            if child.returncode:
                print(f"{name} ended with code {child.returncode}", file=sys.stderr)
            if name == "replay":
                self._stop.set()
        return failed

    def end(self) -> bool:
        """End all processes; True if one did not end well."""
        for child in self.running.values():
            child.send_signal(signal.SIGINT)
        deadline = time.monotonic() + STOP_S
        failed = False
        for name, child in self.running.items():
            try:
                code = child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                print(f"{name} does not end: killed", file=sys.stderr)
                child.kill()
                code = child.wait()
            failed |= code != 0
        self.running.clear()
        return failed
