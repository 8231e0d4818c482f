"""A window query over 10 s of 30 fps, 16 kHz and 10 Hz: three streams, everything in them.

The streams are written as drivers write them, then a reader asks for the whole 10 s, again and
again; measured is one question to all three streams. The peer is `message_filters.Cache` with as
many messages, in this process.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.synchronize import Barrier
from threading import BrokenBarrierError
from types import ModuleType, SimpleNamespace

import numpy as np

from benchmarks.compare import peer_module, percentiles
from thymos.bench.figures import Figure
from thymos.buffer import BufferReader, Ring, SharedReader, SharedWriter
from thymos.samples import NS_PER_S, Kind, Sample, StreamSpec, frozen

SECONDS = 10
SPECS = (
    StreamSpec("camera", Kind.VIDEO, 30, (480, 640, 3), "rgb8"),
    StreamSpec("microphone", Kind.AUDIO, 16_000, (-1, 1), "s16"),
    StreamSpec("enose", Kind.GAS, 10, (8,), "ohm"),
)
BLOCK = 320
ROOM = 1 << 30  # shared memory for one stream: a reader may hold all of its past
END_S = 30.0
Stream = tuple[StreamSpec, list[Sample]]
Query = Callable[[int, int], int]
"""Asks all streams for [t0, t1) and returns how many samples came."""


def samples_of(spec: StreamSpec, seconds: int) -> list[Sample]:
    """What a device delivers in so many seconds, each payload its own."""
    shape = (BLOCK, 1) if spec.kind is Kind.AUDIO else spec.shape
    rate = spec.rate_hz / BLOCK if spec.kind is Kind.AUDIO else spec.rate_hz
    kind = {Kind.VIDEO: np.uint8, Kind.AUDIO: np.int16, Kind.GAS: np.float64}[spec.kind]
    step = BLOCK if spec.kind is Kind.AUDIO else 1
    made = []
    for n in range(int(seconds * rate)):
        t_ns = NS_PER_S + int(n * NS_PER_S / rate)
        made.append(Sample(spec.name, n * step, t_ns, t_ns, frozen(np.full(shape, n % 100, kind))))
    return made


def run(repeats: int, quick: bool) -> list[Figure]:
    seconds = 1 if quick else SECONDS
    count = 200 if quick else 4000
    streams = [(spec, samples_of(spec, seconds)) for spec in SPECS]
    total = sum(len(samples) for _, samples in streams)
    t0, t1 = NS_PER_S, (1 + seconds) * NS_PER_S
    queries: dict[str, Query] = {"in one process": rings(streams)}
    library, peer = peer_module("message_filters")
    if library is not None:
        queries[peer] = caches(streams, library)
    with shared(seconds) as across:
        queries["across processes"] = across
        taken: dict[str, list[float]] = {name: [] for name in queries}
        for name, query in queries.items():
            got = query(t0, t1)
            assert got == total, f"{name} gives {got} of {total} samples"
        for _ in range(repeats):
            for name, query in queries.items():
                few = count // 10 if name == peer else count  # one question takes it milliseconds
                taken[name] += asked(query, t0, t1, few)
    figures = []
    for name in (n for n in queries if n != peer):
        figures += percentiles(
            f"window of {seconds} s, {name}",
            taken[name],
            "µs",
            {50: "<= 50", 99: "<= 50"},
            peer=peer,
            peer_values=taken.get(peer, ()),
        )
    return figures


def asked(query: Query, t0: int, t1: int, count: int) -> list[float]:
    """Microseconds of each of so many questions."""
    spent = []
    for _ in range(count):
        start = time.perf_counter_ns()
        query(t0, t1)
        spent.append((time.perf_counter_ns() - start) / 1e3)
    return spent


def rings(streams: Sequence[Stream]) -> Query:
    """Rings of this process."""
    made = []
    for spec, samples in streams:
        ring = Ring(spec, 2 * SECONDS, 1 << 30)
        for sample in samples:
            ring.write(sample)
        made.append(ring)
    return asking(*made)


def asking(camera: BufferReader, microphone: BufferReader, enose: BufferReader) -> Query:
    """One question to all three."""

    def query(t0: int, t1: int) -> int:
        return (
            len(camera.window(t0, t1)) + len(microphone.window(t0, t1)) + len(enose.window(t0, t1))
        )

    return query


@contextmanager
def shared(seconds: int) -> Iterator[Query]:
    """Shared memory, filled by another process, which lives on."""
    spawn = multiprocessing.get_context("spawn")
    domain = f"bench-{os.getpid()}"
    turn = spawn.Barrier(2)
    writer = spawn.Process(target=fill, args=(domain, seconds, turn))
    writer.start()
    try:
        turn.wait(END_S)  # the writers are there
        with ExitStack() as stack:
            readers = [stack.enter_context(SharedReader(s.name, domain=domain)) for s in SPECS]
            turn.wait(END_S)
            turn.wait(END_S)  # everything is written
            yield asking(*readers)
    finally:
        turn.abort()  # the writer may go, also if something failed
        writer.join(END_S)
        writer.kill()


def fill(domain: str, seconds: int, turn: Barrier) -> None:
    """The writing process."""
    writers: list[SharedWriter] = []
    with ExitStack() as stack:
        for spec in SPECS:
            writer = SharedWriter(
                spec, domain=domain, seconds=seconds, max_bytes=ROOM, readers=1, block=BLOCK
            )
            stack.enter_context(writer)
            writers.append(writer)
        turn.wait(END_S)
        turn.wait(END_S)  # the readers are there
        for writer in writers:
            for sample in samples_of(writer.spec, seconds):
                writer.write(sample)
        turn.wait(END_S)
        with suppress(BrokenBarrierError):
            turn.wait()  # until it was measured


def caches(streams: Sequence[Stream], library: ModuleType) -> Query:
    """The peer: `message_filters.Cache` of the same messages."""
    from rclpy.time import Time

    made = []
    for _, samples in streams:
        source = library.SimpleFilter()
        cache = library.Cache(source, len(samples))
        for sample in samples:
            stamp = Time(nanoseconds=sample.t_ns)
            source.signalMessage(SimpleNamespace(header=SimpleNamespace(stamp=stamp)))
        made.append(cache)

    def query(t0: int, t1: int) -> int:
        first, last = Time(nanoseconds=t0), Time(nanoseconds=t1 - 1)
        return sum(len(cache.getInterval(first, last)) for cache in made)

    return query
