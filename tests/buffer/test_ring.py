"""The ring: order, bounds, counting, threads."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thymos.buffer import Ring
from thymos.samples import Kind, Sample, StreamSpec

MS = 1_000_000
S = 1_000_000_000
NOSE = StreamSpec("enose", Kind.GAS, 10.0, (1,), "ohm", ("CO",))
SOUND = StreamSpec("microphone", Kind.AUDIO, 1000.0, (-1, 1), "s16")


def gas(t_ns: int, seq: int = 0) -> Sample:
    return Sample("enose", seq, t_ns, t_ns, np.array([float(seq)]))


def block(t_ns: int, frames: int = 100, seq: int = 0) -> Sample:
    return Sample("microphone", seq, t_ns, t_ns, np.zeros((frames, 1), np.int16))


def test_samples_come_back_in_order_of_capture_whatever_order_they_came_in() -> None:
    ring = Ring(NOSE, 10.0, 10**6)
    for t in (3, 1, 2, 5, 4):
        assert ring.write(gas(t * 100 * MS, t))
    assert [s.seq for s in ring.window(0, S)] == [1, 2, 3, 4, 5]
    latest = ring.latest()
    assert latest is not None
    assert latest.seq == 5
    before = ring.before(300 * MS)
    assert before is not None
    assert before.seq == 2
    assert ring.before(100 * MS) is None


def test_the_window_is_half_open() -> None:
    ring = Ring(NOSE, 10.0, 10**6)
    for t in range(5):
        ring.write(gas(t * 100 * MS, t))
    assert [s.seq for s in ring.window(100 * MS, 300 * MS)] == [1, 2]


def test_sound_that_reaches_over_the_border_belongs_to_both_sides() -> None:
    ring = Ring(SOUND, 10.0, 10**6)
    for i in range(10):
        ring.write(block(i * 100 * MS, seq=i))
    assert [s.seq for s in ring.window(250 * MS, 310 * MS)] == [2, 3]
    assert [s.seq for s in ring.window(300 * MS, 400 * MS)] == [3]


def test_duplicates_are_dropped_and_counted() -> None:
    ring = Ring(NOSE, 10.0, 10**6)
    assert ring.write(gas(5, 1))
    assert not ring.write(gas(5, 1))
    assert ring.write(gas(5, 2))  # a tie in time is no duplicate
    assert (len(ring), ring.duplicates) == (2, 1)


def test_seconds_bound_the_ring() -> None:
    ring = Ring(NOSE, 2.0, 10**6)
    for i in range(100):
        ring.write(gas(i * 100 * MS, i))
    assert len(ring) == 21
    assert ring.overwritten == 79


def test_bytes_bound_the_ring_and_the_newest_always_stays() -> None:
    ring = Ring(SOUND, 100.0, 1000)
    for i in range(20):
        ring.write(block(i * 100 * MS, seq=i))  # 200 bytes each
    assert ring.nbytes == 1000
    ring.write(block(10 * S, frames=5000, seq=99))
    assert [s.seq for s in ring.window(0, 100 * S)] == [99]


def test_a_jump_of_the_clock_throws_nothing_away() -> None:
    ring = Ring(NOSE, 5.0, 10**6)
    for i in range(30):
        ring.write(gas(i * 100 * MS + (36_000 * S if i >= 20 else 0), i))
    assert len(ring) == 30


def test_what_is_obsolete_can_be_let_go_but_for_the_newest() -> None:
    ring = Ring(NOSE, 10.0, 10**6)
    for i in range(10):
        ring.write(gas(i * 100 * MS, i))
    assert ring.discard_before(500 * MS) == 4
    assert [s.seq for s in ring.window(0, S)] == [4, 5, 6, 7, 8, 9]
    assert ring.discard_from(700 * MS) == 3
    latest = ring.latest()
    assert latest is not None
    assert latest.seq == 6
    assert ring.overwritten == 0


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 5)), max_size=60),
    st.integers(1, 5),
    st.integers(8, 400),
    st.tuples(st.integers(0, 20_000), st.integers(0, 20_000)),
)
def test_books_balance(
    writes: list[tuple[int, int]], seconds: int, max_bytes: int, cut: tuple[int, int]
) -> None:
    ring = Ring(NOSE, float(seconds), max_bytes)
    accepted = sum(ring.write(gas(t * MS, seq)) for t, seq in writes)
    gone = ring.discard_before(cut[0] * MS) + ring.discard_from(cut[1] * MS)
    held = ring.window(-1, 10**18)
    assert accepted == len(held) + ring.overwritten + gone
    assert len(writes) == accepted + ring.duplicates
    assert ring.nbytes == sum(s.payload.nbytes for s in held)
    assert [(s.t_ns, s.seq) for s in held] == sorted((s.t_ns, s.seq) for s in held)
    steps = [min(b.t_ns - a.t_ns, S) for a, b in itertools.pairwise(held)]
    assert ring._data_ns == sum(steps)
    assert len(held) <= 1 or (ring.nbytes <= max_bytes and sum(steps) <= seconds * S)


def test_readers_and_writers_do_not_disturb_each_other() -> None:
    ring = Ring(NOSE, 1000.0, 8 * 500)
    stop, faults = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            found = ring.window(0, 10**18)
            if [s.t_ns for s in found] != sorted(s.t_ns for s in found) or len(found) > 500:
                faults.append(len(found))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    sample = gas(0)
    for i in range(5000):
        ring.write(replace(sample, seq=i, t_ns=i * MS))
    stop.set()
    for reader in readers:
        reader.join()
    assert not faults
    assert ring.overwritten == 4500


def test_a_ring_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        Ring(NOSE, 0.0, 1)


def test_a_bound_in_samples() -> None:
    ring = Ring(NOSE, 1000.0, 1 << 20, max_samples=3)
    for i in range(5):
        ring.write(gas(i * S, i))
    ring.write(gas(0, 9))  # older than all others: it is the oldest that goes
    assert [s.seq for s in ring.window(0, 10 * S)] == [2, 3, 4]
    assert ring.overwritten == 3
