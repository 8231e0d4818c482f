"""Clean-air baseline of an electronic nose: R0 of each channel.

Everything a metal-oxide sensor says is relative to its resistance in clean air, and that drifts
for weeks. R0 is the median of a stretch of clean air; it is refused unless the sensor is warm and
every channel stands still: coefficient of variation at most 0.05, and the two ends of the stretch
within 0.05 of each other. After an odour the sensor remembers it: a stretch that begins less than
300 s later is refused as well (false alarms .36 after 60 s of air, .054 after 300 s); an odour
shows in the readings before the stretch, or is told. Temperature, humidity and pressure, where the
nose measures them, are kept beside R0: they say for which air it holds (see `enose_climate`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from thymos.errors import CalibrationError
from thymos.samples import (
    NS_PER_S,
    Flag,
    Kind,
    Sample,
    Source,
    StreamSpec,
    gas_channels,
)
from thymos.smell.signal.baseline import MAX_CV
from thymos.smell.signal.phase import REZERO_AFTER_NS
from thymos_calibration.reading import samples_of
from thymos_calibration.store import Calibration, identity

F64 = NDArray[np.float64]

KIND = "enose-clean-air"
MAX_DRIFT = 0.05
MIN_READINGS = 20
MIN_VALID = 0.8
CLEAN_AIR_S = REZERO_AFTER_NS / NS_PER_S
EXCURSION = 0.2
"""A channel this far from R0 (share of it) before the stretch smelt something, or was cold."""
_MAX_GATHERED = 20_000


def clean_air(
    spec: StreamSpec,
    samples: Sequence[Sample],
    *,
    since_exposure_s: float | None = None,
    before: Sequence[Sample] = (),
) -> Calibration:
    """Work out R0 from readings in clean air.

    Args:
        spec: The nose.
        samples: Readings of one stretch, in order of time.
        since_exposure_s: How long before the first reading the last odour ended, if known.
        before: Readings of the minutes before, in which an odour may show.

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
    table = readings(samples)
    names = channel_names(spec, table.shape[1])
    gases = gas_channels(spec) if spec.channels else tuple(range(len(names)))
    air = {n: round(float(np.nanmedian(table[:, i])), 3) for n, i in _air(spec, table)}
    channels, cv, drift, silent = _channels([names[i] for i in gases], table[:, list(gases)])
    _refuse_unless_still(cv, drift, silent)
    _refuse_after_odour([names[i] for i in gases], channels, before, samples[0].t_ns, gases)
    return Calibration(
        kind=KIND,
        device=identity(spec),
        values={"channels": channels, "unit": spec.unit, "air": air},
        method="median of a stretch of clean air; refused unless CV and drift are at most 0.05",
        quality={
            "cv": cv,
            "drift": drift,
            "channels_without_value": silent,
            "readings": len(samples),
            "seconds": (samples[-1].t_ns - samples[0].t_ns) / NS_PER_S,
            "seconds_watched_before": (
                (samples[0].t_ns - before[0].t_ns) / NS_PER_S if before else 0.0
            ),
            "origin": spec.origin.value,
        },
    )


def readings(samples: Sequence[Sample]) -> F64:
    """Payloads as a table [readings, channels]; NaN where a reading is invalid."""
    table = np.stack([sample.payload for sample in samples]).astype(np.float64)
    table[[bool(sample.flags & Flag.INVALID) for sample in samples]] = np.nan
    return table


def channel_names(spec: StreamSpec, count: int) -> tuple[str, ...]:
    """Names of the channels, numbered if they have none."""
    return spec.channels or tuple(f"ch{i}" for i in range(count))


def _air(spec: StreamSpec, table: F64) -> list[tuple[str, int]]:
    """Channels of the air that gave a value, and where they are."""
    gases = set(gas_channels(spec))
    return [
        (name.strip().lower(), i)
        for i, name in enumerate(spec.channels)
        if i not in gases and np.isfinite(table[:, i]).any()
    ]


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
    before: deque[Sample] = deque()
    first: int | None = None
    for sample in samples_of(source, "nose"):
        first = sample.t_ns if first is None else first
        passed = (sample.t_ns - first) / NS_PER_S
        if progress is not None:
            progress(min(1.0, passed / (warm_up_s + seconds)))
        if passed >= warm_up_s:
            kept.append(sample)
        else:
            before.append(sample)
            while sample.t_ns - before[0].t_ns > CLEAN_AIR_S * NS_PER_S:
                before.popleft()
        if passed >= warm_up_s + seconds:
            break
    else:
        raise CalibrationError(
            f"the nose ended before {warm_up_s + seconds:.0f} s were over",
            hint="measure for shorter, or give a longer recording",
        )
    since = None if since_exposure_s is None else since_exposure_s + warm_up_s
    return clean_air(source.spec, kept, since_exposure_s=since, before=list(before))


def gather(
    source: Source, seconds: float, progress: Callable[[float], None] | None = None
) -> list[Sample]:
    """Readings of an open nose for so long, or to its end; 20 000 at most, evenly spread.

    Raises:
        CalibrationError: It falls silent.
        DeviceLostError: It went away.
    """
    kept: list[Sample] = []
    first: int | None = None
    step_ns = max(1, round(seconds * NS_PER_S / _MAX_GATHERED))
    for sample in samples_of(source, "nose"):
        first = sample.t_ns if first is None else first
        passed_ns = sample.t_ns - first
        if passed_ns > seconds * NS_PER_S:
            break
        if not sample.flags & Flag.WARMUP and (not kept or sample.t_ns - kept[-1].t_ns >= step_ns):
            kept.append(sample)
        if progress is not None:
            progress(passed_ns / (seconds * NS_PER_S))
    return kept


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
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as err:
        raise CalibrationError(f"the baseline holds no usable channels: {err}") from err
    missing = sorted({spec.channels[i] for i in gas_channels(spec)} - set(r0))
    silent = result.quality.get("channels_without_value", ())
    if [name for name in missing if name not in silent]:
        raise CalibrationError(
            f"the baseline lacks the channels {', '.join(missing)}", hint="measure it again"
        )
    return r0


def _channels(
    names: Sequence[str], table: F64
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


def _refuse_after_odour(
    names: Sequence[str],
    channels: dict[str, dict[str, float]],
    before: Sequence[Sample],
    begin_ns: int,
    gases: Sequence[int],
) -> None:
    """Refuse if a channel was far from R0 within 300 s before the stretch.

    Single spikes do not count: three readings in a row must be far off.
    """
    settled = [s for s in before if not s.flags & (Flag.WARMUP | Flag.INVALID)]
    if len(settled) < 3:
        return
    table = readings(settled)[:, list(gases)]
    for i, name in enumerate(names):
        if name not in channels:
            continue
        r0, noise = channels[name]["baseline"], channels[name]["noise"]
        off = np.abs(table[:, i] - r0) > max(EXCURSION * abs(r0), 6 * noise)
        lasting = off[2:] & off[1:-1] & off[:-2]
        if lasting.any():
            ended_ns = settled[int(np.flatnonzero(lasting)[-1]) + 2].t_ns
            ago = (begin_ns - ended_ns) / NS_PER_S
            if ago < CLEAN_AIR_S:
                raise CalibrationError(
                    f"{name} was far from its baseline {ago:.0f} s before (an odour, or the nose "
                    "was still warming up); the sensors still remember it",
                    hint=f"leave it in clean air for {CLEAN_AIR_S:.0f} s more, then start again",
                )
