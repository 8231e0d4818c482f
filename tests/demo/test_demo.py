"""The whole demo, as a person runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from pathlib import Path

import pytest

from thymos.contract import WindowReport

pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.usefixtures("model_store")]


def start(*options: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "thymos", "demo", "--backend", "rules"]
    return subprocess.Popen(
        [*command, *map(str, options)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    for _ in range(1200):
        if condition() or process.poll() is not None:
            return
        time.sleep(0.05)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, model_store) -> tuple[Path, str, str]:
    out = tmp_path_factory.mktemp("demo") / "results"
    process = start("--rate", "max", "--json", "--out", out)
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    return out, stdout, stderr


def test_folder_holds_everything_whole(done) -> None:
    out, _, _ = done
    names = {p.name for p in out.iterdir()}
    assert {"session.mcap", "windows.jsonl", "report.html", "scene"} <= names
    assert not [n for n in names if "part" in n]
    mcap = (out / "session.mcap").read_bytes()
    assert mcap.startswith(b"\x89MCAP0\r\n")
    assert mcap.endswith(b"\x89MCAP0\r\n")


def test_windows_are_valid_and_the_same_as_on_stdout(done) -> None:
    out, stdout, _ = done
    lines = (out / "windows.jsonl").read_text().splitlines()
    assert [json.loads(a) for a in stdout.splitlines()] == [json.loads(b) for b in lines]
    reports = [WindowReport.model_validate_json(line) for line in lines]
    assert [r.window.id for r in reports] == [f"w{n:06}" for n in range(7)]
    origins = {name: s.origin for name, s in reports[0].window.streams.items()}
    assert origins == {"camera": "recorded", "microphone": "synthesised", "enose": "simulated"}
    for report in reports:
        if report.response.spoken:
            with wave.open(str(out / report.response.spoken)) as file:
                assert file.getnframes() > file.getframerate() // 4


def test_the_street_notices_the_smile_the_words_and_the_smoke(done) -> None:
    out, _, _ = done
    lines = (out / "windows.jsonl").read_text().splitlines()
    reports = [WindowReport.model_validate_json(line) for line in lines]
    assert reports[2].explanation.emotions[0].level1 == "joy"
    said = " ".join(str(c.value) for r in reports for c in r.cues if c.name == "transcript").lower()
    assert "job" in said
    assert "smell" in said
    dangers = [r.response.guard.danger for r in reports]
    assert dangers[:4] == ["none"] * 4
    assert "smoke" in dangers[4:]
    warned = next(r for r in reports if r.response.guard.danger == "smoke")
    assert warned.response.text_source == "guard"
    assert warned.response.gesture == "alert"


def test_screen_and_report_say_what_is_real(done) -> None:
    out, _, stderr = done
    page = (out / "report.html").read_text(encoding="utf-8")
    for told in (stderr, page):
        assert all(word in told for word in ("recorded", "synthesised", "simulated"))
        assert "No air was measured" in told
    assert page.count("<audio") >= 3
    assert "data:image/jpeg" in page


def test_ctrl_c_keeps_what_is_whole_and_says_so(done, tmp_path: Path) -> None:
    (tmp_path / "scene").symlink_to(done[0] / "scene")
    (tmp_path / "session.mcap").write_bytes(b"of an earlier run")
    process = start("--out", tmp_path)
    part = tmp_path / "windows.jsonl.part"
    wait_for(lambda: part.exists() and part.stat().st_size > 0, process)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in stderr
    names = {p.name for p in tmp_path.iterdir()}
    assert {"windows.jsonl", "report.html", "session.mcap"} <= names
    assert (tmp_path / "session.mcap").read_bytes().startswith(b"\x89MCAP0\r\n")
    assert not [n for n in names if "part" in n]
    assert "Stopped early" in (tmp_path / "report.html").read_text(encoding="utf-8")
    lines = (tmp_path / "windows.jsonl").read_text().splitlines()
    assert all(WindowReport.model_validate_json(line) for line in lines)


@pytest.mark.parametrize("after_s", [0.0, 1.0])
def test_ctrl_c_before_the_first_window_leaves_no_results(tmp_path: Path, after_s: float) -> None:
    process = start("--out", tmp_path)
    wait_for((tmp_path / "windows.jsonl.part").exists, process)
    time.sleep(after_s)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in stderr
    left = {p.name for p in tmp_path.rglob("*") if p.is_file()}
    assert not {"windows.jsonl", "windows.jsonl.part", "report.html"} & left
    assert not [n for n in left if "part" in n]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_unwritable_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    process = start("--out", tmp_path / "x")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "cannot write into" in stderr


def test_a_file_in_place_of_the_folder_is_one_line_and_a_next_step(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    process = start("--out", tmp_path / "file")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "error: cannot write into" in stderr
    assert "next:" in stderr
    assert "Traceback" not in stderr
