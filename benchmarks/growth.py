"""Cost of windows as streams grow: 1 to 16 cameras, sound and gas of 1 to 64 channels.

Measured is processor time to push all samples and take every window (or, of cameras, every joined
set), payloads touched where a perceiver would cut them out (sound). Made data, as fast as
possible; the pictures share one buffer, so what grows is the work and not the memory.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from thymos.align import Attach, Join, Windower, audio_span, nearest
from thymos.bench.figures import Figure, repeated
from thymos.config import BufferConfig, WindowConfig
from thymos.samples import NS_PER_S, Kind, Sample, StreamSpec, frozen

CAMERAS = (1, 2, 4, 8, 16)
CHANNELS = (1, 4, 16, 64)
FPS, RATE, BLOCK, NOSE_HZ = 30, 16_000, 320, 10
UNIT = "ms a second"
Stream = tuple[StreamSpec, list[Sample]]
Make = Callable[[int, int], list[Stream]]
Cost = Callable[[list[Stream]], float]


def run(repeats: int, quick: bool) -> list[Figure]:
    seconds = 8 if quick else 24
    kinds: dict[str, tuple[tuple[int, ...], Make, Cost]] = {
        "cameras": (CAMERAS, cameras, windows),
        "joined cameras": (CAMERAS[1:], cameras, joins),
        "sound channels": (CHANNELS, sound, windows),
        "nose channels": (CHANNELS, nose, windows),
    }
    figures = []
    for kind, (sizes, make, cost) in kinds.items():
        inputs = {n: make(n, seconds) for n in sizes}
        times: dict[int, list[float]] = {n: [] for n in sizes}
        for _ in range(repeats):
            for n in sizes:
                times[n].append(cost(inputs[n]) / seconds * 1e3)
        figures += [repeated(f"growth: {n} {kind}", times[n], UNIT) for n in sizes]
        figures += shape(kind, {n: statistics.median(t) for n, t in times.items()})
    return figures


def windows(streams: list[Stream]) -> float:
    """Processor seconds for all windows over the streams, asked for after each sample."""
    windower = Windower(WindowConfig(), BufferConfig())
    for spec, _ in streams:
        windower.add_stream(spec)
    samples = in_order(streams)
    start = time.process_time()
    made = 0
    for sample in samples:
        windower.push(sample)
        for window in windower.ready():
            made += 1
            for part in window.streams.values():
                if part.spec.kind is Kind.AUDIO:
                    audio_span(part.samples, part.spec, window.t0_ns, window.t1_ns)
    spent = time.process_time() - start
    assert made, "no window came out"
    return spent


def joins(streams: list[Stream]) -> float:
    """Processor seconds for joining the other streams to the first, by the nearest sample."""
    first, *others = (spec.name for spec, _ in streams)
    join = Join(first, {name: Attach(nearest(NS_PER_S // FPS)) for name in others})
    samples = in_order(streams)
    start = time.process_time()
    made = 0
    for sample in samples:
        join.push(sample)
        made += len(join.ready())
    spent = time.process_time() - start
    assert made, "no set came out"
    return spent


def in_order(streams: list[Stream]) -> list[Sample]:
    """All samples by capture time."""
    return sorted((s for _, some in streams for s in some), key=lambda s: (s.t_ns, s.stream))


def shape(kind: str, points: dict[int, float]) -> list[Figure]:
    """How the cost grows: the exponent of a power law, and the slope of a straight line.

    The exponent is the slope of log cost over log size (1 is linear, 2 quadratic).
    """
    n, y = np.array(list(points), float), np.array(list(points.values()))
    exponent = float(np.polyfit(np.log(n), np.log(y), 1)[0])
    slope = float(np.polyfit(n, y, 1)[0])
    return [
        Figure(f"growth exponent of {kind}", exponent, "", {}, "<= 1.1"),
        Figure(f"cost of each of the {kind}", slope, UNIT, {}),
    ]


def cameras(count: int, seconds: int) -> list[Stream]:
    frame = frozen(np.zeros((480, 640, 3), np.uint8))
    made = []
    for n in range(count):
        name = f"camera.{n:02}"
        spec = StreamSpec(name, Kind.VIDEO, FPS, frame.shape, "rgb8")
        shift = n * NS_PER_S // FPS // count  # cameras are not in step
        stamps = [i * NS_PER_S // FPS + shift for i in range(seconds * FPS)]
        made.append((spec, [Sample(name, i, t, t, frame) for i, t in enumerate(stamps)]))
    return made


def sound(channels: int, seconds: int) -> list[Stream]:
    block = frozen(np.ones((BLOCK, channels), np.int16))
    spec = StreamSpec("microphone", Kind.AUDIO, RATE, (-1, channels), "s16")
    step = NS_PER_S * BLOCK // RATE
    samples = [
        Sample("microphone", i * BLOCK, i * step, i * step, block)
        for i in range(seconds * RATE // BLOCK)
    ]
    return [(spec, samples)]


def nose(channels: int, seconds: int) -> list[Stream]:
    reading = frozen(np.ones(channels))
    names = tuple(f"gas{n}" for n in range(channels))
    spec = StreamSpec("enose", Kind.GAS, NOSE_HZ, (channels,), "ohm", names)
    step = NS_PER_S // NOSE_HZ
    samples = [Sample("enose", i, i * step, i * step, reading) for i in range(seconds * NOSE_HZ)]
    return [(spec, samples)]
