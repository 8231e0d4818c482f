"""Stamps of a camera, a microphone and a nose as sensors really deliver them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thymos.samples import NS_PER_S

LATENCY_NS = {"camera": 30_000_000, "microphone": 20_000_000, "enose": 5_000_000}
"""From capture to arrival: exposure and transfer, one block of sound, a line over serial."""
RATES = {"camera": 30.0, "microphone": 50.0, "enose": 10.0}
PRIMARY = "enose"
TOLERANCE_NS = 50_000_000


@dataclass(frozen=True, slots=True)
class Trouble:
    """What befalls the stamps.

    Attributes:
        name: For the table.
        jitter_ns: Standard deviation of the capture times around the grid.
        drops: Share of samples that never arrive.
        delay_ns: Mean of an exponential delay of the arrival: samples come out of order.
    """

    name: str
    jitter_ns: float = 0.0
    drops: float = 0.0
    delay_ns: float = 0.0


TROUBLES = (
    Trouble("ideal"),
    Trouble("jitter 3 ms", jitter_ns=3e6),
    Trouble("drops 10 %", drops=0.1),
    Trouble("out of order", delay_ns=20e6),
    Trouble("all three", jitter_ns=3e6, drops=0.1, delay_ns=20e6),
)


@dataclass(frozen=True, slots=True)
class Stamp:
    """One sample, payload aside."""

    stream: str
    seq: int
    t_ns: int
    arrival_ns: int


def stamps(trouble: Trouble, seconds: int, seed: int) -> list[Stamp]:
    """All samples of the three streams, in order of arrival."""
    dice = np.random.default_rng(seed)
    made: list[Stamp] = []
    for stream, rate in RATES.items():
        count = int(seconds * rate)
        phase = dice.uniform(0, NS_PER_S / rate)
        times = np.arange(count) * NS_PER_S / rate + phase
        times += dice.normal(0, 1, count) * trouble.jitter_ns
        times = np.sort(times)
        arrivals = times + LATENCY_NS[stream] + dice.exponential(1, count) * trouble.delay_ns
        kept = dice.uniform(size=count) >= trouble.drops
        for seq in np.flatnonzero(kept).tolist():
            made.append(
                Stamp(stream, seq, int(times[seq]) + NS_PER_S, int(arrivals[seq]) + NS_PER_S)
            )
    return sorted(made, key=lambda s: (s.arrival_ns, s.stream, s.seq))


def late_stamps(seconds: int, seed: int) -> list[Stamp]:
    """A nose of 1 Hz whose readings arrive 0.6 to 0.9 s late, beside camera and microphone."""
    dice = np.random.default_rng(seed)
    quick = [s for s in stamps(Trouble("", jitter_ns=3e6), seconds, seed) if s.stream != "enose"]
    times = [(n + 1) * NS_PER_S for n in range(seconds)]
    late = dice.uniform(0.6, 0.9, seconds) * NS_PER_S
    slow = [Stamp("enose", n, t, t + int(late[n])) for n, t in enumerate(times)]
    return sorted([*quick, *slow], key=lambda s: (s.arrival_ns, s.stream, s.seq))


def oracle(samples: list[Stamp]) -> list[tuple[int, ...]]:
    """By brute force: for each reading of the nose the nearest picture and block of sound.

    Of two equally near the earlier one. Sets that lack a stream within the tolerance are left
    out.

    Returns:
        (stamp of the nose, of the camera, of the microphone), in order of time.
    """
    times = {name: np.array(sorted(s.t_ns for s in samples if s.stream == name)) for name in RATES}
    others = [times[name] for name in RATES if name != PRIMARY]
    made = []
    for t in times[PRIMARY]:
        nearest = [int(o[np.argmin(np.abs(o - t))]) for o in others]
        if all(abs(n - t) <= TOLERANCE_NS for n in nearest):
            made.append((int(t), *nearest))
    return made
