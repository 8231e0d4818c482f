"""Where in a sniff the nose is, and whether clean air may be taken anew.

    BASELINE ── three readings in a row above the threshold ──> EXPOSURE
    EXPOSURE ── below .92 of its peak ──> RECOVERY ── above 1.1 of the old peak ──> EXPOSURE
    EXPOSURE, RECOVERY ── below half of the threshold ──> BASELINE

A sensor remembers: after 60 s of clean air an anomaly detector still gave 36 % false alarms, after
300 s 5.4 % (OpenSmell, interoperability study), and R/R0 with an R0 that holds the memory of an
odour was the worst of all representations. So clean air may be taken anew, or followed, only after
`REZERO_AFTER_NS` of it. That time is *counted*, reading by reading: a gap, a stamp that goes
backwards, a warm-up and a restart all begin it again, because nobody knows what the air did there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from thymos.samples import NS_PER_S
from thymos.smell.frame import F64, Phase

REZERO_AFTER_NS = 300 * NS_PER_S
"""Clean air needed after a smell before the baseline may move."""
GAP_NS = 150 * NS_PER_S
"""A silence longer than this begins the count anew. Shorter ones count: what came and went in them
is still seen afterwards (the slow part of recovery has 45 to 60 s). Board noses of Bosch sleep for
two minutes between their scans, and the first two scans after that are of no use."""
MIN_CHANGE = 0.08
"""Smallest response that counts; below it MOX sensors drift and answer humidity."""
NOISE_TIMES = 6.0
READINGS_ON = 3  # in a row, so that one bad reading is no smell
FADING = 0.92  # of the peak: the source is gone, the sensor recovers
AGAIN = 1.1  # of the old peak: it comes back after it had begun to fade
HIGH = 0.98  # of the peak: the source was still there
SMOOTH_NS = 2 * NS_PER_S
CLEARED = 0.5  # of the threshold


@dataclass(slots=True)
class Odour:
    """A smell from its onset until the air is clean again; `level` and `peak` in thresholds.

    Times are of readings: what the sensors showed, which is later than what the air did.

    Attributes:
        onset_ns: First reading above the threshold.
        flat_ns: Last reading before it that showed nothing: below half of the threshold.
        known_ns: When there were enough readings to be sure of the onset.
        last_ns: Newest reading.
        level: Strength, smoothed over two seconds.
        peak: Largest level so far.
        high_ns: When the level was last near the peak.
        fading_ns: When it was found to fade; None while it does not.
        cleared_ns: When the air was clean again; None until then.
    """

    onset_ns: int
    flat_ns: int | None
    known_ns: int
    last_ns: int
    level: float
    peak: float
    high_ns: int
    fading_ns: int | None = None
    cleared_ns: int | None = None


def thresholds(noise_share: F64) -> F64:
    """Response that counts as a smell, by the noise in clean air (share of R0) [channels]."""
    return np.maximum(MIN_CHANGE, NOISE_TIMES * noise_share)


def strength(response: F64, threshold: F64) -> float:
    """The largest response, in thresholds of its channel; NaN if no channel answers."""
    ratio = np.abs(response) / threshold
    return float(np.fmax.reduce(ratio)) if ratio.size else float("nan")


class PhaseMachine:
    """Follows one nose through baseline, exposure and recovery.

    Attributes:
        odour: The smell that is there, or the last one; None before the first.
        quiet_ns: Clean air counted since the last smell, gap, backward stamp or restart.
        quiet_since_ns: Stamp of the reading at which that count began.
        flat_ns: Stamp of the last reading that showed nothing, see `Odour`.
    """

    def __init__(self) -> None:
        self.odour: Odour | None = None
        self.quiet_ns = 0
        self.quiet_since_ns: int | None = None
        self._above: list[int] = []
        self._last_ns: int | None = None
        self._smelt_ns: int | None = None
        self.flat_ns: int | None = None

    @property
    def current(self) -> Odour | None:
        """The smell that is there now."""
        odour = self.odour
        return odour if odour is not None and odour.cleared_ns is None else None

    @property
    def phase(self) -> Phase:
        """Of the sniff."""
        odour = self.current
        if odour is None:
            return Phase.BASELINE
        return Phase.EXPOSURE if odour.fading_ns is None else Phase.RECOVERY

    @property
    def since_ns(self) -> int | None:
        """When the phase began."""
        odour = self.current
        if odour is None:
            return self.quiet_since_ns
        return odour.onset_ns if odour.fading_ns is None else odour.fading_ns

    @property
    def rezero_in_ns(self) -> int:
        """Clean air still needed before the baseline may move."""
        return max(0, REZERO_AFTER_NS - self.quiet_ns)

    def may_rezero(self, t_ns: int) -> bool:
        """Whether the baseline may move with a reading of this time."""
        if self.current is not None or self._above or self.quiet_ns < REZERO_AFTER_NS:
            return False
        smelt = self._smelt_ns
        return smelt is None or abs(t_ns - smelt) >= REZERO_AFTER_NS

    def interrupt(self) -> None:
        """Something hid the air (a warm-up, a restart): the count of clean air begins anew."""
        self.quiet_ns, self.quiet_since_ns, self._last_ns = 0, None, None
        self._above, self.flat_ns = [], None

    def update(self, t_ns: int, level: float) -> Odour | None:
        """Take the strength of a reading; returns a smell that has just been found.

        Args:
            t_ns: Time of the reading.
            level: Its strength in thresholds; NaN is no reading.
        """
        if math.isnan(level):  # it says nothing about the air; its time counts as a gap
            return None
        before = self._last_ns
        step = 0 if before is None else t_ns - before
        self._last_ns = t_ns
        if before is None or not 0 <= step <= GAP_NS:
            self.quiet_ns, self.quiet_since_ns, self._above = 0, None, []
            step, self.flat_ns = 0, None
        clean = not self._above
        odour = self.current
        if odour is not None:
            self._track(odour, t_ns, level)
        found = self._begin(t_ns, level) if odour is None else None
        if self.current is not None or len(self._above) > 1:
            self.quiet_ns, self.quiet_since_ns, self._smelt_ns = 0, None, t_ns
        elif not self._above:
            # Only time between two clean readings counts, not that beside a single bad one.
            self.quiet_ns += step if clean and self.quiet_since_ns is not None else 0
            self.quiet_since_ns = t_ns if self.quiet_since_ns is None else self.quiet_since_ns
        return found

    def _begin(self, t_ns: int, level: float) -> Odour | None:
        if not level > 1.0:
            self._above = []
            self.flat_ns = t_ns if level < CLEARED else self.flat_ns
            return None
        self._above.append(t_ns)
        if len(self._above) < READINGS_ON:
            return None
        onset = self._above[0]
        self._above = []
        self.odour = Odour(onset, self.flat_ns, t_ns, t_ns, level, level, t_ns)
        return self.odour

    def _track(self, odour: Odour, t_ns: int, level: float) -> None:
        """Follow peak, fading and clearing of a smell."""
        # Smoothed over two seconds: the noise of counts is no coming and going.
        weight = -np.expm1(-max(0, t_ns - odour.last_ns) / SMOOTH_NS)
        odour.level += float(weight) * (level - odour.level)
        odour.last_ns = t_ns
        if odour.level > odour.peak * (1.0 if odour.fading_ns is None else AGAIN):
            odour.peak, odour.fading_ns = odour.level, None
        elif odour.fading_ns is None and odour.level < FADING * odour.peak:
            odour.fading_ns = t_ns
        if odour.fading_ns is None and odour.level >= HIGH * odour.peak:
            odour.high_ns = t_ns
        if odour.level < CLEARED:
            odour.cleared_ns = t_ns
