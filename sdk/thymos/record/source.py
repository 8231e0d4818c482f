"""One topic of a recording as a source."""

from __future__ import annotations

import json
import threading
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from thymos.clock import SampleCounter
from thymos.errors import FrameError, RecordingError
from thymos.record.ahead import Ahead
from thymos.record.bags import open_bag
from thymos.record.decode import MessageReader
from thymos.record.messages import AudioFormat, Bag, Decoded, Raw, Topic
from thymos.record.naming import NOTE_TOPIC
from thymos.record.shared import Shared
from thymos.samples import (
    NS_PER_S,
    Counters,
    EndOfStream,
    Flag,
    Health,
    HealthReport,
    Kind,
    Sample,
    Source,
    StreamSpec,
    frozen,
    serial_number,
)
from thymos.smell.frame import Nose
from thymos.smell.message import FRAME, INFO, MAX_NOSES, nose_from
from thymos.smell.stream import nose_of, sample_of


def noses_of(bag: Bag, beside: str = "") -> dict[int, Nose]:
    """The noses that a recording describes, by `SmellFrame.info_id`.

    Args:
        bag: The open recording.
        beside: Only those that are described beside this topic.
    """
    found: dict[int, Nose] = {}
    for topic in (t for t in bag.topics if t.msgtype == INFO):
        if beside and topic.name.rpartition("/")[0] != beside.rpartition("/")[0]:
            continue
        for raw in islice(bag.messages(topic.name), MAX_NOSES):
            try:
                if raw.data is not None:
                    told = bag.decode(topic, raw.data)
                    found[int(told.id)] = nose_from(told)
            except (RecordingError, FrameError, ValueError, TypeError, AttributeError):
                continue  # frames tell the names and units of their channels themselves
    return found


def is_of(nose: Nose, spec: StreamSpec) -> bool:
    """Whether readings of a nose may be of a stream: no other serial number, no other channels."""
    serial = serial_number(spec)
    if nose.serial and serial and nose.serial != serial:
        return False
    try:
        own = nose_of(spec)
    except FrameError:  # a specification that somebody wrote by hand
        return True
    names, wanted = ({channel.name for channel in one.channels} for one in (nose, own))
    return names == wanted


class BagSource:
    """Reads one topic of a recording, from its beginning, in the order of the file.

    The capture time is the stamp of the message; without one it is the time at which the message
    was logged, marked `Flag.TIME_ESTIMATED`. A message that cannot be decoded is counted as
    corrupt and leaves a gap. A few chunks and pictures are held in memory, however long it is.

    Args:
        path: The recording.
        topic: Of the recording.
        spec: What the stream is.
        sound: Format of sound whose messages do not tell it.
        recorded_as: Name of the stream when Thymos recorded it; empty for a foreign topic.
        shared: What other sources of the recording unpacked.
    """

    def __init__(
        self,
        path: Path,
        topic: Topic,
        spec: StreamSpec,
        *,
        sound: AudioFormat,
        recorded_as: str,
        shared: Shared,
    ) -> None:
        self._path = path
        self._shared = shared
        self._topic = topic
        self._spec = spec
        self._sound = sound
        self._recorded_as = recorded_as
        self._own = bool(recorded_as)  # by Thymos: numbers and receive times are in the file
        self._lock = threading.Lock()
        self._bag: Bag | None = None
        self._end = ""
        self._counters = Counters()
        self._begin()

    def _begin(self) -> None:
        self._ahead: Ahead | None = None
        self._notes: dict[int, dict[str, Any]] = {}
        self._count = 0
        self._others = 0
        self._asked: tuple[Nose | None, bool] = (None, True)
        self._gap = False
        self._grid: SampleCounter | None = None

    @property
    def spec(self) -> StreamSpec:
        """See `Source`."""
        return self._spec

    @property
    def counters(self) -> Counters:
        """See `Source`."""
        return self._counters

    @property
    def live(self) -> bool:
        """A recording can be read as fast as one likes."""
        return False

    @property
    def health(self) -> HealthReport:
        """See `Source`."""
        if self._end:
            return HealthReport(Health.LOST, self._end, "the rest of the file is lost")
        if self._counters.corrupt:
            return HealthReport(Health.DEGRADED, f"{self._counters.corrupt} damaged messages")
        if self._others:
            return HealthReport(
                Health.DEGRADED, f"{self._others} readings of other noses were left out"
            )
        return HealthReport(Health.OK)

    def open(self) -> None:
        """Open the file; a source that is open starts again from its beginning.

        Raises:
            MediaError: The file is gone.
            RecordingError: It cannot be read any more.
        """
        self.close()
        with self._lock:
            self._begin()
            self._end = ""
            self._counters = Counters()
            self._bag = open_bag(self._path, self._shared)
            noses = noses_of(self._bag) if self._topic.msgtype == FRAME else {}
            messages = MessageReader(self._topic.msgtype, self._sound, noses)
            self._ahead = Ahead(self._bag, self._topic, messages)
            if self._own and self._spec.kind in (Kind.VIDEO, Kind.DEPTH):
                self._notes = self._read_notes(self._bag)

    def _read_notes(self, bag: Bag) -> dict[int, dict[str, Any]]:
        """Flags and notes of pictures, by number; only pictures with something odd have one."""
        found: dict[int, dict[str, Any]] = {}
        for topic in (t for t in bag.topics if t.name == NOTE_TOPIC):
            for raw in islice(bag.messages(topic.name), 1_000_000):
                try:
                    if raw.data is None:
                        continue
                    said = json.loads(str(bag.decode(topic, raw.data).data))
                    if said["stream"] == self._recorded_as:
                        found[int(said["seq"])] = said
                except (ValueError, KeyError, TypeError, RecordingError):
                    continue
        return found

    def close(self) -> None:
        """See `Source`."""
        with self._lock:
            bag, self._bag = self._bag, None
            if bag is not None:
                if self._ahead is not None:
                    self._ahead.close()
                bag.close()

    def __enter__(self) -> Source:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def read(self, timeout_s: float = 1.0) -> Sample | None:
        """Return the next sample.

        Raises:
            EndOfStream: After the last one, or where the file is damaged (see `health`).
        """
        del timeout_s  # a file never waits
        with self._lock:
            while self._bag is not None and self._ahead is not None:
                try:
                    found = self._ahead.next()
                except RecordingError as err:
                    self._end = str(err)
                    raise EndOfStream from err
                if found is None:
                    break
                sample = self._sample(*found)
                if sample is not None:
                    return sample
        raise EndOfStream

    def _sample(self, raw: Raw, found: Decoded | None) -> Sample | None:
        if found is None or not self._fits(found):
            self._counters.corrupt += 1
            self._count += 1
            self._gap = True
            return None
        if found.smell is not None and not self._is_own(found.smell.nose):
            self._others += 1
            self._count += 1
            return None
        flags = found.flags | (Flag.GAP_BEFORE if self._gap else Flag.OK)
        t_ns = found.t_ns
        if t_ns is None and self._own:
            t_ns = 0  # recorded from a file, whose time begins at zero; no unfilled stamp
        if t_ns is None:
            t_ns, flags = self._estimate(raw, found), flags | Flag.TIME_ESTIMATED
        seq = found.seq
        if seq is None:
            seq = raw.sequence if self._own else self._count
        note = self._notes.get(seq, {})
        payload = found.payload
        if found.smell is not None:
            payload = sample_of(found.smell, spec=self._spec).payload
        sample = Sample(
            self._spec.name,
            seq,
            t_ns,
            raw.publish_ns if self._own else max(raw.log_ns, t_ns),
            frozen(payload),
            flags | Flag(int(note.get("flags", 0)) & 63),
            found.note or str(note.get("note", "")),
            smell=found.smell,
        )
        self._count += 1
        self._gap = False
        self._counters.received += 1
        return sample

    def _fits(self, found: Decoded) -> bool:
        """Whether it is shaped as the first message (a camera may switch its mode)."""
        kind, shape = self._spec.kind, self._spec.shape
        return kind is Kind.VIDEO or found.payload.shape[-1] == shape[-1]

    def _is_own(self, nose: Nose) -> bool:
        """Whether a reading is of the nose of this stream; a topic may hold several."""
        if nose is not self._asked[0]:
            self._asked = nose, is_of(nose, self._spec)
        return self._asked[1]

    def _estimate(self, raw: Raw, found: Decoded) -> int:
        """Capture time of a message without a stamp: logged then, so captured before."""
        if self._spec.kind is not Kind.AUDIO:
            return raw.log_ns
        frames = len(found.payload)
        self._grid = self._grid or SampleCounter(self._spec.rate_hz)
        span_ns = round(frames * NS_PER_S / self._spec.rate_hz)
        return self._grid.stamp(frames, raw.log_ns - span_ns).t_ns
