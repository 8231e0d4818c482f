"""Joins against a plain search over everything, and for any order of arrival."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thymos.align import (
    Attach,
    Interpolator,
    Join,
    Joined,
    Outcome,
    all_in_span,
    exact,
    last_before,
    linear,
    nearest,
)
from thymos.samples import NS_PER_S, Sample

MS = 1_000_000
S = NS_PER_S
TOLERANCE = 30 * MS

Wanted = tuple[tuple[int, ...], float | None]  # numbers of the samples used, and the value


def stream(name: str, stamps: Sequence[int], lost: frozenset[int] = frozenset()) -> list[Sample]:
    """Numbered samples at `stamps`; the value is a function of the number."""
    return [
        Sample(name, i, t, t, np.array([float(i * i % 97)]))
        for i, t in enumerate(stamps)
        if i not in lost
    ]


def random_stamps(rng: random.Random, period: int, count: int) -> list[int]:
    """Jitter, ties, holes and steps ahead; never back."""
    t, out = rng.randrange(period), []
    for _ in range(count):
        kind = rng.random()
        if kind < 0.05:
            step = 0  # a tie
        elif kind < 0.07:
            step = rng.randrange(20) * period  # a hole, a clock that is set ahead
        elif kind < 0.2:
            step = MS // 2  # a burst
        else:
            step = period + rng.randrange(-period // 3, period // 3)
        t += step
        # Whole and half milliseconds make exact matches and equal distances likely.
        out.append(t // (MS // 2) * (MS // 2))
    return out


def random_streams(rng: random.Random) -> dict[str, list[Sample]]:
    made = {}
    for name, period in (("primary", 33 * MS), ("a", 20 * MS), ("b", 100 * MS)):
        stamps = random_stamps(rng, period, rng.randrange(20, 60))
        lost = frozenset(i for i in range(len(stamps)) if rng.random() < 0.1)
        made[name] = stream(name, stamps, lost)
    return made


# -- the oracle: no index, no watermark, no state


def plain_exact(samples: list[Sample], t: int) -> Wanted:
    same = [s for s in samples if s.t_ns == t]
    return ((same[0].seq,), None) if same else ((), None)


def plain_nearest(samples: list[Sample], t: int) -> Wanted:
    near = [s for s in samples if abs(s.t_ns - t) <= TOLERANCE]
    if not near:
        return (), None
    return (min(near, key=lambda s: (abs(s.t_ns - t), s.t_ns, s.seq)).seq,), None


def plain_last_before(samples: list[Sample], t: int) -> Wanted:
    old = [s for s in samples if 0 <= t - s.t_ns <= TOLERANCE]
    return ((max(old, key=lambda s: (s.t_ns, -s.seq)).seq,), None) if old else ((), None)


def plain_linear(samples: list[Sample], t: int) -> Wanted:
    same = plain_exact(samples, t)
    if same[0]:
        return same[0], float(next(s for s in samples if s.seq == same[0][0]).payload[0])
    old = [s for s in samples if 0 < t - s.t_ns <= TOLERANCE]
    new = [s for s in samples if 0 < s.t_ns - t <= TOLERANCE]
    if not old or not new:
        return (), None
    a = max(old, key=lambda s: (s.t_ns, s.seq))
    b = min(new, key=lambda s: (s.t_ns, s.seq))
    return (a.seq, b.seq), float(np.interp(t, [a.t_ns, b.t_ns], [a.payload[0], b.payload[0]]))


def plain_span(samples: list[Sample], t: int) -> Wanted:
    inside = [s for s in samples if t - TOLERANCE <= s.t_ns < t + 10 * MS]
    return tuple(s.seq for s in sorted(inside, key=lambda s: (s.t_ns, s.seq))), None


RULES: dict[str, tuple[Interpolator, Callable[[list[Sample], int], Wanted]]] = {
    "exact": (exact, plain_exact),
    "nearest": (nearest(TOLERANCE), plain_nearest),
    "last_before": (last_before(TOLERANCE), plain_last_before),
    "linear": (linear(TOLERANCE), plain_linear),
    "all_in_span": (all_in_span(TOLERANCE, 10 * MS), plain_span),
}


# -- running a join


def run(join: Join, arrivals: Sequence[Sample]) -> list[Joined]:
    out: list[Joined] = []
    for sample in arrivals:
        join.push(sample)
        out += join.ready()
    return out + list(join.flush())


def fingerprint(rows: Sequence[Joined]) -> bytes:
    """Everything there is to a result, as bytes."""
    told = [
        (
            row.primary.t_ns,
            row.primary.seq,
            row.gaps,
            [
                (
                    name,
                    m.outcome.value,
                    [(s.t_ns, s.seq) for s in m.samples],
                    None if m.sample is None else m.sample.payload.tobytes(),
                    m.skew_ns,
                    m.age_ns,
                    m.gaps,
                    m.proven,
                    m.reason,
                )
                for name, m in row.streams.items()
            ],
        )
        for row in rows
    ]
    return repr(told).encode()


def shuffled(rng: random.Random, streams: dict[str, list[Sample]], disorder: int) -> list[Sample]:
    """An arrival order: streams late by any amount, samples late by up to `disorder`, duplicates.

    Each stream runs at its own pace; a sample moves back by `disorder` of its own time at most.
    """
    queues = []
    for samples in streams.values():
        keyed = sorted(samples, key=lambda s: s.t_ns + rng.randrange(disorder + 1))
        queues.append([x for s in keyed for x in [s] * (1 + (rng.random() < 0.05))])
    out: list[Sample] = []
    while any(queues):
        queue = rng.choice([q for q in queues if q])
        for _ in range(rng.choice([1, 1, 2, 5, 30])):
            if queue:
                out.append(queue.pop(0))
    return out


def in_order(streams: dict[str, list[Sample]]) -> list[Sample]:
    return sorted(chain(*streams.values()), key=lambda s: (s.t_ns, s.stream, s.seq))


@pytest.mark.parametrize("name", RULES)
def test_a_join_gives_what_a_plain_search_finds(name: str) -> None:
    rule, plain = RULES[name]
    for seed in range(150):
        rng = random.Random(seed)
        streams = random_streams(rng)
        rows = run(Join("primary", {"a": Attach(rule), "b": Attach(rule)}), in_order(streams))
        assert [r.primary for r in rows] == sorted(
            streams["primary"], key=lambda s: (s.t_ns, s.seq)
        )
        for row in rows:
            for other in ("a", "b"):
                check(row, other, plain(streams[other], row.t_ns))


def check(row: Joined, other: str, wanted: Wanted) -> None:
    match = row.streams[other]
    numbers, value = wanted
    assert tuple(s.seq for s in match.samples) == numbers, (row.t_ns, other)
    assert match.outcome is (Outcome.CREATED if numbers else Outcome.DOES_NOT_EXIST)
    assert match.proven
    if value is not None:
        assert match.sample is not None
        assert match.sample.payload[0] == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("name", RULES)
def test_a_thousand_orders_of_arrival_give_the_same_bytes(name: str) -> None:
    rule, _ = RULES[name]
    attach = {"a": Attach(rule), "b": Attach(rule)}
    orders = 0
    for seed in range(20):
        rng = random.Random(1000 + seed)
        streams = random_streams(rng)
        wanted = fingerprint(run(Join("primary", attach), in_order(streams)))
        for _ in range(50):
            join = Join("primary", attach)
            order = shuffled(rng, streams, disorder=99 * MS)
            assert fingerprint(run(join, order)) == wanted
            orders += 1
            twins = len(order) - sum(len(s) for s in streams.values())
            assert sum(join.unmatched.values()) <= twins  # late twins
    assert orders >= 1000


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from(sorted(RULES)),
    st.integers(0, 99),
    st.sampled_from([0, 1, 5, 30, 200]),
)
def test_any_streams_any_order(seed: int, name: str, disorder_ms: int, count: int) -> None:
    """Jitter, drops, duplicates, disorder, ties, holes, clocks set ahead, empty streams."""
    rng = random.Random(seed)
    streams = {}
    for stream_name, period in (("primary", rng.choice([5, 33, 100])), ("a", 20), ("b", 7)):
        stamps = random_stamps(rng, period * MS, rng.randrange(count + 1))
        lost = frozenset(i for i in range(len(stamps)) if rng.random() < 0.1)
        streams[stream_name] = stream(stream_name, stamps, lost)
    rule, plain = RULES[name]
    join = Join("primary", {"a": Attach(rule), "b": Attach(rule)})
    rows = run(join, shuffled(rng, streams, disorder=disorder_ms * MS))
    assert [r.primary for r in rows] == sorted(streams["primary"], key=lambda s: (s.t_ns, s.seq))
    for row in rows:
        for other in ("a", "b"):
            check(row, other, plain(streams[other], row.t_ns))


BACK = 8  # so many in a row from the past, and the clock is believed to have gone back
SETTLED = 12  # results after that until nothing leans on what was stamped before


@pytest.mark.parametrize("name", RULES)
def test_after_all_clocks_went_back_a_join_is_again_what_a_plain_search_finds(name: str) -> None:
    """The host's clock is set back: each part of the run is a run of its own."""
    rule, plain = RULES[name]
    compared = 0
    for seed in range(60):
        rng = random.Random(5000 + seed)
        before, later = random_streams(rng), random_streams(rng)
        end = min(part[-1].t_ns for part in before.values())  # all run until the clock is set
        before = {n: [s for s in part if s.t_ns <= end] for n, part in before.items()}
        ahead = 100 * S + rng.randrange(3600) * S
        parts = [
            {n: [replace(s, t_ns=s.t_ns + ahead) for s in part] for n, part in before.items()},
            {n: [replace(s, seq=s.seq + 1000) for s in part] for n, part in later.items()},
        ]
        told: list[Sample] = []
        join = Join(
            "primary",
            {"a": Attach(rule), "b": Attach(rule)},
            on_unmatched=lambda s, why: told.append(s),  # noqa: B023
        )
        rows = run(join, [*in_order(parts[0]), *in_order(parts[1])])
        pushed = {(s.t_ns, s.seq) for part in parts for s in part["primary"]}
        lost = {(s.t_ns, s.seq) for s in told if s.stream == "primary"}
        assert {(r.t_ns, r.primary.seq) for r in rows} | lost == pushed  # joined or told
        for part in parts:
            keys = {(s.t_ns, s.seq) for s in part["primary"]}
            mine = [r for r in rows if (r.t_ns, r.primary.seq) in keys]
            sure = [r for r in mine if proven(r)]
            if part is parts[1]:  # what waited for a silent stream when the clock was set is told
                assert len(mine) >= len(part["primary"]) - BACK
                sure = mine[SETTLED:]
            compared += len(sure)
            for row in sure:
                for other in ("a", "b"):
                    check(row, other, plain(part[other], row.t_ns))
    assert compared > 60 * 30


def proven(row: Joined) -> bool:
    return all(match.proven for match in row.streams.values())


STEPS = st.one_of(
    st.integers(1, 100).map(lambda ms: ms * MS),
    st.integers(-20_000, 20_000).map(lambda ms: ms * MS),
    st.sampled_from([0, -(10**6) * S, 10**6 * S, -(2**61), 2**61]),
)
EVENTS = st.lists(
    st.tuples(st.sampled_from(["primary", "a", "b"]), STEPS, st.integers(0, 3), st.booleans()),
    max_size=150,
)


@settings(max_examples=300, deadline=None)
@given(EVENTS, st.sampled_from(sorted(RULES)), st.booleans(), st.booleans())
def test_whatever_the_stamps_do_no_primary_sample_vanishes(
    events: list[tuple[str, int, int, bool]], name: str, live: bool, required: bool
) -> None:
    """Clocks that jump both ways, streams that close: each sample is joined or told, once."""
    rule, _ = RULES[name]
    told: list[Sample] = []
    join = Join(
        "primary",
        {"a": Attach(rule, max_wait_ns=S, required=required), "b": Attach(rule, gate=False)},
        on_unmatched=lambda s, why: told.append(s),
        max_samples=20,
    )
    clocks, seqs = (
        dict.fromkeys(("primary", "a", "b"), 10**12),
        dict.fromkeys(["primary", "a", "b"], 0),
    )
    now, pushed, rows = 10**12, [], []
    for stream_name, step, skipped, close in events:
        clocks[stream_name] += step
        seqs[stream_name] += 1 + skipped
        now += abs(step) if abs(step) < S else MS
        sample = Sample(stream_name, seqs[stream_name], clocks[stream_name], now, np.zeros(1))
        pushed.append(sample)
        join.push(sample)
        if close and skipped == 3:
            join.close_stream(stream_name, "gone")
        rows += join.ready(now if live else None)
        assert max(join.kept.values()) <= 21
    rows += join.flush()
    assert join.flush() == []
    found = [r.primary for r in rows] + [s for s in told if s.stream == "primary"]
    assert sorted(s.seq for s in found) == [s.seq for s in pushed if s.stream == "primary"]
    for row in rows:
        for match in row.streams.values():
            assert (match.outcome is Outcome.CREATED) == (match.sample is not None)
            assert bool(match.reason) == (match.sample is None)
            assert match.age_ns is None or match.age_ns >= 0
