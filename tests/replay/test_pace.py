"""The wall clock lets a recording pass, and is told its time."""

from __future__ import annotations

import threading

from thymos.pace import Pace

S = 1_000_000_000


def test_pace_keeps_order_and_tells_the_time() -> None:
    told: list[int] = []
    pace = Pace(50.0, threading.Event(), told.append)
    pace.begin(10 * S)
    assert pace.until(11 * S)
    assert pace.until(10 * S + 5)  # already past: at once
    assert told == sorted(told)
    assert told[0] == 10 * S
    assert told[-1] == 11 * S


def test_pace_begins_with_what_is_waited_for_first() -> None:
    pace = Pace(0.01, threading.Event())
    assert pace.until(3600 * S)  # at once: the recording begins there
    assert pace.now_ns == 3600 * S


def test_pace_can_be_interrupted() -> None:
    halt = threading.Event()
    halt.set()
    pace = Pace(1.0, halt)
    pace.begin(0)
    assert not pace.until(3600 * S)
