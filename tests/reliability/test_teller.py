"""What a person is told of a source while it is read: complaints once, their end, no flood."""

from __future__ import annotations

import threading

import numpy as np

from thymos.clock import MonotonicClock
from thymos.reading import AGAIN_NS, Readers, Teller
from thymos.samples import NS_PER_S, Health, HealthReport, Kind, Sample, StreamSpec
from thymos_drivers.testing import ListSource

SPEC = StreamSpec("enose", Kind.GAS, 1.0, (1,), "ohm", ("CO",))


class Moody(ListSource):
    """Feels as it is told to."""

    def feel(self, health: Health, reason: str = "", remedy: str = "") -> None:
        self._health = HealthReport(health, reason, remedy)


class Clock:
    """Time that the test makes."""

    now = 0

    def now_ns(self) -> int:
        return self.now


def told(*moods: tuple[float, Health, str]) -> list[str]:
    """What is said when it feels so at these seconds."""
    lines: list[str] = []
    clock, source = Clock(), Moody(SPEC, [Sample("enose", 0, 0, 0, np.zeros(1))])
    teller = Teller(source, clock, lines.append)
    for seconds, health, reason in moods:
        clock.now = int(seconds * NS_PER_S)
        source.feel(health, reason, "look at it" * bool(reason))
        teller.look()
    return lines


def test_a_complaint_is_told_once_and_that_it_is_over() -> None:
    assert told(
        (0, Health.STARTING, "waiting"),
        (1, Health.OK, ""),
        (2, Health.STALLED, "nothing for 2.0 s"),
        (3, Health.STALLED, "nothing for 3.0 s"),
        (4, Health.DEGRADED, "CO: stuck"),
        (5, Health.OK, ""),
        (6, Health.OK, ""),
    ) == [
        "enose: stalled: nothing for 2.0 s; look at it",
        "enose: degraded: CO: stuck; look at it",
        "enose: ok again",
    ]


def test_one_that_comes_and_goes_does_not_flood_a_terminal() -> None:
    flapping = [
        (0.1 * n, (Health.DEGRADED, Health.OK)[n % 2], ("CO: stuck", "")[n % 2]) for n in range(600)
    ]
    lines = told(*flapping)
    assert lines == ["enose: degraded: CO: stuck; look at it", "enose: ok again"] * 2
    assert flapping[-1][0] < 2 * AGAIN_NS / NS_PER_S


def test_a_device_that_says_ever_new_things_is_bounded() -> None:
    letters = [chr(ord("a") + n % 26) + chr(ord("a") + n // 26) for n in range(600)]
    lines = told(*((0.01 * n, Health.DEGRADED, text) for n, text in enumerate(letters)))
    assert len(lines) == 16


def test_readers_tell_it_to_nodes_and_terminal() -> None:
    source = Moody(SPEC, [Sample("enose", n, n, n, np.zeros(1)) for n in range(3)], live=True)
    lines: list[str] = []
    over = threading.Event()

    def take(sample: Sample) -> None:
        source.feel(*((Health.DEGRADED, "CO: stuck"), (Health.OK,))[sample.seq % 2])

    with Readers([source], MonotonicClock()) as readers:
        readers.start(threading.Event(), take=take, ended=lambda *_: over.set(), note=lines.append)
        assert over.wait(20)
    assert lines == ["enose: degraded: CO: stuck", "enose: ok again"]
