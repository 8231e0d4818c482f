"""Runs the command line as a person does: a process, its two outputs and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Standard output as JSON Lines; fails if anything else is in it."""
        return [json.loads(line) for line in self.out.splitlines()]


Thymos = Callable[..., Outcome]


@pytest.fixture
def thymos(tmp_path: Path) -> Thymos:
    def call(*args: str | Path, env: dict[str, str] | None = None, timeout: float = 300) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "thymos", *map(str, args)],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "200", **(env or {})},
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return call
