"""One thread a source: opens, paces, supervises and reads until told to stop."""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType

from thymos.clock import RobotClock
from thymos.errors import DeviceError, ThymosError
from thymos.samples import (
    NS_PER_S,
    Counters,
    EndOfStream,
    Health,
    HealthReport,
    Sample,
    Source,
    StreamSpec,
)
from thymos.supervise import Supervisor, pace_together

READ_S = 0.1
JOIN_S = 10.0
AGAIN_NS = 30 * NS_PER_S
"""A complaint that comes and goes is told no more often than this."""
_KEPT = 16


class Readers:
    """Reads several sources at once. Use as a context manager, then `start`.

    Args:
        sources: Not yet open. Live ones are reopened when lost, recordings are played in real time.
        clock: Robot clock.

    Raises:
        DeviceError: On entering: a source cannot be opened (those opened before are closed).
        MediaError: Likewise for a file.
    """

    def __init__(self, sources: Sequence[Source], clock: RobotClock) -> None:
        self._clock = clock
        self._sources: list[Source] = [Supervisor(s, clock) if s.live else s for s in sources]
        self._threads: list[threading.Thread] = []
        self._stack = ExitStack()

    def __enter__(self) -> Readers:
        with ExitStack() as stack:
            for source in self._sources:
                stack.enter_context(source)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def specs(self) -> list[StreamSpec]:
        """Of the open sources."""
        return [s.spec for s in self._sources]

    @property
    def counters(self) -> dict[str, Counters]:
        """Of every source, by stream."""
        return {s.spec.name: s.counters for s in self._sources}

    @property
    def health(self) -> dict[str, HealthReport]:
        """Of every source, by stream."""
        return {s.spec.name: s.health for s in self._sources}

    def start(
        self,
        stop: threading.Event,
        *,
        take: Callable[[Sample], None],
        ended: Callable[[str, str], None],
        note: Callable[[str], None],
    ) -> None:
        """Begin reading.

        Args:
            stop: Ends all threads.
            take: Gets every sample, on the thread of its source.
            ended: Told the stream and the reason when a source ends for good.
            note: Told of losses and recoveries, and of each change of a source's health.
        """

        def work(source: Source) -> None:
            ended(source.spec.name, _read(source, stop, take, note, self._clock))

        for source in pace_together(self._sources, self._clock):
            name = f"read-{source.spec.name}"
            thread = threading.Thread(target=work, args=(source,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether any source is still being read."""
        return any(t.is_alive() for t in self._threads)

    def join(self) -> None:
        """Wait for the threads to end (after `stop`)."""
        for thread in self._threads:
            thread.join(JOIN_S)


class Teller:
    """Tells people about one source while it is read: losses, recoveries, how it feels.

    A complaint (degraded, stalled) is told when it begins, and that it is over. Its numbers may go
    on changing without a word.

    Args:
        source: Being read.
        clock: Robot clock.
        note: Gets one line.
    """

    def __init__(self, source: Source, clock: RobotClock, note: Callable[[str], None]) -> None:
        self._source, self._clock, self._note = source, clock, note
        self._complaint = ""  # that has been told and is not over
        self._told: deque[tuple[int, str]] = deque(maxlen=_KEPT)

    def look(self) -> None:
        """Tell what is new; to be called after each read, on the same thread."""
        name = self._source.spec.name
        if isinstance(self._source, Supervisor):
            for event in self._source.events():
                self._note(f"{name}: {event}")
        said = self._source.health
        if said.health in (Health.DEGRADED, Health.STALLED):
            words = f"{said.health.value}: {said.reason}"
            plain = re.sub(r"[\d.]+", "", words)
            if plain != self._complaint and self._fresh(plain):
                self._complaint = plain
                self._note(f"{name}: {words}" + f"; {said.remedy}" * bool(said.remedy))
        elif said.health is Health.OK and self._complaint:
            self._complaint = ""
            self._note(f"{name}: ok again")

    def _fresh(self, plain: str) -> bool:
        """Whether this was not told lately, nor very many other things."""
        now = self._clock.now_ns()
        recent = [words for at, words in self._told if now - at < AGAIN_NS]
        if plain in recent or len(recent) == _KEPT:
            return False
        self._told.append((now, plain))
        return True


def _read(
    source: Source,
    stop: threading.Event,
    take: Callable[[Sample], None],
    note: Callable[[str], None],
    clock: RobotClock,
) -> str:
    """Read until the end; return why it ended, empty for a plain end of file."""
    name = source.spec.name
    teller = Teller(source, clock, note)
    try:
        while not stop.is_set():
            sample = source.read(READ_S)
            teller.look()
            if sample is not None:
                take(sample)
    except EndOfStream:
        return source.health.reason
    except (DeviceError, ThymosError) as err:
        note(f"{name}: {err}")
        return str(err)
    return "stopped"
