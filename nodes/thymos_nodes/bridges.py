"""Bridges to hri_msgs (REP-155, ROS4HRI) and olfaction_msgs: active only where those are installed.

Neither package is on PyPI; on a robot they come from apt or a colcon workspace. The original label
always stays in the explanation topic; a bridge carries what the foreign message can hold.
"""

from __future__ import annotations

import importlib
import re
from types import ModuleType
from typing import TYPE_CHECKING, Any

from thymos.contract import Cue
from thymos.errors import ConfigError
from thymos.smell import olfaction
from thymos.smell.frame import SmellFrame
from thymos_nodes import qos
from thymos_nodes.convert import header, number_to_msg
from thymos_nodes.convert_smell import MAKE

if TYPE_CHECKING:
    from thymos_nodes.lifecycle import ThymosNode

EXPRESSION = {
    "neutral": "neutral",
    "joy": "happy",
    "sadness": "sad",
    "anger": "angry",
    "fear": "scared",
    "disgust": "disgusted",
    "surprise": "surprised",
}
MAX_IDS = 32  # publishers are made for each face; a flickering tracker must not make thousands


def messages(package: str) -> ModuleType | None:
    """The `msg` module of a package that may be absent."""
    try:
        return importlib.import_module(f"{package}.msg")
    except ImportError:
        return None


# -- olfaction_msgs


class Foreign:
    """Makes messages of olfaction_msgs; see `thymos.smell.message.Make`."""

    def __init__(self, package: ModuleType) -> None:
        self._package = package

    def message(self, msgtype: str, **fields: Any) -> Any:
        """One of olfaction_msgs, a header or a time."""
        package, _, name = msgtype.partition("/msg/")
        if package == "olfaction_msgs":
            return getattr(self._package, name)(**fields)
        return MAKE.message(msgtype, **fields)

    def row(self, values: Any) -> Any:
        """See `Rclpy.row`."""
        return MAKE.row(values)


def gas_sensor_array() -> type:
    """The class of olfaction_msgs/GasSensorArray.

    Raises:
        ConfigError: The package is not installed.
    """
    found = messages("olfaction_msgs")
    if found is None:
        raise ConfigError(
            "olfaction_msgs is not installed",
            hint="build it in a workspace (github.com/MAPIRlab), or leave the parameter empty",
        )
    kind: type = found.GasSensorArray
    return kind


class Olfaction:
    """Publishes `enose/olfaction` (olfaction_msgs/GasSensorArray)."""

    def __init__(self, node: ThymosNode, olfaction: ModuleType) -> None:
        self._make = Foreign(olfaction)
        self._publisher = node.announce(olfaction.GasSensorArray, "enose/olfaction", qos.sensor())

    @classmethod
    def of(cls, node: ThymosNode) -> Olfaction | None:
        """The bridge, or None where olfaction_msgs is not installed."""
        found = messages("olfaction_msgs")
        return None if found is None else cls(node, found)

    def publish(self, frame: SmellFrame) -> None:
        """Publish one reading."""
        self._publisher.publish(olfaction.array_message(self._make, frame))


# -- hri_msgs


def expression(cue: Cue, t_ns: int, hri: ModuleType) -> Any:
    """What a face cue says, as hri_msgs/Expression."""
    emotion = cue.emotion or {}
    label = max(emotion, key=lambda name: emotion[name]) if emotion else "neutral"
    return hri.Expression(
        header=header(t_ns),
        expression=EXPRESSION[label],
        valence=number_to_msg(cue.valence),
        arousal=number_to_msg(cue.arousal),
        confidence=float(cue.confidence),
    )


def live_speech(cue: Cue, language: str, hri: ModuleType) -> Any:
    """A transcript as hri_msgs/LiveSpeech, stamped with the end of the speech."""
    return hri.LiveSpeech(
        header=header(cue.t1_ns),
        final=str(cue.value),
        confidence=float(cue.confidence),
        language=language,
    )


def hri_id(track: str) -> str:
    """A track as an id of REP-155: letters, digits and underscores."""
    return re.sub(r"\W", "_", track) or "anonymous"


class Hri:
    """Publishes `/humans/faces/…` and `/humans/voices/…` (absolute names, by REP-155)."""

    def __init__(self, node: ThymosNode, hri: ModuleType, language: str) -> None:
        self._node = node
        self._msgs = hri
        self._language = language
        self._publishers: dict[str, Any] = {}
        self._tracked = {
            kind: node.create_publisher(hri.IdsList, f"/humans/{kind}/tracked", qos.LATCHED)
            for kind in ("faces", "voices")
        }

    @classmethod
    def of(cls, node: ThymosNode, language: str) -> Hri | None:
        """The bridge, or None where hri_msgs is not installed."""
        found = messages("hri_msgs")
        return None if found is None else cls(node, found, language)

    def publish(self, cues: tuple[Cue, ...], t_ns: int) -> None:
        """Publish what the cues of one window say of faces and voices."""
        seen: dict[str, list[str]] = {"faces": [], "voices": []}
        for cue in cues:
            own = hri_id(cue.track)
            if cue.modality == "face" and cue.emotion:
                made = expression(cue, cue.t1_ns, self._msgs)
                self._publish(f"/humans/faces/{own}/expression", made)
                seen["faces"].append(own)
            elif cue.modality == "words" and cue.name == "transcript":
                made = live_speech(cue, self._language, self._msgs)
                self._publish(f"/humans/voices/{own}/speech", made)
                seen["voices"].append(own)
        for kind, ids in seen.items():
            unique = list(dict.fromkeys(ids))
            self._tracked[kind].publish(self._msgs.IdsList(header=header(t_ns), ids=unique))

    def _publish(self, topic: str, message: Any) -> None:
        publisher = self._publishers.pop(topic, None)
        if publisher is None:
            publisher = self._node.create_publisher(type(message), topic, qos.RESULT)
        self._publishers[topic] = publisher  # newest last
        if len(self._publishers) > MAX_IDS:
            oldest = next(iter(self._publishers))
            self._node.destroy_publisher(self._publishers.pop(oldest))
        publisher.publish(message)

    def close(self) -> None:
        """Take the publishers away."""
        for publisher in (*self._publishers.values(), *self._tracked.values()):
            self._node.destroy_publisher(publisher)
        self._publishers.clear()
