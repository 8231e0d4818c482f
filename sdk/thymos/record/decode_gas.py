"""From messages of noses to what a sample needs."""

from __future__ import annotations

from typing import Any

import numpy as np

from thymos.record.messages import AudioFormat, Decoded, stamp_of
from thymos.samples import Flag
from thymos.smell.frame import Nose
from thymos.smell.message import bare_nose, frame_from
from thymos.smell.stream import sample_of, spec_of


def smell(noses: dict[int, Nose], m: Any, _: AudioFormat) -> Decoded:
    """thymos_msgs/SmellFrame of one of `noses`, which grow where one is not described."""
    number = int(m.info_id)
    if number not in noses:  # its SmellInfo is not in the recording
        noses[number] = bare_nose(m)
    frame = frame_from(m, noses[number])
    spec = spec_of(frame.nose)
    return Decoded(
        sample_of(frame).payload,
        frame.t_ns or None,
        frame.nose.frame_id,
        spec.unit,
        channels=spec.channels,
        seq=frame.seq,
        flags=frame.flags,
        note=frame.note,
        device=frame.nose.model,
        smell=frame,
    )


def gas_array(m: Any, _: AudioFormat) -> Decoded:
    """thymos_msgs/GasArray, which Thymos wrote before there was SmellFrame."""
    values = np.array(m.values, dtype=np.float64)
    flags = Flag(int(m.flags) & 63)
    valid = np.asarray(m.valid, dtype=bool)
    if len(valid) == len(values):
        values[~valid & np.isfinite(values)] = np.nan
    reasons = "; ".join(dict.fromkeys(r for r in m.reasons if r))
    return Decoded(
        values,
        stamp_of(m.header),
        m.header.frame_id,
        str(m.unit),
        channels=tuple(str(c) for c in m.channel_names),
        seq=int(m.sequence),
        flags=flags | (Flag.WARMUP if m.warmup else Flag.OK),
        note=str(m.note) or reasons,
        device=str(m.sensor_model),
    )


_OLFACTION_UNITS = {
    1: "volt",
    2: "ampere",
    3: "ppm",
    4: "ppb",
    5: "ohm",
    6: "ppm_m",
    100: "celsius",
}


def gas_sensor_array(m: Any, _: AudioFormat) -> Decoded:
    """olfaction_msgs/GasSensorArray."""
    gases = [s for s in m.sensors if int(s.technology) not in (100, 101)]
    units = [_OLFACTION_UNITS.get(int(s.raw_units), "unknown") for s in gases]
    names = [str(s.header.frame_id) or f"sensor_{i}" for i, s in enumerate(gases)]
    return Decoded(
        np.array([float(s.raw) for s in gases]),
        stamp_of(m.header),
        m.header.frame_id,
        units[0] if len(set(units)) == 1 else "mixed",
        channels=tuple(n if names.count(n) == 1 else f"{n}_{i}" for i, n in enumerate(names)),
    )
