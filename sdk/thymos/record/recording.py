"""A recording as sources: the same streams again, with the capture times they had."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from thymos.errors import RecordingError
from thymos.record.bags import Bag, open_bag
from thymos.record.decode import READS, AudioFormat, Decoded, MessageReader
from thymos.record.messages import Raw, Topic
from thymos.record.naming import SPEC_KEY, SPEC_TOPIC, spec_from_json, stream_of, topics_of
from thymos.record.shared import Shared
from thymos.record.source import BagSource
from thymos.samples import Kind, Origin, Source, StreamSpec

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


def open_recording(path: str | Path) -> Recording:
    """Look into a recording and return its streams as sources (not open).

    Reads Thymos recordings, any MCAP with ROS 2 messages, rosbag2 folders and files, and ROS 1
    bags. Topics become streams by their type, see `docs/recording.md`.

    Raises:
        MediaError: The path is missing, empty, or not a recording.
        RecordingError: It is damaged, or has no topic that Thymos knows.
    """
    path = Path(path)
    shared = Shared()
    bag = open_bag(path, shared)
    try:
        return _survey(path, bag, shared)
    finally:
        bag.close()


def _survey(path: Path, bag: Bag, shared: Shared) -> Recording:
    notes = list(bag.notes)
    sources: dict[str, Source] = {}
    specs = _stored_specs(bag)
    for topic in _usable(bag, notes):
        kind = READS[topic.msgtype][0]
        try:
            learnt = _learn(bag, topic, kind)
        except RecordingError as err:
            notes.append(f"{topic.name}: {err}")
            continue
        if learnt is None:
            notes.append(f"{topic.name} has no messages")
            continue
        spec, sound = learnt
        stored = _spec_of(topic, specs)
        if stored is not None and stored.name not in sources:
            spec = stored
        else:
            spec = replace(spec, name=stream_of(topic.name, kind, set(sources)))
        if sound.assumed and kind is Kind.AUDIO and spec is not stored and _plain(topic):
            notes.append(f"{topic.name} does not say its format: 16 kHz mono s16 was assumed")
        if spec is not stored:
            spec = replace(spec, device=spec.device or f"{topic.name} of {path.name}")
        sources[spec.name] = BagSource(
            path, topic, spec, sound=sound, own=stored is not None, shared=shared
        )
    if not sources:
        raise RecordingError(_nothing(path, bag, notes), hint="see docs/recording.md for the types")
    return Recording(path, sources, notes, {t.name: t.msgtype for t in bag.topics})


def _nothing(path: Path, bag: Bag, notes: list[str]) -> str:
    """Why a recording gives no stream."""
    if not bag.topics:
        return f"'{path}' holds no topics at all"
    there = ", ".join(f"{t.name} ({t.msgtype or t.encoding})" for t in bag.topics[:8])
    more = f" and {len(bag.topics) - 8} more" if len(bag.topics) > 8 else ""
    why = f" ({'; '.join(notes[:3])})" if notes else ""
    return f"'{path}' holds no pictures, sound or gas that can be read{why}; topics: {there}{more}"


def _usable(bag: Bag, notes: list[str]) -> Iterator[Topic]:
    """Topics of known types in order of name; a compressed twin of a raw picture is left out."""
    known = {t.name: t for t in bag.topics if t.msgtype in READS}
    for name in sorted(known):
        base = name.removesuffix("/compressed")
        if base != name and base in known:
            notes.append(f"{name} is the compressed twin of {base} and is not read")
            continue
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
            Origin.RECORDED,  # a foreign bag does not say whether it was simulated
            first.device,
            {"topic": topic.name, "type": topic.msgtype},
        ),
        sound,
    )


def _peek(bag: Bag, topic: Topic, sound: AudioFormat) -> tuple[Decoded | None, list[int]]:
    """The first whole message and the times of some.

    Raises:
        RecordingError: There are messages and none is whole.
    """
    reader = MessageReader(topic.msgtype, sound)
    first: Decoded | None = None
    why: RecordingError | None = None
    times: list[int] = []
    for raw, _ in zip(bag.messages(topic.name), range(SEARCH), strict=False):
        try:
            found = reader.read(_decoded(bag, topic, raw))
        except RecordingError as err:  # damaged, or a film that begins between key frames
            why = why or err
            continue
        first = first or found
        times.append(raw.log_ns if found.t_ns is None else found.t_ns)
        if len(times) == PEEK:
            break
    if first is None and why is not None:
        raise why
    return first, times


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
            spec = spec_from_json(str(_decoded(bag, topic, raw).data))
            if spec is not None:
                for name in topics_of(spec):
                    found.setdefault(name, spec)
    return found


def _spec_of(topic: Topic, specs: dict[str, StreamSpec]) -> StreamSpec | None:
    """The spec that was recorded with a topic."""
    inside = spec_from_json(topic.metadata.get(SPEC_KEY, "null"))
    spec = inside or specs.get(topic.name)
    return spec if spec is not None and spec.kind is READS[topic.msgtype][0] else None
