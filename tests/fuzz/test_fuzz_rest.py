"""What is read from files, networks and people, a little of it damaged; see `fuzz_rest`."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz_rest import CASES, TARGETS, run

CORPUS = sorted(CASES.glob("*.bin"))
ROS = ("ros-sensors", "ros-answers", "camera-info")


@pytest.mark.parametrize("target", TARGETS)
def test_damaged_inputs_are_refused_in_words(target: str) -> None:
    inputs = max(100, TARGETS[target].inputs // 200)
    assert run(target, inputs, seed=11, keep=False)["inputs"] == inputs


@pytest.mark.parametrize("case", CORPUS, ids=lambda path: path.stem)
def test_what_once_broke_something(case: Path) -> None:
    target = case.stem.rsplit("-", 1)[0]
    if target in ROS and target not in TARGETS:
        pytest.skip("the ROS messages are not built (make setup)")
    TARGETS[target].parse(case.read_bytes())
