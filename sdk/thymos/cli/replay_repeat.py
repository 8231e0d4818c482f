"""`thymos replay --repeat N`: the proof that the same recording gives the same bytes."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from rich.console import Console

from thymos.cli.output import stderr
from thymos.config import Config
from thymos.errors import ThymosError

_BURN = (
    "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"  # ends with its parent
)


def prove(bag: Path, enose: Path | None, config: Config, rate: str, runs: int, busy: int) -> int:
    """Replay in `runs` processes, one after the other; 0 if all gave the same bytes, else 1.

    Args:
        bag: Recording.
        enose: Nose readings, as in `thymos replay`.
        config: Settings; they travel in a file.
        rate: `max` or a number.
        runs: How often.
        busy: Processes beside it that only burn time.

    Raises:
        ThymosError: A run failed.
    """
    console = Console(highlight=False)
    first = b""
    with tempfile.TemporaryDirectory(prefix="thymos-replay-") as folder, _burners(busy):
        path = Path(folder) / "settings.yaml"
        path.write_text(yaml.safe_dump(config.model_dump(mode="json")), encoding="utf-8")
        command = [sys.executable, "-m", "thymos", "replay", str(bag), "--json"]
        command += ["--rate", rate, "--config", str(path)]
        command += [] if enose is None else ["--enose", str(enose)]
        for number in range(1, runs + 1):
            made = _run(command)
            digest = hashlib.sha256(made).hexdigest()
            windows = made.count(b"\n")
            stderr.print(
                f"run {number} of {runs}: {windows} windows, sha256 {digest}", soft_wrap=True
            )
            if number == 1:
                first = made
            elif made != first:
                _tell(console, first, made, number)
                return 1
    digest = hashlib.sha256(first).hexdigest()
    console.print(f"{runs} runs, all equal: sha256 {digest}", style="green", soft_wrap=True)
    return 0


def _run(command: list[str]) -> bytes:
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        reason = next((s for s in said if s.startswith("error:")), said[-1])
        hint = next((s for s in said if s.startswith("next:")), "next:")
        raise ThymosError(
            f"a replay failed: {reason.removeprefix('error:').strip()}",
            hint=hint.removeprefix("next:").strip(),
        )
    return done.stdout


def _tell(console: Console, first: bytes, other: bytes, number: int) -> None:
    from thymos.cli.replay import show
    from thymos.golden import Tolerance, compare

    a, b = ([json.loads(line) for line in made.splitlines()] for made in (first, other))
    show(console, compare(a, b, Tolerance.none()), Path(f"run 1 (this is run {number})"))


@contextmanager
def _burners(count: int) -> Iterator[None]:
    burning = [subprocess.Popen([sys.executable, "-c", _BURN]) for _ in range(count)]
    try:
        yield
    finally:
        for child in burning:
            child.kill()
            child.wait()
