"""The recent past of each stream, indexed by capture time: in this process or across processes."""

from thymos.buffer.interface import Buffer, BufferReader, BufferWriter
from thymos.buffer.ring import Ring
from thymos.buffer.shared_reader import SharedReader
from thymos.buffer.shared_writer import Loan, SharedWriter

__all__ = [
    "Buffer",
    "BufferReader",
    "BufferWriter",
    "Loan",
    "Ring",
    "SharedReader",
    "SharedWriter",
]
