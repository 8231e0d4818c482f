"""The plugin as a user's test suite meets it: pytest inside pytest."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from thymos.align import merge
from thymos.record import Recorder
from thymos_drivers.sim import open_enose

pytest_plugins = ["pytester"]

THREE_LINES = """
def test_robot(thymos_replay):
    thymos_replay("session.mcap", backend="rules").matches("golden.jsonl")
"""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 s of a nose that smells smoke: needs no model, so it is quick."""
    path = tmp_path_factory.mktemp("bag") / "session.mcap"
    source = open_enose("", stream="enose", events="smoke@3-6", seconds="8", pace="0")
    with Recorder(path) as recorder, source:
        recorder.on_stream(source.spec)
        for sample in merge([source]):
            recorder.on_sample(replace(sample, t_recv_ns=sample.t_ns))
    return path


@pytest.fixture
def suite(pytester: pytest.Pytester, session: Path) -> pytest.Pytester:
    """A user's folder: a recording and a test of three lines."""
    (pytester.path / "session.mcap").write_bytes(session.read_bytes())
    pytester.makepyfile(test_robot=THREE_LINES)
    return pytester


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_golden_file_is_written_compared_and_defended(suite: pytest.Pytester) -> None:
    first = suite.runpytest_inprocess()
    first.assert_outcomes(failed=1)
    first.stdout.fnmatch_lines(["*there is no golden file*golden.jsonl*", "*--thymos-update*"])

    suite.runpytest_inprocess("--thymos-update").stdout.fnmatch_lines(
        ["*golden file written: *golden.jsonl"]
    )
    suite.runpytest_inprocess("-W", "error").assert_outcomes(passed=1)

    golden = suite.path / "golden.jsonl"
    windows = [json.loads(line) for line in golden.read_text().splitlines()]
    assert len(windows) == 2
    assert any(w["cues"] for w in windows), "a comparison of windows without cues proves little"

    edit(golden, '"rules"', '"oracle"')
    edit(golden, f'"t1_ns":{windows[0]["window"]["t1_ns"]}', '"t1_ns":1')
    failed = suite.runpytest_inprocess()
    failed.assert_outcomes(failed=1)
    failed.stdout.fnmatch_lines(
        [
            "*differs from *golden.jsonl: 2 differences in 1 of 2 windows*",
            "*reasoned by oracle*this run by rules*",
            "*window.t1_ns*",
            "*expected  1",
            "*explanation.backend*",
            '*expected  "oracle"',
            '*got       "rules"',
            "*pytest --thymos-update*",
        ]
    )
    # Not a word of how the comparison is made: a robotics team reads what changed.
    assert "Traceback" not in failed.stdout.str()
    assert "replayed.py" not in failed.stdout.str()


def test_tolerances_and_windows_are_at_hand(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_robot="""
        from thymos.testing import Tolerance

        def test_robot(thymos_replay):
            run = thymos_replay("session.mcap", backend="rules", window=2.0, hop=1.0)
            assert [w.window.id for w in run.windows][:2] == ["w000000", "w000001"]
            assert any(c.modality == "smell" for w in run.windows for c in w.cues)
            run.matches("golden.jsonl", Tolerance(texts=False))
        """
    )
    suite.runpytest_inprocess("--thymos-update").assert_outcomes(passed=1)
    edit(suite.path / "golden.jsonl", '"rationale":"', '"rationale":"Other words. ')
    suite.runpytest_inprocess().assert_outcomes(passed=1)
    edit(suite.path / "golden.jsonl", '"backend":"rules"', '"backend":"other"')
    suite.runpytest_inprocess().assert_outcomes(failed=1)


def test_what_cannot_be_replayed_fails_in_one_line(suite: pytest.Pytester) -> None:
    (suite.path / "session.mcap").unlink()
    failed = suite.runpytest_inprocess()
    failed.assert_outcomes(failed=1)
    failed.stdout.fnmatch_lines(["*session.mcap*"])
    assert "Traceback" not in failed.stdout.str()


def test_it_works_with_workers(suite: pytest.Pytester) -> None:
    suite.makepyfile(
        test_robot="""
        import pytest

        @pytest.mark.parametrize("n", range(2))
        def test_robot(thymos_replay, n):
            thymos_replay("session.mcap", backend="rules").matches(f"golden{n}.jsonl")
        """
    )
    made = suite.runpytest_subprocess("-n", "2", "--thymos-update", "-p", "no:cacheprovider")
    made.assert_outcomes(passed=2)
    made.stdout.fnmatch_lines(["*written: *golden0.jsonl", "*written: *golden1.jsonl"])
    assert sorted(p.name for p in suite.path.glob("golden*")) == ["golden0.jsonl", "golden1.jsonl"]


def test_loading_it_costs_a_suite_without_robots_nothing() -> None:
    code = (
        "import sys, thymos.testing.plugin\n"
        "heavy = {'numpy', 'pydantic', 'yaml', 'rich', 'typer', 'av'} & set(sys.modules)\n"
        "own = sorted(m for m in sys.modules if m.startswith('thymos'))\n"
        "print(sorted(heavy), own)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] ['thymos', 'thymos.testing', 'thymos.testing.plugin']"
