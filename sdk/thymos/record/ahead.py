"""Pictures decoded a little ahead of the reader, on threads, in the order of the file."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from thymos.errors import RecordingError
from thymos.record.decode import MessageReader
from thymos.record.messages import Bag, Decoded, Raw, Topic

AHEAD = 3
"""Pictures held for each thread."""


class Ahead:
    """The messages of one topic, decoded.

    Decoding a picture takes longer than all else in reading (1.5 ms for 640x480, JPEG or H.264)
    and the libraries do it without Python's lock. What comes out does not depend on threads.

    Args:
        bag: Open.
        topic: Of the bag.
        reader: Decodes it.
    """

    def __init__(self, bag: Bag, topic: Topic, reader: MessageReader) -> None:
        self._bag = bag
        self._topic = topic
        self._reader = reader
        self._raws: Iterator[Raw] = bag.messages(topic.name)
        self._queue: deque[tuple[Raw, Future[Decoded | None]]] = deque()
        self._pools: list[ThreadPoolExecutor] = []
        self._first = True
        self._end: RecordingError | None = None
        self._over = False

    def next(self) -> tuple[Raw, Decoded | None] | None:
        """The next message and what it holds, None if it is damaged; None at the end.

        Raises:
            RecordingError: The rest of the file cannot be read.
        """
        workers = 0 if self._first else self._reader.workers
        self._first = False  # the first tells of what kind they are
        while not self._over and len(self._queue) < max(1, workers * AHEAD):
            raw = self._fetch()
            if raw is not None:
                self._queue.append((raw, self._start(raw, workers)))
        if self._queue:
            raw, found = self._queue.popleft()
            return raw, found.result()
        if self._end is not None:
            raise self._end
        return None

    def close(self) -> None:
        """Stop the threads."""
        self._queue.clear()
        for pool in self._pools:
            pool.shutdown(wait=True, cancel_futures=True)

    def _fetch(self) -> Raw | None:
        try:
            raw = next(self._raws, None)
        except RecordingError as err:
            raw, self._end = None, err
        self._over = raw is None
        return raw

    def _start(self, raw: Raw, workers: int) -> Future[Decoded | None]:
        if workers:
            if not self._pools:
                self._pools = [
                    ThreadPoolExecutor(n, thread_name_prefix="decode") for n in (workers, 1)
                ]
            read = self._pools[0].submit(self._decode, raw)
            return self._pools[1].submit(lambda: self._finish(read.result()))
        done: Future[Any] = Future()
        done.set_result(self._finish(self._decode(raw)))
        return done

    def _finish(self, found: Decoded | None) -> Decoded | None:
        try:
            return found if found is None else self._reader.finish(found)
        except RecordingError:
            return None

    def _decode(self, raw: Raw) -> Decoded | None:
        try:
            if raw.data is not None:
                return self._reader.read(self._bag.decode(self._topic, raw.data))
        except RecordingError:
            pass
        return None
