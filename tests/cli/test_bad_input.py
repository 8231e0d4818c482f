"""Bad input: one clear line, the next step, the right exit code, no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from media import write_media
from thymos.models import ModelStore


def refused(outcome, *words: str, code: int = 1) -> None:
    assert outcome.code == code, outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""
    for word in words:
        assert word in outcome.err


def test_missing_file(thymos) -> None:
    refused(thymos("explain", "nothing.mp4", "--json"), "error:", "nothing.mp4")


def test_a_debug_flag_shows_the_traceback(thymos) -> None:
    outcome = thymos("--debug", "explain", "nothing.mp4")
    assert outcome.code == 1
    assert "Traceback" in outcome.err


def test_not_media(thymos, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("milk, bread, a robot\n")
    refused(thymos("explain", "notes.txt", "--json"), "notes.txt", "not")


def test_zero_bytes(thymos, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    refused(thymos("explain", "empty.mp4", "--json"), "empty.mp4", "empty")


def test_folder_that_is_no_bag(thymos, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    refused(thymos("explain", "photos", "--json"), "photos")


def test_mp4_cut_before_its_index(thymos, tmp_path: Path) -> None:
    whole = write_media(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    refused(thymos("explain", "cut.mp4", "--json"), "cut.mp4")


def test_bag_that_is_a_pointer(thymos, data_dir: Path) -> None:
    outcome = thymos("replay", data_dir / "bags/lfs_pointers/demo.mcap", "--json")
    refused(outcome, "demo.mcap")


def test_unknown_uri(thymos) -> None:
    refused(thymos("run", "--camera", "telepathy:head"), "telepathy", "next:")
    refused(thymos("run", "--camera", "video0"), "video0", "next:")


def test_nothing_to_run(thymos) -> None:
    refused(thymos("run"), "no source", "next:")


def test_absent_device(thymos) -> None:
    outcome = thymos("run", "--camera", "v4l2:/dev/video99", "--mute", "--json")
    refused(outcome, "/dev/video99", "next:")


def test_wrong_use_is_code_2(thymos) -> None:
    refused(thymos("explain"), code=2)
    refused(thymos("explain", "a.mp4", "--windw", "3"), code=2)
    refused(thymos("fly"), code=2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("window: {lenght_s: 2}", "lenght_s"),
        ("window: {length_s: -2}", "length_s"),
        ("window: [", "YAML"),
    ],
)
def test_wrong_settings(thymos, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "set.yaml").write_text(text)
    refused(thymos("explain", "a.mp4", "--config", "set.yaml"), words)


def test_wrong_option_value(thymos, tmp_path: Path) -> None:
    write_media(tmp_path / "a.mp4", seconds=1)
    refused(thymos("explain", "a.mp4", "--window", "-1"), "window.length_s")
    refused(thymos("explain", "a.mp4", "--backend", "oracle"), "backend")


def test_missing_model_that_was_asked_for(thymos, tmp_path: Path) -> None:
    write_media(tmp_path / "a.mp4", seconds=1)
    outcome = thymos(
        "explain", "a.mp4", "--backend", "llama", env={"THYMOS_MODELS": str(tmp_path / "none")}
    )
    refused(outcome, "next: thymos models pull")


def test_no_models_at_all_is_a_stated_degradation(thymos, tmp_path: Path) -> None:
    write_media(tmp_path / "a.mp4", seconds=1)
    outcome = thymos("explain", "a.mp4", "--json", env={"THYMOS_MODELS": str(tmp_path / "none")})
    assert outcome.code == 0, outcome.err
    (report,) = outcome.lines
    assert report["explanation"]["backend"] == "rules"
    assert "thymos models pull" in " ".join(report["notes"]) + report["explanation"]["fallback"]


@pytest.mark.models
def test_wrong_sha256_is_found(thymos, tmp_path: Path, model_store: ModelStore) -> None:
    whole = model_store.path("face_expression")
    fake = tmp_path / "models" / "face_expression" / whole.name
    fake.parent.mkdir(parents=True)
    data = bytearray(whole.read_bytes())
    data[1000] ^= 1
    fake.write_bytes(data)
    outcome = thymos("models", "verify", env={"THYMOS_MODELS": str(tmp_path / "models")})
    assert outcome.code == 1
    assert "face_expression" in outcome.out + outcome.err
    assert "Traceback" not in outcome.err


def test_unwritable_output(thymos, tmp_path: Path) -> None:
    write_media(tmp_path / "a.mp4", seconds=1)
    (tmp_path / "out").write_text("a file stands where the folder should be")
    refused(thymos("explain", "a.mp4", "--out", "out"), "out")
    refused(thymos("record", "out/session.mcap", "--enose", "sim:?seconds=1"), "out")


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    write_media(tmp_path / "a.mp4", seconds=4)
    command = f"'{sys.executable}' -m thymos explain a.mp4 --json --backend rules"
    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} --window 0.5 | head -n 1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize("delay_s", [0.3, 1.0, 3.0])
def test_ctrl_c_at_any_moment(tmp_path: Path, delay_s: float) -> None:
    write_media(tmp_path / "long.mp4", seconds=60, size=(160, 120))
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "thymos", "explain", "long.mp4", "--out", str(out)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    time.sleep(delay_s)
    process.send_signal(signal.SIGINT)
    try:
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()  # nothing stays behind when it does not stop
    assert process.returncode in (1, -signal.SIGINT)
    # The interpreter itself may be interrupted before our code runs.
    if process.returncode == 1:
        assert "Traceback" not in err
    parts = {p.name for p in out.glob("*.part")} if out.exists() else set()
    assert parts == set()
