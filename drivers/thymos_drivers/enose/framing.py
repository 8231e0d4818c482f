"""Cuts the bytes of a serial port into lines.

`readline` with a timeout returns halves of lines as if they were whole, so this is done by hand.
"""

from __future__ import annotations

MAX_LINE = 4096


class Framer:
    """Cuts bytes into lines; each line knows when its first byte arrived.

    The first line after opening may be half and is thrown away. A line longer than `MAX_LINE` is
    thrown away as well, so that a stream of garbage cannot grow.

    Attributes:
        overlong: Lines thrown away for their length.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._began_ns = 0
        self._skip = True
        self.overlong = 0

    def feed(self, data: bytes, now_ns: int) -> list[tuple[bytes, int]]:
        """Take what arrived at `now_ns`; return the lines that are complete."""
        lines = []
        for piece in data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").splitlines(keepends=True):
            if not self._buffer:
                self._began_ns = now_ns
            self._buffer += piece
            if piece.endswith(b"\n"):
                if not self._skip:
                    lines.append((bytes(self._buffer), self._began_ns))
                self._skip = False
                self._buffer.clear()
            elif len(self._buffer) > MAX_LINE:
                self._buffer.clear()
                self._skip = True
                self.overlong += 1
        return lines
