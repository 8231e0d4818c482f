"""olfaction_msgs/GasSensorArray (MAPIRlab): to and from a `SmellFrame`.

That message has a sensor's technology, maker and part as numbers, its raw value with a unit, its
value in clean air and two calibration constants. From it nothing is lost. To it are lost: why a
value may not be used and what it was (NaN stands for it), the heater, supply, load and converter,
pressure, how and when the clean air was taken, tick, rates, phase, session, odorants, percepts,
and units it has no number for.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from thymos.errors import FrameError
from thymos.samples import NS_PER_S
from thymos.smell.frame import (
    NAN,
    BaselineAir,
    Channel,
    Fault,
    Nose,
    SmellFrame,
    TimeSource,
)
from thymos.smell.message import MAX_CHANNELS, Make

ARRAY, SENSOR = "olfaction_msgs/msg/GasSensorArray", "olfaction_msgs/msg/GasSensor"
MOX, TEMP, HUMIDITY, NOT_VALID = 1, 100, 101, 255
UNITS = {0: "unknown", 1: "volt", 2: "ampere", 3: "ppm", 4: "ppb", 5: "ohm", 6: "ppm_m"}
_OTHER_UNITS = {100: "celsius", 101: "percent", 255: "unknown"}
_NUMBERS = {unit: number for number, unit in UNITS.items()}
PARTS = {50: "TGS2620", 51: "TGS2600", 52: "TGS2611", 53: "TGS2610", 54: "TGS2612"}
MAKERS = {**dict.fromkeys(PARTS.values(), 1), "MiniRAE Lite": 50}
_MPN = {part: number for number, part in PARTS.items()} | {"MiniRAE Lite": 70}
_CODES = ("technology", "manufacturer", "mpn", "raw_units", "calib_a", "calib_b")


def array_message(make: Make, frame: SmellFrame) -> Any:
    """A frame as GasSensorArray: one sensor a channel, then temperature and humidity.

    Args:
        make: Makes messages of olfaction_msgs too.
        frame: In the time that the message shall have.
    """
    clean = frame.baseline.values if frame.baseline is not None else np.zeros(frame.values.size)
    offsets = frame.offset_ns or (0,) * frame.values.size
    sensors = [
        _sensor(
            make,
            frame,
            channel.name,
            frame.t_ns + offset,
            raw=float(value),
            raw_air=0.0 if math.isnan(air) else float(air),
            **_codes(frame.nose, channel),
        )
        for channel, value, air, offset in zip(
            frame.nose.channels, frame.usable, clean, offsets, strict=True
        )
    ]
    for name, value in zip(frame.nose.air, frame.air, strict=True):
        code = {"temperature": TEMP, "humidity": HUMIDITY}.get(name)
        if code is not None and not math.isnan(value):
            told: dict[str, Any] = {
                "technology": code,
                "raw_units": code,
                "manufacturer": 0,
                "mpn": 0,
            }
            told |= {"calib_a": 0.0, "calib_b": 0.0}
            sensors.append(
                _sensor(make, frame, name, frame.t_ns, raw=float(value), raw_air=0.0, **told)
            )
    return make.message(
        ARRAY, header=_header(make, frame.t_ns, frame.nose.frame_id), sensors=sensors
    )


def frame_from(m: Any, seq: int = 0) -> SmellFrame:
    """The frame of a GasSensorArray.

    Args:
        m: The message.
        seq: It has no number of its own.

    Raises:
        FrameError: It has no gas sensor, or too many.
    """
    place = str(m.header.frame_id)
    air: dict[str, float] = {}
    gases: list[tuple[str, Any]] = []
    for i, sensor in enumerate(m.sensors):
        quantity = {TEMP: "temperature", HUMIDITY: "humidity"}.get(int(sensor.technology))
        if quantity and quantity not in air and int(sensor.raw_units) in (TEMP, HUMIDITY):
            air[quantity] = float(sensor.raw)
        else:
            name = str(sensor.header.frame_id).removeprefix(place + "/") or f"sensor_{i}"
            gases.append((name, sensor))
    if not 0 < len(gases) <= MAX_CHANNELS:
        raise FrameError(f"a GasSensorArray of {len(gases)} gas sensors")
    names = [name for name, _ in gases]
    names = [n if names.count(n) == 1 else f"{n}_{i}" for i, n in enumerate(names)]
    t_ns = _ns(m.header.stamp)
    clean = np.array([float(s.raw_air) or NAN for _, s in gases])
    return SmellFrame(
        nose=Nose(
            model="olfaction_msgs/GasSensorArray",
            serial="",
            channels=tuple(_channel(n, s) for n, (_, s) in zip(names, gases, strict=True)),
            air=tuple(air),
            frame_id=place,
            extra=_kept(names, [sensor for _, sensor in gases]),
        ),
        seq=seq,
        t_ns=t_ns,
        values=np.array([float(sensor.raw) for _, sensor in gases]),
        faults=tuple(_fault(sensor) for _, sensor in gases),
        offset_ns=_offsets([sensor for _, sensor in gases], t_ns),
        time_source=TimeSource.HOST,
        temperature_celsius=air.get("temperature", NAN),
        humidity_percent=air.get("humidity", NAN),
        baseline=None
        if np.isnan(clean).all()
        else BaselineAir(clean, np.full(clean.size, NAN), None, "calibrated"),
    )


def _channel(name: str, sensor: Any) -> Channel:
    unit = (UNITS | _OTHER_UNITS).get(int(sensor.raw_units), "unknown")
    part = int(sensor.mpn)
    model = "MiniRAE Lite" if part == _MPN["MiniRAE Lite"] else PARTS.get(part, "")
    return Channel(name, unit, sensor_model=model, sensor_id=name)


def _fault(sensor: Any) -> Fault:
    if NOT_VALID in (int(sensor.technology), int(sensor.raw_units)):
        return Fault.UNSTABLE
    return Fault.MISSING if math.isnan(float(sensor.raw)) else Fault.NONE


def _offsets(sensors: list[Any], t_ns: int) -> tuple[int, ...]:
    """From the stamp of the array to that of each sensor; nothing where they are not filled."""
    stamps = [_ns(sensor.header.stamp) for sensor in sensors]
    offsets = tuple(stamp - t_ns for stamp in stamps)
    return offsets if all(stamps) and any(offsets) else ()


def _kept(names: list[str], sensors: list[Any]) -> dict[str, str]:
    """What a channel has no field for: `technology.NO2` → `2`."""
    usual = {"technology": MOX, "calib_a": 0.0, "calib_b": 0.0}
    kept: dict[str, str] = {}
    for name, sensor in zip(names, sensors, strict=True):
        told = {code: getattr(sensor, code) for code in _CODES}
        model = _channel(name, sensor).sensor_model
        usual |= {"manufacturer": MAKERS.get(model, 0), "mpn": _MPN.get(model, 0)}
        usual["raw_units"] = _NUMBERS.get(_channel(name, sensor).unit, 0)
        kept |= {
            f"{code}.{name}": repr(value) for code, value in told.items() if value != usual[code]
        }
    return kept


def _codes(nose: Nose, channel: Channel) -> dict[str, Any]:
    """The numbers of a sensor: those it came with, else what its model and unit say."""
    found: dict[str, Any] = {
        "technology": MOX,
        "manufacturer": MAKERS.get(channel.sensor_model, 0),
        "mpn": _MPN.get(channel.sensor_model, 0),
        "raw_units": _NUMBERS.get(channel.unit, 0),
        "calib_a": 0.0,
        "calib_b": 0.0,
    }
    for code, usual in found.items():
        text = nose.extra.get(f"{code}.{channel.name}", "")
        try:
            found[code] = type(usual)(text) if text else usual
        except ValueError:  # a text of another origin
            continue
        if isinstance(usual, int) and not 0 <= found[code] <= NOT_VALID:
            found[code] = usual
    return found


def _sensor(make: Make, frame: SmellFrame, name: str, t_ns: int, **fields: Any) -> Any:
    place = frame.nose.frame_id
    return make.message(
        SENSOR, header=_header(make, t_ns, f"{place}/{name}" if place else name), **fields
    )


def _header(make: Make, t_ns: int, frame_id: str) -> Any:
    sec, nanosec = divmod(t_ns, NS_PER_S)
    stamp = make.message("builtin_interfaces/msg/Time", sec=sec, nanosec=nanosec)
    return make.message("std_msgs/msg/Header", stamp=stamp, frame_id=frame_id)


def _ns(stamp: Any) -> int:
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)
