"""A recording as sources: the same streams again, with the capture times they had."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from thymos.errors import RecordingError
from thymos.record.bags import open_bag
from thymos.record.decode import READS, MessageReader
from thymos.record.messages import AudioFormat, Bag, Decoded, Raw, Topic
from thymos.record.naming import (
    ROLE_OF,
    SPEC_KEY,
    SPEC_TOPIC,
    spec_from_json,
    stream_of,
    topics_of,
)
from thymos.record.shared import Shared
from thymos.record.source import BagSource, is_of, noses_of
from thymos.samples import Kind, Origin, Source, StreamSpec, serial_number
from thymos.smell.frame import SmellFrame
from thymos.smell.message import FRAME
from thymos.smell.stream import spec_of

PEEK = 16  # messages looked at to learn the format and the rate of a topic
SEARCH = 600  # messages among which one must be whole (a film has a key frame at times)


@dataclass(frozen=True, slots=True)
class Recording:
    """What is in a recording.

    Attributes:
        path: File or folder.
        sources: By stream name; each opens the file for itself, so they may run in threads.
        notes: What could not be read or had to be assumed.
        topics: All topics with their types.
    """

    path: Path
    sources: dict[str, Source]
    notes: list[str] = field(default_factory=list)
    topics: dict[str, str] = field(default_factory=dict)


def open_recording(path: str | Path, topics: Mapping[str, str] | None = None) -> Recording:
    """Look into a recording and return its streams as sources (not open).

    Reads Thymos recordings, any MCAP with ROS 2 messages, rosbag2 folders and files, and ROS 1
    bags. Topics become streams by their type, see `docs/recording.md`. The first topic of a kind
    by name takes the role (`camera`), the others are `camera.<topic>`.

    Args:
        path: File or folder.
        topics: Which topic shall be which stream, by stream name: `{"camera": "/front/image_raw"}`.
            All other topics become streams as they would without it.

    Raises:
        MediaError: The path is missing, empty, or not a recording.
        RecordingError: It is damaged, or has no topic that Thymos knows, or lacks one of `topics`.
    """
    path = Path(path)
    shared = Shared()
    bag = open_bag(path, shared)
    try:
        return _Survey(path, bag, shared, dict(topics or {})).done()
    finally:
        bag.close()


class _Survey:
    """Finds the streams of an open bag."""

    def __init__(self, path: Path, bag: Bag, shared: Shared, chosen: dict[str, str]) -> None:
        self._path = path
        self._bag = bag
        self._shared = shared
        self._stream_of = {topic: stream for stream, topic in chosen.items()}
        self._notes = list(bag.notes)
        self._sources: dict[str, Source] = {}
        self._roles: dict[Kind, list[tuple[str, str]]] = {}  # streams of foreign topics

    def done(self) -> Recording:
        """Look at every topic."""
        check_choice(self._bag.topics, self._stream_of)
        specs = _stored_specs(self._bag)
        for topic in _usable(self._bag, self._stream_of, self._notes):
            try:
                learnt = _learn(self._bag, topic, READS[topic.msgtype][0])
                own = _spec_of(topic, specs)
                if learnt is not None and topic.name in self._stream_of:
                    _refuse_other_kind(self._stream_of[topic.name], learnt[0].kind)
                why = f"{topic.name} has no messages"
            except RecordingError as err:
                learnt, why = None, f"{topic.name}: {err}"
            if learnt is not None:
                self._add(topic, *learnt, own)
            elif topic.name in self._stream_of:
                raise RecordingError(f"'{self._path}': {why}", hint="choose another topic")
            else:
                self._notes.append(why)
        if not self._sources:
            raise _nothing(self._path, self._bag, self._notes)
        self._tell_choices()
        types = {t.name: t.msgtype for t in self._bag.topics}
        return Recording(self._path, self._sources, self._notes, types)

    def _add(
        self, topic: Topic, learnt: StreamSpec, sound: AudioFormat, stored: StreamSpec | None
    ) -> None:
        taken = set(self._sources) | set(self._stream_of.values())
        name = self._stream_of.get(topic.name, "")
        if not name and stored is not None and stored.name not in taken:
            name = stored.name
        if not name:
            name = stream_of(topic.name, learnt.kind, taken)
        if stored is None:
            self._roles.setdefault(learnt.kind, []).append((name, topic.name))
            learnt = replace(learnt, device=learnt.device or f"{topic.name} of {self._path.name}")
            if sound.assumed and _plain(topic):
                self._notes.append(
                    f"{topic.name} does not say its format: 16 kHz mono s16 was assumed"
                )
        spec = replace(stored or learnt, name=name)
        if topic.msgtype == FRAME:
            others = [n for n in noses_of(self._bag, topic.name).values() if not is_of(n, spec)]
            if others:
                self._notes.append(
                    f"{topic.name} holds {len(others) + 1} noses; only {_named(spec)} is read"
                )
        self._sources[name] = BagSource(
            self._path,
            topic,
            spec,
            sound=sound,
            recorded_as="" if stored is None else stored.name,
            shared=self._shared,
        )

    def _tell_choices(self) -> None:
        """Say which topic was taken where there are several and nobody chose."""
        for kind, found in self._roles.items():
            role = ROLE_OF[kind]
            if len(found) > 1 and role not in self._stream_of.values():
                first = next((topic for name, topic in found if name == role), "")
                others = ", ".join(f"{topic} ({name})" for name, topic in found if name != role)
                if first:
                    self._notes.append(
                        f"'{role}' is {first}; also read: {others} "
                        f"(choose with --topic {role}=TOPIC or sources.topics)"
                    )


def _named(spec: StreamSpec) -> str:
    return f"'{spec.device}' {serial_number(spec)}".strip()


def check_choice(topics: list[Topic], stream_of_topic: dict[str, str]) -> None:
    """Refuse a choice that cannot be met.

    Raises:
        RecordingError: A topic is not there, is of a type that is not read, or of another kind
            than its stream's name says.
    """
    known = {t.name: t for t in topics}
    readable = ", ".join(sorted(t.name for t in topics if t.msgtype in READS)) or "none"
    for name, stream in stream_of_topic.items():
        hint = f"topics that can be read: {readable}"
        if name not in known:
            raise RecordingError(f"there is no topic '{name}' for the stream '{stream}'", hint=hint)
        msgtype = known[name].msgtype
        if msgtype not in READS:
            raise RecordingError(f"topic '{name}' ({msgtype}) cannot be read", hint=hint)
        kinds = {role: kind for kind, role in ROLE_OF.items()}
        there = READS[msgtype][0]
        wanted = kinds.get(stream.partition(".")[0], there)
        if wanted is not there and (wanted, msgtype) != (Kind.DEPTH, _IMAGE):
            raise RecordingError(
                f"topic '{name}' ({msgtype}) cannot be the stream '{stream}'", hint=hint
            )


_IMAGE = "sensor_msgs/msg/Image"
"""May hold colours or depth; only its messages tell."""


def _refuse_other_kind(stream: str, kind: Kind) -> None:
    """Refuse depth as a camera and colours as depth, which the type of a topic does not tell.

    Raises:
        RecordingError: The topic is of another kind than its stream's name says.
    """
    role = stream.partition(".")[0]
    if role in ROLE_OF.values() and role != ROLE_OF[kind]:
        raise RecordingError(f"it holds {kind.value}, which cannot be the stream '{stream}'")


SHOWN = 5  # topics named in an error


def _nothing(path: Path, bag: Bag, notes: list[str]) -> RecordingError:
    """Why a recording gives no stream."""
    if not bag.topics:
        return RecordingError(
            f"'{path}' is a recording of nothing: no topic and no message", hint="record it again"
        )
    topics = sorted(bag.topics, key=lambda t: (t.msgtype not in READS, t.name))
    there = ", ".join(f"{t.name} ({t.msgtype or t.encoding})" for t in topics[:SHOWN])
    more = f" and {len(topics) - SHOWN} more" if len(topics) > SHOWN else ""
    why = f" ({'; '.join(notes[:3])})" if notes else ""
    return RecordingError(
        f"'{path}' holds no pictures, sound or gas that can be read{why}; topics: {there}{more}",
        hint="it needs sensor_msgs/Image or CompressedImage, a sound or a gas message: all types"
        " that are read stand in docs/recording.md",
    )


_TWINS = ("/compressed", "/h264", "/foxglove", "/ffmpeg")
"""What image_transport and its like append for the same pictures, compressed."""


def _usable(bag: Bag, chosen: Collection[str], notes: list[str]) -> Iterator[Topic]:
    """Topics of known types in order of name; of twins, raw or compressed, one is read."""
    known = {t.name: t for t in bag.topics if t.msgtype in READS}
    left: dict[str, str] = {}
    for name in sorted(known):
        base = next((name.removesuffix(t) for t in _TWINS if name.endswith(t)), name)
        if base != name and base in known:
            out, other = (base, name) if name in chosen else (name, base)
            if out not in chosen:
                left[out] = other
    for name in sorted(known):
        if name in left:
            notes.append(f"{name} is a twin of {left[name]} (the same pictures) and is not read")
        else:
            yield known[name]


def _learn(bag: Bag, topic: Topic, kind: Kind) -> tuple[StreamSpec, AudioFormat] | None:
    """Format and rate from the first messages; None if there are none.

    Raises:
        RecordingError: None of them can be decoded.
    """
    sound = _audio_info(bag, topic) if _plain(topic) else AudioFormat()
    first, times = _peek(bag, topic, sound)
    if first is None:
        return None
    kind = Kind.DEPTH if first.unit == "mm" else kind
    steps = sorted(b - a for a, b in itertools.pairwise(times))
    rate = first.rate_hz
    if kind is not Kind.AUDIO and steps and steps[len(steps) // 2] > 0:
        rate = round(1e9 / steps[len(steps) // 2], 3)
    if kind is Kind.AUDIO and rate <= 0:
        raise RecordingError("its messages state a rate of 0 frames/s")
    shape = (-1, first.payload.shape[1]) if kind is Kind.AUDIO else first.payload.shape
    return (
        StreamSpec(
            topic.name,
            kind,
            rate,
            tuple(shape),
            first.unit,
            first.channels,
            first.frame_id,
            _origin(first),
            first.device,
            {"topic": topic.name, "type": topic.msgtype} | _facts(first),
        ),
        sound,
    )


def _origin(first: Decoded) -> Origin:
    """Only a SmellFrame tells whether it was simulated."""
    simulated = first.smell is not None and first.smell.nose.simulated
    return Origin.SIMULATED if simulated else Origin.RECORDED


def _facts(first: Decoded) -> dict[str, str]:
    return {} if first.smell is None else dict(spec_of(first.smell.nose).extra)


def _peek(bag: Bag, topic: Topic, sound: AudioFormat) -> tuple[Decoded | None, list[int]]:
    """The first whole message and the times of some.

    Raises:
        RecordingError: There are messages and none is whole.
    """
    noses = noses_of(bag) if topic.msgtype == FRAME else {}
    reader = MessageReader(topic.msgtype, sound, noses)
    first: Decoded | None = None
    why: RecordingError | None = None
    times: list[int] = []
    for raw, _ in zip(bag.messages(topic.name), range(SEARCH), strict=False):
        try:
            found = reader.finish(reader.read(_decoded(bag, topic, raw)))
        except RecordingError as err:  # damaged, or a film that begins between key frames
            why = why or err
            continue
        first = first or found
        if first.smell is not None and not _same_nose(first.smell, found.smell):
            continue
        times.append(raw.log_ns if found.t_ns is None else found.t_ns)
        if len(times) == PEEK:
            break
    if first is None and why is not None:
        raise why
    return first, times


def _same_nose(first: SmellFrame, other: SmellFrame | None) -> bool:
    """Of several noses on a topic the first is read, so the rate is that of the first."""
    return other is None or is_of(other.nose, spec_of(first.nose))


def _decoded(bag: Bag, topic: Topic, raw: Raw) -> Any:
    """A message; a damaged one is an error.

    Raises:
        RecordingError: It is damaged.
    """
    if raw.data is None:
        raise RecordingError("a chunk is damaged")
    return bag.decode(topic, raw.data)


def _plain(topic: Topic) -> bool:
    """Sound whose messages do not tell their format."""
    return topic.msgtype in (
        "audio_common_msgs/msg/AudioData",
        "audio_common_msgs/msg/AudioDataStamped",
    )


def _audio_info(bag: Bag, topic: Topic) -> AudioFormat:
    """Format from the AudioInfo topic in the same namespace (ros-drivers/audio_common).

    Raises:
        RecordingError: The sound is coded (MP3) or not s16.
    """
    space = topic.name.rpartition("/")[0]
    infos = [t for t in bag.topics if t.msgtype == "audio_common_msgs/msg/AudioInfo"]
    for info in sorted(infos, key=lambda t: (t.name.rpartition("/")[0] != space, t.name)):
        for raw in bag.messages(info.name):
            said = _decoded(bag, info, raw)
            if not hasattr(said, "sample_rate"):
                break
            coding = str(said.coding_format).lower()
            layout = str(said.sample_format).upper()
            if coding not in ("", "wave") or layout not in ("", "S16LE"):
                raise RecordingError(f"sound coded as {coding} {layout} is not read")
            return AudioFormat(float(said.sample_rate), int(said.channels), assumed=False)
    return AudioFormat()


def _stored_specs(bag: Bag) -> dict[str, StreamSpec]:
    """Specs from the spec topic, by the topic the recorder gives to such a stream."""
    found: dict[str, StreamSpec] = {}
    for topic in bag.topics:
        if topic.name != SPEC_TOPIC or topic.msgtype != "std_msgs/msg/String":
            continue
        for raw in bag.messages(topic.name):
            try:
                spec = spec_from_json(str(_decoded(bag, topic, raw).data))
            except RecordingError:  # the metadata of the channels say the same
                continue
            if spec is not None:
                for name in topics_of(spec):
                    found.setdefault(name, spec)
    return found


def _spec_of(topic: Topic, specs: dict[str, StreamSpec]) -> StreamSpec | None:
    """The spec that was recorded with a topic."""
    inside = spec_from_json(topic.metadata.get(SPEC_KEY, "null"))
    spec = inside or specs.get(topic.name)
    kind = READS[topic.msgtype][0]
    fits = {kind, Kind.DEPTH} if topic.msgtype == _IMAGE else {kind}
    return spec if spec is not None and spec.kind in fits else None
