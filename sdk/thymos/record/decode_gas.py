"""From messages of noses to what a sample needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from thymos.record.messages import AudioFormat, Decoded, stamp_of
from thymos.samples import Flag
from thymos.smell import olfaction
from thymos.smell.frame import Nose, SmellFrame
from thymos.smell.message import frame_from, nose_named
from thymos.smell.stream import sample_of, spec_of


def smell(noses: dict[int, Nose], m: Any, _: AudioFormat) -> Decoded:
    """thymos_msgs/SmellFrame of one of `noses`, which grow where one is not described."""
    return _decoded(frame_from(m, nose_named(m, noses)))


def _decoded(frame: SmellFrame) -> Decoded:
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


def gas_sensor_array(m: Any, _: AudioFormat) -> Decoded:
    """olfaction_msgs/GasSensorArray."""
    frame = replace(olfaction.frame_from(m), t_ns=stamp_of(m.header) or 0)
    return replace(_decoded(frame), seq=None)
