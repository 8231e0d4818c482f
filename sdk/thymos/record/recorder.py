"""Records what a pipeline sees and says, on a thread of its own."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType

from thymos.config import RecordConfig
from thymos.contract import WindowReport
from thymos.errors import RecordingError
from thymos.events import Observer
from thymos.record.encode import Encoder, sample_note
from thymos.record.mcapfile import FileFullError, McapFile
from thymos.record.naming import (
    NOTE_TOPIC,
    REPORT_TOPIC,
    SPEC_KEY,
    SPEC_TOPIC,
    Coding,
    info_topic_of,
    spec_to_json,
    topic_of,
    type_of,
)
from thymos.record.private import without_words
from thymos.samples import Kind, Origin, Sample, StreamSpec
from thymos.smell.message import INFO

STRING = "std_msgs/msg/String"
Item = Sample | WindowReport


class Recorder(Observer):
    """Writes every sample and report to one MCAP file in ROS 2 CDR.

    `log_time` is the capture time, `publish_time` when this process received the sample, both on
    the robot clock; so the file depends on the samples only: a file or a simulation recorded twice
    gives the same bytes (from live devices chunks also end by the wall clock).

    Writing has its own thread behind a bounded queue. If that is full the caller waits a little; if
    it stays full, samples are dropped, counted in `dropped` and told. When the disk or a limit is
    full recording stops with a note, the file stays readable and the pipeline goes on.

    Args:
        path: The file, by custom `*.mcap`. Until it is whole it is called `*.mcap.part`.
        config: Limits, what to keep (faces, voices), and how it is written.
        overwrite: Replace an older recording of that name when this one is whole.
        on_note: Told what goes wrong, in one line each; called from the writing thread or that of
            the caller.

    Attributes:
        path: The file; after `close` where it really lies.
        notes: What went wrong, one line each.
        dropped: Samples (and `reports`) that the file lacks, by stream.
        written: Samples in the file.

    Raises:
        RecordingError: The file cannot be created.
        MissingExtraError: A library is missing.
    """

    QUEUE_BYTES = 128 * 1024 * 1024
    QUEUE_ITEMS = 8192
    WAIT_S = 5.0
    """How long a caller waits for room, once: step runs lose nothing to a busy machine, and a
    live run is held up by a stuck disk only once."""

    def __init__(
        self,
        path: Path | str,
        config: RecordConfig | None = None,
        *,
        overwrite: bool = False,
        on_note: Callable[[str], None] | None = None,
    ) -> None:
        self._config = config or RecordConfig()
        self._on_note = on_note
        self.path = Path(path)
        self.notes: list[str] = []
        self.dropped: dict[str, int] = {}
        self.written = 0
        self._encoder = Encoder(self._config)
        self._file = McapFile(
            self.path,
            max_bytes=self._config.max_bytes,
            min_free_bytes=self._config.min_free_bytes,
            overwrite=overwrite,
            quick=self._config.video == "raw",
        )
        self._specs: dict[str, StreamSpec] = {}
        self._codings: dict[str, Coding] = {}
        self._channels: dict[str, int] = {}
        self._announced: set[str] = set()
        self._queue: deque[Item] = deque()
        self._queued_bytes = 0
        self._unsaved: Counter[str] = Counter()  # samples of the chunk that is not in the file yet
        self._choked = False
        self._full = False
        self._closing = False
        self._closed = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="record", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """Whether the disk or a limit ended the recording; what was written until then is kept."""
        return self._full

    # -- called by the pipeline

    def on_stream(self, spec: StreamSpec) -> None:
        """A stream begins."""
        faces, voices = self._config.faces, self._config.voices
        kept = {Kind.VIDEO: faces, Kind.DEPTH: faces, Kind.AUDIO: voices}
        if not kept.get(spec.kind, True):
            self._note(f"{spec.name} is not recorded, as the settings say")
            return
        coding, why = self._encoder.coding(spec)
        if why:
            self._note(f"{spec.name} is recorded as {coding}: {why}")
        with self._change:
            self._specs[spec.name] = spec
            self._codings.setdefault(spec.name, coding)
            self.dropped.setdefault(spec.name, 0)
            self._file.live = self._file.live or spec.origin is Origin.LIVE

    def on_sample(self, sample: Sample) -> None:
        """Queue one sample."""
        if sample.stream in self._specs:
            self._put(sample, sample.payload.nbytes)

    def on_report(self, report: WindowReport) -> None:
        """Queue one report; words are left out with the voices."""
        self._put(report if self._config.voices else without_words(report), 0)

    def close(self) -> None:
        """Write what is queued and finish the file; twice is once. Never raises.

        Where nothing was recorded (a device that could not be opened) no file is left.
        """
        with self._change:
            if self._closed:
                return
            self._closed = self._closing = True
            self._change.notify_all()
        self._thread.join()
        for name, count in sorted(self._encoder.recoded.items()):
            if count:
                why = "what the camera had sent before them was lost"
                self._note(f"{count} pictures of {name} were encoded anew: {why}")
        if not self._channels and not self._full:
            self._file.discard()
            self._note(f"nothing was recorded; '{self.path}' was not written")
            return
        try:
            self.path = self._file.close()
        except RecordingError as err:
            self.path = self._file.part
            self._note(f"{err}; what was recorded can be read from '{self.path}'")
        if self._file.torn:
            self._lose(self._unsaved.elements())
        lost = {k: v for k, v in self.dropped.items() if v}
        if lost:
            why = "it had stopped" if self._full else "writing was too slow"
            counts = ", ".join(f"{n} of {name}" for name, n in sorted(lost.items()))
            self._note(f"the recording lacks samples, as {why}: {counts}")

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- the queue

    def _put(self, item: Item, nbytes: int) -> None:
        with self._change:
            if self._closing:
                return
            if not self._full and not self._room(nbytes) and not self._choked:
                self._change.wait_for(lambda: self._room(nbytes) or self._full, self.WAIT_S)
            if self._full:
                self._lose([name_of(item)])
                return
            if not self._room(nbytes):
                if not self._choked:
                    self._note(
                        "recording cannot keep up: samples are left out of the file (and counted)"
                    )
                self._choked = True
                self._lose([name_of(item)])
                return
            self._queue.append(item)
            self._queued_bytes += nbytes
            self._change.notify_all()

    def _room(self, nbytes: int) -> bool:
        """Whether the queue takes an item; once choked, not before it is half empty."""
        share = 2 if self._choked else 1
        fits = self._queued_bytes + nbytes <= self.QUEUE_BYTES // share or not self._queue
        return fits and len(self._queue) < self.QUEUE_ITEMS // share

    def _lose(self, names: Iterable[str]) -> None:
        for name, count in Counter(names).items():
            self.dropped[name] = self.dropped.get(name, 0) + count

    # -- the writing thread

    def _work(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._queue or self._closing, McapFile.FLUSH_S)
                item = self._queue.popleft() if self._queue else None
                if isinstance(item, Sample):
                    self._queued_bytes -= item.payload.nbytes
                if self._choked and self._room(0):
                    self._choked = False
                self._change.notify_all()
                if item is None and self._closing:
                    return
            if not self._full:
                self._write(item)

    def _write(self, item: Item | None) -> None:
        try:
            if isinstance(item, Sample):
                self._write_sample(item)
            elif item is not None:
                at = item.window.t1_ns
                # How long the stages took is no part of what was perceived: the file of a run that
                # is done again would differ by it.
                text = item.line().rstrip("\n")
                self._write_text(REPORT_TOPIC, text, at, at)
                self._unsaved["reports"] += 1
                self._look()
            else:
                self._file.tick()
                self._look()
        except FileFullError as err:
            with self._change:
                self._full = True
                self._lose(name_of(lost) for lost in (item, *self._queue) if lost is not None)
                self._queue.clear()
                self._change.notify_all()
            self._note(f"recording has stopped: {err}; what was recorded until then is kept")
        except Exception as err:  # noqa: BLE001  one odd sample must not end the recording
            name = name_of(item)
            self._lose([name])
            self._note(f"a sample of {name} cannot be recorded: {type(err).__name__}: {err}")

    def _write_sample(self, sample: Sample) -> None:
        spec = self._specs[sample.stream]
        coding = self._codings[sample.stream]
        data = self._encoder.sample(sample, spec, coding)
        text = spec_to_json(spec)
        if text not in self._announced:
            self._announced.add(text)
            self._write_text(SPEC_TOPIC, text, sample.t_ns, sample.t_recv_ns)
        if spec.kind in (Kind.VIDEO, Kind.DEPTH) and (note := sample_note(sample)):
            self._write_text(NOTE_TOPIC, note, sample.t_ns, sample.t_recv_ns)
        if spec.kind is Kind.GAS and (info := self._encoder.info()):
            nose = self._channel(info_topic_of(spec), INFO, {})
            self._file.add_message(nose, info, log_ns=sample.t_ns, publish_ns=sample.t_recv_ns)
        channel = self._channel(topic_of(spec, coding), type_of(coding), {SPEC_KEY: text})
        self._file.add_message(
            channel,
            data,
            log_ns=sample.t_ns,
            publish_ns=sample.t_recv_ns,
            sequence=sample.seq,
        )
        self.written += 1
        self._unsaved[sample.stream] += 1
        self._look()

    def _look(self) -> None:
        """Forget the samples of a chunk that is in the file."""
        if not self._file.pending:
            self._unsaved.clear()

    def _write_text(self, topic: str, text: str, log_ns: int, publish_ns: int) -> None:
        channel = self._channel(topic, STRING, {})
        data = self._encoder.text(text)
        self._file.add_message(channel, data, log_ns=log_ns, publish_ns=publish_ns)
        self._look()

    def _channel(self, topic: str, msgtype: str, metadata: dict[str, str]) -> int:
        if topic not in self._channels:
            definition = self._encoder.definition(msgtype)
            self._channels[topic] = self._file.add_channel(topic, msgtype, definition, metadata)
        return self._channels[topic]

    def _note(self, text: str) -> None:
        if text in self.notes or len(self.notes) >= 50:
            return
        self.notes.append(text)
        if self._on_note is not None:
            self._on_note(text)


def name_of(item: Item | None) -> str:
    """What it is counted as."""
    return item.stream if isinstance(item, Sample) else "reports"
