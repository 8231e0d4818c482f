"""Samples between nodes of one machine: through shared memory, beside the topics.

A sensor node writes each sample once; perception reads it where it lies. The stream in shared
memory has the name of the topic, so that namespaces and remappings hold for both, and the domain
of ROS. Its stamps are those of the robot clock; a reader brings them to ROS time in the same way
as a publisher does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from thymos.buffer import SharedReader, SharedWriter
from thymos.errors import ConfigError, ThymosError
from thymos.estimate import source_info
from thymos.samples import Kind, Sample, StreamSpec
from thymos_nodes.convert_sensors import TOLD
from thymos_nodes.params import Param
from thymos_nodes.ros_time import RosTime, wall_ns

CHOICES = ("auto", "shm", "topic")
WAIT_S = 0.1
RETRY_S = 5.0

OUT = (
    Param(
        "transport",
        "auto",
        "auto: shared memory for this machine if it can be had, and the topic for whoever"
        " subscribes; shm: the same, and an error if it cannot; topic: no shared memory.",
        choices=CHOICES,
    ),
    Param("shared.seconds", 1.0, "How much of the past is shared [s].", low=0.1, high=60.0),
    Param("shared.max_mb", 256, "Bound of the shared memory [MB].", low=1, high=65_536),
    Param("shared.readers", 2, "How many may read at once, perception among them.", low=1, high=16),
)
IN = (
    Param(
        "transport",
        "auto",
        "auto: shared memory where a sensor of this machine offers it, else its topic; shm: shared"
        " memory only; topic: topics only.",
        choices=CHOICES,
    ),
)

Say = Callable[[str], object]


def stream_name(topic: str) -> str:
    """Name in shared memory of a topic, which must be resolved (begin with a slash)."""
    return topic.strip("/").replace("/", ".")


class Outlet:
    """The shared memory of a sensor node; without it, does nothing.

    Args:
        transport: `auto`, `shm` or `topic`.
        topic: Resolved name of the topic that carries the same stream.
        spec: The stream.
        frame_id: Frame of the sensor.
        seconds: How much of the past is shared.
        max_mb: Bound of the memory.
        readers: How many may read at once.
        note: Told once, in `auto`, why samples are not shared.

    Raises:
        ThymosError: Samples cannot be shared and `transport` is `shm`.
    """

    def __init__(
        self,
        transport: str,
        topic: str,
        spec: StreamSpec,
        frame_id: str,
        *,
        seconds: float,
        max_mb: int,
        readers: int,
        note: Say,
    ) -> None:
        self._note = note
        self._writer: SharedWriter | None = None
        self.state = "topic"
        if transport == "topic":
            return
        try:
            self._writer = SharedWriter(
                replace(spec, frame_id=frame_id),
                seconds=seconds,
                max_bytes=max_mb * 1_000_000,
                readers=readers,
                name=stream_name(topic),
            )
        except ThymosError as err:
            if transport == "shm":
                raise
            self._give_up(err)
        else:
            self.state = "shared memory, topic"

    def _give_up(self, err: ThymosError) -> None:
        self.state = f"topic: {err}"
        self._note(f"not shared, topic only: {err}" + (f" ({err.hint})" if err.hint else ""))

    def write(self, sample: Sample) -> None:
        """Share one sample. What cannot be shared ends the sharing, not the node."""
        if self._writer is None:
            return
        try:
            self._writer.write(sample)
        except ThymosError as err:
            self.close()
            self._give_up(err)

    @property
    def dropped(self) -> int:
        """Samples there was no room for."""
        return self._writer.dropped if self._writer else 0

    def close(self) -> None:
        """Give the memory back. Twice is fine."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()


@dataclass(frozen=True, slots=True)
class Arrived:
    """A sample as the topic would have brought it: its stream, and itself in ROS time."""

    spec: StreamSpec
    sample: Sample


class Inlet:
    """Reads one stream from shared memory on a thread of its own, for as long as it is there.

    Args:
        name: Of the stream.
        topic: Resolved name of the topic that carries the same stream.
        time: Robot clock to ROS time.
        now: ROS time, for the time of arrival.
        take: Gets every sample, on the thread.
        note: Told once why nothing can be read.

    Raises:
        ThymosError: Shared memory cannot be used at all.
    """

    def __init__(
        self,
        name: str,
        topic: str,
        *,
        time: RosTime,
        now: Callable[[], int],
        take: Callable[[Arrived], None],
        note: Say,
    ) -> None:
        self._name = name
        self._time = time
        self._now = now
        self._take = take
        self._note = note
        self._told = ""
        self._since = wall_ns()
        self._reader = SharedReader(stream_name(topic))
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"shared-{name}", daemon=True)

    @property
    def attached(self) -> bool:
        """Whether somebody on this machine shares the stream."""
        return self._reader.attached

    @property
    def lost(self) -> int:
        """Samples written and not read in time."""
        return self._reader.count.lost

    @property
    def copied(self) -> int:
        """Samples copied since too many are held."""
        return self._reader.count.copied

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End the thread and detach; samples that are held stay valid."""
        self._halt.set()
        if self._thread.is_alive():
            self._thread.join()
        self._reader.close()

    def _run(self) -> None:
        while not self._halt.is_set():
            try:
                for sample in self._reader.wait(WAIT_S):
                    # The past from before this node began is not asked for: a topic has none.
                    if sample.t_recv_ns >= self._since:
                        self._take(self._arrived(sample))
            except ThymosError as err:
                self._tell(f"{err}" + (f" ({err.hint})" if err.hint else ""))
                self._halt.wait(RETRY_S)
            except Exception as err:  # noqa: BLE001  these samples are lost, told, and on
                self._tell(f"{type(err).__name__}: {err}")

    def _tell(self, text: str) -> None:
        if text != self._told:
            self._told = text
            self._note(f"{self._name}: {text}")

    def _arrived(self, sample: Sample) -> Arrived:
        spec = self._reader.spec
        made = replace(
            sample,
            stream=self._name,
            t_ns=self._time.to_ros(sample.t_ns),
            t_recv_ns=self._now(),
        )
        return Arrived(as_from_topic(self._name, spec), made)


def as_from_topic(name: str, spec: StreamSpec) -> StreamSpec:
    """The stream as `TopicStream` describes it, so that both ways are one and the same stream."""
    info = source_info(spec)
    made = replace(spec, name=name, extra={k: v for k in TOLD if (v := getattr(info, k))})
    if spec.kind is Kind.VIDEO:
        return replace(made, unit="rgb8", channels=("r", "g", "b"))
    if spec.kind is Kind.AUDIO:
        width = spec.shape[-1]
        names = tuple(f"ch{i}" for i in range(width))
        return replace(made, shape=(-1, width), unit="s16", channels=names)
    return made


class Handover:
    """Joins what comes through shared memory and by topic to one stream, nothing twice.

    When the way changes, the new one may repeat the last samples of the old one, and counts from
    another number.
    """

    SAME_NS = 200_000  # both ways measure the offset of the clocks for themselves

    def __init__(self) -> None:
        self._way = ""
        self._newest_ns = 0
        self._floor_ns: int | None = None
        self._next = 0
        self._shift = 0
        self._lock = threading.Lock()

    def pass_on(self, way: str, sample: Sample) -> Sample | None:
        """The sample with its number in the joined stream; None if it came the other way."""
        with self._lock:
            return self._joined(way, sample)

    def _joined(self, way: str, sample: Sample) -> Sample | None:
        if way != self._way:
            if self._way:
                self._floor_ns = self._newest_ns + self.SAME_NS
                self._shift = self._next - sample.seq
            self._way = way
        if self._floor_ns is not None:
            if sample.t_ns <= self._floor_ns:
                self._shift = self._next - sample.seq - 1
                return None
            self._floor_ns = None
        made = replace(sample, seq=sample.seq + self._shift) if self._shift else sample
        self._newest_ns, self._next = max(self._newest_ns, made.t_ns), made.seq + 1
        return made


def supports(transport: str, use_sim_time: bool) -> bool:
    """Whether shared memory is asked for: a replay has its own time, which only topics carry.

    Raises:
        ConfigError: It is asked for and the node runs on simulated time.
    """
    if transport == "shm" and use_sim_time:
        raise ConfigError(
            "shared memory carries the robot clock, not simulated time",
            hint="set the parameter transport to auto or topic",
        )
    return transport != "topic" and not use_sim_time
