"""Whether a nose is warm: by its own word, by a declared time, and by its readings.

Somebody has to say that the nose was cold (the device flags its readings, or `declared_s` is
given): a nose that runs already and smells something is not cold. From then on it is warm when the
declared time is over, the device no longer says otherwise, *and* its readings have settled. They
have when the means of two stretches that follow each other differ by less than `SETTLED_PER_MIN`
on four of five channels; a nose that never settles is let through after `MAX_SETTLE_NS`, and
`why` says so. Burn-in (new sensors: days to weeks) cannot be seen in minutes and is not judged.
"""

from __future__ import annotations

import numpy as np

from thymos.samples import NS_PER_S
from thymos.smell.frame import F64

STRETCH_NS = 10 * NS_PER_S
STRETCH_READINGS = 20
SETTLED_PER_MIN = 0.02
"""A quarter of the smallest response that counts as a smell, each minute."""
SETTLED_SHARE = 0.8
MAX_SETTLE_NS = 600 * NS_PER_S
ASLEEP_NS = 30 * NS_PER_S
"""A scan takes some ten seconds; a hole that is longer, and three steps long, is sleep."""
UNSETTLED_SCANS = 2
AWAY_NS = 120 * NS_PER_S
"""Silent for so long it was perhaps switched off: a declared time counts anew."""


class WarmUp:
    """The gate of one nose; readings during warm-up are shown and not judged.

    Args:
        declared_s: How long it takes from switching on, by its maker or by experience; the first
            reading counts as switching on. 0: not declared.

    Attributes:
        warm: Whether readings may be judged.
        why: Why not, or what was odd about it, in words; empty if there is nothing to say.
        on_for_ns: How long it has been on as far as is known, -1 if nobody said it was cold.
    """

    def __init__(self, declared_s: float = 0.0) -> None:
        self._declared_ns = round(declared_s * NS_PER_S)
        self.warm = declared_s <= 0
        self.why = "" if self.warm else "the nose is warming up"
        self.on_for_ns = -1 if self.warm else 0
        self._on_ns: int | None = None
        self._last_ns: int | None = None
        self._word_ns: int | None = None
        self._forget()

    @property
    def left_ns(self) -> int | None:
        """Time left of what was declared; None if the nose is warm or nothing was declared."""
        if self.warm or self._declared_ns <= 0:
            return None
        return max(0, self._declared_ns - max(0, self.on_for_ns))

    def update(self, t_ns: int, values: F64, *, warming: bool) -> bool:
        """Take a reading; whether it may be judged.

        Args:
            t_ns: Its time.
            values: Readings [channels], NaN where invalid.
            warming: The device says it has not settled.
        """
        before, self._last_ns = self._last_ns, t_ns
        away = before is not None and not 0 <= t_ns - before <= AWAY_NS
        if (warming and self.warm) or (self._declared_ns > 0 and (before is None or away)):
            self._begin(t_ns)
        if self._on_ns is not None:
            self.on_for_ns = max(0, t_ns - self._on_ns)
        if self.warm:
            return True
        self._gather(t_ns, values)
        if warming or self.on_for_ns < self._declared_ns:
            self._word_ns = None
            return False
        self._word_ns = t_ns if self._word_ns is None else self._word_ns
        late = t_ns - self._word_ns >= MAX_SETTLE_NS
        if self._settled or late:
            self.warm = True
            self.why = "" if self._settled else "the nose never settled after its warm-up"
        else:
            self.why = "the nose has not settled yet"
        return self.warm

    def _begin(self, t_ns: int) -> None:
        self.warm, self.why = False, "the nose is warming up"
        self._on_ns, self._word_ns = t_ns, None
        self._forget()

    def _forget(self) -> None:
        self._sum: F64 | None = None
        self._count, self._since_ns = 0, 0
        self._mean: F64 | None = None
        self._settled = False

    def _gather(self, t_ns: int, values: F64) -> None:
        """Means of stretches, and whether the last two are alike."""
        if self._sum is None or t_ns < self._since_ns:
            self._sum, self._count, self._since_ns = np.zeros(len(values)), 0, t_ns
        self._sum = self._sum + values  # a NaN makes the stretch of this channel NaN
        self._count += 1
        lasted = t_ns - self._since_ns
        if lasted < STRETCH_NS or self._count < STRETCH_READINGS:
            return
        mean = self._sum / self._count
        if self._mean is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                change = np.abs(mean - self._mean) / np.abs(self._mean)
            known = np.isfinite(change)
            limit = SETTLED_PER_MIN * lasted / (60 * NS_PER_S)
            still = change[known] <= limit
            self._settled = bool(still.size) and float(still.mean()) >= SETTLED_SHARE
        self._mean, self._sum = mean, None


class Waking:
    """Whether the heaters of a board that sleeps between its scans are settled again.

    Bosch boards scan a few cycles and sleep for minutes (duty cycle). The first scan after that is
    off by a factor of two to three, the second by a third, later ones by a tenth and less (real
    logs, docs/smell-signal.md).

    Args:
        scans: The nose scans its heaters; one that does not never sleeps.
    """

    def __init__(self, *, scans: bool) -> None:
        self._scans = scans
        self._last_ns: int | None = None
        self._step_ns = 0
        self._left = 0

    def update(self, t_ns: int) -> bool:
        """Take the time of a reading; whether its values may be used."""
        if not self._scans:
            return True
        before, self._last_ns = self._last_ns, t_ns
        step = -1 if before is None else t_ns - before
        if step < 0 or step > max(ASLEEP_NS, 3 * self._step_ns):
            self._left = UNSETTLED_SCANS
        self._step_ns = max(0, step)
        settled = self._left == 0
        self._left = max(0, self._left - 1)
        return settled
