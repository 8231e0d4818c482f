"""What the streams looked like over time, kept small however long the run.

`TraceCollector` watches a pipeline and sums every stream up in bins of capture time. When a run
outgrows `max_bins`, neighbouring bins are merged and the bin width doubles, so memory is bounded
and the result depends on capture times and payloads alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from thymos.events import Observer
from thymos.samples import Flag, Kind, Sample, StreamSpec, duration_ns

BIN_NS = 100_000_000
MAX_BINS = 2400
SILENCE_DB = -90.0


@dataclass(slots=True)
class Bin:
    """One stretch of one stream.

    Attributes:
        samples: Samples that begin in it.
        lost: Samples missing before one of them, by sequence number.
        gaps: Places where something is missing.
        invalid: Samples nobody may use.
        power: Sum of squared sound samples (full scale 1), and how many there are.
        frames: Sound frames times channels.
        values: Sum of the readings of each gas channel and how many were valid.
    """

    samples: int = 0
    lost: int = 0
    gaps: int = 0
    invalid: int = 0
    power: float = 0.0
    frames: int = 0
    values: dict[int, tuple[float, int]] = field(default_factory=dict)

    def merge(self, other: Bin) -> None:
        """Take the neighbour in."""
        self.samples += other.samples
        self.lost += other.lost
        self.gaps += other.gaps
        self.invalid += other.invalid
        self.power += other.power
        self.frames += other.frames
        for channel, (total, count) in other.values.items():
            mine = self.values.get(channel, (0.0, 0))
            self.values[channel] = (mine[0] + total, mine[1] + count)

    @property
    def level_db(self) -> float | None:
        """Sound level in dB of full scale; None without sound."""
        if not self.frames:
            return None
        return max(SILENCE_DB, 10.0 * math.log10(self.power / self.frames + 1e-12))


@dataclass(slots=True)
class Trace:
    """One stream over time: bins by index `t_ns // bin_ns`."""

    spec: StreamSpec
    bin_ns: int = BIN_NS
    bins: dict[int, Bin] = field(default_factory=dict)
    t_end_ns: int = 0

    def spans(self) -> list[tuple[int, int, Bin]]:
        """Bins in order of time, as (t0_ns, t1_ns, bin)."""
        width = self.bin_ns
        return [(i * width, (i + 1) * width, self.bins[i]) for i in sorted(self.bins)]

    def present(self) -> list[tuple[int, int]]:
        """Stretches with usable samples; a pause of up to three periods is no hole."""
        period = 1e9 / self.spec.rate_hz if self.spec.rate_hz > 0 else 1e9
        reach = int(3 * period) if self.spec.kind is not Kind.AUDIO else 0
        joined: list[tuple[int, int]] = []
        for t0, t1, part in self.spans():
            if part.samples == part.invalid:
                continue
            if joined and t0 - joined[-1][1] <= max(reach, self.bin_ns):
                joined[-1] = (joined[-1][0], t1)
            else:
                joined.append((t0, t1))
        return joined

    def coarsen(self) -> None:
        """Merge neighbours; bins become twice as wide."""
        merged: dict[int, Bin] = {}
        for index in sorted(self.bins):
            if index // 2 in merged:
                merged[index // 2].merge(self.bins[index])
            else:
                merged[index // 2] = self.bins[index]
        self.bins, self.bin_ns = merged, self.bin_ns * 2


class TraceCollector(Observer):
    """Watches a run and keeps what the report draws of each stream."""

    def __init__(self, max_bins: int = MAX_BINS) -> None:
        self._max = max_bins
        self._traces: dict[str, Trace] = {}
        self._seq: dict[str, int] = {}

    @property
    def traces(self) -> tuple[Trace, ...]:
        """All streams seen, by name."""
        return tuple(self._traces[name] for name in sorted(self._traces))

    @property
    def streams(self) -> tuple[StreamSpec, ...]:
        """What each of them delivered."""
        return tuple(trace.spec for trace in self.traces)

    def on_stream(self, spec: StreamSpec) -> None:
        """Begin a trace; a stream that comes back goes on in the old one."""
        self._traces.setdefault(spec.name, Trace(spec))

    def on_sample(self, sample: Sample) -> None:
        """Sum one sample up."""
        trace = self._traces.get(sample.stream)
        if trace is None:
            return
        part = trace.bins.setdefault(sample.t_ns // trace.bin_ns, Bin())
        part.samples += 1
        last = self._seq.get(sample.stream)
        self._seq[sample.stream] = sample.seq
        lost = sample.seq - last - 1 if last is not None and sample.seq > last else 0
        part.lost += lost
        part.gaps += bool(lost or sample.flags & Flag.GAP_BEFORE)
        trace.t_end_ns = max(trace.t_end_ns, sample.t_ns + duration_ns(sample, trace.spec))
        if sample.flags & Flag.INVALID:
            part.invalid += 1
        elif trace.spec.kind is Kind.AUDIO:
            _add_sound(trace, sample)
        elif trace.spec.kind is Kind.GAS:
            _add_gas(part, sample)
        if len(trace.bins) > self._max:
            trace.coarsen()


def _add_sound(trace: Trace, sample: Sample) -> None:
    """Spread a block of sound over the bins it covers (blocks may be longer than a bin)."""
    sound = sample.payload.astype(np.float32) / 32768.0
    rate = trace.spec.rate_hz
    if rate <= 0 or not len(sound):
        return
    times = sample.t_ns + (np.arange(len(sound)) * (1e9 / rate)).astype(np.int64)
    edges = np.flatnonzero(np.diff(times // trace.bin_ns)) + 1
    for start, stop in zip([0, *edges], [*edges, len(sound)], strict=True):
        part = trace.bins.setdefault(int(times[start] // trace.bin_ns), Bin())
        part.power += float(np.sum(np.square(sound[start:stop])))
        part.frames += sound[start:stop].size
        part.samples = max(part.samples, 1)


def _add_gas(part: Bin, sample: Sample) -> None:
    for channel, value in enumerate(np.atleast_1d(sample.payload).tolist()):
        if math.isfinite(value):
            total, count = part.values.get(channel, (0.0, 0))
            part.values[channel] = (total + value, count + 1)
