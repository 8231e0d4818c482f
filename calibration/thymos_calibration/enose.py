"""Clean-air baseline of an electronic nose: R0 of each channel.

Everything a metal-oxide sensor says is relative to its resistance in clean air, and that drifts
for weeks. R0 is the median of a stretch of clean air; it is refused unless the sensor is warm and
every channel stands still: coefficient of variation at most 0.05, and the two ends of the stretch
within 0.05 of each other. After an odour the sensor remembers it: a stretch that begins less than
300 s later is refused as well (false alarms .36 after 60 s of air, .054 after 300 s).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from thymos.samples import NS_PER_S, EndOfStream, Flag, Kind, Sample, Source, StreamSpec
from thymos_calibration.store import Calibration, CalibrationError

KIND = "enose-clean-air"
MAX_CV = 0.05
MAX_DRIFT = 0.05
MIN_READINGS = 20
MIN_VALID = 0.8
CLEAN_AIR_S = 300.0
_SILENCE_READS = 30


def clean_air(
    spec: StreamSpec, samples: Sequence[Sample], *, since_exposure_s: float | None = None
) -> Calibration:
    """Work out R0 from readings in clean air.

    Args:
        spec: The nose.
        samples: Readings of one stretch, in order of time.
        since_exposure_s: How long before the first reading the last odour ended, if known.

    Raises:
        CalibrationError: Too few readings, not warm, not still, or too soon after an odour.
    """
    if spec.kind is not Kind.GAS:
        raise CalibrationError(f"'{spec.name}' is no electronic nose ({spec.kind.value})")
    if since_exposure_s is not None and since_exposure_s < CLEAN_AIR_S:
        raise CalibrationError(
            f"the last odour was {since_exposure_s:.0f} s ago; the sensors still remember it",
            hint=f"wait until {CLEAN_AIR_S:.0f} s of clean air have passed",
        )
    if len(samples) < MIN_READINGS:
        raise CalibrationError(
            f"{len(samples)} readings are too few for a baseline (at least {MIN_READINGS})",
            hint="measure for longer",
        )
    if any(sample.flags & Flag.WARMUP for sample in samples):
        raise CalibrationError("the nose is still warming up", hint="wait and start again")
    table = np.stack([sample.payload for sample in samples]).astype(np.float64)
    table[[bool(sample.flags & Flag.INVALID) for sample in samples]] = np.nan
    names = spec.channels or tuple(f"ch{i}" for i in range(table.shape[1]))
    channels, cv, drift, silent = _channels(names, table)
    _refuse_unless_still(cv, drift, silent)
    return Calibration(
        kind=KIND,
        device=spec.device or spec.name,
        values={"channels": channels, "unit": spec.unit},
        method="median of a stretch of clean air; refused unless CV and drift are at most 0.05",
        quality={
            "cv": cv,
            "drift": drift,
            "channels_without_value": silent,
            "readings": len(samples),
            "seconds": (samples[-1].t_ns - samples[0].t_ns) / NS_PER_S,
            "origin": spec.origin.value,
        },
    )


def measure(
    source: Source,
    *,
    seconds: float = 60.0,
    warm_up_s: float = 300.0,
    since_exposure_s: float | None = None,
    progress: Callable[[float], None] | None = None,
) -> Calibration:
    """Read an open nose and work out R0. Time is the nose's own, so a recording will do.

    Args:
        source: The nose, open.
        seconds: Length of the stretch.
        warm_up_s: So much at the beginning is left out.
        since_exposure_s: How long ago the last odour ended when this is called, if known.
        progress: Told the share that is done, 0 to 1.

    Raises:
        CalibrationError: As `clean_air`, or the nose ended or fell silent too soon.
        DeviceLostError: It went away.
    """
    kept: list[Sample] = []
    first: int | None = None
    silent = 0
    while True:
        try:
            sample = source.read(1.0)
        except EndOfStream as err:
            raise CalibrationError(
                f"the nose ended before {warm_up_s + seconds:.0f} s were over",
                hint="measure for shorter, or give a longer recording",
            ) from err
        if sample is None:
            silent += 1
            if silent >= _SILENCE_READS:
                raise CalibrationError("the nose sends nothing", hint="thymos devices")
            continue
        silent = 0
        first = sample.t_ns if first is None else first
        passed = (sample.t_ns - first) / NS_PER_S
        if progress is not None:
            progress(min(1.0, passed / (warm_up_s + seconds)))
        if passed >= warm_up_s:
            kept.append(sample)
        if passed >= warm_up_s + seconds:
            break
    since = None if since_exposure_s is None else since_exposure_s + warm_up_s
    return clean_air(source.spec, kept, since_exposure_s=since)


def baseline(result: Calibration, spec: StreamSpec) -> dict[str, float]:
    """R0 by channel out of a stored result, checked against the nose it is for.

    Raises:
        CalibrationError: It is of another kind, unit, or set of channels.
    """
    if result.kind != KIND:
        raise CalibrationError(f"a calibration '{result.kind}' is no clean-air baseline")
    if result.values.get("unit") != spec.unit:
        raise CalibrationError(
            f"the baseline is in {result.values.get('unit')}, the nose gives {spec.unit}",
            hint="measure the baseline with this firmware",
        )
    try:
        r0 = {str(name): float(row["baseline"]) for name, row in result.values["channels"].items()}
    except (AttributeError, KeyError, TypeError, ValueError) as err:
        raise CalibrationError(f"the baseline holds no usable channels: {err}") from err
    missing = sorted(set(spec.channels) - set(r0))
    silent = result.quality.get("channels_without_value", ())
    if [name for name in missing if name not in silent]:
        raise CalibrationError(
            f"the baseline lacks the channels {', '.join(missing)}", hint="measure it again"
        )
    return r0


def _channels(
    names: Sequence[str], table: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> tuple[dict[str, dict[str, float]], dict[str, float], dict[str, float], list[str]]:
    """R0 and noise, coefficient of variation, drift of each channel; and the silent ones."""
    r0: dict[str, dict[str, float]] = {}
    cv: dict[str, float] = {}
    drift: dict[str, float] = {}
    silent = []
    for name, column in zip(names, table.T, strict=True):
        values = column[np.isfinite(column)]
        middle = float(np.median(values)) if values.size else 0.0
        if values.size < MIN_VALID * column.size or middle == 0.0:
            silent.append(name)
            continue
        third = max(1, values.size // 3)
        ends = float(np.median(values[-third:]) - np.median(values[:third]))
        spread = 1.4826 * float(np.median(np.abs(values - middle)))  # a normal's deviation
        r0[name] = {"baseline": middle, "noise": spread}
        cv[name] = float(values.std() / abs(middle))
        drift[name] = abs(ends / middle)
    return r0, cv, drift, silent


def _refuse_unless_still(cv: dict[str, float], drift: dict[str, float], silent: list[str]) -> None:
    if not cv:
        raise CalibrationError(
            f"no channel gives valid values ({', '.join(silent)})", hint="check the sensors"
        )
    restless = [name for name in cv if cv[name] > MAX_CV or drift[name] > MAX_DRIFT]
    if restless:
        worst = max(restless, key=lambda name: max(cv[name], drift[name]))
        raise CalibrationError(
            f"the air or the nose is not still: {worst} varies by {cv[worst]:.1%} and drifts by "
            f"{drift[worst]:.1%} (at most {MAX_CV:.0%})",
            hint="air the room, let the nose warm up, and start again",
        )
