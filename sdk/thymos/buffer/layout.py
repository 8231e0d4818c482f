"""How a stream lies in shared memory: the head of each chunk, and how many chunks there are."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import ceil, prod
from typing import Any, NamedTuple

import numpy as np

from thymos.errors import ConfigError
from thymos.samples import Kind, StreamSpec

DTYPES: dict[Kind, np.dtype[Any]] = {
    Kind.VIDEO: np.dtype(np.uint8),
    Kind.DEPTH: np.dtype(np.uint16),
    Kind.AUDIO: np.dtype(np.int16),
    Kind.GAS: np.dtype(np.float64),
}
WORD = 8  # a payload begins and ends on whole words, so that every dtype lies aligned
NOTE_BYTES = 256  # a longer note is cut
MAX_NDIM = 4
HEAD = struct.Struct("<QqqqI4IHB9x")  # 64 bytes, see `Head`

# What a stream that does not state its rate or the size of its blocks is taken for.
RATE_HZ = {Kind.VIDEO: 30.0, Kind.DEPTH: 30.0, Kind.GAS: 10.0}
BLOCK_S = 0.1
BLOCKS_HZ = 100.0


class Head(NamedTuple):
    """The head of one chunk, in the order in which it lies in memory.

    Attributes:
        number: Samples written before this one; a jump means that the reader lost some.
        seq: As in `Sample`; so are t_ns, t_recv_ns and flags.
        shape: Of the payload, at most four axes.
        note_bytes: Length of the note, UTF-8, that follows the payload.
    """

    number: int
    seq: int
    t_ns: int
    t_recv_ns: int
    flags: int
    shape: tuple[int, ...]
    note_bytes: int

    def pack(self) -> bytes:
        """As it lies in memory."""
        number, seq, t_ns, t_recv_ns, flags, shape, note_bytes = self
        padded = (*shape, 0, 0, 0, 0)[:MAX_NDIM]
        return HEAD.pack(number, seq, t_ns, t_recv_ns, flags, *padded, note_bytes, len(shape))

    @classmethod
    def unpack(cls, data: bytes) -> Head:
        """The reverse of `pack`."""
        number, seq, t_ns, t_recv_ns, flags, a, b, c, d, note_bytes, ndim = HEAD.unpack(data)
        return cls(number, seq, t_ns, t_recv_ns, flags, (a, b, c, d)[:ndim], note_bytes)


@dataclass(frozen=True, slots=True)
class Layout:
    """Chunks of the memory of one stream.

    Attributes:
        payload_bytes: The largest payload that fits.
        depth: Samples of the past that a reader has at hand, and that one who comes late is given.
        readers: How many readers there may be at once.
    """

    payload_bytes: int
    depth: int
    readers: int

    LOANS = 3  # one being filled while another is written, and one that is ready

    @property
    def words(self) -> int:
        """Words of 8 bytes of one chunk behind the head: payload and note."""
        return -(-self.payload_bytes // WORD) + NOTE_BYTES // WORD

    @property
    def borrows(self) -> int:
        """Chunks one reader may hold: its past, the one that comes in, and one to copy from."""
        return self.depth + 2

    @property
    def chunks(self) -> int:
        """So many that the writer finds a free one whatever the readers do.

        The past for late comers; for each reader its queue and what it holds; and the loans.
        """
        return self.depth + self.readers * (self.depth + self.borrows) + self.LOANS

    @property
    def nbytes(self) -> int:
        """Size of the memory of the stream, about."""
        return self.chunks * (self.words * WORD + 2 * HEAD.size)

    @classmethod
    def of(
        cls, spec: StreamSpec, *, seconds: float, max_bytes: int, readers: int, block: int = 0
    ) -> Layout:
        """Lay a stream out: `seconds` of it, or less if that would take more than `max_bytes`.

        Args:
            spec: The stream.
            seconds: Length of the past.
            max_bytes: Bound of the whole memory, all readers included.
            readers: How many readers there may be at once.
            block: Frames of the largest block of sound; 0: what the stream states, else 0.1 s.

        Raises:
            ConfigError: A number is not positive, or `max_bytes` does not hold four samples.
        """
        if seconds <= 0 or max_bytes <= 0 or readers <= 0:
            raise ConfigError("a shared buffer needs room: seconds, max_bytes and readers above 0")
        payload, rate = _payload(spec, block)
        deep = cls(payload, max(2, ceil(seconds * rate)), readers)
        fixed = cls(payload, 0, readers)
        one = cls(payload, 1, readers).nbytes - fixed.nbytes
        depth = min(deep.depth, (max_bytes - fixed.nbytes) // one)
        if depth < 2:
            need = cls(payload, 2, readers).nbytes
            raise ConfigError(
                f"{max_bytes} bytes are too few to share '{spec.name}'",
                hint=f"allow at least {need} bytes, or fewer than {readers} readers",
            )
        return cls(payload, depth, readers)


def _payload(spec: StreamSpec, block: int) -> tuple[int, float]:
    """Bytes of the largest payload, and samples each second."""
    itemsize = DTYPES[spec.kind].itemsize
    if len(spec.shape) > MAX_NDIM or not spec.shape:
        raise ConfigError(f"a payload of shape {spec.shape} cannot be shared")
    if spec.kind is not Kind.AUDIO:
        if min(spec.shape) <= 0:
            raise ConfigError(f"the shape {spec.shape} of '{spec.name}' does not tell its size")
        return prod(spec.shape) * itemsize, spec.rate_hz or RATE_HZ[spec.kind]
    stated = spec.shape[0]
    frames = block or (stated if stated > 0 else ceil(spec.rate_hz * BLOCK_S)) or 1
    width = max(1, spec.shape[-1] if len(spec.shape) > 1 else 1, len(spec.channels))
    return frames * width * itemsize, spec.rate_hz / stated if stated > 0 else BLOCKS_HZ
