"""A reader's connection to whoever writes a stream now."""

from __future__ import annotations

import ctypes
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from thymos.buffer import iox
from thymos.buffer.layout import DTYPES, HEAD, WORD, Head
from thymos.buffer.place import Announcement, Place
from thymos.buffer.view import Chunk
from thymos.errors import SharedMemoryError
from thymos.samples import Flag, Payload, Sample, frozen

ATTACH_S = 0.02
GRACE_S = 1.0  # a writer that begins or ends cannot be opened for a moment
KNOWN = sum(Flag)


@dataclass(slots=True)
class Tally:
    """What a reader counts.

    Attributes:
        lost: Samples that were written and fell out of the queue before they were read.
        copied: Samples copied since too many are held.
        refused: Samples whose head makes no sense.
    """

    lost: int = 0
    copied: int = 0
    refused: int = 0


class Link:
    """Attaches to a writer, takes its samples, notices its end.

    Attributes:
        found: What the writer announced; None while there is none.
    """

    def __init__(self, place: Place, name: str) -> None:
        self._place, self._name = place, name
        self._node: iox.Node | None = None
        self._subscriber: Any = None
        self._ear: Any = None
        self._held: deque[None] = deque()
        self._next: int | None = None
        self._again = False
        self._failing = ("", 0.0)  # a service that could not be opened, and since when
        self.found: Announcement | None = None

    def attach(self) -> Announcement | None:
        """Attach if there is a living writer; None if there is none, or it begins or ends now.

        Raises:
            SharedMemoryError: There is one and for a second it could not be read: no right, or as
                many readers as it allows; or /dev/shm is full.
        """
        found = Announcement.read(self._place, self._name)
        if found is None:
            return None
        iox.need_room(0)
        if self._node is None:
            self._node = iox.make_node(self._place)
        try:
            self._open(self._node, found)
        except Exception as err:
            self._ear = self._subscriber = None
            if not iox.is_own(err):
                raise
            iox.clean(self._node)
            now = time.monotonic()
            if self._failing[0] != found.service:
                self._failing = (found.service, now)
            if now - self._failing[1] < GRACE_S:
                return None
            raise SharedMemoryError(
                f"cannot read the shared stream '{self._name}': {err}",
                hint=f"process {found.pid} writes it, for up to {found.layout.readers} readers:"
                " end one of them, or restart it",
            ) from err
        self._held = deque()
        self._next = None
        self.found = found
        return found

    def _open(self, node: iox.Node, found: Announcement) -> None:
        service = iox.samples_service(node, found.service, found.layout).open()
        events = iox.wake_service(node, found.service, found.layout).open()
        self._ear = events.listener_builder().create()
        self._subscriber = service.subscriber_builder().buffer_size(found.layout.depth).create()

    def detach(self) -> None:
        """Let go; samples that are held stay valid. Twice is fine."""
        if self.found is not None:
            self._again = True
        self._ear = self._subscriber = self._node = None
        self.found = None

    def is_current(self) -> bool:
        """Whether the writer lives and is the announced one."""
        now = Announcement.read(self._place, self._name)
        return now is not None and self.found is not None and now.service == self.found.service

    def sleep(self, seconds: float) -> None:
        """Until the writer wakes us, or for some time."""
        ear = self._ear
        if ear is None:
            time.sleep(min(seconds, ATTACH_S))
            return
        library = iox.library()
        with suppress(library.ListenerWaitError):
            ear.timed_wait(library.Duration.from_secs_f64(seconds))

    def receive(self, tally: Tally) -> Sample | None:
        """The next sample, or None if there is none now."""
        while self.found is not None:
            try:  # plain: a context manager costs 20 µs in a process that wakes up for each sample
                memory = self._subscriber.receive()
            except Exception as err:
                raise iox.ours(err, f"cannot read '{self._name}'") from err
            if memory is None:
                return None
            sample = self._sample(self.found, memory, tally)
            if sample is not None:
                return sample
        return None

    def _sample(self, found: Announcement, memory: Any, tally: Tally) -> Sample | None:
        number, seq, t_ns, t_recv_ns, bits, shape, note_bytes = Head.unpack(
            ctypes.string_at(memory.user_header_ptr, HEAD.size)
        )
        dtype = DTYPES[found.spec.kind]
        nbytes = prod(shape) * dtype.itemsize
        if not shape or nbytes + note_bytes > found.layout.words * WORD:
            tally.refused += 1
            return None
        flags = Flag(bits & KNOWN) if bits else Flag.OK
        if number != self._next:
            lost = 0 if self._next is None else number - self._next
            if lost or self._again:
                flags |= Flag.GAP_BEFORE  # what was written between two writers is not known
                tally.lost += lost
        self._next = number + 1
        note = ""
        if note_bytes:
            address = memory.payload_ptr + nbytes
            note = ctypes.string_at(address, note_bytes).decode("utf-8", "ignore")
        payload = self._payload(found, memory, shape, dtype, tally)
        return Sample(found.spec.name, seq, t_ns, t_recv_ns, payload, flags, note)

    def _payload(
        self,
        found: Announcement,
        memory: Any,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        tally: Tally,
    ) -> Payload:
        """A view, or a copy if so many views are held that the next could not be received."""
        # The subscriber must live as long as the view: when it goes, the writer takes back all
        # that it held.
        owner = (self._node, self._subscriber, memory)
        if len(self._held) < found.layout.borrows - 1:
            return np.asarray(Chunk(owner, memory.payload_ptr, shape, dtype, held=self._held))
        tally.copied += 1
        return frozen(np.array(Chunk(owner, memory.payload_ptr, shape, dtype)))
