"""What a reading of a nose costs, and whether a week of them fits into constant memory.

Cost: 16 channels at 100 Hz, 60 s with one smell in it, made data; processor time of each reading
through the signal stage, and through the whole smell path (signal, recogniser, danger, cues once a
second). The peer is the usual way without state: at each reading the features of the last 10 s
anew with numpy, from an array that is kept (median baseline, response, the eight features of
Vergara of each channel by their recursion), measured on fewer readings because it is slow; its
recursion over samples is vectorised over channels and filters.

Memory: blocks that the interpreter holds (`sys.getallocatedblocks`, exact) and resident size, after
each simulated day of 16 channels at 1 Hz with a smell an hour, and over half an hour at 100 Hz. The
figure is the growth from the second day to the last (from the second third to the last).
"""

from __future__ import annotations

import gc
import resource
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thymos.align.window import Window
from thymos.bench.figures import Figure, repeated, spread_of
from thymos.config import PerceiveConfig
from thymos.perceive.smell import SmellPerceiver
from thymos.samples import NS_PER_S, Kind, Origin, Sample, StreamSpec, frozen
from thymos.smell.signal import Air, SmellSignal, response
from thymos.smell.signal.features import ALPHAS

CHANNELS, HZ = 16, 100
NAMES = tuple(f"gas{n:02}" for n in range(CHANNELS))
TARGET = "<= 200"
WEEK_S, DAY_S = 604_800, 86_400
PEER_S = 10
PAGE = resource.getpagesize()
F64 = NDArray[np.float64]


def run(repeats: int, quick: bool) -> list[Figure]:
    seconds = 20 if quick else 60
    rows = made(seconds, HZ, smell=(seconds // 2, seconds * 3 // 4), seed=1)
    signal, path = [], []
    peer = [statistics.mean(per_window(rows, 20 if quick else 100)) for _ in range(repeats)]
    for _ in range(repeats):
        signal.append(statistics.mean(stage(rows)))
        path.append(statistics.mean(whole(rows)))
    unit = "µs a reading"
    return [
        repeated(
            "signal stage, 16 channels at 100 Hz, mean",
            signal,
            unit,
            TARGET,
            peer="numpy, last 10 s anew",
            peer_values=peer,
        ),
        spread_of("signal stage, single readings", stage(rows), unit, TARGET),
        repeated("whole smell path, 16 channels at 100 Hz, mean", path, unit, TARGET),
        spread_of("whole smell path, single readings", whole(rows), unit, TARGET),
        *memory("a week at 1 Hz", WEEK_S // (84 if quick else 1), 1, parts=7),
        *memory("half an hour at 100 Hz", 60 if quick else 1800, HZ, parts=6),
    ]


def made(seconds: int, hz: int, smell: tuple[int, int], seed: int) -> F64:
    """Resistances [readings, channels]: noise of .3 %, one smell that rises and decays."""
    rng = np.random.default_rng(seed)
    t = np.arange(seconds * hz) / hz
    on, off = smell
    top = 1 - np.exp(-(off - on) / 8.0)
    shape = np.where(t < on, 0.0, 1 - np.exp(-(t - on) / 8.0))
    shape = np.where(t > off, top * np.exp(-(t - off) / 20.0), shape)
    gain = rng.uniform(0.2, 1.2, CHANNELS)
    noise = rng.normal(0, 0.003, (len(t), CHANNELS))
    return np.asarray(3e4 * np.exp(-np.outer(shape, gain) + noise))


def stage(rows: F64) -> list[float]:
    """µs of each reading in the signal stage, with temperature and humidity."""
    signal = SmellSignal(NAMES, "ohm", learn_climate=True)
    air, spent = Air(22.0, 45.0), []
    for k, row in enumerate(rows):
        start = time.process_time_ns()
        signal.update(k * NS_PER_S // HZ, row, air)
        spent.append((time.process_time_ns() - start) / 1e3)
    assert signal.state is not None
    assert signal.phases.odour is not None, "the smell was not found"
    return spent


def whole(rows: F64) -> list[float]:
    """µs of each reading in the perceiver; that of its cues is put on the reading that asks."""
    nose, samples = perceiver(HZ), samples_of(rows, HZ)
    spent, cues = [], 0
    for k, sample in enumerate(samples):
        start = time.process_time_ns()
        nose.observe(sample)
        if k % HZ == HZ - 1:
            end = sample.t_ns + 1
            cues += len(nose.cues(Window("w", end - NS_PER_S, end, {})))
            nose.dangers()
        spent.append((time.process_time_ns() - start) / 1e3)
    assert cues, "nothing was perceived"
    return spent


def perceiver(hz: int) -> SmellPerceiver:
    """Started for the made nose."""
    nose = SmellPerceiver(PerceiveConfig())
    nose.start(
        StreamSpec("enose", Kind.GAS, hz, (CHANNELS,), "ohm", NAMES, origin=Origin.SIMULATED)
    )
    return nose


def samples_of(rows: F64, hz: int) -> list[Sample]:
    """The readings as samples."""
    times = [k * NS_PER_S // hz for k in range(len(rows))]
    return [Sample("enose", k, t, t, frozen(rows[k])) for k, t in enumerate(times)]


def per_window(rows: F64, count: int) -> list[float]:
    """µs of each of some readings the stateless way."""
    past, spent = PEER_S * HZ, []
    base = np.median(rows[: 5 * HZ], axis=0)
    for k in np.linspace(past, len(rows) - 1, count).astype(int):
        start = time.process_time_ns()
        _features(response(rows[k - past : k], base, "ohm"))
        spent.append((time.process_time_ns() - start) / 1e3)
    return spent


def _features(values: F64) -> F64:
    steps = np.diff(values, axis=0)
    y = np.zeros((len(ALPHAS), values.shape[1]))
    high, low = np.full_like(y, -np.inf), np.full_like(y, np.inf)
    keep, take = (1 - ALPHAS)[:, None], ALPHAS[:, None]
    for step in steps:
        y = keep * y + take * step
        np.maximum(high, y, out=high)
        np.minimum(low, y, out=low)
    span = np.ptp(values, axis=0)
    return np.concatenate([span[None], (span / np.abs(values).max(axis=0))[None], high, low])


def memory(name: str, seconds: int, hz: int, parts: int) -> list[Figure]:
    """What is held after each part of a long stream."""
    nose = perceiver(hz)
    rng = np.random.default_rng(2)
    blocks: list[int] = []
    resident: list[int] = []
    every = max(1, seconds * hz // parts)
    begun = time.perf_counter()
    for k in range(every * parts):
        t_ns = k * NS_PER_S // hz
        smelly = t_ns // NS_PER_S % 3600 in range(1200, 1260)
        row = 3e4 * (0.6 if smelly else 1.0) * np.exp(rng.normal(0, 0.003, CHANNELS))
        nose.observe(Sample("enose", k, t_ns, t_ns, frozen(row)))
        if (k + 1) % (10 * hz) == 0:
            nose.cues(Window("w", t_ns - 10 * NS_PER_S, t_ns, {}))
            nose.dangers()
        if (k + 1) % every == 0:
            gc.collect()
            blocks.append(sys.getallocatedblocks())
            resident.append(int(Path("/proc/self/statm").read_text().split()[1]) * PAGE)
    middle = 1 if parts == 7 else parts // 3
    took = time.perf_counter() - begun
    return [
        Figure(
            f"memory blocks grown over {name} ({every * parts:,} readings)",
            blocks[-1] - blocks[middle],
            "blocks",
            {},
            "<= 500",
        ),
        Figure(
            f"resident size grown over {name}",
            (resident[-1] - resident[middle]) / 2**20,
            "MiB",
            {},
            "<= 4",
        ),
        Figure(f"{name} in", took, "s", {}),
    ]
