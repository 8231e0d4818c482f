"""The writing end of a stream in shared memory."""

from __future__ import annotations

import ctypes
import os
import secrets
import threading
import weakref
from collections.abc import Iterator
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from thymos.buffer import iox
from thymos.buffer.layout import DTYPES, HEAD, MAX_NDIM, NOTE_BYTES, WORD, Head, Layout
from thymos.buffer.place import SHM, Announcement, Lock, Place
from thymos.buffer.view import Chunk
from thymos.errors import SharedMemoryError
from thymos.samples import NS_PER_S, Flag, Kind, Payload, Sample, StreamSpec

READERS = 4


class Loan:
    """Memory for one payload, to be filled in place and sent; dropped if it never is.

    Attributes:
        payload: Array over the shared memory, writable, not initialised. Not to be used any more
            once it is sent.
    """

    __slots__ = ("_head", "_memory", "_tail", "_writer", "payload")

    def __init__(self, writer: SharedWriter, memory: Any, payload: Payload) -> None:
        self._writer = writer
        self._memory = memory
        self._head = memory.user_header_ptr
        self._tail = memory.payload_ptr + payload.nbytes
        self.payload = payload

    def send(
        self, seq: int, t_ns: int, t_recv_ns: int, flags: Flag = Flag.OK, note: str = ""
    ) -> None:
        """Give it to all readers; the arguments are those of `Sample`.

        Raises:
            SharedMemoryError: It was sent before, or the writer is closed.
        """
        if self._memory is None:
            raise SharedMemoryError("this loan was sent before")
        text = note.encode("utf-8")[:NOTE_BYTES] if note else b""
        if text:
            ctypes.memmove(self._tail, text, len(text))
        shape = self.payload.shape
        self._writer._send(self, Head(0, seq, t_ns, t_recv_ns, int(flags), shape, len(text)))

    def _hand_over(self, head: Head) -> Any:
        """Write the head; give up the memory."""
        ctypes.memmove(self._head, head.pack(), HEAD.size)
        memory, self._memory = self._memory, None
        return memory


class SharedWriter:
    """Writes the samples of one stream to shared memory, once for all readers.

    It never waits: the memory holds a chunk for whatever the readers keep, also those that stand
    still or died. There is one writer for each stream.

    Args:
        spec: The stream.
        seconds: Length of the past for readers.
        max_bytes: Bound of the memory, which is taken at once and whole.
        readers: How many readers there may be at once.
        name: Under which readers find it; None for the name in `spec`.
        domain: See `Place`.
        block: Frames of the largest block of sound; a larger one is written in parts. 0: what the
            stream states, else 0.1 s.

    Raises:
        ConfigError: A name or size cannot be.
        MissingExtraError: iceoryx2 is not installed.
        SharedMemoryError: No room in /dev/shm, no right, or the stream has a writer.
    """

    def __init__(
        self,
        spec: StreamSpec,
        *,
        seconds: float = 2.0,
        max_bytes: int = 256 * 1024 * 1024,
        readers: int = READERS,
        name: str | None = None,
        domain: str | None = None,
        block: int = 0,
    ) -> None:
        self.spec = spec
        self.name = spec.name if name is None else name
        self.layout = Layout.of(
            spec, seconds=seconds, max_bytes=max_bytes, readers=readers, block=block
        )
        self.dropped = 0
        self._dtype = DTYPES[spec.kind]
        self._count = 0
        self._spare: Loan | None = None
        self._lock = threading.Lock()
        self._place = Place.of(domain)
        self._end = _End(self._place, self.name, spec, self.layout)
        self._close = weakref.finalize(self, self._end.close)

    def __enter__(self) -> SharedWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def written(self) -> int:
        """Samples written so far."""
        return self._count

    def close(self) -> None:
        """Give the memory back; readers keep what they hold. Twice is fine."""
        with self._lock:
            self._spare = None
            self._close()

    def write(self, sample: Sample) -> bool:
        """Copy a sample into the memory; False if there was no room for it (counted).

        Raises:
            SharedMemoryError: It is not of this stream's type or is too large, or the writer is
                closed.
        """
        done = True
        for part in self._parts(sample):
            loan = self.loan(part.payload.shape)
            if loan is None:
                done = False
                continue
            np.copyto(loan.payload, part.payload, casting="no")
            loan.send(part.seq, part.t_ns, part.t_recv_ns, part.flags, part.note)
        return done

    def loan(self, shape: tuple[int, ...]) -> Loan | None:
        """Memory for a payload, so that a driver can decode or read straight into it.

        Returns:
            None if no chunk is free (counted as dropped): three loans are held already.

        Raises:
            SharedMemoryError: It is too large, or the writer is closed.
        """
        nbytes = prod(shape) * self._dtype.itemsize
        if nbytes > self.layout.payload_bytes or len(shape) > MAX_NDIM:
            raise SharedMemoryError(
                f"a payload of shape {shape} does not fit into '{self.name}'",
                hint=f"up to {self.layout.payload_bytes} bytes; open the writer with its real spec",
            )
        with self._lock:
            spare, self._spare = self._spare, None
            if spare is not None and spare.payload.shape == shape:
                return spare
            del spare  # its chunk is free again
            made = self._take(shape)
            self.dropped += made is None
        return made

    def _take(self, shape: tuple[int, ...]) -> Loan | None:
        """A chunk of the memory as an array; None if none is free."""
        nbytes = prod(shape) * self._dtype.itemsize
        memory = self._end.loan(-(-(nbytes + NOTE_BYTES) // WORD))
        if memory is None:
            return None
        owner = (self._end.node, memory)
        chunk = Chunk(owner, memory.payload_ptr, shape, self._dtype, writable=True)
        return Loan(self, memory, np.asarray(chunk))

    def _send(self, loan: Loan, head: Head) -> None:
        with self._lock:
            self._end.send(loan._hand_over(head._replace(number=self._count)))
            self._count += 1
            # The readers are awake. What the next sample will need is made now, not when it comes.
            loan.payload.flags.writeable = False
            self._spare = self._take(loan.payload.shape)

    def _parts(self, sample: Sample) -> Iterator[Sample]:
        """A block of sound that is larger than a chunk in parts, sample-exact; others as is."""
        if sample.payload.dtype != self._dtype:
            raise SharedMemoryError(
                f"'{self.name}' takes {self._dtype}, not {sample.payload.dtype}"
            )
        frames = len(sample.payload)
        if self.spec.kind is not Kind.AUDIO or sample.payload.nbytes <= self.layout.payload_bytes:
            yield sample
            return
        most = self.layout.payload_bytes * frames // sample.payload.nbytes
        for at in range(0, frames, most):
            yield Sample(
                sample.stream,
                sample.seq,
                sample.t_ns + round(at * NS_PER_S / self.spec.rate_hz),
                sample.t_recv_ns,
                sample.payload[at : at + most],
                sample.flags if at == 0 else sample.flags & ~Flag.GAP_BEFORE,
                sample.note,
            )


class _End:
    """What a writer holds of iceoryx2; apart from it, so that it is closed whatever happens."""

    def __init__(self, place: Place, name: str, spec: StreamSpec, layout: Layout) -> None:
        library = iox.library()
        place.make()
        self._place, self._name = place, name
        self.node: iox.Node | None = None
        self._publisher: Any = None
        self._notifier: Any = None
        self._open = False
        self._lock = Lock(place, name)
        try:
            self.node = iox.make_node(place)  # gives back what dead writers held
            iox.need_room(layout.nbytes)
            service = f"{name}/{secrets.token_hex(8)}"
            with iox.wrapped(f"cannot share '{name}'"):
                self._publisher = (
                    iox.samples_service(self.node, service, layout)
                    .create()
                    .publisher_builder()
                    .initial_max_slice_len(layout.words)
                    .max_loaned_samples(layout.LOANS)
                    .backpressure_strategy(library.BackpressureStrategy.DiscardData)
                    .create()
                )
                self._take_pages()
                events = iox.wake_service(self.node, service, layout).create()
                self._notifier = events.notifier_builder().create()
            Announcement(service, os.getpid(), layout, spec).publish(place, name)
            self._open = True
        except BaseException:
            self.close()
            raise

    def _take_pages(self) -> None:
        """Have the kernel set every page of the memory aside now, or say that it cannot.

        iceoryx2 only sets the size of the file; a page that cannot be had would end the process
        when it is written to.
        """
        found = list(SHM.glob(f"{self._place.prefix}*_{self._publisher.id.value}.data"))
        if not found:
            raise SharedMemoryError(f"the memory of '{self._name}' is not in {SHM}")
        for file in found:
            take_pages(file)

    def loan(self, words: int) -> Any:
        """A chunk, or None if there is none free."""
        if not self._open:
            raise SharedMemoryError(f"the writer of '{self._name}' is closed")
        for attempt in range(2):
            try:
                return self._publisher.loan_slice_uninit(words).assume_init()
            except iox.library().LoanError:
                if attempt == 0 and self.node is not None:
                    iox.clean(self.node)  # what dead readers held is free after this
        return None

    def send(self, memory: Any) -> None:
        """Hand a chunk to all readers and wake them."""
        if not self._open:
            raise SharedMemoryError(f"the writer of '{self._name}' is closed")
        try:  # plain: a context manager costs 20 µs in a process that wakes up for each sample
            memory.send()
        except Exception as err:
            raise iox.ours(err, f"cannot write to '{self._name}'") from err
        with suppress(iox.library().NotifierNotifyError):  # a reader that died a moment ago
            self._notifier.notify()

    def close(self) -> None:
        if self._open:
            with suppress(OSError):
                self._place.announcement(self._name).unlink()
        self._open = False
        self._notifier = self._publisher = self.node = None
        self._lock.release()


def take_pages(file: Path) -> None:
    """Set aside all pages of a file in /dev/shm.

    Raises:
        SharedMemoryError: There is not enough memory.
    """
    size = file.stat().st_size
    fd = os.open(file, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as err:
        room = os.statvfs(SHM)
        raise iox.no_room(size, room.f_bavail * room.f_frsize) from err
    finally:
        os.close(fd)
