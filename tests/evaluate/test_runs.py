"""`thymos eval` as people run it: processes, kills, broken files, several workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("av")

from thymos.cli import eval as evaluation
from thymos.errors import ConfigError
from thymos.evaluate.runs.items import Answer
from thymos.evaluate.runs.journal import Journal

LABELS = ("happy", "sad", "angry", "neutral")


def voice(path, n: int) -> None:
    """A buzz with a melody of its own: the model answers anything that is loud enough."""
    t = np.arange(8000) / 16000
    hz = 110 + 20 * (n % 7) + 30 * np.sin(2 * np.pi * (1 + n % 3) * t)
    pcm = np.sign(np.sin(2 * np.pi * np.cumsum(hz) / 16000)) * np.hanning(8000)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((pcm * 9000).astype("<i2").tobytes())


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    rows = ["file,label,group"]
    for n in range(40):
        voice(folder / f"{n:02d}.wav", n)
        rows.append(f"{n:02d}.wav,{LABELS[n % 4]},p{n % 10}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n", "utf-8")
    return folder


def command(*args):
    return [sys.executable, "-m", "thymos", "eval", *map(str, args)]


def thymos(*args, cwd, code=0):
    env = {**os.environ, "COLUMNS": "160", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command(*args), capture_output=True, text=True, check=False, cwd=cwd, env=env, timeout=200
    )
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def whole(clips, tmp_path_factory):
    """A run nobody disturbed."""
    out = tmp_path_factory.mktemp("whole")
    thymos("speech", clips, "--labels", clips / "labels.csv", "--out", out, "--worst", 0, cwd=out)
    return out


def answers(out):
    return sorted((out / "answers.jsonl").read_text("utf-8").splitlines())


def test_a_run_writes_everything(whole):
    result = json.loads((whole / "result.json").read_text("utf-8"))
    assert result["scored"] == 40
    assert result["interval"] == "95 % bootstrap over 10 groups"
    assert len(answers(whole)) == 41
    assert (whole / "confusion.svg").stat().st_size > 1000


def test_a_killed_run_goes_on_and_ends_the_same(clips, whole, tmp_path):
    out = tmp_path / "out"
    args = ("speech", clips, "--labels", clips / "labels.csv", "--out", out, "--worst", 0)
    running = subprocess.Popen(command(*args), cwd=tmp_path, stderr=subprocess.DEVNULL)
    log = out / "answers.jsonl"
    end = time.monotonic() + 120
    while not (log.exists() and log.read_bytes().count(b"\n") > 8):
        assert time.monotonic() < end
        assert running.poll() is None
        time.sleep(0.002)
    running.send_signal(signal.SIGKILL)
    running.wait()
    kept = log.read_bytes().count(b"\n")
    assert 8 < kept < 41
    log.write_bytes(log.read_bytes() + b'{"key": "39.wav", "probs": {"jo')  # torn by the crash
    before = log.stat().st_ino, log.read_bytes().splitlines()[:kept]
    thymos(*args, cwd=tmp_path)
    assert (log.stat().st_ino, log.read_bytes().splitlines()[:kept]) == before
    assert answers(out) == answers(whole)
    assert (out / "result.json").read_bytes() == (whole / "result.json").read_bytes()


def test_several_processes_give_the_same(clips, whole, tmp_path):
    csv = clips / "labels.csv"
    args = ("speech", clips, "--labels", csv, "--out", tmp_path / "o", "--worst", 0)
    thymos(*args, "--jobs", 2, cwd=tmp_path)
    assert answers(tmp_path / "o") == answers(whole)
    assert (tmp_path / "o/result.json").read_bytes() == (whole / "result.json").read_bytes()


def test_workers_leave_with_a_killed_parent(clips, tmp_path):
    out = tmp_path / "o"
    args = ("speech", clips, "--labels", clips / "labels.csv", "--out", out, "--jobs", 2)
    running = subprocess.Popen(command(*args), cwd=tmp_path, stderr=subprocess.DEVNULL)
    log = out / "answers.jsonl"
    wait_for(lambda: log.exists() and log.read_bytes().count(b"\n") > 8)
    workers = children(running.pid)
    assert workers
    running.kill()
    running.wait()
    wait_for(lambda: not any(alive(pid) for pid in workers))


def wait_for(what) -> None:
    end = time.monotonic() + 120
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def children(pid: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_ray_gives_the_same(clips, whole, tmp_path):
    pytest.importorskip("ray", reason="pip install 'thymos[ray]'")
    csv = clips / "labels.csv"
    args = ("speech", clips, "--labels", csv, "--out", tmp_path / "o", "--worst", 0)
    thymos(*args, "--ray", "local", "--jobs", 2, cwd=tmp_path)
    assert answers(tmp_path / "o") == answers(whole)
    assert (tmp_path / "o/result.json").read_bytes() == (whole / "result.json").read_bytes()


def test_broken_silent_and_missing_clips_are_told(clips, tmp_path):
    for n in (0, 1):
        (tmp_path / f"{n}.wav").write_bytes((clips / f"0{n}.wav").read_bytes())
    (tmp_path / "broken.flac").write_bytes(b"fLaC" + bytes(300))
    (tmp_path / "text.mp4").write_text("no media", "utf-8")
    with wave.open(str(tmp_path / "silent.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(32000))
    names = ["0.wav", "1.wav", "broken.flac", "text.mp4", "missing.wav", "silent.wav"]
    rows = "".join(f"{name},{LABELS[i % 2]}\n" for i, name in enumerate(names))
    (tmp_path / "l.csv").write_text(f"file,label\n{rows}", "utf-8")
    args = ("speech", tmp_path, "--labels", tmp_path / "l.csv", "--json", "--worst", 0)
    result = json.loads(thymos(*args, cwd=tmp_path).stdout)
    assert [row["file"] for row in result["unreadable"]] == names[2:5]
    assert (result["scored"], result["no_answer"]) == (3, 1)
    assert "silent" in next(r for r in result["worst"] if r["file"] == "silent.wav")["why"]


def test_wrong_use_says_what_next(clips, tmp_path):
    with pytest.raises(ConfigError, match="labels are missing") as caught:
        evaluation.speech(clips)
    assert "--labels labels.csv" in caught.value.hint
    (tmp_path / "l.csv").write_text("file,label\n00.wav,bored\n", "utf-8")
    with pytest.raises(ConfigError, match="'bored'") as caught:
        evaluation.speech(clips, tmp_path / "l.csv")
    assert "--map" in caught.value.hint
    with pytest.raises(ConfigError, match="no preset 'ravdess' for face") as caught:
        evaluation.face(clips, preset="ravdess")
    assert "one of: fer2013" in caught.value.hint
    with pytest.raises(ConfigError, match="speech/ravdess"):
        evaluation.speech(clips, preset="ravdess")


def test_text_lines(tmp_path):
    lines = "text,label\nI am so happy for you!,joy\nThis makes me furious.,anger\n"
    (tmp_path / "l.csv").write_text(lines, "utf-8")
    args = ("text", tmp_path / "l.csv", "--json")
    result = json.loads(thymos(*args, cwd=tmp_path).stdout)
    assert result["scores"]["uar"]["value"] == 1.0


def test_faces_in_an_archive(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "f.npz", images=rng.integers(0, 255, (4, 48, 48), dtype=np.uint8))
    rows = "".join(f"f.npz#{n},{LABELS[n % 2]}\n" for n in (0, 1, 3, 9))
    (tmp_path / "l.csv").write_text(f"file,label\n{rows}", "utf-8")
    args = ("face", tmp_path, "--labels", tmp_path / "l.csv", "--json")
    result = json.loads(thymos(*args, cwd=tmp_path).stdout)
    assert result["scored"] == 3
    assert "no picture 9" in result["unreadable"][0]["error"]


def test_a_journal_of_something_else_is_left_alone(tmp_path):
    path = tmp_path / "answers.jsonl"
    first = Journal(path, {"weights": "a"})
    first.append([Answer("x", {"joy": 1.0})])
    first.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="another weights"):
        Journal(path, {"weights": "b"})
    path.write_bytes(before + b"nonsense\n")
    with pytest.raises(ConfigError, match="no file of answers"):
        Journal(path, {"weights": "a"})
    path.write_bytes(before)
    again = Journal(path, {"weights": "a"})
    with pytest.raises(ConfigError, match="another run"):
        Journal(path, {"weights": "a"})
    assert dict(again.answers["x"].probs) == {"joy": 1.0}
    again.close()
