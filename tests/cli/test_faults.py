"""Ctrl-C and SIGTERM at any moment, a full disk: the way out is clean and nothing looks whole that
is not."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thymos.record import Recorder, open_recording
from thymos.samples import EndOfStream, Kind, Sample, StreamSpec

INT, TERM = signal.SIGINT, signal.SIGTERM
CAMERA = "sim:?size=64x48&rate=10"
RUN = ("run", "--camera", CAMERA, "--enose", "sim:", "--backend", "rules", "--mute", "--json")


def start(folder: Path, *args: str | Path, **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "thymos", *map(str, args)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200", **more.pop("env", {})},
        **more,
    )


def interrupt(
    process: subprocess.Popen[str], number: signal.Signals, after_s: float
) -> tuple[int, str, str]:
    """Send a signal; return exit code, stdout and stderr. Fails if the process does not end."""
    time.sleep(after_s)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert "Traceback" not in err, err
    if "--json" in process.args:  # type: ignore[operator]
        for line in out.splitlines():
            json.loads(line)  # whole lines only
    return process.returncode, out, err


def first_line(process: subprocess.Popen[str]) -> str:
    """The first line on stdout, and nothing behind it: `communicate` must find the rest whole."""
    assert process.stdout is not None
    line = b""
    while not line.endswith(b"\n") and (more := os.read(process.stdout.fileno(), 1)):
        line += more
    return line.decode()


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    for _ in range(600):
        if condition() or process.poll() is not None:
            return
        time.sleep(0.05)


def count(path: Path) -> dict[str, int]:
    """How many samples of each stream a recording holds; fails if it is not sound."""
    found: dict[str, int] = {}
    for name, source in open_recording(path).sources.items():
        found[name] = 0
        with source:
            while True:
                try:
                    source.read()
                except EndOfStream:
                    break
                found[name] += 1
    return found


def sound_recording(folder: Path, code: int, number: signal.Signals) -> None:
    """After an interrupt: nothing, or a whole file with samples, by its final name."""
    names = {p.name for p in folder.iterdir()}
    if code == 0:
        assert not any(name.endswith(".part") for name in names)
    else:  # before the command itself began
        assert code in (-number, 1)
        assert names <= {"out.mcap.part"}
    if "out.mcap" in names:
        assert open_recording(folder / "out.mcap").notes == []
        assert sum(count(folder / "out.mcap").values()) > 0


@pytest.mark.parametrize("number", [INT, TERM])
@pytest.mark.parametrize("after_s", [0.2, 0.6, 1.0])
def test_run_stopped_at_any_moment(tmp_path: Path, number: signal.Signals, after_s: float) -> None:
    process = start(tmp_path, *RUN, "--window", "0.5", "--record", "out.mcap")
    code, _, err = interrupt(process, number, after_s)
    assert code == 0 or "stopping" not in err
    sound_recording(tmp_path, code, number)


@pytest.mark.parametrize("number", [INT, TERM])
def test_run_stopped_while_it_runs_ends_with_0_and_a_whole_recording(
    tmp_path: Path, number: signal.Signals
) -> None:
    process = start(tmp_path, *RUN, "--window", "0.5", "--record", "out.mcap")
    line = first_line(process)
    code, out, err = interrupt(process, number, 0.3)
    assert code == 0
    assert "summary" in err
    reports = [json.loads(text) for text in [line, *out.splitlines()]]
    assert [r["window"]["id"] for r in reports] == [f"w{n:06}" for n in range(len(reports))]
    held = count(tmp_path / "out.mcap")
    assert held["camera"] > 5
    assert held["enose"] > 5


@pytest.mark.parametrize(("number", "after_s"), [(INT, 0.3), (INT, 0.9), (TERM, 1.5)])
def test_record_stopped_at_any_moment(
    tmp_path: Path, number: signal.Signals, after_s: float
) -> None:
    process = start(tmp_path, "record", "out.mcap", "--camera", CAMERA, "--enose", "sim:")
    code, _, err = interrupt(process, number, after_s)
    assert code == 0 or "recording to" not in err
    sound_recording(tmp_path, code, number)
    if after_s == 1.5 and code == 0:
        assert set(count(tmp_path / "out.mcap")) == {"camera", "enose"}


def test_a_device_that_cannot_be_opened_leaves_no_empty_recording(thymos, tmp_path: Path) -> None:
    args = ("--camera", "v4l2:/dev/video99", "--enose", "sim:")
    for _ in range(2):  # nothing stands in the way of the second try
        outcome = thymos("record", "out.mcap", *args)
        assert outcome.code == 1
        assert "/dev/video99" in outcome.err
        assert "exists" not in outcome.err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def long_bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An hour and more of nose readings: replay at full speed takes many seconds."""
    path = tmp_path_factory.mktemp("bag") / "long.mcap"
    spec = StreamSpec("enose", Kind.GAS, 5.0, (2,), "ohm", ("NO2", "CO"))
    with Recorder(path) as recorder:
        recorder.on_stream(spec)
        for n in range(20_000):
            t = n * 200_000_000
            recorder.on_sample(Sample("enose", n, t, t, np.array([1e4, 2e4 + n % 7])))
    return path


@pytest.mark.parametrize(("rate", "number"), [("max", INT), ("max", TERM), ("1.0", INT)])
def test_replay_stopped(tmp_path: Path, long_bag: Path, rate: str, number: signal.Signals) -> None:
    args = ("replay", long_bag, "--rate", rate, "--json", "--backend", "rules", "--window", "0.5")
    process = start(tmp_path, *args)
    first_line(process)
    code, _, err = interrupt(process, number, 0.2)
    assert code == 1, err
    assert "stopped" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.models
@pytest.mark.parametrize(("number", "after_s"), [(TERM, 1.0), (TERM, 4.0)])
def test_demo_stopped(tmp_path: Path, model_store, number: signal.Signals, after_s: float) -> None:
    process = start(tmp_path, "demo", "--backend", "rules", "--out", "results")
    code, _, err = interrupt(process, number, after_s)
    assert code in (1, -number)
    assert code == 1 or "stopping" not in err
    for path in (tmp_path / "results").glob("*"):
        assert not path.name.endswith(".part") or code < 0
        if path.suffix == ".mcap":
            assert open_recording(path).notes == []


@pytest.mark.parametrize("number", [INT, TERM])
def test_models_pull_stopped_while_it_checks(tmp_path: Path, number: signal.Signals) -> None:
    weights = tmp_path / "source" / "model.bin"
    weights.parent.mkdir()
    with weights.open("wb") as file:
        file.truncate(1 << 30)  # sparse: takes no room, but time to copy and hash
    (tmp_path / "models.yaml").write_text(
        f"""
roles:
  huge:
    title: a large file
    licence: none
    files: {{model.bin: {{sha256: {"0" * 64}, bytes: {1 << 30}}}}}
    sources: [{{kind: folder, path: {weights.parent}}}]
"""
    )
    cache = tmp_path / "cache"
    env = {"THYMOS_MODELS": str(cache), "THYMOS_MODELS_REGISTRY": str(tmp_path / "models.yaml")}
    process = start(tmp_path, "models", "pull", "huge", env=env)
    wait_for(lambda: any(cache.glob(".pull-huge-*/model.bin")), process)
    code, _, err = interrupt(process, number, 0.05)
    assert code in (1, -TERM), err
    assert not (cache / "huge").exists()
    if code == 1:
        assert not list(cache.glob(".pull-*"))
        assert "stopped" in err


# -- a full disk


def limited() -> None:
    """A limit of the file size says no in the middle of a write, as a full disk does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount a tmpfs here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=False)


NOISE = "sim:?sound=noise&rate=192000"  # 384 kB a second, which no packer shrinks


def readable(folder: Path) -> dict[str, int]:
    (left,) = folder.glob("out.mcap*")
    return count(left)


def settings(tmp_path: Path) -> Path:
    path = tmp_path / "set.yaml"
    path.write_text("record: {min_free_bytes: 0}\n")
    return path


def test_record_on_a_full_disk_stops_and_says_so(tmp_path: Path, tiny_disk: Path) -> None:
    args = ("record", tiny_disk / "out.mcap", "--microphone", NOISE, "--config", settings(tmp_path))
    process = start(tmp_path, *args)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in err
    assert "No space left" in err
    assert "next:" in err
    assert readable(tiny_disk)["microphone"] > 0


def test_record_that_may_not_write_more_stops_and_says_so(tmp_path: Path) -> None:
    process = start(tmp_path, "record", "out.mcap", "--microphone", NOISE, preexec_fn=limited)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "Traceback" not in err
    assert "recording has stopped" in err
    assert "next:" in err
    assert readable(tmp_path)["microphone"] > 0


def test_run_goes_on_when_the_disk_is_full(tmp_path: Path, tiny_disk: Path) -> None:
    process = start(
        tmp_path, "run", "--microphone", NOISE + "&seconds=5", "--backend", "rules", "--mute",
        "--json", "--window", "0.5", "--record", tiny_disk / "out.mcap",
        "--config", settings(tmp_path), env={"THYMOS_MODELS": str(tmp_path / "none")},
    )  # fmt: skip
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert "note: recording has stopped: the disk does not take more: No space left" in err
    reports = [json.loads(line) for line in out.splitlines()]
    told = ["recording has stopped" in " ".join(r["notes"]) for r in reports]
    assert told == sorted(told)  # from then on, in every report
    assert sum(told) >= 2
    assert 0 < readable(tiny_disk)["microphone"] < 150


def test_a_disk_that_is_nearly_full_is_refused_before_anything_is_written(
    thymos, tiny_disk: Path
) -> None:
    outcome = thymos("record", tiny_disk / "out.mcap", "--enose", "sim:?seconds=1")
    assert outcome.code == 1
    assert "must stay free" in outcome.err
    assert "next:" in outcome.err
    assert list(tiny_disk.iterdir()) == []


@pytest.mark.models
def test_demo_on_a_full_disk(thymos, tiny_disk: Path, model_store) -> None:
    outcome = thymos("demo", "--rate", "max", "--backend", "rules", "--out", tiny_disk / "results")
    assert outcome.code == 1
    assert "Traceback" not in outcome.err
    assert "error:" in outcome.err
    assert "next:" in outcome.err
    assert not list(tiny_disk.rglob("*.mcap"))
    assert not list(tiny_disk.rglob("report.html"))


@pytest.mark.parametrize("bytes_left", [400, 4000])
def test_explain_out_on_a_full_disk(tmp_path: Path, bytes_left: int) -> None:
    from media import write_media

    write_media(tmp_path / "a.mp4", seconds=3, size=(64, 48))

    def tight() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_left, bytes_left))

    process = start(
        tmp_path, "explain", "a.mp4", "--out", "out", "--backend", "rules", "--window", "0.5",
        env={"THYMOS_MODELS": str(tmp_path / "none")}, preexec_fn=tight,
    )  # fmt: skip
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Traceback" not in err
    assert "cannot write into 'out'" in err
    assert "next:" in err
    assert not (tmp_path / "out/windows.jsonl").exists()
    assert not (tmp_path / "out/report.html").exists()
