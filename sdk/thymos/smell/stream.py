"""Frames as a stream: between a `SmellFrame` and the `Sample` and `StreamSpec` of a nose.

A sample holds what may be used, as one row of numbers, gas channels first; its `smell` holds all
the nose said. `frame_of` gives the frame of any sample, `sample_of` the sample of any frame, and
one undoes the other: number, times, payload, flags and note come back bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from thymos.samples import (
    CLIMATE,
    Flag,
    Kind,
    Origin,
    Sample,
    StreamSpec,
    frozen,
    serial_number,
)
from thymos.smell.frame import (
    F64,
    NAN,
    BaselineAir,
    Channel,
    Fault,
    Nose,
    SmellFrame,
    TimeSource,
)

MIXED = "mixed"
"""`StreamSpec.unit` of a nose whose channels differ in it."""
_SHOWN = (Fault.NONE, Fault.WARM_UP)
"""A value with one of these is in the payload of a sample (which has its own flag for warm-up)."""


def places(channels: Sequence[str]) -> tuple[list[int], dict[str, int]]:
    """Positions of the gas channels, and of the quantities of the air, among the channels.

    A second channel of the name of a quantity of the air counts as a gas channel.
    """
    gas: list[int] = []
    air: dict[str, int] = {}
    for position, name in enumerate(channels):
        quantity = name.strip().lower()
        if quantity in CLIMATE and quantity not in air:
            air[quantity] = position
        else:
            gas.append(position)
    return gas, air


def names_of(spec: StreamSpec) -> tuple[str, ...]:
    """Names of the channels; made up where a stream has none."""
    return spec.channels or tuple(f"ch{i}" for i in range(spec.shape[-1]))


def nose_of(spec: StreamSpec) -> Nose:
    """What a specification tells of the nose; one that knows more puts it into its frames."""
    known = names_of(spec)
    gas, air = places(known)
    names: list[str] = []
    for position in gas:
        name = known[position]
        names.append(name if name not in names else f"{name}_{position}")
    return Nose(
        model=spec.extra.get("model", spec.device),
        serial=serial_number(spec),
        channels=tuple(Channel(name, spec.unit) for name in names),
        air=tuple(air),
        rate_hz=spec.rate_hz,
        simulated=spec.origin in (Origin.SYNTHESISED, Origin.SIMULATED),
        frame_id=spec.frame_id,
        extra=dict(spec.extra),
    )


def spec_of(
    nose: Nose, stream: str = "enose", *, origin: Origin = Origin.LIVE, device: str = ""
) -> StreamSpec:
    """The stream that the frames of a nose make."""
    units = {channel.unit for channel in nose.channels}
    facts = {"model": nose.model, "serial_number": nose.serial}
    width = len(nose.channels) + len(nose.air)
    return StreamSpec(
        name=stream,
        kind=Kind.GAS,
        rate_hz=nose.rate_hz,
        shape=(width,),
        unit=units.pop() if len(units) == 1 else MIXED,
        channels=(*(channel.name for channel in nose.channels), *nose.air),
        frame_id=nose.frame_id or f"{stream}_frame",
        origin=Origin.SIMULATED if nose.simulated else origin,
        device=device or nose.model,
        extra={key: value for key, value in facts.items() if value}
        | {f"unit.{name}": CLIMATE[name] for name in nose.air}
        | dict(nose.extra),
    )


def frame_of(sample: Sample, spec: StreamSpec, nose: Nose | None = None) -> SmellFrame:
    """The frame of a sample of a nose.

    Args:
        sample: Of a stream of `Kind.GAS`.
        spec: Of that stream.
        nose: `nose_of(spec)`, for whoever asks often.

    Raises:
        FrameError: The sample has more or fewer values than its stream has channels.
    """
    if sample.smell is not None:
        return _as_sample_says(sample.smell, sample)
    known = names_of(spec)
    gas, air = places(known)
    row = np.asarray(sample.payload, dtype=np.float64)
    values = row if row.size != len(known) else row[gas]  # a wrong length is told below
    said = {name: float(row[position]) for name, position in air.items() if position < row.size}
    return SmellFrame(
        nose=nose or nose_of(spec),
        seq=sample.seq,
        t_ns=sample.t_ns,
        values=values,
        faults=tuple(Fault.MISSING if np.isnan(value) else Fault.NONE for value in values),
        t_recv_ns=sample.t_recv_ns,
        time_source=_time_source(sample, spec),
        temperature_celsius=said.get("temperature", NAN),
        humidity_percent=said.get("humidity", NAN),
        pressure_hpa=said.get("pressure", NAN),
        flags=sample.flags,
        note=sample.note,
    )


def sample_of(frame: SmellFrame, stream: str = "enose", spec: StreamSpec | None = None) -> Sample:
    """The sample of a frame: usable values, gas channels first, then the air.

    Args:
        frame: What a nose said.
        stream: Name of the stream.
        spec: Of the stream, where its channels stand in another order.
    """
    hidden = np.array([fault not in _SHOWN for fault in frame.faults], dtype=np.bool_)
    gas = np.where(hidden & ~np.isnan(frame.values), np.nan, frame.values)
    row: F64 = np.concatenate([gas, frame.air])
    if spec is not None:
        at, air = places(names_of(spec))
        if [*at, *air.values()] != list(range(row.size)) and len(at) + len(air) == row.size:
            row[[*at, *(air[name] for name in frame.nose.air)]] = row.copy()
    return Sample(
        stream,
        frame.seq,
        frame.t_ns,
        frame.t_recv_ns or frame.t_ns,
        frozen(row),
        frame.flags,
        frame.note,
        smell=frame,
    )


def moved(baseline: BaselineAir | None, shift_ns: int) -> BaselineAir | None:
    """The same clean air, on a clock that is `shift_ns` ahead."""
    if baseline is None or baseline.taken_ns is None or not shift_ns:
        return baseline
    return replace(baseline, taken_ns=baseline.taken_ns + shift_ns)


def _as_sample_says(frame: SmellFrame, sample: Sample) -> SmellFrame:
    received = frame.t_recv_ns or frame.t_ns
    told = (sample.seq, sample.t_ns, sample.t_recv_ns, sample.flags, sample.note)
    if told == (frame.seq, frame.t_ns, received, frame.flags, frame.note):
        return frame
    return replace(
        frame,
        seq=sample.seq,
        t_ns=sample.t_ns,
        t_recv_ns=sample.t_recv_ns,
        flags=sample.flags,
        note=sample.note,
        baseline=moved(frame.baseline, sample.t_ns - frame.t_ns),
    )


def _time_source(sample: Sample, spec: StreamSpec) -> TimeSource:
    """As well as it can be told from a sample alone."""
    estimated = Flag.TIME_ESTIMATED in sample.flags
    if spec.origin is Origin.LIVE:
        return TimeSource.HOST if estimated else TimeSource.DEVICE
    return TimeSource.ROW if estimated else TimeSource.FILE
