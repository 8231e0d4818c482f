"""`thymos replay` as a robotics team runs it: exit codes, golden files, the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from media import write_media
from thymos.align import merge
from thymos.config import ReasonConfig, load_config
from thymos.explainer import explain
from thymos.record import Recorder
from thymos_drivers.sim import open_enose

RULES = ("--backend", "rules", "--window", "2")


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6 s of a nose that smells smoke: needs no model, so it is quick."""
    path = tmp_path_factory.mktemp("bag") / "smoke.mcap"
    source = open_enose("", stream="enose", events="smoke@2-4", seconds="6", pace="0")
    with Recorder(path) as recorder, source:
        recorder.on_stream(source.spec)
        for sample in merge([source]):
            recorder.on_sample(replace(sample, t_recv_ns=sample.t_ns))
    return path


def test_golden_workflow(thymos, bag: Path, tmp_path: Path) -> None:
    golden = tmp_path / "golden.jsonl"
    none = thymos("replay", bag, *RULES, "--expect", golden)
    assert none.code == 1
    assert re.search(r"no golden file .*\n?.*--update", none.err)

    made = thymos("replay", bag, *RULES, "--expect", golden, "--update")
    assert made.code == 0, made.err
    assert "3 windows" in made.out

    same = thymos("replay", bag, *RULES, "--expect", golden, "--rate", "20")
    assert (same.code, same.out) == (0, f"same as {golden}: 3 windows, all as expected\n")
    assert re.search(r"enose +60 +5\.9", same.err), "how many samples came of each stream"

    golden.write_text(golden.read_text().replace('"window":{"id":"w000001"', '"window":{"id":"w7"'))
    other = thymos("replay", bag, *RULES, "--expect", golden)
    assert other.code == 1
    assert "missing: w7; not expected: w000001" in other.out
    assert "--update" in other.err


def test_what_is_written_is_what_is_printed_and_expected(thymos, bag: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    printed = thymos("replay", bag, *RULES, "--json", "--out", out)
    assert printed.code == 0, printed.err
    assert (out / "windows.jsonl").read_text() == printed.out
    ids = [line["window"]["id"] for line in printed.lines]
    times = [json.loads(line) for line in (out / "latency.jsonl").read_text().splitlines()]
    assert [t["window"] for t in times] == ids
    assert all(t["latency_ms"]["total"] >= 0 for t in times)
    assert "latency_ms" not in printed.out
    assert "report.html" in printed.err
    assert thymos("replay", bag, *RULES, "--expect", out / "windows.jsonl").code == 0


def test_repeat_proves_it_in_processes_of_their_own(thymos, bag: Path) -> None:
    proof = thymos("replay", bag, *RULES, "--repeat", "3", "--busy", "1")
    assert proof.code == 0, proof.err
    found = re.fullmatch(r"3 runs, all equal: sha256 ([0-9a-f]{64})\n", proof.out)
    assert found is not None
    printed = thymos("replay", bag, *RULES, "--json")
    assert hashlib.sha256(printed.out.encode()).hexdigest() == found[1]


def test_repeat_tells_what_differs(monkeypatch: pytest.MonkeyPatch, bag: Path, capsys) -> None:
    from thymos.cli import replay_repeat

    config = load_config(None)
    config = config.model_copy(update={"reason": ReasonConfig(backend="rules")})
    line = next(explain(bag, config=config)).line().encode()
    runs: list[bytes] = []

    def tampered(_command: list[str]) -> bytes:
        runs.append(line if not runs else line.replace(b'"rules"', b'"other"', 1))
        return runs[-1]

    monkeypatch.setattr(replay_repeat, "_run", tampered)
    assert replay_repeat.prove(bag, None, config, "max", 3, 0) == 1
    assert len(runs) == 2
    assert "explanation.backend" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--rate", "fast"), "neither max nor a number"),
        (("--rate", "0"), "neither max nor a number"),
        (("--update",), "--update needs --expect"),
        (("--to-ros", "--repeat", "2"), "goes without"),
    ],
)
def test_wrong_use(thymos, options: tuple[str, ...], words: str) -> None:
    outcome = thymos("replay", "a.mcap", *options)
    assert outcome.code == 2
    assert words in " ".join(outcome.err.split())


def test_a_run_that_fails_is_told_by_repeat_too(thymos, tmp_path: Path) -> None:
    outcome = thymos("replay", tmp_path / "none.mcap", "--repeat", "2")
    assert outcome.code == 1
    assert "none.mcap" in outcome.err
    assert "Traceback" not in outcome.err


def test_to_ros_without_ros_says_what_to_install(thymos, bag: Path, tmp_path: Path) -> None:
    # A stand-in for an environment without our nodes: their entry points are hidden.
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.metadata as m\n"
        "real = m.entry_points\n"
        "m.entry_points = lambda **k: () if k.get('group') == 'thymos.replay' else real(**k)\n"
    )
    outcome = thymos("replay", bag, "--to-ros", env={"PYTHONPATH": _path(tmp_path)})
    assert outcome.code == 1
    assert "ROS nodes of Thymos are not installed" in outcome.err
    assert "next: make setup" in outcome.err


def _path(first: Path) -> str:
    return os.pathsep.join(filter(None, [str(first), os.environ.get("PYTHONPATH", "")]))


@pytest.mark.models
def test_the_whole_street_gives_the_same_bytes(
    thymos, model_store, data_dir: Path, tmp_path: Path
) -> None:
    """Picture, sound, words, language model: as fast as it goes; and paced, on one thread, loaded.

    Twenty runs take minutes: thymos replay BAG --repeat 20 --busy 2
    """
    film = data_dir / "av" / "video_retalking" / "5.mp4"
    args = ("replay", film, "--backend", "llama", "--window", "2.4", "--json")
    plain = thymos(*args)
    assert plain.code == 0, plain.err
    backends = {line["explanation"]["backend"] for line in plain.lines}
    asked = [line["explanation"]["asked"] for line in plain.lines]
    modalities = {cue["modality"] for line in plain.lines for cue in line["cues"]}
    assert "llama" in backends
    assert any(a and a["prompt"] == "explain-2" and a["answer"] for a in asked)
    assert modalities == {"face", "voice", "words"}
    burner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        loaded = thymos(*args, "--rate", "2", env=one_thread)
    finally:
        burner.kill()
        burner.wait()
    assert loaded.out == plain.out


@pytest.mark.parametrize("name", ["sound.wav", "cut.mcap"])
def test_where_a_file_lies_is_no_part_of_the_result(
    thymos, bag: Path, tmp_path: Path, name: str
) -> None:
    """A golden file made on a desk holds in CI; so do faults of a file, told in the windows."""
    near, far = tmp_path / name, tmp_path / "far" / "away" / name
    far.parent.mkdir(parents=True)
    if name == "sound.wav":
        write_media(near, seconds=1)
    else:
        whole = bag.read_bytes()
        near.write_bytes(whole[: len(whole) * 3 // 4])
    far.write_bytes(near.read_bytes())
    lines = [
        thymos("replay", path, *RULES, "--json", env={"THYMOS_MODELS": str(tmp_path / "none")}).out
        for path in (name, far)
    ]
    assert lines[0] == lines[1] != ""
    assert name in lines[0]
    assert str(tmp_path) not in lines[0]
