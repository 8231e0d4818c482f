"""Every benchmark runs, at tiny sizes, and says what it must; how fast is not looked at."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KEYS = {"name", "value", "unit", "spread", "peer", "peer_value", "ratio", "target", "reached"}
HAS_ROS = importlib.util.find_spec("rclpy") is not None


def bench(out: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return python("-m", "benchmarks", "--quick", "--out", str(out), *words)


def python(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *words]
    return subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, **(env or {})},
    )


def results(out: Path) -> dict[str, dict]:
    body = json.loads((out / "bench.json").read_text())
    for item in body:
        assert set(item) == KEYS, item
        assert isinstance(item["value"], int | float), item
        assert math.isfinite(item["value"]), item
        if item["peer_value"] is None:
            assert item["ratio"] is None, item
        if "not measured" in item["peer"]:
            assert item["peer_value"] is None, item
    return {item["name"]: item for item in body}


def test_what_runs_in_one_process(tmp_path: Path) -> None:
    done = bench(tmp_path, "align", "clock", "growth", "window")
    assert done.returncode == 0, done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    found = results(tmp_path)
    assert found["alignment, all three: equal to brute force"]["value"] == 100
    assert found["alignment, 1 Hz nose 0.6-0.9 s late: sets a second"]["reached"] is not None
    assert found["clock error at 30 Hz, p95"]["ratio"] < 0.1
    assert "window of 1 s, in one process, p99" in found
    assert "window of 1 s, across processes, p99" in found
    for kind, most in (
        ("cameras", 16),
        ("joined cameras", 16),
        ("sound channels", 64),
        ("nose channels", 64),
    ):
        assert found[f"growth: {most} {kind}"]["value"] > 0
        assert f"growth exponent of {kind}" in found
    svg = (tmp_path / "bench-growth.svg").read_text()
    assert svg.count("<circle") == 5 + 4 + 4 + 4
    assert "missed" in done.stdout or "all targets met" in done.stdout


@pytest.mark.models
@pytest.mark.usefixtures("model_store")
def test_what_needs_real_pictures(tmp_path: Path) -> None:
    done = bench(tmp_path, "small", "replay", "record")
    assert done.returncode == 0, done.stderr + done.stdout
    found = results(tmp_path)
    replay = found["replay of mjpeg and pcm"]
    assert replay["peer"].startswith("rosbags")
    assert replay["ratio"] == pytest.approx(replay["value"] / replay["peer_value"])
    assert found["recorded pictures, mjpeg, size"]["ratio"] < 0.5
    assert "recorded pictures, raw, PSNR" not in found  # bit for bit
    assert found["recorded noisy pictures, h264, PSNR"]["value"] > 30
    assert "recorded sound, flac, PSNR" not in found


@pytest.mark.ros
@pytest.mark.skipif(not HAS_ROS, reason="rclpy is not installed")
@pytest.mark.xdist_group("ros")
def test_pictures_go_from_process_to_process(tmp_path: Path) -> None:
    done = bench(tmp_path, "hop")
    assert done.returncode == 0, done.stderr + done.stdout
    found = results(tmp_path)
    assert 0 <= found["hop of VGA at 100/s, lost"]["value"] < 60  # a stalled reader loses some
    assert found["hop of VGA at 100/s, floor: a stamp through a pipe, p50"]["value"] > 0
    assert found["hop of VGA at 100/s, writer: copy"]["value"] > 0
    assert (
        0 < found["hop of VGA at 100/s, p50"]["value"] <= found["hop of VGA at 100/s, p99"]["value"]
    )


def test_one_that_breaks_hides_no_other(tmp_path: Path) -> None:
    """The rest still runs and is kept; the exit code is 1."""
    code = (
        "import sys, benchmarks, benchmarks.alone as a\n"
        "from thymos.bench.figures import Figure\n"
        "from thymos.errors import ThymosError\n"
        "def alone(name, repeats, quick):\n"
        "    if name == 'window':\n"
        "        raise ThymosError('the disk is on [fire]', hint='fetch water')\n"
        "    return [Figure(name, 1.0, 's', {})]\n"
        "a.alone = alone\n"
        "from benchmarks.__main__ import main\n"
        f"sys.argv = ['bench', 'small', 'window', 'growth', '--out', {str(tmp_path)!r}]\n"
        "sys.exit(main())\n"
    )
    done = python("-c", code)
    assert done.returncode == 1, done.stderr
    assert "window failed: the disk is on [fire]\nfetch water\n" in done.stdout
    assert list(results(tmp_path)) == ["small", "growth"]


def test_errors_and_crashes_come_back_from_their_process(tmp_path: Path) -> None:
    code = (
        "import os, sys, types\n"
        "dead = types.ModuleType('benchmarks.dead')\n"
        "dead.run = lambda repeats, quick: os._exit(9)\n"
        "sys.modules['benchmarks.dead'] = dead  # the child imports this too\n"
        "from benchmarks.alone import alone\n"
        "if __name__ == '__main__':\n"
        "    for name in ('no_such_module', 'dead'):\n"
        "        try:\n"
        "            alone(name, 1, True)\n"
        "        except Exception as err:\n"
        "            print('told:', type(err).__name__, err)\n"
    )
    file = tmp_path / "main.py"
    file.write_text(code)
    done = python(str(file), env={"PYTHONPATH": str(ROOT)})
    assert "told: ThymosError ModuleNotFoundError: No module named 'benchmarks.no" in done.stdout
    assert "told: ThymosError its process died (exit code 9)" in done.stdout


def test_an_interrupted_run_keeps_what_it_has(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "clock", "--out", str(tmp_path)]
    run = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert run.stdout is not None
    while "1/1" not in run.stdout.readline():
        assert run.poll() is None
    os.killpg(run.pid, signal.SIGINT)  # as Ctrl-C does: all of them
    out, _ = run.communicate(timeout=60)
    assert run.returncode == 1
    assert "failed: interrupted" in out
    assert (tmp_path / "bench.json").read_text() == "[]\n"


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    done = bench(tmp_path, "warp")
    assert done.returncode == 2
    assert "no benchmark 'warp'" in done.stderr


def figure(name: str, value: float, **more: object) -> dict[str, object]:
    spread = {"min": value - 1, "max": value + 1, "n": 5}
    empty = {"peer": "", "peer_value": None, "ratio": None, "target": "", "reached": None}
    return {"name": name, "value": value, "unit": "ms", "spread": spread, **empty, **more}


def test_the_page_gets_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.pages import BEGIN, END, write_markdown

    page = tmp_path / "docs" / "benchmarks.md"
    (page.parent / "images").mkdir(parents=True)
    page.write_text(f"# Speed\n\nbefore\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    body = [
        figure("hop", 2.0, target="<= 1", reached=False),
        figure("window", 4.0, peer="them", peer_value=8.0, ratio=0.5),
        figure("growth: 1 cameras", 2.0),
        figure("growth: 2 cameras", 4.0),
    ]
    (tmp_path / "bench.json").write_text(json.dumps(body))
    about = {
        "processor": "P",
        "cores": "2",
        "system": "S",
        "python": "3",
        "load before": "0",
        "date": "D",
    }
    (tmp_path / "machine.json").write_text(json.dumps(about))
    write_markdown(tmp_path, page)
    text = page.read_text()
    assert "| hop | 2 ms | 1–3 (n 5) |  |  | <= 1 | **missed** |" in text
    assert "| window | 4 ms | 3–5 (n 5) | 8 (them) | 1/2 |  |  |" in text
    assert "old" not in text
    assert text.startswith("# Speed\n\nbefore\n")
    assert text.endswith(f"{END}\n\nafter\n")
    assert "growth" not in text
    assert (page.parent / "images" / "bench-growth.svg").read_text().count("<circle") == 2
