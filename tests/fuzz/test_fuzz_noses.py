"""Parsers of noses against damaged and random input, a little of it; see `fuzz_noses` for more."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz_noses import CASES, DEAR, TARGETS, pack, run, unpack
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CORPUS = sorted(CASES.glob("*.bin"))


@pytest.mark.parametrize("target", TARGETS)
def test_mutated_readings_of_real_noses(target: str) -> None:
    inputs = 300 if target in DEAR else 1500
    found = run(target, inputs, seed=11, keep=False)
    assert found["inputs"] == inputs


@pytest.mark.parametrize("target", TARGETS)
def test_any_bytes(target: str) -> None:
    parse = TARGETS[target]()

    @settings(
        max_examples=40 if target in DEAR else 150,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.binary(max_size=400))
    def anything(data: bytes) -> None:
        parse(data)

    anything()


@pytest.mark.parametrize("case", CORPUS, ids=lambda path: path.stem)
def test_what_once_broke_a_parser(case: Path) -> None:
    parse = TARGETS[case.stem.rsplit("-", 1)[0]]()
    for data in unpack(case.read_bytes()):
        parse(data)


def test_cases_are_kept_as_they_were() -> None:
    assert CORPUS
    assert unpack(pack([b"", b"\x00\xff", b"abc"])) == [b"", b"\x00\xff", b"abc"]
