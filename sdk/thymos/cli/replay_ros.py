"""`thymos replay --to-ros`: onto live topics, with a report of what was lost on the way."""

from __future__ import annotations

import json as jsonlib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from thymos.cli.output import stderr, stop_on_signals
from thymos.errors import ThymosError

GROUP = "thymos.replay"


def to_topics(
    bag: Path, rate: float, subscribers: int, wait_s: float, strict: bool, *, json: bool
) -> int:
    """Play a recording onto live topics; 0 if everything arrived, else 1.

    Raises:
        ThymosError: The nodes or ROS are not installed, or the replayer failed.
    """
    play = _player()
    with stop_on_signals() as stop:
        found = play(bag, rate=rate, subscribers=subscribers, wait_s=wait_s, stop=stop)
        if stop.is_set():
            raise KeyboardInterrupt
    if json:
        print(jsonlib.dumps(found))
    else:
        Console(highlight=False).print(_table(found))
    return _verdict(found["streams"], strict)


def _player() -> Any:
    """The replayer of the ROS nodes: the SDK knows no ROS, it finds it by entry point."""
    for point in entry_points(group=GROUP, name="ros"):
        try:
            return point.load()
        except ImportError:
            break
    raise ThymosError(
        "the ROS nodes of Thymos are not installed, they publish the recording",
        hint="make setup, or pip install 'thymos[ros]' ./interfaces/thymos_msgs ./nodes"
        " (docs/ros2.md)",
    )


def _table(found: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    table.add_column("stream")
    table.add_column("topic")
    for name in ("published", "received", "lost"):
        table.add_column(name, justify="right")
    for name, row in found["streams"].items():
        lost = _lost(row)
        style = "dim" if lost is None else "red" if lost else "green"
        told = "not told" if lost is None else str(row["received"])
        table.add_row(
            Text(name),
            Text(row["topic"]),
            str(row["published"]),
            told,
            Text("?" if lost is None else str(lost), style),
        )
    table.caption = f"a sample left at most {found['late_ms_max']:.1f} ms late"
    table.caption_justify = "left"
    return table


def _lost(row: dict[str, Any]) -> int | None:
    received = row["received"]
    return None if received is None else int(row["published"]) - int(received)


def _verdict(streams: dict[str, dict[str, Any]], strict: bool) -> int:
    lost = {name: n for name, row in streams.items() if (n := _lost(row))}
    untold = [name for name, row in streams.items() if _lost(row) is None]
    for name, count in lost.items():
        what = f"{count} lost" if count > 0 else f"{-count} more than were published here"
        stderr.print(f"{name}: {what}", style="red", markup=False)
    if lost:
        stderr.print(
            "next: lower --rate, set perception's parameter qos to reliable, and see that only one"
            " publisher is on each topic (ros2 topic info -v)",
            soft_wrap=True,
        )
    if untold:
        stderr.print(
            f"{', '.join(untold)}: no perception node said what it received; to have one:"
            " python -m thymos_nodes.perception --ros-args -p use_sim_time:=true -p qos:=reliable",
            markup=False,
            soft_wrap=True,
        )
    return int(bool(lost) or (strict and bool(untold)))
