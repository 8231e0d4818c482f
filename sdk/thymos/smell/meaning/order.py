"""What came first: a smell, or what a face, a voice or words did?

A MOX sensor tells of the past: what it shows at a reading began in the air earlier, by a lag that
is known only with a spread. So the onset of a smell is an interval, and so is that of a cue (it is
seen a few times a second, or had begun before the window). "Before" and "after" are said only if
they hold for every pair of moments in the two intervals; else it was about the same time, or it is
not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from thymos.contract import Cue
from thymos.samples import NS_PER_S

Order = Literal["before", "after", "same"]
"""Of the smell, as seen from the other."""

UNKNOWN_LAG_NS = 60 * NS_PER_S
"""How far a sensor may lag if nothing more is known of it; never is it ahead of the air."""
ONSET_NAMES = ("odour_onset", "odour")
"""Cues that tell when a smell began, the better one first."""
DEVIATIONS = 2
"""Standard deviations of the lag within which the whole interval lies (`Cue.began_ns`): with one,
every third order that is told would rest on chance."""
GRAIN_NS = NS_PER_S // 4
"""How exactly the beginning of what a face or a voice does is known: a few looks a second."""
NEAR_NS = 30 * NS_PER_S
"""What lies further apart is not told together."""
SAME_NS = 20 * NS_PER_S
"""A smell whose beginning is known worse than this is at "the same time" as nothing."""


@dataclass(frozen=True, slots=True)
class Span:
    """When something began: not before `earliest_ns`, not after `latest_ns`.

    Attributes:
        earliest_ns: None if it may have begun at any time before.
        latest_ns: Latest.
    """

    earliest_ns: int | None
    latest_ns: int


@dataclass(frozen=True, slots=True)
class Relation:
    """How a smell lies in time to another cue.

    Attributes:
        smell: A cue of the smell.
        other: Of a face, a voice or words.
        order: Of the smell.
        gap_ns: Least and most time between the two beginnings; zeros if `same`.
    """

    smell: Cue
    other: Cue
    order: Order
    gap_ns: tuple[int, int]


def in_air(t_ns: int, lag_ns: int, deviation_ns: int) -> tuple[int, int]:
    """Earliest and latest time at which what a reading shows can have begun in the air.

    Args:
        t_ns: Capture time of the reading; never before the air.
        lag_ns: How far the sensor lags.
        deviation_ns: Standard deviation of that.
    """
    far_ns = DEVIATIONS * deviation_ns
    return t_ns - max(0, lag_ns + far_ns), t_ns - max(0, lag_ns - far_ns)


def smell_began(cue: Cue) -> Span:
    """When a smell began in the air; without a lag model, in the minute before it showed."""
    if cue.began_ns is not None:
        return Span(cue.began_ns[0], max(cue.began_ns))
    return Span(cue.t0_ns - UNKNOWN_LAG_NS, cue.t0_ns)


def other_began(cue: Cue, window_t0_ns: int) -> Span:
    """When what a face or voice does began; it may be older than a window that it fills."""
    if cue.t0_ns <= window_t0_ns + GRAIN_NS:
        return Span(None, cue.t0_ns + GRAIN_NS)
    return Span(cue.t0_ns - GRAIN_NS, cue.t0_ns + GRAIN_NS)


def relation(smell: Cue, other: Cue, window_t0_ns: int) -> Relation | None:
    """How a smell lies to another cue; None if nothing can be said of it."""
    air, seen = smell_began(smell), other_began(other, window_t0_ns)
    assert air.earliest_ns is not None  # noqa: S101
    if seen.earliest_ns is not None and air.latest_ns < seen.earliest_ns:
        gap = (seen.earliest_ns - air.latest_ns, seen.latest_ns - air.earliest_ns)
        return Relation(smell, other, "before", gap) if gap[0] <= NEAR_NS else None
    if air.earliest_ns > seen.latest_ns:
        least = air.earliest_ns - seen.latest_ns
        if seen.earliest_ns is None or least > NEAR_NS:
            return None  # how long before is not known, or too long
        return Relation(smell, other, "after", (least, air.latest_ns - seen.earliest_ns))
    if seen.earliest_ns is None or air.latest_ns - air.earliest_ns > SAME_NS:
        return None
    return Relation(smell, other, "same", (0, 0))


def onset_of(cues: Sequence[Cue]) -> Cue | None:
    """The cue that tells when the newest smell began; None if none does."""
    for name in ONSET_NAMES:
        found = [c for c in cues if c.modality == "smell" and c.name == name]
        if found:
            return max(found, key=lambda c: (c.t0_ns, c.id))
    return None


def relations(cues: Sequence[Cue], others: Sequence[Cue], window_t0_ns: int) -> list[Relation]:
    """How the newest smell lies to each of the other cues, as far as it can be said.

    Args:
        cues: All cues of the window.
        others: Of a face, a voice or words; the rest is left out.
        window_t0_ns: Start of the window.
    """
    smell = onset_of(cues)
    if smell is None:
        return []
    found = [relation(smell, c, window_t0_ns) for c in others if c.modality != "smell"]
    return [r for r in found if r is not None]


def words(found: Relation) -> str:
    """`about 4 s before`, `at least 2 s after`, `at about the same time as`."""
    if found.order == "same":
        return "at about the same time as"
    least, most = (gap / NS_PER_S for gap in found.gap_ns)
    if most - least <= max(2.0, 0.5 * least):
        return f"about {round((least + most) / 2)} s {found.order}"
    whole = int(least)
    return f"at least {whole} s {found.order}" if whole else f"shortly {found.order}"
