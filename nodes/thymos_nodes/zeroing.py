"""Clean air for a nose that runs: R0 out of its stream, while everybody goes on reading it."""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path

from thymos.errors import CalibrationError, ThymosError
from thymos.samples import NS_PER_S, Sample, StreamSpec
from thymos_calibration.enose import CLEAN_AIR_S, clean_air
from thymos_calibration.store import CalibrationStore

MAX_READINGS = 40_000  # 100 Hz for the longest stretch and what is watched before it
AWAY_S = 10.0
"""Silent for so long: it was away, its heaters were perhaps cold, so the warm-up counts anew."""


class Zeroing:
    """Keeps the last minutes of a nose and makes a clean-air baseline of them.

    The same rules as `thymos calibrate enose`: warm-up first, a stretch that stands still, no odour
    in the 300 s before. Time is that of the stream.

    Args:
        spec: The nose.
        seconds: Length of the stretch.
        warm_up_s: So long it must have run before the stretch.
        store: Where results go; None for the user's own.

    Attributes:
        seconds: As given; may be set at any time.
        warm_up_s: Likewise.
        result: What came out last, in words.
        refused: Why the last try came to nothing; empty if it did not.
        file: The newest baseline of this run.
    """

    def __init__(
        self,
        spec: StreamSpec,
        seconds: float,
        warm_up_s: float,
        store: CalibrationStore | None = None,
    ) -> None:
        self._spec = spec
        self._store = store or CalibrationStore()
        self.seconds, self.warm_up_s = seconds, warm_up_s
        self._kept: deque[Sample] = deque(maxlen=MAX_READINGS)
        self._first_ns: int | None = None
        self._ends_ns: int | None = None  # of the measurement that `begin` asked for
        self._lock = threading.Lock()
        self.result = "not measured since this node was configured"
        self.refused = ""
        self.file: Path | None = None

    def take(self, sample: Sample) -> bool:
        """Keep a reading; whether the measurement that was asked for is ready for `zero`."""
        with self._lock:
            newest = self._kept[-1].t_ns if self._kept else sample.t_ns
            if self._first_ns is None or sample.t_ns - newest > AWAY_S * NS_PER_S:
                self._kept.clear()
                self._first_ns = sample.t_ns
                if self._ends_ns is not None:
                    self._ends_ns = self._end_from(sample.t_ns)
            self._kept.append(sample)
            keep_ns = (CLEAN_AIR_S + self.seconds) * NS_PER_S
            while sample.t_ns - self._kept[0].t_ns > keep_ns:
                self._kept.popleft()
            if self._ends_ns is None or sample.t_ns < self._ends_ns:
                return False
            self._ends_ns = None
            return True

    def begin(self) -> float:
        """Ask for a measurement from now on; returns the seconds until it is ready.

        Raises:
            CalibrationError: One is under way, or the nose has sent nothing yet.
        """
        with self._lock:
            if self._ends_ns is not None:
                raise CalibrationError(
                    f"it is being measured; ready in {self._left_s(self._ends_ns):.0f} s"
                )
            if not self._kept:
                raise CalibrationError("the nose has sent nothing yet", hint="thymos devices")
            self._ends_ns = self._end_from(self._kept[-1].t_ns)
            return self._left_s(self._ends_ns)

    def zero(self) -> Path:
        """Make the baseline of the readings up to now and store it; some milliseconds.

        Raises:
            CalibrationError: Not warm, not still, too soon after an odour, or it cannot be stored.
        """
        with self._lock:
            kept, first_ns = list(self._kept), self._first_ns
        try:
            if not kept or first_ns is None:
                raise CalibrationError("the nose has sent nothing yet", hint="thymos devices")
            watched_s = (kept[-1].t_ns - first_ns) / NS_PER_S
            need_s = self.warm_up_s + self.seconds
            if watched_s < need_s:
                raise CalibrationError(
                    f"the nose has run for {watched_s:.0f} s; {self.warm_up_s:.0f} s of warm-up "
                    f"and {self.seconds:.0f} s of clean air are needed",
                    hint=f"ask again in {need_s - watched_s:.0f} s",
                )
            begin_ns = kept[-1].t_ns - round(self.seconds * NS_PER_S)
            stretch = [s for s in kept if s.t_ns >= begin_ns]
            before = [s for s in kept if s.t_ns < begin_ns]
            self.file = self._store.save(clean_air(self._spec, stretch, before=before))
        except ThymosError as err:
            self.refused = f"{err}" + (f" ({err.hint})" if err.hint else "")
            raise
        self.refused, self.result = "", f"measured: {self.file}"
        return self.file

    @property
    def left_s(self) -> float | None:
        """Seconds until the measurement that was asked for is ready; None if there is none."""
        with self._lock:
            return None if self._ends_ns is None else self._left_s(self._ends_ns)

    def _end_from(self, now_ns: int) -> int:
        assert self._first_ns is not None  # noqa: S101  something was kept
        warm_ns = self._first_ns + round(self.warm_up_s * NS_PER_S)
        return max(now_ns, warm_ns) + round(self.seconds * NS_PER_S)

    def _left_s(self, ends_ns: int) -> float:
        return max(0.0, (ends_ns - self._kept[-1].t_ns) / NS_PER_S)
