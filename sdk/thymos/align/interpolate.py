"""Which samples of a stream belong to an instant of another: one small pure object for each rule.

An interpolator looks at the capture times of a stream, in order, and at its watermark. It answers
with one of three outcomes, after the interpolators of Microsoft Psi (D. Bohus et al., "Platform
for Situated Intelligence", arXiv 2103.15975, section 3: created, does not exist, insufficient
data). An answer is given only if no sample that may still come could change it.

Of several samples of the same instant the one with the lowest number is taken; only `linear` takes
the two that are neighbours of the instant in order of (time, number).
"""

from __future__ import annotations

import enum
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from thymos.align.line import first_of
from thymos.errors import ConfigError
from thymos.samples import NS_PER_S, Sample, frozen

FOR_EVER = NS_PER_S * 3600 * 24 * 365 * 100


class Outcome(enum.Enum):
    """What is known of a stream at an instant."""

    CREATED = "created"
    """There is a sample."""
    DOES_NOT_EXIST = "does not exist"
    """There is none and, as far as the stream is complete, there never will be."""
    NOT_YET = "not yet"
    """One may still come."""


Found = tuple[Outcome, int, int]
"""Outcome and the samples it rests on, as indices [first, last). With `NOT_YET` these are what
would be taken if nothing more came; first == last if that is nothing."""

CREATED, DOES_NOT_EXIST, NOT_YET = Outcome


class Interpolator(Protocol):
    """A rule that picks samples for an instant. Pure: it keeps no state."""

    @property
    def after_ns(self) -> int:
        """How far after the instant it may look."""

    def find(self, times: Sequence[int], t_ns: int, complete_to: int) -> Found:
        """Pick for the instant `t_ns`.

        Args:
            times: Capture times in order [ns].
            t_ns: The instant.
            complete_to: No sample from before this time is still to come.
        """

    def needed_from(self, times: Sequence[int], t_ns: int) -> int:
        """Index of the oldest sample that an instant at or after `t_ns` can ask for."""

    def value(self, samples: Sequence[Sample], t_ns: int) -> Sample:
        """Make one sample of those found."""


@dataclass(frozen=True, slots=True)
class Exact:
    """The sample of the very same instant."""

    @property
    def after_ns(self) -> int:
        """Looks no further than the instant."""
        return 0

    def find(self, times: Sequence[int], t_ns: int, complete_to: int) -> Found:
        """See `Interpolator.find`."""
        at = bisect_left(times, t_ns)
        if at < len(times) and times[at] == t_ns:
            return (CREATED if complete_to >= t_ns else NOT_YET), at, at + 1
        return (DOES_NOT_EXIST if complete_to > t_ns else NOT_YET), at, at

    def needed_from(self, times: Sequence[int], t_ns: int) -> int:
        """See `Interpolator.needed_from`."""
        return bisect_left(times, t_ns)

    def value(self, samples: Sequence[Sample], t_ns: int) -> Sample:
        """The sample itself."""
        return samples[0]


@dataclass(frozen=True, slots=True)
class _Tolerant:
    """What rules with a tolerance share: they look as far ahead as back, and take one sample."""

    tolerance_ns: int

    def __post_init__(self) -> None:
        """Check.

        Raises:
            ConfigError: The tolerance is negative.
        """
        _check(self.tolerance_ns >= 0, "the tolerance is negative")

    @property
    def after_ns(self) -> int:
        """Looks as far ahead as back."""
        return self.tolerance_ns

    def needed_from(self, times: Sequence[int], t_ns: int) -> int:
        """See `Interpolator.needed_from`."""
        return _latest(times, t_ns, self.tolerance_ns)

    def value(self, samples: Sequence[Sample], t_ns: int) -> Sample:
        """The sample itself."""
        return samples[0]


@dataclass(frozen=True, slots=True)
class Nearest(_Tolerant):
    """The sample with the least distance, at most `tolerance_ns`; if two are as near, the earlier.

    It is decided as soon as the stream is complete to as far after the instant as the sample lies
    from it: sooner than the tolerance has passed.
    """

    def find(self, times: Sequence[int], t_ns: int, complete_to: int) -> Found:
        """See `Interpolator.find`."""
        at = bisect_left(times, t_ns)
        distance = times[at] - t_ns if at < len(times) else FOR_EVER
        if at and t_ns - times[at - 1] <= distance:
            at -= 1
            distance = t_ns - times[at]
            if at and times[at - 1] == times[at]:
                at = first_of(times, at)
        if distance <= self.tolerance_ns:
            return (CREATED if complete_to >= t_ns + distance else NOT_YET), at, at + 1
        gone = complete_to > t_ns + self.tolerance_ns
        return (DOES_NOT_EXIST if gone else NOT_YET), at, at


@dataclass(frozen=True, slots=True)
class LastBefore(_Tolerant):
    """The newest sample at or before the instant, at most `tolerance_ns` old."""

    tolerance_ns: int = FOR_EVER

    @property
    def after_ns(self) -> int:
        """Looks no further than the instant."""
        return 0

    def find(self, times: Sequence[int], t_ns: int, complete_to: int) -> Found:
        """See `Interpolator.find`."""
        at = bisect_right(times, t_ns) - 1
        if at < 0 or t_ns - times[at] > self.tolerance_ns:
            return (DOES_NOT_EXIST if complete_to > t_ns else NOT_YET), 0, 0
        sure = complete_to > t_ns or times[at] == t_ns == complete_to
        at = first_of(times, at)
        return (CREATED if sure else NOT_YET), at, at + 1


@dataclass(frozen=True, slots=True)
class Linear(_Tolerant):
    """The value between the two neighbours of the instant, each at most `tolerance_ns` away.

    For numbers (`Kind.GAS`) only: a picture between two pictures was never seen by anybody. A
    channel that is NaN in one neighbour is NaN; flags of both hold. Nothing is extrapolated.
    """

    def find(self, times: Sequence[int], t_ns: int, complete_to: int) -> Found:
        """See `Interpolator.find`; two indices or, where one sample is of the instant, one."""
        at = bisect_left(times, t_ns)
        if at < len(times) and times[at] == t_ns:
            return (CREATED if complete_to >= t_ns else NOT_YET), at, at + 1
        if not at or t_ns - times[at - 1] > self.tolerance_ns:
            return (DOES_NOT_EXIST if complete_to > t_ns else NOT_YET), 0, 0
        if at < len(times) and times[at] - t_ns <= self.tolerance_ns:
            sure = complete_to >= times[at]
            return (CREATED if sure else NOT_YET), at - 1, at + 1
        gone = complete_to > t_ns + self.tolerance_ns
        return (DOES_NOT_EXIST if gone else NOT_YET), 0, 0

    def value(self, samples: Sequence[Sample], t_ns: int) -> Sample:
        """A sample of the instant, as if the sensor had been read then (float64)."""
        a, b = samples[0], samples[-1]
        if a is b:
            return a
        share = (t_ns - a.t_ns) / (b.t_ns - a.t_ns)
        mixed = np.asarray(a.payload, np.float64) * (1.0 - share) + b.payload * share
        return replace(
            a,
            t_ns=t_ns,
            t_recv_ns=max(a.t_recv_ns, b.t_recv_ns),
            payload=frozen(mixed),
            flags=a.flags | b.flags,
            note=a.note or b.note,
        )


@dataclass(frozen=True, slots=True)
class AllInSpan:
    """All samples with a capture time in [t − before_ns, t + after_ns), in order."""

    before_ns: int
    after_ns: int = 0

    def __post_init__(self) -> None:
        """Check.

        Raises:
            ConfigError: The span is empty.
        """
        _check(self.before_ns + self.after_ns > 0, "the span is empty")

    def find(self, times: Sequence[int], t_ns: int, complete_to: int) -> Found:
        """See `Interpolator.find`."""
        end = t_ns + self.after_ns
        first, last = bisect_left(times, t_ns - self.before_ns), bisect_left(times, end)
        if complete_to < end:
            return NOT_YET, first, last
        return (CREATED if first < last else DOES_NOT_EXIST), first, last

    def needed_from(self, times: Sequence[int], t_ns: int) -> int:
        """See `Interpolator.needed_from`."""
        return bisect_left(times, t_ns - self.before_ns)

    def value(self, samples: Sequence[Sample], t_ns: int) -> Sample:
        """The newest of them."""
        return samples[-1]


def _check(fine: bool, message: str) -> None:
    if not fine:
        raise ConfigError(message, hint="times are nanoseconds: 20 ms is 20_000_000")


def _latest(times: Sequence[int], t_ns: int, tolerance_ns: int) -> int:
    """From here on: what is within the tolerance, and of the time before only the newest."""
    near = bisect_left(times, t_ns - tolerance_ns)
    last = bisect_right(times, t_ns) - 1
    return max(near, first_of(times, last)) if last >= 0 else near


exact = Exact()
"""The sample of the very same instant: topics stamped by one trigger."""

nearest = Nearest
last_before = LastBefore
linear = Linear
all_in_span = AllInSpan
