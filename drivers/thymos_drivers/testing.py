"""Test doubles for robots: a source from a list, and one that makes another one fail.

    source = FaultInjector(open_uri("enose", "sim:?pace=0"), FaultPlan(drop=0.1, lose_at_s=30))

Both are public: use them in the tests of your own robot.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from thymos.errors import ConfigError, DeviceLostError
from thymos.samples import (
    NS_PER_S,
    Counters,
    EndOfStream,
    Flag,
    Health,
    HealthReport,
    Kind,
    Payload,
    Sample,
    Source,
    StreamSpec,
    frozen,
)
from thymos_drivers.base import BaseSource


class ListSource(BaseSource):
    """Gives what it was given, in that order, then ends.

    Args:
        spec: The stream.
        items: A sample is returned, None is returned (nothing came in time), an exception raised.
        live: Whether the stamps are on the robot clock.
    """

    def __init__(
        self,
        spec: StreamSpec,
        items: Iterable[Sample | Exception | None],
        *,
        live: bool = False,
    ) -> None:
        super().__init__(spec)
        self.live = live
        self._items = list(items)
        self._left: deque[Sample | Exception | None] = deque()

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Return or raise the next item; `EndOfStream` after the last."""
        self._check_open()
        if not self._left:
            raise EndOfStream
        item = self._left.popleft()
        if isinstance(item, Exception):
            raise item
        if item is not None:
            self._counters.received += 1
        return item

    def _open(self) -> None:
        self._left = deque(self._items)
        self._say(Health.OK)


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """What goes wrong, and how often. Decided by seed and sequence number, never by the clock.

    Attributes:
        drop: Share of samples lost on the way, 0 to 1.
        corrupt: Share of samples whose payload is ruined (and flagged INVALID), 0 to 1.
        reorder: Share of samples that arrive after their successor, 0 to 1.
        delay_ms: All samples arrive this much later.
        stall_s: (from, to): in this stretch after the first sample nothing arrives.
        lose_at_s: The device vanishes this long after the first sample, once; it can be reopened.
        hang_at_s: It falls silent this long after the first sample, once, until it is reopened.
        seed: Of the dice.
    """

    drop: float = 0.0
    corrupt: float = 0.0
    reorder: float = 0.0
    delay_ms: float = 0.0
    stall_s: tuple[float, float] | None = None
    lose_at_s: float | None = None
    hang_at_s: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("drop", "corrupt", "reorder"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name} is a share from 0 to 1, not {getattr(self, name)}")

    def hits(self, share: float, seq: int, what: int) -> bool:
        """Whether fault number `what` strikes sample `seq`."""
        return share > 0 and float(np.random.default_rng([self.seed, what, seq]).random()) < share


class FaultInjector(BaseSource):
    """Passes a source on and makes it fail by plan."""

    def __init__(self, source: Source, plan: FaultPlan) -> None:
        super().__init__(source.spec)
        self.source = source
        self.plan = plan
        self._began: int | None = None
        self._gone = False
        self._hung: bool | None = None  # None: not yet
        self._held: Sample | None = None
        self._ready: deque[Sample] = deque()
        self._hole = False
        self._trouble: HealthReport | None = None

    @property
    def live(self) -> bool:  # type: ignore[override]
        """As the source that it wraps."""
        return bool(getattr(self.source, "live", False))

    @property
    def counters(self) -> Counters:
        """Its own faults and what the source lost by itself."""
        own, inner = self._counters, self.source.counters
        return Counters(
            received=own.received,
            dropped=own.dropped + inner.dropped,
            corrupt=own.corrupt + inner.corrupt,
            reconnects=own.reconnects + inner.reconnects,
        )

    @property
    def health(self) -> HealthReport:
        """The planned fault while it lasts, else the health of the source."""
        return self._trouble or self.source.health

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Return the next sample that survived.

        Raises:
            DeviceLostError: At the planned time.
        """
        self._check_open()
        deadline = time.monotonic() + timeout_s
        while not self._ready:
            left_s = max(0.0, deadline - time.monotonic()) if self.live else timeout_s
            try:
                sample = self.source.read(left_s)
            except EndOfStream:
                if self._held is None:
                    raise
                sample, self._held = self._held, None
                self._ready.append(sample)
                break
            if sample is None:
                return None
            self._judge(sample)
            if self.live and not self._ready and time.monotonic() >= deadline:
                return None
        out = self._ready.popleft()
        if self.live and self.plan.delay_ms:
            self._closed.wait(self.plan.delay_ms / 1000)
        self._counters.received += 1
        return out

    def _open(self) -> None:
        self.source.open()
        self._spec = self.source.spec
        self._ready.clear()
        self._held = None
        self._hole = bool(self._hung)
        self._hung = None if self._hung is None else False
        self._trouble = None

    def _close(self) -> None:
        self.source.close()

    def _judge(self, sample: Sample) -> None:
        plan = self.plan
        self._began = sample.t_ns if self._began is None else self._began
        at_s = (sample.t_ns - self._began) / NS_PER_S
        if plan.lose_at_s is not None and at_s >= plan.lose_at_s and not self._gone:
            self._gone = True
            self._counters.dropped += 1
            self.close()
            name = self._spec.device or self._spec.name
            self._trouble = HealthReport(Health.LOST, f"'{name}' went away", "plug it in again")
            raise DeviceLostError(f"'{name}' went away (planned fault)", hint="plug it in again")
        stalled = plan.stall_s is not None and plan.stall_s[0] <= at_s < plan.stall_s[1]
        if plan.hang_at_s is not None and at_s >= plan.hang_at_s and self._hung is None:
            self._hung = True
        stalled = stalled or bool(self._hung)
        if stalled or plan.hits(plan.drop, sample.seq, 1):
            state = Health.STALLED if stalled else Health.DEGRADED
            self._trouble = HealthReport(state, "samples are missing (planned fault)")
            self._counters.dropped += 1
            self._hole = True
            return
        self._trouble = None
        if self._hole:
            sample = replace(sample, flags=sample.flags | Flag.GAP_BEFORE)
            self._hole = False
        if plan.delay_ms:
            sample = replace(sample, t_recv_ns=sample.t_recv_ns + int(plan.delay_ms * 1e6))
        if plan.hits(plan.corrupt, sample.seq, 2):
            self._counters.corrupt += 1
            sample = _ruined(sample, self._spec, plan.seed)
        if self._held is not None:
            self._ready += [sample, self._held]
            self._held = None
        elif plan.hits(plan.reorder, sample.seq, 3):
            self._held = sample
        else:
            self._ready.append(sample)


def _ruined(sample: Sample, spec: StreamSpec, seed: int) -> Sample:
    """The sample with a payload of the same shape that says nothing, flagged INVALID."""
    if spec.kind is Kind.GAS:
        payload: Payload = np.full(sample.payload.shape, np.nan)
    else:
        rng = np.random.default_rng([seed, 4, sample.seq])
        info = np.iinfo(sample.payload.dtype)
        payload = rng.integers(
            info.min, info.max, sample.payload.shape, sample.payload.dtype, endpoint=True
        )
    return replace(
        sample,
        payload=frozen(payload),
        flags=sample.flags | Flag.INVALID,
        note="damaged on the way (planned fault)",
        smell=None,
    )
