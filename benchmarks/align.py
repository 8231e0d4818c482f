"""Joins of a 30 Hz camera, 50 Hz sound and a 10 Hz nose, against message_filters.

For each reading of the nose the nearest picture and the nearest block of sound, at most 50 ms
away. Both sides are fed the same stamps in the same order of arrival, as fast as they take them;
what they give out is compared with brute force. Right is a set that brute force also finds; sets
too many count as wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import numpy as np

from benchmarks.approximate import QUEUE, Approximate
from benchmarks.compare import in_turn, own_garbage, peer_module, percentiles
from benchmarks.streams import (
    PRIMARY,
    RATES,
    TOLERANCE_NS,
    TROUBLES,
    Stamp,
    late_stamps,
    oracle,
    stamps,
)
from thymos.align import Attach, Join, Joined, last_before, nearest
from thymos.bench.figures import Figure, repeated
from thymos.samples import Sample, frozen

SEEDS = (1, 2, 3)
REORDER_NS = 250_000_000
"""How far out of order samples may come: delays of 20 ms in the mean reach beyond the 100 ms that
a join allows by default (7 of 1000)."""


Call = tuple[Callable[[Any], object], Any]
"""What to call with what, for one sample."""


class Synchroniser(Protocol):
    """Either side, fresh."""

    calls: list[Call]

    def finish(self) -> list[tuple[int, ...]]:
        """The stamps of all sets given: nose, camera, microphone."""


class Ours:
    """A `Join` over the three streams; samples are made beforehand."""

    def __init__(self, told: list[Stamp]) -> None:
        attach = Attach(nearest(TOLERANCE_NS), required=True)
        others = {name: attach for name in RATES if name != PRIMARY}
        self._join = Join(PRIMARY, others, reorder_ns=REORDER_NS)
        self.calls: list[Call] = [(self._add, sample) for sample in made_of(told)]
        self._sets: list[Joined] = []

    def _add(self, sample: Sample) -> None:
        self._join.push(sample)
        self._sets.extend(self._join.ready())

    def finish(self) -> list[tuple[int, ...]]:
        """See `Synchroniser`."""
        self._sets.extend(self._join.flush())
        return [
            (made.t_ns, *(m.sample.t_ns for m in made.streams.values() if m.sample))
            for made in self._sets
        ]


Make = Callable[[list[Stamp]], Synchroniser]


def run(repeats: int, quick: bool) -> list[Figure]:
    seconds = 10 if quick else 120
    library, peer = peer_module("message_filters")
    theirs: Make | None = None
    if library is not None:
        peer = f"{peer}, queue {QUEUE}"
        theirs = partial(Approximate, library)
    longer = stamps(TROUBLES[1], 5 * seconds, SEEDS[0])
    figures = speed(longer, repeats, theirs, peer)
    seeds = SEEDS[:1] if quick else SEEDS
    for trouble in TROUBLES:
        inputs = [stamps(trouble, seconds, seed) for seed in seeds]
        mine = [right(Ours, told) for told in inputs]
        figure = repeated(
            f"alignment, {trouble.name}: equal to brute force",
            mine,
            "%",
            "== 100",
            peer=peer,
            peer_values=[right(theirs, told) for told in inputs] if theirs else (),
        )
        figures.append(replace(figure, value=min(mine)))  # the worst: one wrong set is too many
    return [*figures, late_nose(seconds, theirs, peer)]


def speed(told: list[Stamp], repeats: int, theirs: Make | None, peer: str) -> list[Figure]:
    """Messages for each second of processor time, then each call by the clock on the wall."""

    def rate(make: Make) -> float:
        made = make(told)
        with own_garbage():
            start = time.process_time()
            for call, what in made.calls:
                call(what)
            return len(told) / (time.process_time() - start)

    mine, others = in_turn(repeats, partial(rate, Ours), partial(rate, theirs) if theirs else None)
    each: dict[Make, list[float]] = {}
    for _ in range(repeats):
        for make in (Ours, theirs):
            if make is not None:
                each.setdefault(make, []).extend(one_by_one(make(told)))
    return [
        repeated(
            "alignment, messages a second",
            mine,
            "/s",
            "ratio >= 10",
            peer=peer,
            peer_values=others,
        ),
        *percentiles(
            "alignment, one add",
            each[Ours],
            "µs",
            {50: "", 99: "<= 50"},
            peer=peer,
            peer_values=each[theirs] if theirs else (),
        ),
    ]


def late_nose(seconds: int, theirs: Make | None, peer: str) -> Figure:
    """A nose of 1 Hz whose readings arrive 0.6 to 0.9 s late: it must not hold up the pictures.

    Ours: a set for every picture, the nose attached with its age. The peer has one way only.
    """
    told = late_stamps(seconds, SEEDS[0])
    nose = Attach(last_before(), gate=False)
    join = Join("camera", {"microphone": Attach(nearest(TOLERANCE_NS)), "enose": nose})
    given = 0
    for sample in made_of(told):
        join.push(sample)
        given += len(join.ready())
    rate = None
    if theirs is not None:
        other = theirs(told)
        for call, what in other.calls:
            call(what)
        rate = len(other.finish()) / seconds
    name = "alignment, 1 Hz nose 0.6-0.9 s late: sets a second"
    return Figure(
        name,
        given / seconds,
        "/s",
        {},
        ">= 29",
        peer,
        rate,
        given / seconds / rate if rate else None,
    )


def made_of(told: list[Stamp]) -> list[Sample]:
    """Samples with these stamps."""
    payload = frozen(np.zeros(1))
    return [Sample(s.stream, s.seq, s.t_ns, s.arrival_ns, payload) for s in told]


def one_by_one(made: Synchroniser) -> list[float]:
    """Microseconds of each call."""
    spent = []
    with own_garbage():
        for call, what in made.calls:
            start = time.perf_counter_ns()
            call(what)
            spent.append((time.perf_counter_ns() - start) / 1e3)
    return spent


def right(make: Make, told: list[Stamp]) -> float:
    """Percent of the sets that are those of brute force."""
    wanted = set(oracle(told))
    made = make(told)
    for call, what in made.calls:
        call(what)
    given = made.finish()
    return 100 * len(wanted & set(given)) / max(len(wanted), len(given))
