"""What a live nose tells of itself, as the `Nose` of its frames, and its readings as frames."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace

from thymos.samples import NS_PER_S, Sample, frozen
from thymos.smell.frame import F64, NAN, Channel, Fault, Nose, SmellFrame, TimeSource
from thymos_drivers.enose.decoder import Decoder

_PART = re.compile(r"(GM-?\d{3}B|MQ-?\d{1,3}|TGS-?\d{4}|BME6[89]\d|SGP[34]\d)(?!\d)", re.IGNORECASE)
_STEP = re.compile(r"(?:s(\d+)_?)?h(\d+)")
"""Names of channels that are steps of a heater programme: `s3_h7`, `h7`."""
_MODELS = {"cyranose": "Cyranose 320", "tue": "TU/e e-nose"}
_BITS = {"tue": 10}
_TOLD = ("nose", "serial", "supply_volt", "load_ohm", "adc_bits", "adc_volt", "burn_in_s")
"""Facts of the H frame of our own protocol that have a field (docs/wire-protocol.md)."""


def nose_told(
    decoder: Decoder, climate: tuple[str, ...], *, serial: str = "", frame_id: str = ""
) -> Nose:
    """The nose that a decoder has learnt of.

    Args:
        decoder: Its channels are known.
        climate: Channels of the air, also of a separate sensor.
        serial: Of its USB chip, where it tells none of its own.
        frame_id: tf frame of the inlet.
    """
    told, protocol = decoder.info, decoder.protocol
    model = next((told[key] for key in ("nose", "model", "fw") if told.get(key)), "")
    common = Channel(
        "",
        decoder.unit,
        supply_volt=_number(told.get("supply_volt", "")),
        load_ohm=_number(told.get("load_ohm", "")),
        adc_bits=min(64, int(_number(told.get("adc_bits", ""), _BITS.get(protocol, 0)))),
        adc_volt=_number(told.get("adc_volt", "")),
    )
    burnt_s = _number(told.get("burn_in_s", ""))
    return Nose(
        model=model or _MODELS.get(protocol, f"unknown ({protocol})"),
        serial=told.get("serial", "") or serial,
        channels=tuple(_channel(name, common) for name in _unique(decoder.names)),
        air=climate,
        rate_hz=decoder.rate_hz,
        tick_hz=NS_PER_S / decoder.tick_ns,
        burn_in_ns=-1 if math.isnan(burnt_s) else round(burnt_s * NS_PER_S),
        frame_id=frame_id,
        extra={key: text for key, text in told.items() if key not in _TOLD},
    )


def tell(sample: Sample, nose: Nose, raw: F64, faults: tuple[Fault, ...], **facts: int) -> Sample:
    """The sample with all that its nose said.

    Args:
        sample: With the values that may be used.
        nose: What made it.
        raw: What it said, [gas channels, then those of the air].
        faults: Why a value may not be used, in the same order.
        facts: `tick`, where it has one: the time is then the device's.
    """
    gas = len(nose.channels)
    said = dict(zip(nose.air, map(float, raw[gas:]), strict=True))
    air = zip(nose.air, faults[gas:], strict=True)
    frame = SmellFrame(
        nose=nose,
        seq=sample.seq,
        t_ns=sample.t_ns,
        values=frozen(raw[:gas].copy()),
        faults=faults[:gas],
        t_recv_ns=sample.t_recv_ns,
        time_source=TimeSource.DEVICE if "tick" in facts else TimeSource.HOST,
        tick=facts.get("tick"),
        temperature_celsius=said.get("temperature", NAN),
        humidity_percent=said.get("humidity", NAN),
        pressure_hpa=said.get("pressure", NAN),
        air_faults={name: fault for name, fault in air if fault is not Fault.NONE},
        flags=sample.flags,
        note=sample.note,
    )
    return replace(sample, smell=frame)


def with_unstable(
    values: F64, faults: tuple[Fault, ...], said: Mapping[int, float]
) -> tuple[F64, tuple[Fault, ...]]:
    """Raw values and faults with what the device said of channels that it calls invalid itself.

    Args:
        values: NaN in those channels.
        faults: Of all channels.
        said: Position → value.
    """
    if not said:
        return values, faults
    raw, found = values.copy(), list(faults)
    for position, value in said.items():
        raw[position] = value
        found[position] = Fault.MISSING if math.isnan(value) else Fault.UNSTABLE
    return raw, tuple(found)


def _channel(name: str, common: Channel) -> Channel:
    part, step = _PART.search(name), _STEP.fullmatch(name)
    return replace(
        common,
        name=name,
        sensor_model=part.group(1).upper() if part else "",
        sensor_id=(step.group(1) or "") if step else "",
        heater_step=int(step.group(2)) if step else -1,
    )


def _unique(names: tuple[str, ...]) -> list[str]:
    return [n if names.index(n) == i else f"{n}_{i}" for i, n in enumerate(names)]


def _number(text: str, other: float = NAN) -> float:
    """A number of a device; `other` where it is none."""
    try:
        found = float(text)
    except ValueError:
        return other
    return found if 0 <= found < 1e12 else other
