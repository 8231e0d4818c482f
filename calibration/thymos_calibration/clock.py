"""Offset and skew of a device's own clock, for a warm start.

A clock learnt from nothing needs a minute until its stamps are good to a millisecond; one that
begins with the skew of last time is there after seconds. What is learnt and how is in
`thymos.clock.ClockModel`; here it is watched for long enough, judged, and kept.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from thymos.clock import ClockModel
from thymos.clock.calibration import ClockCalibration
from thymos.errors import CalibrationError, ConfigError
from thymos.samples import NS_PER_S, Flag, Kind, Sample, Source, StreamSpec
from thymos_calibration.reading import samples_of
from thymos_calibration.store import Calibration, CalibrationStore, identity

KIND = "clock"
MIN_SECONDS = 30.0
MAX_SKEW_SD_PPM = 50.0


def measure(
    source: Source,
    *,
    seconds: float = 120.0,
    progress: Callable[[float], None] | None = None,
) -> Calibration:
    """Watch an open source and keep what its clock does.

    Sound counts its frames. A nose counts ticks if its protocol has them; its driver then has a
    `clock`. Cameras stamp with the clock of this machine and need no calibration.

    Args:
        source: A live device, or a recording that kept times of arrival.
        seconds: How long, by time of arrival.
        progress: Told the share that is done.

    Raises:
        CalibrationError: There is no clock to measure, it jumped, or its skew is still uncertain.
        DeviceLostError: The device went away.
    """
    counted = _FrameClock(source.spec) if source.spec.kind is Kind.AUDIO else None
    first = last = None
    count = apart = 0
    for sample in samples_of(source, "device"):
        count += 1
        apart += sample.t_recv_ns != sample.t_ns
        first = sample.t_recv_ns if first is None else first
        last = sample.t_recv_ns
        if counted is not None:
            counted.take(sample)
        if progress is not None:
            progress(min(1.0, (last - first) / (seconds * NS_PER_S)))
        if last - first >= seconds * NS_PER_S:
            break
    watched = 0.0 if first is None or last is None else (last - first) / NS_PER_S
    if count and not apart and not source.live:
        raise CalibrationError(
            "this file does not say when its samples arrived, so it tells nothing of a clock",
            hint="use the live device, or a recording made by thymos record",
        )
    model = counted.model if counted is not None else _clock_of(source)
    _refuse_unless_known(model, watched)
    return _calibration(model, source.spec, watched, count)


def load(store: CalibrationStore, spec: StreamSpec) -> ClockCalibration:
    """The newest clock calibration of a stream's device, to give to `ClockModel`.

    Raises:
        CalibrationError: There is none, or it is damaged.
    """
    result = store.load_for(KIND, spec)
    try:
        return ClockCalibration.from_json(result.values["clock"])
    except (KeyError, AttributeError, ConfigError) as err:
        raise CalibrationError(
            f"the clock calibration of '{result.device}' is damaged: {err}", hint="measure it again"
        ) from err


class _FrameClock:
    """A sound card's oscillator: its ticks are the frames delivered so far."""

    def __init__(self, spec: StreamSpec) -> None:
        self.model = ClockModel(Fraction(NS_PER_S) / Fraction(spec.rate_hz), max_skew_ppm=1000)
        self._frames = 0

    def take(self, sample: Sample) -> None:
        if sample.flags & Flag.GAP_BEFORE:
            raise CalibrationError(
                "sound was lost, so its frames no longer tell the time",
                hint="close other programs and measure again",
            )
        self._frames += len(sample.payload)
        self.model.observe(self._frames, sample.t_recv_ns)


def _clock_of(source: Source) -> ClockModel:
    clock = getattr(source, "clock", None)
    if isinstance(clock, ClockModel):
        return clock
    name = source.spec.device or source.spec.name
    raise CalibrationError(
        f"'{name}' has no clock of its own: its samples are stamped by this machine",
        hint="nothing to do; clocks belong to microphones and to noses that send ticks",
    )


def _refuse_unless_known(model: ClockModel, watched_s: float) -> None:
    if watched_s < MIN_SECONDS:
        raise CalibrationError(
            f"{watched_s:.0f} s are too few to tell a skew (at least {MIN_SECONDS:.0f})",
            hint="--seconds 120",
        )
    if model.jumps:
        raise CalibrationError(
            f"the clock jumped {model.jumps} times while it was watched",
            hint="check the power and the cable of the device, then measure again",
        )
    if model.skew_uncertainty_ppm > MAX_SKEW_SD_PPM:
        raise CalibrationError(
            f"the skew is only known to ± {model.skew_uncertainty_ppm:.0f} ppm "
            f"(at most {MAX_SKEW_SD_PPM:.0f})",
            hint="measure for longer: --seconds 600",
        )


def _calibration(
    model: ClockModel, spec: StreamSpec, watched_s: float, readings: int
) -> Calibration:
    device = identity(spec)
    learnt = model.calibration(device)
    return Calibration(
        kind=KIND,
        device=device,
        values={"clock": learnt.as_json(), "stream": spec.name},
        method="line below the times of arrival (thymos.clock.ClockModel)",
        quality={
            "seconds": round(watched_s, 1),
            "readings": readings,
            "skew_ppm": round(learnt.skew_ppm, 2),
            "skew_uncertainty_ppm": round(learnt.skew_uncertainty_ppm, 2),
            "offset_uncertainty_ms": round(learnt.anchor_uncertainty_ns / 1e6, 3),
            "origin": spec.origin.value,
        },
    )
