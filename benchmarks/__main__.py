"""Run all benchmarks, print their tables, and write `benchmarks/out/figures.json`.

    python -m benchmarks [--seconds 60] [--backend auto|llama|rules]

Close other programs first: the figures are about two free cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from benchmarks.small import measure_small
from thymos.bench.figures import Figure, table
from thymos.bench.path import measure
from thymos.cli.settings import BACKENDS, settings

OUT = Path(__file__).parent / "out"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="how long the path runs live")
    parser.add_argument("--backend", choices=BACKENDS)
    options = parser.parse_args()
    console = Console(highlight=False)
    OUT.mkdir(exist_ok=True)
    machine = {
        "cores": len(os.sched_getaffinity(0)),
        "processor": processor(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }
    console.print(machine)
    parts: dict[str, list[Figure]] = {}
    parts["small"] = measure_small(OUT)
    console.print(table(parts["small"], "small parts"))
    config = settings(None, reason={"backend": options.backend})
    parts["path"] = measure(OUT / "input", options.seconds, config, console.print)
    console.print(table(parts["path"], f"the path, {options.seconds} s in real time"))
    body = {
        "machine": machine,
        **{name: [asdict(figure) for figure in figures] for name, figures in parts.items()},
    }
    (OUT / "figures.json").write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
    console.print(f"written: {OUT / 'figures.json'}")


def processor() -> str:
    """Name of the processor, as Linux tells it."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    main()
