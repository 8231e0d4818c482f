"""What a nose went through in a run, kept small however long it was.

`SmellCollector` watches a run as `thymos smell live` does and sums it up in bins of capture time.
When there are more than `max_bins`, neighbours are merged, so memory and page are bounded and the
result depends on capture times and payloads alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from thymos.config import PerceiveConfig
from thymos.errors import ThymosError
from thymos.events import Observer
from thymos.samples import Kind, Sample, StreamSpec
from thymos.smell.frame import F64, Fault, Phase
from thymos.smell.view import DangerView, EventView, SmellView

if TYPE_CHECKING:
    from thymos.smell.watch import Glance

BIN_NS = 100_000_000
MAX_BINS = 600
MAX_EVENTS = 100
EVENTS = ("odour_onset", "odour_fading", "odour_cleared", "link")
MAX_SPANS = 40


@dataclass(slots=True)
class SmellBin:
    """One stretch of time; arrays are [gas channels].

    Attributes:
        total: Sum of the responses, and of how many readings.
        count: Readings whose response is known.
        faults: Readings of each fault, by channel.
        phases: Readings in each phase.
        shares: Sum of the probabilities of each class, over `smelt` readings.
        smelt: Readings while something smelt.
        drift: Largest drift score, NaN if none.
        danger: The dangers smelt, by kind with the greatest confidence.
    """

    total: F64
    count: F64
    faults: dict[tuple[int, Fault], int] = field(default_factory=dict)
    phases: dict[Phase, int] = field(default_factory=dict)
    shares: dict[str, float] = field(default_factory=dict)
    smelt: int = 0
    readings: int = 0
    drift: float = math.nan
    danger: dict[str, float] = field(default_factory=dict)

    def take(self, moment: Glance) -> None:
        """Add a reading."""
        self.readings += 1
        known = np.isfinite(moment.signal.response)
        self.total[known] += moment.signal.response[known]
        self.count += known
        for channel, fault in enumerate(moment.signal.faults):
            if fault is not Fault.NONE:
                _add(self.faults, {(channel, fault): 1})
        _add(self.phases, {moment.signal.phase: 1})
        self.smelt += bool(moment.odour.shares)
        _add(self.shares, dict(moment.odour.shares))
        if moment.signal.drift is not None:
            self.drift = float(np.fmax(self.drift, moment.signal.drift.score))
        if moment.danger is not None:
            _most(self.danger, {moment.danger.kind: moment.danger.confidence})

    def merge(self, other: SmellBin) -> None:
        """Take the neighbour in."""
        self.total += other.total
        self.count += other.count
        self.readings += other.readings
        self.smelt += other.smelt
        self.drift = float(np.fmax(self.drift, other.drift))
        _add(self.faults, other.faults)
        _add(self.phases, other.phases)
        _add(self.shares, other.shares)
        _most(self.danger, other.danger)

    @property
    def response(self) -> F64:
        """Mean response, NaN where none is known."""
        with np.errstate(invalid="ignore"):
            return self.total / self.count

    @property
    def phase(self) -> Phase:
        """That of most readings."""
        order = list(Phase)
        return max(self.phases, key=lambda p: (self.phases[p], order.index(p)))

    def unusable(self) -> dict[int, Fault]:
        """Why channels were not used, of those that were not in half of the readings or more."""
        total: dict[int, int] = {}
        worst: dict[int, tuple[int, Fault]] = {}
        for (channel, fault), n in self.faults.items():
            total[channel] = total.get(channel, 0) + n
            if channel not in worst or n > worst[channel][0]:
                worst[channel] = (n, fault)
        return {k: worst[k][1] for k, n in total.items() if 2 * n >= self.readings}


@dataclass(slots=True)
class SmellTrace:
    """A nose over time: bins by index `t_ns // bin_ns`.

    Attributes:
        view: How it was at the end.
        events: The first `MAX_EVENTS`, in order.
        left_out: Events after those.
        alarms: When a danger was first smelt, each time it began.
    """

    view: SmellView
    bin_ns: int
    bins: dict[int, SmellBin]
    t_end_ns: int
    events: tuple[EventView, ...] = ()
    left_out: int = 0
    alarms: tuple[DangerView, ...] = ()
    _faulty: list[tuple[int, int, dict[int, Fault]]] | None = field(
        default=None, init=False, repr=False
    )

    def stretches(self) -> list[tuple[int, int, SmellBin]]:
        """Bins in order of time, as (t0_ns, t1_ns, bin)."""
        width = self.bin_ns
        return [(i * width, (i + 1) * width, self.bins[i]) for i in sorted(self.bins)]

    def phases(self) -> list[tuple[int, int, Phase]]:
        """Phases one after the other; pauses of the nose belong to the phase before."""
        out: list[tuple[int, int, Phase]] = []
        for t0, t1, part in self.stretches():
            if out and out[-1][2] is part.phase:
                out[-1] = (out[-1][0], t1, part.phase)
            else:
                if out:
                    out[-1] = (out[-1][0], t0, out[-1][2])
                out.append((t0, t1, part.phase))
        return out

    def unusable(self, *channels: int) -> list[tuple[int, int, Fault]]:
        """When none of these channels was used, and why; at most `MAX_SPANS`, nearest ones joined.

        The reason is that of the first of them.
        """
        if self._faulty is None:
            self._faulty = [(t0, t1, part.unusable()) for t0, t1, part in self.stretches()]
        found = [
            (t0, t1, faulty[channels[0]])
            for t0, t1, faulty in self._faulty
            if all(k in faulty for k in channels)
        ]
        gap = self.bin_ns
        spans = joined(found, gap)
        while len(spans) > MAX_SPANS and gap < self.t_end_ns - spans[0][0]:
            gap *= 2
            spans = joined(spans, gap)
        return spans[:MAX_SPANS]

    @property
    def labels(self) -> list[str]:
        """Classes, those that were likeliest over the run first, `unknown` last."""
        sums: dict[str, float] = {}
        for part in self.bins.values():
            _add(sums, part.shares)
        known = sorted((n for n in sums if n != "unknown"), key=lambda n: (-sums[n], n))
        return [*known, "unknown"] if "unknown" in sums else known


class SmellCollector(Observer):
    """Watches the first nose of a run.

    Args:
        config: Settings of the perceiver, those of the run.
        max_bins: How many stretches are kept.
    """

    def __init__(self, config: PerceiveConfig | None = None, max_bins: int = MAX_BINS) -> None:
        from thymos.smell.watch import SmellWatch

        self._watch = SmellWatch(config)
        self._max = max_bins
        self._bin_ns = BIN_NS
        self._bins: dict[int, SmellBin] = {}
        self._end_ns = 0
        self._seen = 0
        self._events: list[EventView] = []
        self._alarms: list[DangerView] = []
        self._alarmed = ("", 0)
        self._onset_at: int | None = None
        self._left_out = 0

    @property
    def trace(self) -> SmellTrace | None:
        """What was seen; None without a nose or without a reading."""
        if self._watch.spec is None or not self._bins:
            return None
        return SmellTrace(
            view=self._watch.view(),
            bin_ns=self._bin_ns,
            bins=self._bins,
            t_end_ns=self._end_ns,
            events=tuple(self._events),
            left_out=self._left_out,
            alarms=tuple(self._alarms),
        )

    def on_stream(self, spec: StreamSpec) -> None:
        """A stream begins; one that cannot be perceived is left out, the run itself says why."""
        if spec.kind is Kind.GAS:
            with suppress(ThymosError):
                self._watch.on_stream(spec)

    def on_sample(self, sample: Sample) -> None:
        """Sum a reading up."""
        spec = self._watch.spec
        if spec is None or sample.stream != spec.name:
            return
        self._watch.on_sample(sample)
        moment = self._watch.now()
        width = len(moment.signal.response)
        at = sample.t_ns // self._bin_ns
        if at not in self._bins:
            self._bins[at] = SmellBin(np.zeros(width), np.zeros(width))
        self._bins[at].take(moment)
        self._end_ns = max(self._end_ns, sample.t_ns)
        self._listen(moment)
        while len(self._bins) > self._max:
            self._coarsen()

    def _listen(self, moment: Glance) -> None:
        self._seen, fresh = self._watch.fresh(self._seen)
        for event in fresh:
            if event.name not in EVENTS:
                continue
            kept = len(self._events) < MAX_EVENTS
            if event.name == "odour_onset":
                self._onset_at = len(self._events) if kept else None
            if kept:
                self._events.append(event)
            else:
                self._left_out += 1
        if self._onset_at is not None and moment.odour.began_ns is not None:
            # The longer it is smelt, the better it is known when it began.
            early, late = moment.odour.began_ns
            onset = self._events[self._onset_at]
            self._events[self._onset_at] = replace(onset, earliest_ns=early, latest_ns=late)
        danger = moment.danger
        new = danger is not None and (danger.kind, danger.known_ns) != self._alarmed
        if danger is not None and new and len(self._alarms) < MAX_EVENTS:
            self._alarms.append(danger)
            self._alarmed = (danger.kind, danger.known_ns)

    def _coarsen(self) -> None:
        """Merge neighbours; bins become twice as wide."""
        merged: dict[int, SmellBin] = {}
        for index in sorted(self._bins):
            if index // 2 in merged:
                merged[index // 2].merge(self._bins[index])
            else:
                merged[index // 2] = self._bins[index]
        self._bins, self._bin_ns = merged, self._bin_ns * 2


def joined(spans: Iterable[tuple[int, int, Fault]], gap_ns: int) -> list[tuple[int, int, Fault]]:
    """Spans in order of time, with those of one kind joined that are no further apart."""
    out: list[tuple[int, int, Fault]] = []
    for t0, t1, kind in spans:
        if out and out[-1][2] is kind and t0 - out[-1][1] <= gap_ns:
            out[-1] = (out[-1][0], t1, kind)
        else:
            out.append((t0, t1, kind))
    return out


def _add(into: dict[Any, Any], more: Mapping[Any, Any]) -> None:
    """Add numbers key by key."""
    for key, value in more.items():
        into[key] = into.get(key, 0) + value


def _most(into: dict[str, float], more: Mapping[str, float]) -> None:
    """Keep the greatest of each key."""
    for key, value in more.items():
        into[key] = max(into.get(key, 0.0), value)
