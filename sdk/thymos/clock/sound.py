"""Capture time of sound: count the frames, and let arrival times only correct the count."""

from __future__ import annotations

from dataclasses import replace

from thymos.clock.calibration import ClockCalibration
from thymos.clock.model import ClockModel, Stamp

NS_PER_S = 1_000_000_000


class SampleCounter:
    """Stamps blocks of sound by start time plus frames counted.

    Within a stretch the stamps lie on an exact grid, so neighbouring blocks neither overlap nor
    leave a hole. A `ClockModel` of the frame count runs beside it; when the grid departs from the
    model by more than `reanchor_ms` (the sound card's crystal drifts, the first guess was late)
    the grid begins anew there. Not thread-safe.

    Args:
        rate_hz: Frames per second.
        reanchor_ms: Largest departure that is let stand.
        latency_ns: Constant delay between air and first stamp (calibrated).
        calibration: Skew to start from; its anchor means nothing, as frames are counted anew.
    """

    def __init__(
        self,
        rate_hz: float,
        *,
        reanchor_ms: float = 2.0,
        latency_ns: int = 0,
        calibration: ClockCalibration | None = None,
    ) -> None:
        self._rate = rate_hz
        self._reanchor_ns = int(reanchor_ms * 1e6)
        skew = replace(calibration, anchor_ticks=None) if calibration is not None else None
        self._model = ClockModel(NS_PER_S / rate_hz, latency_ns=latency_ns, calibration=skew)
        self._count = 0  # frames since the beginning, lost ones included
        self._origin: tuple[int, int] | None = None  # frame number and time of the grid's start
        self.reanchors = 0

    @property
    def skew_ppm(self) -> float:
        """How much slower than nominal the sound card runs, parts per million."""
        return self._model.skew_ppm

    def stamp(self, frames: int, first_ns: int) -> Stamp:
        """Return the capture time of a block's first frame.

        Args:
            frames: Frames in the block.
            first_ns: When the first frame was captured as far as the host can tell, late rather
                than early: ADC time brought to the robot clock, or arrival minus duration.
        """
        seen = self._model.observe(self._count, first_ns)
        if self._origin is None or seen.jumped:
            self._origin = (self._count, seen.t_ns)
        start, t0_ns = self._origin
        t_ns = t0_ns + round((self._count - start) * NS_PER_S / self._rate)
        if abs(t_ns - seen.t_ns) > max(self._reanchor_ns, 0):
            self.reanchors += 1
            self._origin, t_ns = (self._count, seen.t_ns), seen.t_ns
        self._count += frames
        return Stamp(t_ns, seen.uncertainty_ns + abs(t_ns - seen.t_ns), seen.jumped)

    def lost(self, frames: int) -> None:
        """Count frames that the device made and nobody received (an overflow of known size)."""
        self._count += frames

    def restart(self) -> None:
        """Forget the grid: the device was closed and opened again."""
        self._origin = None
        self._model.restart()
