"""The recent past of each stream, indexed by capture time."""

from thymos.buffer.ring import Ring

__all__ = ["Ring"]
