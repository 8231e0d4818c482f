"""A ring of samples in order of capture time, bounded in seconds and in bytes."""

from __future__ import annotations

import threading
from bisect import bisect_left

from thymos.samples import NS_PER_S, Kind, Sample, StreamSpec, duration_ns

Key = tuple[int, int]  # capture time, sequence number


class Ring:
    """Keeps the newest samples of one stream; the oldest are overwritten.

    Any number of threads may write and read. A reader gets references to immutable samples, not
    copies, and holds the lock only while these are collected, so a slow one blocks nobody.

    The bound in seconds is one of *data*: a hole in the stamps (a pause, a clock that jumped)
    counts as one second at most and throws nothing away. The newest sample always stays.

    Args:
        spec: The stream.
        seconds: Length of the past that is kept.
        max_bytes: Size of all payloads together.
        max_samples: How many samples at most; None for any number.
    """

    HOLE_NS = NS_PER_S

    def __init__(
        self, spec: StreamSpec, seconds: float, max_bytes: int, max_samples: int | None = None
    ) -> None:
        if seconds <= 0 or max_bytes <= 0:
            raise ValueError("a ring needs room: seconds and max_bytes must be positive")
        self.spec = spec
        self._span_ns = int(seconds * NS_PER_S)
        self._max_bytes = max_bytes
        self._max_samples = max_samples
        self._lock = threading.Lock()
        self._keys: list[Key] = []
        self._samples: list[Sample] = []
        self._nbytes = 0
        self._data_ns = 0  # sum of the distances of neighbours, holes shortened
        self._longest_ns = 0  # longest duration of one sample
        self._overwritten = 0
        self._duplicates = 0

    def __len__(self) -> int:
        with self._lock:
            return len(self._keys)

    @property
    def nbytes(self) -> int:
        """Size of the payloads held."""
        return self._nbytes

    @property
    def overwritten(self) -> int:
        """Samples that fell out because the ring was full."""
        return self._overwritten

    @property
    def duplicates(self) -> int:
        """Samples refused because one of the same time and number was there."""
        return self._duplicates

    def write(self, sample: Sample) -> bool:
        """Take a sample in, also one that comes out of order; False if it was a duplicate."""
        key = (sample.t_ns, sample.seq)
        with self._lock:
            keys = self._keys
            if keys and key <= keys[-1]:
                at = bisect_left(keys, key)
                if keys[at] == key:
                    self._duplicates += 1
                    return False
                self._data_ns -= self._step(at - 1, at)
                keys.insert(at, key)
                self._samples.insert(at, sample)
                self._data_ns += self._step(at - 1, at) + self._step(at, at + 1)
            else:
                if keys:
                    self._data_ns += min(key[0] - keys[-1][0], self.HOLE_NS)
                keys.append(key)
                self._samples.append(sample)
            self._nbytes += sample.payload.nbytes
            if self.spec.kind is Kind.AUDIO:
                self._longest_ns = max(self._longest_ns, duration_ns(sample, self.spec))
            while len(keys) > 1 and (
                self._nbytes > self._max_bytes
                or self._data_ns > self._span_ns
                or (self._max_samples is not None and len(keys) > self._max_samples)
            ):
                self._drop_oldest()
                self._overwritten += 1
            return True

    def latest(self) -> Sample | None:
        """Newest sample by capture time."""
        with self._lock:
            return self._samples[-1] if self._keys else None

    def before(self, t_ns: int) -> Sample | None:
        """Newest sample with a capture time before `t_ns`."""
        with self._lock:
            at = bisect_left(self._keys, (t_ns, -1))
            return self._samples[at - 1] if at else None

    def window(self, t0_ns: int, t1_ns: int) -> tuple[Sample, ...]:
        """Samples that touch [t0_ns, t1_ns), in order of capture time.

        A block of sound that began earlier and reaches into the window is part of it.
        """
        with self._lock:
            early = bisect_left(self._keys, (t0_ns - self._longest_ns, -1))
            first = bisect_left(self._keys, (t0_ns, -1), early)
            last = bisect_left(self._keys, (t1_ns, -1), first)
            before, inside = self._samples[early:first], self._samples[first:last]
        reaching = (s for s in before if s.t_ns + duration_ns(s, self.spec) > t0_ns)
        return (*reaching, *inside)

    def discard_before(self, t_ns: int) -> int:
        """Let go of samples that ended by `t_ns`, but for the newest of them; return how many.

        For a reader who can prove that he will not ask for them: not counted as overwritten.
        """
        with self._lock:
            keep = bisect_left(self._keys, (t_ns - self._longest_ns, -1)) - 1
            gone = max(0, keep)
            for _ in range(gone):
                self._drop_oldest()
            return gone

    def discard_from(self, t_ns: int) -> int:
        """Let go of samples with a capture time at or after `t_ns` (their stamps were wrong)."""
        with self._lock:
            at = bisect_left(self._keys, (t_ns, -1))
            gone = self._samples[at:]
            self._data_ns -= sum(self._step(i - 1, i) for i in range(at, len(self._keys)))
            self._nbytes -= sum(s.payload.nbytes for s in gone)
            del self._keys[at:], self._samples[at:]
            return len(gone)

    def _step(self, a: int, b: int) -> int:
        """Distance of two neighbours, a hole counting as one second; 0 past the ends."""
        if a < 0 or b >= len(self._keys):
            return 0
        return min(self._keys[b][0] - self._keys[a][0], self.HOLE_NS)

    def _drop_oldest(self) -> None:
        self._nbytes -= self._samples[0].payload.nbytes
        self._data_ns -= self._step(0, 1)
        del self._keys[0], self._samples[0]  # moves pointers only: a microsecond for thousands
