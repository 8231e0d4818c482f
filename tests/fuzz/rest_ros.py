"""ROS messages for `fuzz_rest`: deserialised as ROS does, then taken as our nodes take them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import cache
from typing import Any

from rest_good import GAS, SOUND, SPECS, check, report, samples_of

from thymos.samples import Kind, Origin


def of_ros(names: tuple[str, ...], use: Callable[[str, Any], object]) -> Callable[[bytes], None]:
    """Deserialises the input as ROS does; the first byte chooses the message."""

    def parse(data: bytes) -> None:
        if not data:
            return
        name = names[data[0] % len(names)]
        from rclpy.serialization import deserialize_message

        try:
            message = deserialize_message(data[1:], ros_types()[name])
        except Exception:  # the middleware refuses it, before it is ours
            return
        with contextlib.suppress(ValueError):
            use(name, message)

    return parse


@cache
def ros_types() -> dict[str, Any]:
    import sensor_msgs.msg as sensor
    import thymos_msgs.msg as own

    return {"Image": sensor.Image} | {n: getattr(own, n) for n in (*ANSWERS, *GAS_SOUND)}


GAS_SOUND = ("AudioFrame", "SmellFrame")
SENSORS = ("Image", *GAS_SOUND)
ANSWERS = ("PerceptionWindow", "Explanation", "Response", "SourceInfo")


def take_sample(name: str, message: Any) -> None:
    """As perception takes it."""
    from thymos_nodes.convert_sensors import TopicStream

    kind = dict(zip(SENSORS, (Kind.VIDEO, Kind.AUDIO, Kind.GAS), strict=True))[name]
    check(kind, TopicStream("s", kind, Origin.LIVE).take(message, 1).payload)


def take_answer(name: str, message: Any) -> None:
    """As perception, reasoner, responder and speaker take them."""
    from thymos_nodes import convert, convert_answers

    {
        "PerceptionWindow": convert.window_from_msg,
        "Explanation": convert_answers.explanation_from_msg,
        "Response": convert_answers.response_from_msg,
        "SourceInfo": convert.source_from_msg,
    }[name](message)


def ros_sensors() -> list[bytes]:
    """A picture, a block and a reading."""
    from rclpy.serialization import serialize_message

    from thymos_nodes import convert_sensors as to
    from thymos_nodes.convert_smell import SmellMessages

    one = {spec.kind: samples_of(spec, 1)[0] for spec in SPECS}
    made = (
        to.image_to_msg(one[Kind.VIDEO], "c", 1),
        to.audio_to_msg(one[Kind.AUDIO], SOUND, "m", 1),
        SmellMessages(GAS, "n").of(one[Kind.GAS], 1).data,
    )
    return [bytes([at]) + serialize_message(m) for at, m in enumerate(made)]


def ros_answers() -> list[bytes]:
    """What the nodes say of one window."""
    from rclpy.serialization import serialize_message

    from thymos.reason.base import Affect, Evidence
    from thymos_nodes import convert, convert_answers

    whole = report()
    affect = Affect({"joy": 0.7}, {"face": {"joy": 1.0}}, {"face": 1.0}, 0.1, None, 0.2, ("face",))
    evidence = Evidence(window=whole.window, cues=whole.cues, affect=affect)
    made = (
        convert.window_to_msg(evidence, complete=True, sources=whole.sources),
        convert_answers.explanation_to_msg(whole.explanation, whole.window),
        convert_answers.response_to_msg(whole.response, 1),
        convert.source_to_msg(whole.sources[0]),
    )
    return [bytes([at]) + serialize_message(m) for at, m in enumerate(made)]
