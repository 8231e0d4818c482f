"""`thymos calibrate enose` from a simulated nose to a file that perception can read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def calibrate(tmp_path: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "thymos", "calibrate", "enose", *args],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "XDG_DATA_HOME": str(tmp_path), "COLUMNS": "200"},
    )


def test_a_baseline_is_measured_and_saved(tmp_path: Path) -> None:
    done = calibrate(tmp_path, "sim:?pace=0&seed=3", "--seconds", "30", "--warm-up", "10")
    assert done.returncode == 0, done.stderr
    saved = json.loads(Path(done.stdout.strip()).read_text())
    assert saved["kind"] == "enose-clean-air"
    assert "perceive.clean_air" in done.stderr


def test_an_odour_too_recent_is_refused(tmp_path: Path) -> None:
    done = calibrate(
        tmp_path, "sim:?pace=0", "--seconds", "30", "--warm-up", "0", "--since-odour", "60"
    )
    assert done.returncode == 1
    assert "next:" in done.stderr
    assert "Traceback" not in done.stderr
