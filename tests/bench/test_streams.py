"""The stamps that alignment is measured with, and the brute force it is compared with."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MS = 1_000_000


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)


def test_brute_force_takes_the_nearest_and_of_two_the_earlier() -> None:
    from benchmarks.streams import Stamp, oracle

    def at(stream: str, *times_ms: int) -> list[Stamp]:
        return [Stamp(stream, n, t * MS, t * MS) for n, t in enumerate(times_ms)]

    #   ms      100   110   120   150          900
    # nose       x           x                  x      the last has no picture near enough
    # camera        105  115            125
    # sound      x                 130         951
    nose, camera = at("enose", 100, 120, 900), at("camera", 105, 115, 125)
    sound = at("microphone", 100, 130, 951)
    found = oracle([*sound, *camera, *nose])
    assert found == [(100 * MS, 105 * MS, 100 * MS), (120 * MS, 115 * MS, 130 * MS)]


def test_troubles_are_as_large_as_they_say() -> None:
    from benchmarks.streams import LATENCY_NS, RATES, TROUBLES, stamps

    seconds = 60
    for trouble in TROUBLES:
        told = stamps(trouble, seconds, 5)
        assert told == stamps(trouble, seconds, 5)
        assert [s.arrival_ns for s in told] == sorted(s.arrival_ns for s in told)
        sent = sum(seconds * rate for rate in RATES.values())
        assert len(told) / sent == pytest.approx(1 - trouble.drops, abs=0.02)
        delays = [s.arrival_ns - s.t_ns - LATENCY_NS[s.stream] for s in told]
        assert sum(delays) / len(delays) == pytest.approx(trouble.delay_ns, rel=0.1, abs=1)
        for name in RATES:
            order = [s.seq for s in told if s.stream == name]
            assert (order == sorted(order)) == (trouble.delay_ns == 0)


def test_late_nose_is_late() -> None:
    from benchmarks.streams import late_stamps

    nose = [s for s in late_stamps(30, 1) if s.stream == "enose"]
    assert len(nose) == 30
    assert all(600 * MS <= s.arrival_ns - s.t_ns <= 900 * MS for s in nose)
