"""A `SmellFrame` as ROS messages, whoever made their classes (rclpy or rosbags).

`thymos_msgs/SmellFrame` has what may change from reading to reading, `thymos_msgs/SmellInfo`, which
is latched, what does not; `info_id` joins them. See docs/smellframe.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from thymos.errors import FrameError
from thymos.samples import NS_PER_S, Flag
from thymos.smell.frame import (
    VERSION,
    BaselineAir,
    Channel,
    Fault,
    Nose,
    Odorant,
    Percept,
    Phase,
    SmellFrame,
    TimeSource,
)
from thymos.smell.schema import dumps, nose_to_dict

FRAME, INFO = "thymos_msgs/msg/SmellFrame", "thymos_msgs/msg/SmellInfo"
MAX_CHANNELS = 1024
"""Nothing larger is believed: a message comes from anybody."""
MAX_NOSES = 1000
"""Noses of one stream that are remembered."""
ALL_FLAGS = 63
"""Bits of `Flag`; others are of a later version and mean nothing here."""
_AIR = {
    "temperature": "temperature_celsius",
    "humidity": "humidity_percent",
    "pressure": "pressure_hpa",
}
_FAULTS, _SOURCES, _PHASES = tuple(Fault), tuple(TimeSource), tuple(Phase)
_NUMBER = {
    kind: {member: i for i, member in enumerate(kind)} for kind in (Fault, TimeSource, Phase)
}
_Member = TypeVar("_Member")


class Make(Protocol):
    """Makes messages and arrays of one library."""

    def message(self, msgtype: str, **fields: Any) -> Any:
        """A message of a type such as `thymos_msgs/msg/Odorant`."""

    def row(self, values: NDArray[Any]) -> Any:
        """Numbers, as the library wants them."""


def info_id(nose: Nose) -> int:
    """What joins frames to their nose: 64 bit of the SHA-256 of its canonical JSON."""
    text = dumps(nose_to_dict(nose)).encode("utf-8", "backslashreplace")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big")


class Announcer:
    """Knows when the nose of a stream must be announced: first, and when it changed."""

    MOST = 64
    """Noses remembered; readings of several may alternate."""

    def __init__(self) -> None:
        self._known: list[tuple[Nose, Nose, int]] = []  # as it came, with its tf frame, its id

    def take(self, frame: SmellFrame, frame_id: str) -> tuple[SmellFrame, int, bool]:
        """The frame with its tf frame, the id of its nose, and whether that is a new one."""
        nose = frame.nose
        found = next((known for known in self._known if known[0] is nose), None)
        found = found or next((known for known in self._known if known[0] == nose), None)
        new = found is None
        if found is None or found[0] is not nose:
            told = nose if nose.frame_id == frame_id else replace(nose, frame_id=frame_id)
            self._known = [known for known in self._known if known is not found][-self.MOST + 1 :]
            self._known.append(found := (nose, told, info_id(told)))
        return (frame if found[1] is nose else replace(frame, nose=found[1])), found[2], new


def info_message(make: Make, nose: Nose, t_ns: int) -> Any:
    """What is known of a nose, from the frame taken at `t_ns` on."""
    return make.message(
        INFO,
        header=_header(make, t_ns, nose.frame_id),
        version=VERSION,
        id=info_id(nose),
        model=plain_text(nose.model),
        serial=plain_text(nose.serial),
        rate_hz=float(nose.rate_hz),
        tick_hz=float(nose.tick_hz),
        burn_in_ns=nose.burn_in_ns,
        simulated=nose.simulated,
        air=list(nose.air),
        channels=[_channel(make, channel) for channel in nose.channels],
        **_extra(nose.extra),
    )


def frame_message(make: Make, frame: SmellFrame, nose_id: int) -> Any:
    """One frame.

    Args:
        make: Of the library.
        frame: In the time that the message shall have.
        nose_id: `info_id(frame.nose)`, which takes long.
    """
    number = _NUMBER
    faults = {
        f"{name}_fault": number[Fault][frame.air_faults.get(name, Fault.NONE)] for name in _AIR
    }
    return make.message(
        FRAME,
        header=_header(make, frame.t_ns, frame.nose.frame_id),
        info_id=nose_id,
        sequence=max(0, frame.seq),
        received=_time(make, frame.t_recv_ns),
        time_source=number[TimeSource][frame.time_source],
        has_tick=frame.tick is not None,
        tick=frame.tick or 0,
        rate_hz=float(frame.rate_hz),
        channels=[plain_text(channel.name) for channel in frame.nose.channels],
        units=[plain_text(channel.unit) for channel in frame.nose.channels],
        values=make.row(frame.values),
        faults=make.row(np.array([number[Fault][f] for f in frame.faults], np.uint8)),
        offsets_ns=make.row(np.array(frame.offset_ns, np.int64)),
        **{name: float(getattr(frame, name)) for name in _AIR.values()},
        **faults,
        baseline=[] if frame.baseline is None else [_baseline(make, frame.baseline)],
        on_for_ns=frame.on_for_ns,
        phase=number[Phase][frame.phase],
        odorants=[_odorant(make, odorant) for odorant in frame.odorants],
        percepts=[_percept(make, percept) for percept in frame.percepts],
        session=plain_text(frame.session),
        flags=int(frame.flags),
        note=plain_text(frame.note),
        **_extra(frame.extra),
    )


# -- from messages


def nose_from(m: Any) -> Nose:
    """The nose of a SmellInfo.

    Raises:
        FrameError: The message contradicts itself, or is of another major version.
    """
    if str(m.version).partition(".")[0] != VERSION.partition(".")[0]:
        raise FrameError(f"a SmellInfo of version '{m.version}', and {VERSION} is read")
    if len(m.channels) > MAX_CHANNELS:
        raise FrameError(f"a nose of {len(m.channels)} channels")
    return Nose(
        model=str(m.model),
        serial=str(m.serial),
        channels=tuple(
            Channel(
                str(c.name),
                str(c.unit),
                str(c.sensor_model),
                str(c.sensor_id),
                str(c.target),
                str(c.heater_profile),
                int(c.heater_step),
                float(c.heater_celsius),
                int(c.heater_ns),
                float(c.supply_volt),
                float(c.load_ohm),
                int(c.adc_bits),
                float(c.adc_volt),
            )
            for c in m.channels
        ),
        air=tuple(str(name) for name in m.air),
        rate_hz=float(m.rate_hz),
        tick_hz=float(m.tick_hz),
        burn_in_ns=int(m.burn_in_ns),
        simulated=bool(m.simulated),
        frame_id=str(m.header.frame_id),
        extra=_extra_from(m),
    )


def bare_nose(m: Any) -> Nose:
    """What a frame alone tells of its nose, where its SmellInfo is not known.

    Raises:
        FrameError: The message contradicts itself.
    """
    if not len(m.channels) == len(m.units) <= MAX_CHANNELS:
        raise FrameError(f"{len(m.units)} units for {len(m.channels)} channels")
    told = zip(m.channels, m.units, strict=True)
    return Nose(
        model="",
        serial="",
        channels=tuple(Channel(str(name), str(unit)) for name, unit in told),
        air=tuple(n for n, field in _AIR.items() if not np.isnan(getattr(m, field))),
        frame_id=str(m.header.frame_id),
    )


def nose_named(m: Any, noses: dict[int, Nose]) -> Nose:
    """The nose of a frame: described, or what the first frame with its id told (kept in `noses`).

    Raises:
        FrameError: The message contradicts itself.
    """
    number = int(m.info_id)
    found = noses.get(number)
    if found is None:
        found = bare_nose(m)
        if len(noses) < MAX_NOSES:
            noses[number] = found
    return found


def frame_from(m: Any, nose: Nose) -> SmellFrame:
    """The frame of a SmellFrame message.

    Args:
        m: The message.
        nose: Of the SmellInfo with its `info_id`, or `bare_nose(m)`.

    Raises:
        FrameError: The message contradicts itself or the nose.
    """
    if [str(name) for name in m.channels] != [channel.name for channel in nose.channels]:
        raise FrameError("the channels of the frame are not those of its nose")
    if nose.frame_id != m.header.frame_id:  # a bridge or a bag may have renamed it
        nose = replace(nose, frame_id=str(m.header.frame_id))
    faults = {name: _member(_FAULTS, getattr(m, f"{name}_fault")) for name in _AIR}
    return SmellFrame(
        nose=nose,
        seq=int(m.sequence),
        t_ns=_ns(m.header.stamp),
        values=np.array(m.values, np.float64),
        faults=tuple(_member(_FAULTS, number) for number in bytes(m.faults)),
        offset_ns=tuple(int(offset) for offset in m.offsets_ns),
        t_recv_ns=_ns(m.received),
        time_source=_member(_SOURCES, m.time_source),
        tick=int(m.tick) if m.has_tick else None,
        rate_hz=float(m.rate_hz),
        temperature_celsius=float(m.temperature_celsius),
        humidity_percent=float(m.humidity_percent),
        pressure_hpa=float(m.pressure_hpa),
        air_faults={name: fault for name, fault in faults.items() if fault},
        baseline=_baseline_from(m.baseline[0]) if len(m.baseline) else None,
        on_for_ns=int(m.on_for_ns),
        phase=_member(_PHASES, m.phase),
        odorants=tuple(
            Odorant(str(o.name), str(o.cas), float(o.amount), str(o.unit)) for o in m.odorants
        ),
        percepts=tuple(
            Percept(
                str(p.rater),
                tuple(str(word) for word in p.descriptors),
                float(p.pleasantness),
                float(p.intensity),
            )
            for p in m.percepts
        ),
        session=str(m.session),
        flags=Flag(int(m.flags) & ALL_FLAGS),
        note=str(m.note),
        extra=_extra_from(m),
    )


# -- parts


def _time(make: Make, t_ns: int) -> Any:
    sec, nanosec = divmod(t_ns, NS_PER_S)
    return make.message("builtin_interfaces/msg/Time", sec=sec, nanosec=nanosec)


def _ns(stamp: Any) -> int:
    return int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def _header(make: Make, t_ns: int, frame_id: str) -> Any:
    return make.message(
        "std_msgs/msg/Header", stamp=_time(make, t_ns), frame_id=plain_text(frame_id)
    )


def plain_text(text: str) -> str:
    """A text without what UTF-8 cannot hold (bytes of a file in another encoding)."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _extra(extra: Mapping[str, str]) -> dict[str, list[str]]:
    return {
        "extra_keys": [plain_text(key) for key in extra],
        "extra_values": [plain_text(value) for value in extra.values()],
    }


def _extra_from(m: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in zip(m.extra_keys, m.extra_values, strict=False)}


def _channel(make: Make, channel: Channel) -> Any:
    return make.message(
        "thymos_msgs/msg/SmellChannel",
        name=plain_text(channel.name),
        unit=plain_text(channel.unit),
        sensor_model=plain_text(channel.sensor_model),
        sensor_id=plain_text(channel.sensor_id),
        target=plain_text(channel.target),
        heater_profile=plain_text(channel.heater_profile),
        heater_step=channel.heater_step,
        heater_celsius=float(channel.heater_celsius),
        heater_ns=channel.heater_ns,
        supply_volt=float(channel.supply_volt),
        load_ohm=float(channel.load_ohm),
        adc_bits=channel.adc_bits,
        adc_volt=float(channel.adc_volt),
    )


def _baseline(make: Make, clean: BaselineAir) -> Any:
    return make.message(
        "thymos_msgs/msg/SmellBaseline",
        values=make.row(clean.values),
        spread=make.row(clean.spread),
        has_taken=clean.taken_ns is not None,
        taken=_time(make, clean.taken_ns or 0),
        how=plain_text(clean.how),
        readings=clean.readings,
    )


def _baseline_from(m: Any) -> BaselineAir:
    return BaselineAir(
        np.array(m.values, np.float64),
        np.array(m.spread, np.float64),
        _ns(m.taken) if m.has_taken else None,
        str(m.how),
        int(m.readings),
    )


def _odorant(make: Make, odorant: Odorant) -> Any:
    return make.message(
        "thymos_msgs/msg/Odorant",
        name=plain_text(odorant.name),
        cas=plain_text(odorant.cas),
        amount=float(odorant.amount),
        unit=plain_text(odorant.unit),
    )


def _percept(make: Make, percept: Percept) -> Any:
    return make.message(
        "thymos_msgs/msg/Percept",
        rater=plain_text(percept.rater),
        descriptors=[plain_text(word) for word in percept.descriptors],
        pleasantness=float(percept.pleasantness),
        intensity=float(percept.intensity),
    )


def _member(members: tuple[_Member, ...], number: Any) -> _Member:
    if not 0 <= int(number) < len(members):
        raise FrameError(f"{int(number)} is no {type(members[0]).__name__}")
    return members[int(number)]
